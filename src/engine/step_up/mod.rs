//! The step-up requests of one agent: what is asked, what merges, what is withheld, how it is answered and used
//! (STANDARDS.md, section 8). Every transition is safe to repeat: the same answer or event again changes nothing.

pub mod answer;
pub mod cover;
pub mod life;
mod request;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

pub use answer::{Answered, Refusal};
pub use cover::{Cover, Difference};
pub use life::{State, Tracked, Transition};
pub(super) use request::amount;

use crate::config::StepUp;
use crate::event::{Event, Status};
use crate::finding::step_up_request::DecisionRequired;
use crate::finding::{Finding, PolicyShown, Reason, Severity, StepUpRequest};
use crate::govern::Ask;

/// Requests of one agent that are remembered after their end; answers to older ones are answers to nothing.
const ENDED_KEPT: usize = 64;

/// The requests of one agent, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Requests {
    /// Each by itself: a list of what is so large would keep room for as many again.
    tracked: VecDeque<Box<Tracked>>,
}

/// What a declared rule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking<'a> {
    /// Who must decide.
    pub required: DecisionRequired,
    /// The limit that was passed, where the rule is one.
    pub limit: Option<&'a Ask>,
}

/// A wish to ask about an event.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// What asks.
    pub event: &'a Event<'a>,
    /// Why.
    pub because: Because<'a>,
    /// Whether the event's tool changes something.
    pub writes: bool,
    /// What a declared rule asks for; `None`: behaviour asks.
    pub asking: Option<Asking<'a>>,
}

/// The finding or state that asks.
#[derive(Debug, Clone, Copy)]
pub struct Because<'a> {
    /// Id of the finding, or of the state where there is none.
    pub finding_id: &'a str,
    /// The rule.
    pub policy: &'a PolicyShown,
    /// `-log10 p`.
    pub score: Option<f64>,
    /// How bad.
    pub severity: Severity,
    /// Expected against actual.
    pub reasons: &'a [Reason],
}

impl<'a> From<&'a Finding> for Because<'a> {
    fn from(finding: &'a Finding) -> Self {
        let Finding { finding_id, policy, score, severity, reasons, .. } = finding;
        Self { finding_id, policy, score: *score, severity: *severity, reasons }
    }
}

/// What became of a wish to ask.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// Ask this; a weaker question may end with it.
    New(Box<StepUpRequest>, Option<Transition>),
    /// The same question is open already, or answered and not used: its id.
    Merged(String),
    /// Too many are open.
    Withheld,
}

impl Requests {
    /// One question that was published, as it was then.
    #[must_use]
    pub fn of(request: StepUpRequest) -> Self {
        Self { tracked: VecDeque::from([Box::new(Tracked::new(request, false))]) }
    }

    /// Asks at stream time `now`, unless the same is asked already or too much is open.
    pub fn ask(&mut self, wish: &Wish<'_>, partition: i32, now: i64, settings: &StepUp) -> Asked {
        let dedupe_key = request::dedupe_key(wish.event);
        let is_waiting = wish.event.status == Some(Status::Denied);
        let by_person = |decision: DecisionRequired| decision == DecisionRequired::HumanApproval;
        let (required, _) = request::strength(wish);
        let open = self.tracked.iter_mut().find(|tracked| tracked.state().is_open() && tracked.request.dedupe_key == dedupe_key);
        let ended = match open {
            // A person must decide now: that the agent proves who it is answers no longer.
            Some(weaker) if weaker.state() == State::Pending && by_person(required) && !by_person(weaker.request.decision_required) => {
                Some(weaker.turn(State::Superseded))
            }
            Some(same) => {
                same.ran_before &= !is_waiting;
                return Asked::Merged(same.request.request_id.clone());
            }
            None => None,
        };
        if self.pending().count() >= settings.open_max {
            return Asked::Withheld;
        }
        let before = self.tracked.iter().filter(|tracked| tracked.request.dedupe_key == dedupe_key).count();
        let attempt = request::Attempt {
            number: u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1),
            dedupe_key,
            supersedes: ended.as_ref().map(|transition| transition.request_id.clone()),
        };
        let mut request = request::build(wish, attempt, partition, now, settings);
        // Why it was asked is said in what is published, and nobody here looks at it again.
        let reasons = std::mem::take(&mut request.risk.reasons);
        let kept = request.clone();
        request.risk.reasons = reasons;
        // What behaviour asks afterwards may still be used: nothing needed its leave the first time.
        let ran_before = wish.asking.is_some() && !is_waiting;
        self.tracked.push_back(Box::new(Tracked::new(kept, ran_before)));
        self.forget_oldest();
        Asked::New(Box::new(request), ended)
    }

    /// What time alone does: at `now`, epoch ms, unanswered requests expire and unused approvals lapse.
    pub fn pass_time(&mut self, now: i64) -> Vec<Transition> {
        self.tracked.iter_mut().filter_map(|tracked| tracked.pass_time(now)).collect()
    }

    /// The earliest time at which [`Self::pass_time`] would change something.
    #[must_use]
    pub fn due(&self) -> Option<i64> {
        let due = |tracked: &Tracked| match tracked.state() {
            State::Pending => Some(tracked.request.expires_at),
            State::Approved => Some(tracked.valid_until.saturating_add(1)),
            _ => None,
        };
        self.iter().filter_map(due).min()
    }

    /// The request of that id.
    #[must_use]
    pub fn find(&self, request_id: &str) -> Option<&Tracked> {
        self.iter().find(|tracked| tracked.request.request_id == request_id)
    }

    /// Whether any may still change.
    #[must_use]
    pub fn has_open(&self) -> bool {
        self.tracked.iter().any(|tracked| tracked.state().is_open())
    }

    /// All that are remembered, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Tracked> {
        self.tracked.iter().map(Box::as_ref)
    }

    fn find_mut(&mut self, request_id: &str) -> Option<&mut Tracked> {
        self.tracked.iter_mut().map(Box::as_mut).find(|tracked| tracked.request.request_id == request_id)
    }

    fn pending(&self) -> impl Iterator<Item = &Tracked> {
        self.iter().filter(|tracked| tracked.state() == State::Pending)
    }

    fn forget_oldest(&mut self) {
        let ended = self.tracked.iter().filter(|tracked| !tracked.state().is_open()).count();
        if ended > ENDED_KEPT
            && let Some(oldest) = self.tracked.iter().position(|tracked| !tracked.state().is_open())
        {
            self.tracked.remove(oldest);
        }
    }
}
