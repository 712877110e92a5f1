//! The step-up requests of one agent: what is asked, what merges, what is withheld, how it is answered and used
//! (STANDARDS.md, section 8). Every transition is safe to repeat: the same answer or event again changes nothing.

pub mod answer;
pub mod cover;
pub mod life;
pub mod question;
pub mod remembered;
mod request;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::VecDeque;

pub use answer::{Answered, Refusal};
pub use cover::{Cover, Difference};
pub use life::{State, Tracked, Transition};
use question::Question;
use remembered::{Ended, Remembered, Sought};
pub(super) use request::amount;

use crate::config::StepUp;
use crate::event::{Event, Status};
use crate::finding::step_up_request::DecisionRequired;
use crate::finding::{Finding, PolicyShown, Reason, Severity, StepUpRequest};
use crate::govern::Ask;

/// Requests of one agent that are remembered after their end; answers to older ones are answers to nothing.
const ENDED_KEPT: usize = 64;

/// The requests of one agent, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Requests {
    remembered: VecDeque<Remembered>,
    /// Those of them that somebody approved and nobody used yet, or denied: all that makes a difference to what runs unasked.
    answered: usize,
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
    pub fn of(request: &StepUpRequest) -> Self {
        Self::holding(VecDeque::from([Remembered::from(Tracked::new(request.into(), false))]))
    }

    fn holding(remembered: VecDeque<Remembered>) -> Self {
        let mut requests = Self { remembered, answered: 0 };
        requests.recount();
        requests
    }

    /// Asks at stream time `now`, unless the same is asked already or too much is open.
    pub fn ask(&mut self, wish: &Wish<'_>, partition: i32, now: i64, settings: &StepUp) -> Asked {
        let dedupe_key = request::dedupe_key(wish.event);
        let is_waiting = wish.event.status == Some(Status::Denied);
        let by_person = |decision: DecisionRequired| decision == DecisionRequired::HumanApproval;
        let (required, _) = request::strength(wish);
        let open = self.open_mut().find(|open| open.request.dedupe_key == dedupe_key);
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
        self.pack_ended();
        if self.pending().count() >= settings.open_max {
            return Asked::Withheld;
        }
        let sought = Sought::from(&*dedupe_key);
        let before = self.remembered.iter().filter(|remembered| remembered.has_dedupe_key(&sought)).count();
        let attempt = request::Attempt {
            number: u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1),
            dedupe_key,
            supersedes: ended.as_ref().map(|transition| transition.request_id.clone()),
        };
        let request = request::build(wish, attempt, partition, now, settings);
        // What behaviour asks afterwards may still be used: nothing needed its leave the first time.
        let ran_before = wish.asking.is_some() && !is_waiting;
        self.remembered.push_back(Tracked::new(Question::from(&request), ran_before).into());
        self.forget_oldest();
        Asked::New(Box::new(request), ended)
    }

    /// What time alone does: at `now`, epoch ms, unanswered requests expire and unused approvals lapse.
    pub fn pass_time(&mut self, now: i64) -> Vec<Transition> {
        let passed = self.open_mut().filter_map(|open| open.pass_time(now)).collect();
        self.pack_ended();
        passed
    }

    /// The earliest time at which [`Self::pass_time`] would change something.
    #[must_use]
    pub fn due(&self) -> Option<i64> {
        let due = |open: &Tracked| match open.state() {
            State::Approved => open.valid_until.saturating_add(1),
            _ => open.request.expires_at,
        };
        self.iter_open().map(due).min()
    }

    /// The request of that id.
    #[must_use]
    pub fn find(&self, request_id: &str) -> Option<Cow<'_, Tracked>> {
        let sought = Sought::from(request_id);
        self.remembered.iter().find(|remembered| remembered.has_id(&sought)).map(Remembered::tracked)
    }

    /// Whether any may still change.
    #[must_use]
    pub fn has_open(&self) -> bool {
        self.iter_open().next().is_some()
    }

    /// When the newest was asked, stream time in epoch ms.
    #[must_use]
    pub fn newest(&self) -> Option<i64> {
        self.remembered.iter().map(Remembered::created_at).max()
    }

    /// All that are remembered, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Cow<'_, Tracked>> {
        self.remembered.iter().map(Remembered::tracked)
    }

    fn iter_open(&self) -> impl Iterator<Item = &Tracked> {
        self.remembered.iter().filter_map(|remembered| match remembered {
            Remembered::Open(tracked) => Some(&**tracked),
            Remembered::Ended(_) => None,
        })
    }

    fn open_mut(&mut self) -> impl Iterator<Item = &mut Tracked> {
        self.remembered.iter_mut().filter_map(Remembered::open_mut)
    }

    fn pending(&self) -> impl Iterator<Item = &Tracked> {
        self.iter_open().filter(|open| open.state() == State::Pending)
    }

    /// Changes the request of that id, if it is open.
    fn change<T>(&mut self, request_id: &str, change: impl FnOnce(&mut Tracked) -> T) -> Option<T> {
        let changed = self.open_mut().find(|open| open.request.request_id == request_id).map(change);
        self.pack_ended();
        changed
    }

    /// Packs what changes no more. To be called after every change.
    fn pack_ended(&mut self) {
        for remembered in &mut self.remembered {
            if let Remembered::Open(tracked) = remembered
                && !tracked.state().is_open()
            {
                *remembered = Remembered::Ended(Ended::pack(tracked));
            }
        }
        self.recount();
    }

    fn recount(&mut self) {
        let is_answered = |remembered: &&Remembered| matches!(remembered.state(), State::Approved | State::Denied);
        self.answered = self.remembered.iter().filter(is_answered).count();
    }

    fn forget_oldest(&mut self) {
        let has_ended = |remembered: &Remembered| !remembered.state().is_open();
        if self.remembered.iter().filter(|remembered| has_ended(remembered)).count() > ENDED_KEPT
            && let Some(oldest) = self.remembered.iter().position(has_ended)
        {
            self.remembered.remove(oldest);
            self.recount();
        }
    }
}
