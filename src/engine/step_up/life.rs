//! The life of one request: pending → approved, denied, expired or superseded; approved → consumed or lapsed; no other edge
//! (STANDARDS.md, section 8).

use serde::{Deserialize, Serialize};

use super::question::Question;

/// Where a request is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has decided yet.
    Pending,
    /// Somebody may do it, and has not.
    Approved,
    /// Somebody said no.
    Denied,
    /// Nobody decided in time, which is a no.
    Expired,
    /// A stricter question took its place.
    Superseded,
    /// Done under the approval; its uses are spent.
    Consumed,
    /// Approved and not done in time.
    Lapsed,
}

/// One step along an edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// Which request.
    pub request_id: String,
    /// From where.
    pub from: State,
    /// To where.
    pub to: State,
}

/// The answer that decided a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Digest of the whole answer, by which a repeat is known.
    pub digest: String,
    /// Who decided.
    pub by: String,
    /// When it came, epoch ms.
    pub at: i64,
}

/// All of a request that is tracked, as it is packed.
pub(super) type Parts<Q, D> = (Q, bool, D, i64, u32, State);

/// A request and where it is in its life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tracked {
    /// What was asked.
    #[serde(with = "crate::finding::as_json")]
    pub request: Question,
    /// The action had run before anybody was asked: an approval is for what was done and covers nothing more.
    pub ran_before: bool,
    /// Who decided, and when.
    pub decided: Option<Decided>,
    /// Epoch ms after which an approval covers nothing.
    pub valid_until: i64,
    /// Executions that an approval still covers.
    pub uses_left: u32,
    state: State,
}

impl State {
    /// The word in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Consumed => "consumed",
            Self::Lapsed => "lapsed",
        }
    }

    /// Whether a request may go from here to `to`.
    #[must_use]
    pub fn leads_to(self, to: Self) -> bool {
        match self {
            Self::Pending => matches!(to, Self::Approved | Self::Denied | Self::Expired | Self::Superseded),
            Self::Approved => matches!(to, Self::Consumed | Self::Lapsed),
            Self::Denied | Self::Expired | Self::Superseded | Self::Consumed | Self::Lapsed => false,
        }
    }

    /// Whether it may still change.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Approved)
    }
}

impl Tracked {
    /// A question just asked.
    #[must_use]
    pub fn new(request: Question, ran_before: bool) -> Self {
        Self { request, ran_before, decided: None, valid_until: i64::MIN, uses_left: 0, state: State::Pending }
    }

    pub(super) fn parts(&self) -> Parts<&Question, Option<&Decided>> {
        let Self { request, ran_before, decided, valid_until, uses_left, state } = self;
        (request, *ran_before, decided.as_ref(), *valid_until, *uses_left, *state)
    }

    pub(super) fn from_parts(parts: Parts<Question, Option<Decided>>) -> Self {
        let (request, ran_before, decided, valid_until, uses_left, state) = parts;
        Self { request, ran_before, decided, valid_until, uses_left, state }
    }

    /// Where it is.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Goes on to `to`.
    ///
    /// # Panics
    /// When there is no such edge: whoever calls has looked at the state.
    pub(super) fn turn(&mut self, to: State) -> Transition {
        assert!(self.state.leads_to(to), "a request is never {} after {}", to.as_str(), self.state.as_str());
        let from = std::mem::replace(&mut self.state, to);
        Transition { request_id: self.request.request_id.clone(), from, to }
    }

    /// What time alone does to it: no answer by `expires_at` is a no, and an approval ends with `valid_until`.
    pub(super) fn pass_time(&mut self, now: i64) -> Option<Transition> {
        match self.state {
            State::Pending if now >= self.request.expires_at => Some(self.turn(State::Expired)),
            State::Approved if now > self.valid_until => Some(self.turn(State::Lapsed)),
            _ => None,
        }
    }

    /// One execution under the approval.
    pub(super) fn use_once(&mut self) -> Option<Transition> {
        self.uses_left = self.uses_left.saturating_sub(1);
        (self.uses_left == 0).then(|| self.turn(State::Consumed))
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn there_are_six_edges_and_none_leads_back() {
        use State::{Approved, Consumed, Denied, Expired, Lapsed, Pending, Superseded};
        let all = [Pending, Approved, Denied, Expired, Superseded, Consumed, Lapsed];
        let edges: Vec<(State, State)> =
            all.into_iter().flat_map(|from| all.map(|to| (from, to))).filter(|(from, to)| from.leads_to(*to)).collect();
        let expected =
            [(Pending, Approved), (Pending, Denied), (Pending, Expired), (Pending, Superseded), (Approved, Consumed), (Approved, Lapsed)];
        assert_eq!(edges, expected);
        assert!(all.iter().all(|state| state.is_open() == all.iter().any(|to| state.leads_to(*to))));
    }
}
