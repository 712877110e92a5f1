//! One shard: event in, outputs out. Synchronous and pure: no I/O, no clock, no environment, no unseeded randomness, so a
//! stream replayed twice gives the same bytes and a partition replayed from a file gives what the live run gave.

use std::sync::Arc;

use crate::config::EngineConfig;
use crate::event::Event;
use crate::finding::{Decision, Finding, StepUpRequest};

/// Which part of the stream a shard owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Kafka partition.
    pub partition: i32,
    /// Number of partitions; a daily budget is shared among them.
    pub partitions: i32,
}

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
    /// Names this close for [`Engine::give_verdict`].
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
}

/// An analyst's verdict on a closed session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Ordinary after all.
    Benign,
    /// Misuse.
    Malicious,
}

/// What tables the shard may read. Inventory, answers and the others join with their issues.
#[derive(Debug, Clone, Default)]
pub struct Tables {}

/// One shard of the detector.
#[derive(Debug)]
pub struct Engine {
    config: Arc<EngineConfig>,
    shard: Shard,
}

impl Engine {
    /// An engine that knows nothing yet.
    #[must_use]
    pub fn new(config: Arc<EngineConfig>, shard: Shard) -> Self {
        Self { config, shard }
    }

    /// Closes what the event shows to be over, scores the event, judges, decides; appends what came of it to `outputs`.
    pub fn on_event(&mut self, event: &Event<'_>, tables: &Tables, outputs: &mut Vec<Output>) {
        let _ = (&self.config, self.shard, event, tables);
        outputs.push(Output::Score(EventScore {
            score: None,
            session_score: None,
            p_value: None,
            state: ScoreState::Unscorable,
            decision: Decision::Allow,
        }));
    }

    /// The wall clock moved: expiry of requests, time-outs of acks, silence of agents.
    pub fn on_tick(&mut self, now_ms: i64, tables: &Tables, outputs: &mut Vec<Output>) {
        let _ = (now_ms, tables, outputs);
    }

    /// Closes the sessions that were idle at stream time `now_ms`.
    pub fn close_idle(&mut self, now_ms: i64, outputs: &mut Vec<Output>) {
        let _ = (now_ms, outputs);
    }

    /// The end of a replayed input: every open session closes.
    pub fn finish(&mut self, outputs: &mut Vec<Output>) {
        let _ = outputs;
    }

    /// From now on new facts wait in the candidate store until they were seen again.
    pub fn seal(&mut self) {}

    /// From now on sessions that begin change nothing but their own state; sessions already open still commit when they close.
    pub fn freeze(&mut self) {}

    /// An analyst's verdict on the closed session `handle`.
    pub fn give_verdict(&mut self, handle: u64, verdict: Verdict) {
        let _ = (handle, verdict);
    }
}
