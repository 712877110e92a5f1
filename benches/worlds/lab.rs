//! One engine and a clock: sessions go in one after the other, what was said of each comes back.

use std::sync::Arc;

use gaitkeeper::config::EngineConfig;
use gaitkeeper::engine::{Engine, Output, Shard, Tables};
use gaitkeeper::event::{Action, Event};
use gaitkeeper::finding::{Activity, Kind};
use gaitkeeper::workbench::generate::run::Call;

/// Monday, 5 January 2026, midnight UTC.
const START: i64 = 1_767_571_200_000;
/// Between the end of one session and the start of the next.
const PAUSE_MS: i64 = 1_000;
/// `-log10` of the 1 % at which every row is measured.
pub const ALARM: f64 = 2.0;

/// Who acts.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    pub agent_id: &'a str,
    pub version: Option<&'a str>,
    pub task_type: &'a str,
}

/// What was said of one session.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// `-log10 p` at its end.
    pub score: f64,
    /// Kinds of the findings that opened during it.
    pub opened: Vec<Kind>,
}

impl Said {
    /// Whether p is below 1 %.
    pub fn alarmed(&self) -> bool {
        self.score > ALARM
    }
}

pub struct Lab {
    engine: Engine,
    clock: i64,
    sessions: u64,
    outputs: Vec<Output>,
}

impl Lab {
    /// An engine with the default configuration that is sealed by hand only.
    pub fn new() -> Self {
        let mut config = EngineConfig::default();
        config.detect.seal_after_sessions = None;
        Self {
            engine: Engine::new(Arc::new(config), Shard { partition: 0, partitions: 1 }),
            clock: START,
            sessions: 0,
            outputs: Vec::new(),
        }
    }

    pub fn seal(&mut self) {
        self.engine.seal();
    }

    pub fn freeze(&mut self) {
        self.engine.freeze();
    }

    /// Runs one session from its first call to its end.
    pub fn session(&mut self, actor: Actor<'_>, calls: &[Call]) -> Said {
        let session_id = format!("s{}", self.sessions);
        self.sessions += 1;
        self.clock += PAUSE_MS;
        let tables = Tables::default();
        for (index, call) in calls.iter().enumerate() {
            self.clock += call.gap_ms;
            let event_id = format!("{session_id}-{index}");
            let event = event(actor, &session_id, &event_id, self.clock, call);
            self.engine.on_event(&event, &tables, &mut self.outputs);
            #[expect(clippy::cast_possible_truncation, reason = "durations are far below the range")]
            let duration_ms = call.duration_ms.ceil() as i64;
            self.clock += duration_ms;
        }
        let event_id = format!("{session_id}-end");
        let mut end = Event::bare(&event_id, self.clock, actor.agent_id, Action::SessionEnd);
        end.agent_version = actor.version.map(Into::into);
        end.session_id = Some(session_id.as_str().into());
        end.task_type = Some(actor.task_type.into());
        self.engine.on_event(&end, &tables, &mut self.outputs);
        self.said(&session_id)
    }

    fn said(&mut self, session_id: &str) -> Said {
        let mut said = Said::default();
        for output in self.outputs.drain(..) {
            match output {
                Output::SessionEnd(end) if end.session_id.as_deref() == Some(session_id) => said.score = end.session_score,
                Output::Finding(finding) if finding.activity == Activity::Open => said.opened.push(finding.kind),
                _ => {}
            }
        }
        said
    }
}

fn event<'a>(actor: Actor<'a>, session_id: &'a str, event_id: &'a str, ts: i64, call: &'a Call) -> Event<'a> {
    let mut event = Event::bare(event_id, ts, actor.agent_id, Action::ToolCall);
    event.agent_version = actor.version.map(Into::into);
    event.session_id = Some(session_id.into());
    event.task_type = Some(actor.task_type.into());
    event.tool = Some((&*call.tool).into());
    event.tool_server = (!call.server.is_empty()).then(|| (&*call.server).into());
    event.target = call.target.as_deref().map(Into::into);
    event.destination = call.destination.as_deref().map(Into::into);
    event.bytes_out = Some(call.bytes_out);
    event.bytes_in = call.bytes_in;
    event.duration_ms = (call.duration_ms > 0.0).then_some(call.duration_ms);
    event.status = Some(call.status);
    event
}
