//! What an engine says, in the order in which it happened.

use serde::{Deserialize, Serialize};

use crate::finding::audit_record::AuditRecord;
use crate::finding::{Decision, Finding, StepUpRequest};
use crate::govern::Sighting;
use crate::govern::control::AgentStateRecord;

/// What was said of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreState {
    /// Judged on enough evidence.
    Scored,
    /// Judged, but with too little evidence to alarm.
    Learning,
    /// No channel applied (a duplicate, a `session_end`).
    Unscorable,
}

impl ScoreState {
    /// The word in `--scores`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scored => "scored",
            Self::Learning => "learning",
            Self::Unscorable => "unscorable",
        }
    }
}

/// The score of the event just given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventScore {
    /// `-log10 p` of the event; `None` when unscorable.
    pub score: Option<f64>,
    /// `-log10 p` of its session so far, ≥ 0; `None` when unscorable.
    pub session_score: Option<f64>,
    /// Calibrated p-value of the event.
    pub p_value: Option<f64>,
    /// What was said.
    pub state: ScoreState,
    /// What should happen.
    pub decision: Decision,
}

/// A session that has closed.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionEnd {
    /// Event time of the session's last event, epoch ms.
    pub ts: i64,
    /// Whose session.
    pub agent_id: String,
    /// The producer's name of the session, also when it was continued or split.
    pub session_id: Option<String>,
    /// `-log10 p` of the whole session, ≥ 0.
    pub session_score: f64,
    /// The strictest decision of the session.
    pub decision: Decision,
    /// Names this close for [`super::Engine::give_verdict`].
    pub handle: u64,
}

/// One output, in the order in which it happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// The score of the event just given; exactly one for each event.
    Score(EventScore),
    /// A session closed.
    SessionEnd(Box<SessionEnd>),
    /// A finding to publish.
    Finding(Box<Finding>),
    /// A question to publish.
    StepUp(Box<StepUpRequest>),
    /// Something to tell the other shards.
    Sighting(Box<Sighting>),
    /// The state of an agent, to publish.
    State(Box<AgentStateRecord>),
    /// A record of the why-trail.
    Audit(Box<AuditRecord>),
}

/// An analyst's verdict on a closed session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Ordinary after all: it is learned.
    Benign,
    /// Unusual, and meant to be: nothing is learned from it, and nothing held against it.
    Expected,
    /// Misuse.
    Malicious,
}

impl EventScore {
    /// No channel applied.
    pub const UNSCORABLE: Self =
        Self { score: None, session_score: None, p_value: None, state: ScoreState::Unscorable, decision: Decision::Allow };
}
