//! A second, independent account of STANDARDS.md, section 8, of one agent: as few words as possible, no shortcuts, whole lists gone
//! through each time. The engine is held against it.

use std::collections::BTreeSet;

pub const EXPIRES_AFTER: i64 = 900_000;
pub const ACK_WITHIN: i64 = 60_000;
const OPEN_MAX: usize = 3;
const LIMIT: u32 = 50;

/// What is done: a refund for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deed {
    pub order: u8,
    pub amount: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub id: String,
    pub deed: Deed,
    pub expires_at: i64,
    pub state: &'static str,
    pub max_uses: u32,
    pub uses: u32,
    valid_until: i64,
    /// The action had run when it was asked about.
    ran_before: bool,
    /// The answer that decided it.
    accepted: Option<u32>,
}

/// An answer as it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Tells answers apart that say the same.
    pub number: u32,
    pub outcome: &'static str,
    pub is_independent: bool,
    pub names_parameters: bool,
    pub decided_at: i64,
    pub valid_for: Option<i64>,
    pub max_uses: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub state: &'static str,
    pub id: String,
    pub since: i64,
    pub confirmation: &'static str,
    pub is_overdue: bool,
}

/// What an action or answer leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Kinds of findings that open.
    pub kinds: BTreeSet<&'static str>,
    /// The request that covers it.
    pub covered_by: Option<String>,
    /// Asked anew, merged, or withheld.
    pub asked: Option<&'static str>,
}

#[derive(Debug, Clone, Default)]
pub struct Model {
    pub questions: Vec<Question>,
    pub standing: Option<Standing>,
    /// Acknowledgements that said of the state in force that it is enforced.
    pub confirmed_ids: BTreeSet<String>,
    refused: BTreeSet<(u32, &'static str)>,
}

impl Model {
    /// Time passes, as events or the clock tell.
    pub fn pass(&mut self, now: i64) {
        for question in &mut self.questions {
            if question.state == "pending" && now >= question.expires_at {
                question.state = "expired";
            } else if question.state == "approved" && now > question.valid_until {
                question.state = "lapsed";
            }
        }
        if let Some(standing) = &mut self.standing
            && standing.state == "suspended"
            && standing.confirmation != "confirmed"
            && now >= standing.since + ACK_WITHIN
        {
            standing.is_overdue = true;
        }
    }

    /// An action that waits.
    pub fn hold(&mut self, deed: Deed, now: i64) -> Verdict {
        self.pass(now);
        let mut verdict = Verdict::default();
        if deed.amount > LIMIT {
            verdict.kinds.insert("intent_limit");
        }
        if deed.amount > LIMIT || self.state() == "step_up_required" {
            verdict.asked = Some(self.ask(deed, now, false));
        }
        verdict
    }

    /// An action that ran, under the approval that it names.
    pub fn run(&mut self, deed: Deed, named: Option<&str>, now: i64) -> Verdict {
        self.pass(now);
        let mut verdict = Verdict::default();
        if self.state() == "suspended" {
            verdict.kinds.insert("acted_after_suspension");
        }
        let is_required = deed.amount > LIMIT || self.state() == "step_up_required";
        let of_deed = |question: &Question| question.deed == deed;
        let by_name = named.map(|id| self.questions.iter().position(|question| question.id == id));
        let place = by_name.unwrap_or_else(|| {
            let approved = self.questions.iter().position(|question| of_deed(question) && question.state == "approved");
            approved.or_else(|| self.questions.iter().rposition(of_deed))
        });
        let mut is_missing = false;
        match place.map(|place| &mut self.questions[place]) {
            None => is_missing = is_required,
            Some(question) if question.deed != deed => drop(verdict.kinds.insert("approval_mismatch")),
            Some(question) => match question.state {
                "approved" => {
                    question.uses += 1;
                    verdict.covered_by = Some(question.id.clone());
                    if question.uses == question.max_uses {
                        question.state = "consumed";
                    }
                }
                "consumed" if is_required || (named.is_some() && !question.ran_before) => {
                    verdict.kinds.insert("approval_replayed");
                }
                "denied" if is_required || named.is_some() || !question.ran_before => {
                    verdict.kinds.insert("approval_refused_but_executed");
                }
                "expired" if is_required || named.is_some() => {
                    verdict.kinds.insert("approval_refused_but_executed");
                }
                "pending" | "lapsed" => is_missing = is_required,
                _ => (),
            },
        }
        if is_missing {
            verdict.kinds.insert("approval_missing");
        }
        if deed.amount > LIMIT && verdict.covered_by.is_none() {
            verdict.kinds.insert("intent_limit");
            if is_missing {
                verdict.asked = Some(self.ask(deed, now, true));
            }
        }
        verdict
    }

    fn ask(&mut self, deed: Deed, now: i64, ran: bool) -> &'static str {
        let open = |question: &&mut Question| question.deed == deed && matches!(question.state, "pending" | "approved");
        if let Some(question) = self.questions.iter_mut().find(open) {
            question.ran_before &= ran;
            return "merged";
        }
        if self.questions.iter().filter(|question| question.state == "pending").count() >= OPEN_MAX {
            return "withheld";
        }
        self.questions.push(Question {
            id: String::new(),
            deed,
            expires_at: now + EXPIRES_AFTER,
            state: "pending",
            max_uses: 0,
            uses: 0,
            valid_until: 0,
            ran_before: ran,
            accepted: None,
        });
        "new"
    }

    /// An answer; what becomes of it: an outcome, the code of a refusal, or nothing when it is known.
    pub fn answer(&mut self, id: &str, said: &Said, now: i64) -> Option<&'static str> {
        let code = self.judge(id, said, now)?;
        let is_refusal = !matches!(code, "approved" | "denied" | "error");
        (!is_refusal || self.refused.insert((said.number, code))).then_some(code)
    }

    fn judge(&mut self, id: &str, said: &Said, now: i64) -> Option<&'static str> {
        let Some(question) = self.questions.iter_mut().find(|question| question.id == id) else { return Some("unknown_request") };
        if question.accepted == Some(said.number) {
            return None;
        }
        let code = if question.state == "expired" || said.decided_at >= question.expires_at || now >= question.expires_at {
            "late"
        } else if question.state != "pending" {
            "replayed"
        } else if said.outcome == "error" {
            "error"
        } else if !said.names_parameters {
            "params_mismatch"
        } else if !said.is_independent {
            "not_independent"
        } else {
            question.accepted = Some(said.number);
            question.state = said.outcome;
            if said.outcome == "approved" {
                question.max_uses = if question.ran_before { 0 } else { said.max_uses };
                question.valid_until = said.decided_at + said.valid_for.unwrap_or(EXPIRES_AFTER);
                if question.max_uses == 0 {
                    question.state = "consumed";
                }
            }
            said.outcome
        };
        Some(code)
    }

    pub fn state(&self) -> &'static str {
        self.standing.as_ref().map_or("active", |standing| standing.state)
    }

    /// Somebody sets the agent's state.
    pub fn set(&mut self, state: &'static str, id: String, by_person: bool, now: i64) {
        if self.state() == "suspended" && state != "suspended" && !by_person {
            return;
        }
        self.standing = Some(Standing { state, id, since: now, confirmation: "unconfirmed", is_overdue: false });
    }

    /// An enforcement point says what it did about a state; `None`: about the one in force.
    pub fn acknowledge(&mut self, effect: &str, id: Option<&str>) {
        let Some(standing) = &mut self.standing else { return };
        if id.is_some_and(|id| id != standing.id) {
            return;
        }
        match (effect, standing.state) {
            ("suspended", "suspended") | ("restored" | "released", "active") | ("held", "step_up_required") => {
                standing.confirmation = "confirmed";
                self.confirmed_ids.insert(standing.id.clone());
            }
            ("failed", _) => standing.confirmation = "failed",
            _ => (),
        }
    }
}
