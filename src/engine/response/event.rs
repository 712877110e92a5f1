//! An action held against what was asked about it and against its agent's state.

use super::super::sessions::SessionSlot;
use super::super::step_up::{Asked, Asking, Because, Cover, Difference, State, Wish};
use super::super::{Engine, Output, identifier};
use crate::event::limits::shown;
use crate::event::{Event, Status};
use crate::finding::audit_record::{AuditRecord, What};
use crate::finding::step_up_request::DecisionRequired;
use crate::finding::{Decision, Kind, PolicyShown};
use crate::govern::control::{AgentStateRecord, Confirmation, EnforcementState};
use crate::govern::{Draft, Recorded, Tables, Violation};

/// What was made of an action.
#[derive(Debug, Clone, Default)]
pub struct Responded {
    /// It ran under an approval.
    pub is_covered: bool,
    /// The request that it was held against.
    pub request_id: Option<String>,
    /// The agent's state asks for an approval of each action, and this one waits for it.
    pub asks_by_state: bool,
    /// The agent's state forbids every action, and this one waits in vain.
    pub is_stopped: bool,
    /// What its agent's contract says of its record.
    pub recorded: Recorded,
}

impl Engine {
    /// Adds to an event's violations what follows from its approval and its agent's state, and takes out what an approval covers.
    pub(in super::super) fn respond(
        &mut self,
        event: &Event<'_>,
        tables: &Tables,
        violations: &mut Vec<Violation>,
        outputs: &mut Vec<Output>,
    ) -> Responded {
        self.adopt_state(event, tables);
        let limit = violations.iter().find(|violation| violation.ask.is_some());
        let desk = self.response.desk(&event.agent_id);
        let is_bound = desk.is_some_and(|desk| desk.standing.is_some() || desk.requests.may_cover(event, false));
        if !is_bound && limit.is_none() && event.approval_id.is_none() {
            return Responded::default();
        }
        let standing = desk.and_then(|desk| desk.standing.as_ref());
        let asks_by_state = standing.is_some_and(|standing| standing.asks(event.ts));
        let forbidden = standing.filter(|standing| standing.forbids(event.ts)).map(|standing| (standing.record.state, standing.since));
        if event.status == Some(Status::Denied) {
            return Responded { asks_by_state, is_stopped: forbidden.is_some(), ..Responded::default() };
        }
        let limit = limit.map(|limit| (limit.rule.clone(), limit.contract.clone()));
        let is_required = limit.is_some() || asks_by_state;
        let names = || Names::of(event, limit.as_ref().map_or("agent-state", |(rule, _)| rule));
        if let Some((state, since)) = forbidden {
            violations.push(self.violation(names().acted(state, since), None));
        }
        let mut responded = Responded::default();
        let broken = match self.cover(event, is_required) {
            Cover::NotNeeded => None,
            Cover::Covered(request_id, transition) => {
                let rule = self.response.find(&request_id).map(|(_, tracked)| tracked.request.policy.rule.clone());
                violations.retain(|violation| {
                    let is_asked = violation.ask.is_some() || rule.as_ref() == Some(&violation.rule);
                    // No approval lets an agent act that was stopped since.
                    !(is_asked && violation.decision == Decision::StepUp && !violation.kind.is_response())
                });
                if let Some(transition) = transition {
                    self.keep_transition(&event.agent_id, &transition, event.ts, outputs);
                }
                responded = Responded { is_covered: true, request_id: Some(request_id), ..Responded::default() };
                None
            }
            Cover::Missing(request) => Some(names().missing(request.as_ref().map(|(_, state)| *state))),
            Cover::Mismatch(request_id, difference) => {
                responded.request_id = Some(request_id.clone());
                Some(names().mismatch(&request_id, difference))
            }
            Cover::Replayed(request_id) => {
                responded.request_id = Some(request_id.clone());
                Some(names().replayed(&request_id))
            }
            Cover::Refused(request_id, state) => {
                responded.request_id = Some(request_id.clone());
                Some(names().refused(&request_id, state))
            }
        };
        if let Some(broken) = broken {
            let contract = limit.as_ref().and_then(|(_, contract)| contract.as_deref());
            violations.push(self.violation(broken, contract));
        }
        responded
    }

    fn cover(&mut self, event: &Event<'_>, is_required: bool) -> Cover {
        let own = self.response.desk(&event.agent_id).is_some();
        if let Some(approval_id) = event.approval_id.as_deref()
            && let Some((agent, _)) = self.response.find(approval_id)
            && agent != event.agent_id
        {
            let difference = Difference { field: "agent_id", approved: shown(agent), ran: shown(&event.agent_id) };
            return Cover::Mismatch(approval_id.to_owned(), difference);
        }
        match own {
            true => self.response.desk_mut(&event.agent_id).requests.cover(event, is_required),
            false if is_required => Cover::Missing(None),
            false => Cover::NotNeeded,
        }
    }

    /// A state that was in the table before this shard came to own the agent.
    fn adopt_state(&mut self, event: &Event<'_>, tables: &Tables) {
        let Some(record) = tables.agent_state(&event.agent_id) else { return };
        if self.response.desk(&event.agent_id).is_none_or(|desk| desk.standing.is_none()) {
            let at = record.since.unwrap_or(event.ts);
            let desk = self.response.desk_mut(&event.agent_id);
            super::super::enforcement::turn(&mut desk.standing, &event.agent_id, Some(record), at);
        }
    }

    /// Asks about an event, unless the same is asked already or too much is open.
    pub(in super::super) fn ask_once(&mut self, wish: &Wish<'_>, outputs: &mut Vec<Output>) {
        let agent: &str = &wish.event.agent_id;
        let (partition, now) = (self.shard.partition, self.stream_ms);
        let settings = &self.config.step_up;
        let asked = if self.response.has_room(agent, self.config.memory.asked, settings.ack_within_ms) {
            self.response.desk_mut(agent).requests.ask(wish, partition, now, settings)
        } else {
            Asked::Withheld
        };
        let mut record = AuditRecord::new(What::Request, now, agent, "withheld");
        record.event_id = Some(wish.event.event_id.to_string());
        record.finding_id = Some(wish.because.finding_id.to_owned());
        match asked {
            Asked::New(request, ended) => {
                if let Some(ended) = ended {
                    self.keep_transition(agent, &ended, now, outputs);
                }
                outputs.push(Output::StepUp(request));
            }
            Asked::Merged(request_id) => {
                "merged".clone_into(&mut record.outcome);
                record.request_id = Some(request_id);
                self.record(record, outputs);
            }
            Asked::Withheld => {
                self.counters.withheld += 1;
                self.record(record, outputs);
            }
        }
    }

    /// Asks about an action that waits because its agent's state asks for approvals.
    pub(in super::super) fn ask_by_state(&mut self, event: &Event<'_>, writes: bool, outputs: &mut Vec<Output>) {
        let Some(standing) = self.response.desk(&event.agent_id).and_then(|desk| desk.standing.clone()) else { return };
        let state_id = standing.record.state_id.clone().unwrap_or_default();
        let draft = Draft {
            kind: Kind::ApprovalMissing,
            rule: "agent-state".into(),
            title: String::new(),
            field: "agent_state",
            expected: EnforcementState::Active.as_str().to_owned(),
            actual: EnforcementState::StepUpRequired.as_str().to_owned(),
            normal_if: String::new(),
        };
        let violation = self.violation(draft, None);
        let because = Because {
            finding_id: standing.record.finding_id.as_ref().unwrap_or(&state_id),
            policy: &PolicyShown { id: "policy".into(), version: self.policy_version.clone(), rule: violation.rule },
            score: None,
            severity: violation.severity,
            reasons: &violation.reasons,
        };
        let asking = Asking { required: DecisionRequired::HumanApproval, limit: None };
        self.ask_once(&Wish { event, because, writes, asking: Some(asking) }, outputs);
    }

    /// Stops the agent because of its finding of `kind`, unless it is stopped already.
    pub(in super::super) fn suspend(&mut self, event: &Event<'_>, kind: Kind, slot: SessionSlot, outputs: &mut Vec<Output>) {
        let Some(open) = self.sessions.get_mut(slot).alarm.finding_mut(kind) else { return };
        let (finding_id, reason, found_at) = (open.finding.finding_id.clone(), open.finding.title.clone(), open.finding.first_seen);
        let now = self.stream_ms;
        let desk = self.response.desk_mut(&event.agent_id);
        if desk.standing.as_ref().is_some_and(super::super::enforcement::Standing::is_stopped) {
            return;
        }
        let record = AgentStateRecord {
            agent_id: event.agent_id.to_string(),
            state: EnforcementState::Suspended,
            state_id: Some(identifier::of(&["state", &finding_id, &event.event_id])),
            reason: Some(reason),
            finding_id: Some(finding_id),
            set_by: Some(super::super::enforcement::OURSELVES.to_owned()),
            since: Some(now),
            valid_until: None,
            confirmation: Some(Confirmation::Unconfirmed),
        };
        super::super::enforcement::turn(&mut desk.standing, &event.agent_id, Some(&record), now);
        if let Some(standing) = &mut desk.standing {
            standing.found_at = found_at;
        }
        self.keep_state(&record, now, record.state.as_str(), outputs);
        outputs.push(Output::State(Box::new(record)));
    }

    /// A state that was set or refused is part of the trail.
    pub(super) fn keep_state(&mut self, state: &AgentStateRecord, at: i64, outcome: &str, outputs: &mut Vec<Output>) {
        let mut record = AuditRecord::new(What::State, at, &state.agent_id, outcome);
        record.state_id.clone_from(&state.state_id);
        record.finding_id.clone_from(&state.finding_id);
        record.by.clone_from(&state.set_by);
        record.title.clone_from(&state.reason);
        self.record(record, outputs);
    }
}

/// How messages name the event at hand.
struct Names {
    agent: String,
    action: String,
    rule: String,
}

impl Names {
    fn of(event: &Event<'_>, rule: &str) -> Self {
        let action = event.tool.as_deref().unwrap_or(event.action.as_str());
        Self { agent: shown(&event.agent_id), action: shown(action), rule: rule.to_owned() }
    }

    fn acted(&self, state: EnforcementState, since: i64) -> Draft {
        let Self { agent, action, .. } = self;
        let word = state.as_str();
        Draft {
            kind: Kind::ActedAfterSuspension,
            title: format!("{agent} did {action} after it was {word}"),
            field: "agent_state",
            expected: format!("no action since {since}"),
            actual: action.clone(),
            normal_if: format!("{agent} were active, or stopped by its enforcement point"),
            rule: "agent-state".into(),
        }
    }

    fn missing(self, state: Option<State>) -> Draft {
        let Self { agent, action, rule } = self;
        Draft {
            kind: Kind::ApprovalMissing,
            title: format!("{agent} did {action} without the approval that it needs"),
            field: "approval_id",
            expected: "an approval that is open".into(),
            actual: state.map_or_else(|| "none".to_owned(), |state| format!("a request that is {}", state.as_str())),
            normal_if: "it had been asked for and approved before".into(),
            rule,
        }
    }

    fn mismatch(self, request_id: &str, difference: Difference) -> Draft {
        let Self { agent, action, rule } = self;
        let Difference { field, approved, ran } = difference;
        Draft {
            kind: Kind::ApprovalMismatch,
            title: format!("{agent} did {action} under an approval of something else: {field} is {ran}, approved was {approved}"),
            field,
            expected: format!("{approved}, as in {request_id}"),
            actual: ran,
            normal_if: format!("{field} were {approved}"),
            rule,
        }
    }

    fn replayed(self, request_id: &str) -> Draft {
        let Self { agent, action, rule } = self;
        Draft {
            kind: Kind::ApprovalReplayed,
            title: format!("{agent} did {action} again under an approval that was spent"),
            field: "approval_id",
            expected: format!("{request_id} used no more often than approved"),
            actual: "once more".into(),
            normal_if: "it had been approved anew".into(),
            rule,
        }
    }

    fn refused(self, request_id: &str, state: State) -> Draft {
        let Self { agent, action, rule } = self;
        let word = if state == State::Denied { "was denied" } else { "nobody approved in time" };
        Draft {
            kind: Kind::ApprovalRefusedButExecuted,
            title: format!("{agent} did {action}, which {word}"),
            field: "approval_id",
            expected: format!("not done, as {request_id} is {}", state.as_str()),
            actual: "done".into(),
            normal_if: "it had been approved".into(),
            rule,
        }
    }
}
