//! The only place that knows the engine's interface: events in, lines out.

use std::sync::Arc;

use gaitkeeper::config::EngineConfig;
use gaitkeeper::engine::{Engine, Output, Shard, Tables};
use gaitkeeper::event::{Action, Event, Origin, decode};
use gaitkeeper::finding::{Decision, Finding, StepUpRequest};
use gaitkeeper::govern::ControlRecord;
use gaitkeeper::govern::record::parse;

pub struct TestShard {
    pub engine: Engine,
    pub tables: Tables,
    pub findings: Vec<Finding>,
    pub requests: Vec<StepUpRequest>,
    /// One an event.
    pub decisions: Vec<Decision>,
    /// One line an output: `score …` or `end …`, numbers to the bit.
    pub lines: Vec<String>,
}

impl TestShard {
    pub fn new() -> Self {
        Self::with(EngineConfig::default())
    }

    pub fn with(config: EngineConfig) -> Self {
        let engine = Engine::new(Arc::new(config), Shard { partition: 0, partitions: 1 });
        Self { engine, tables: Tables::default(), findings: Vec::new(), requests: Vec::new(), decisions: Vec::new(), lines: Vec::new() }
    }

    /// Puts inventory records in force.
    pub fn declare(&mut self, yaml: &str) {
        for placed in parse(yaml).unwrap_or_else(|problems| panic!("{problems:?}")) {
            let record = ControlRecord::declared(placed.record);
            self.tables.apply(&record);
            let mut outputs = Vec::new();
            self.engine.on_control(&record, &self.tables, &mut outputs);
            self.take(outputs);
        }
    }

    /// Feeds one record as it would come over the topic.
    pub fn feed_line(&mut self, line: &str) {
        let decoded = decode(line.as_bytes(), Origin { partition: 0, offset: 0 }).unwrap_or_else(|error| panic!("{line}: {error}"));
        self.feed(&decoded.event);
    }

    pub fn feed(&mut self, event: &Event<'_>) {
        let mut outputs = Vec::new();
        self.engine.on_event(event, &self.tables, &mut outputs);
        self.take(outputs);
    }

    pub fn finish(&mut self) {
        let mut outputs = Vec::new();
        self.engine.finish(&mut outputs);
        self.take(outputs);
    }

    fn take(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Score(score) => {
                    let bits = |number: Option<f64>| number.map_or(0, f64::to_bits);
                    let state = score.state.as_str();
                    self.lines.push(format!("score {:x} {:x} {state}", bits(score.score), bits(score.session_score)));
                    self.decisions.push(score.decision);
                }
                Output::SessionEnd(end) => {
                    let id = end.session_id.unwrap_or_default();
                    self.lines.push(format!("end {} {id} {:x}", end.ts, end.session_score.to_bits()));
                }
                Output::Finding(finding) => self.findings.push(*finding),
                Output::StepUp(request) => self.requests.push(*request),
                Output::Sighting(_) | Output::State(_) | Output::Audit(_) => (),
            }
        }
    }

    /// The closes so far, as session ids in order.
    pub fn closed(&self) -> Vec<&str> {
        self.lines.iter().filter(|line| line.starts_with("end ")).map(|line| line.split(' ').nth(2).unwrap_or("")).collect()
    }
}

/// An event of a stream: everything that a test varies.
#[derive(Debug, Clone)]
pub struct Step {
    pub agent: String,
    pub session: String,
    pub ts: i64,
    pub tool: String,
    pub target: Option<String>,
    pub bytes_out: u64,
}

impl Step {
    pub fn event<'a>(&'a self, id: &'a str) -> Event<'a> {
        let mut event = Event::bare(id, self.ts, &self.agent, Action::ToolCall);
        event.session_id = (!self.session.is_empty()).then(|| self.session.as_str().into());
        event.task_type = Some("billing".into());
        event.tool = Some(self.tool.as_str().into());
        event.target = self.target.as_deref().map(Into::into);
        event.bytes_out = Some(self.bytes_out);
        event.effect = Some(gaitkeeper::event::Effect::Read);
        event
    }
}

/// Feeds a stream, numbering its events, and closes what is open at its end.
pub fn run(steps: &[Step]) -> TestShard {
    let mut shard = TestShard::new();
    for (number, step) in steps.iter().enumerate() {
        shard.feed(&step.event(&number.to_string()));
    }
    shard.finish();
    shard
}
