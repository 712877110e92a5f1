//! The only place that knows the engine's interface: events in, lines out.

use std::sync::Arc;

use gaitkeeper::config::EngineConfig;
use gaitkeeper::engine::{Engine, Output, Shard, Tables};
use gaitkeeper::event::{Action, Event};
use gaitkeeper::finding::{Finding, StepUpRequest};

pub struct TestShard {
    pub engine: Engine,
    pub findings: Vec<Finding>,
    pub requests: Vec<StepUpRequest>,
    /// One line an output: `score …` or `end …`, numbers to the bit.
    pub lines: Vec<String>,
}

impl TestShard {
    pub fn new() -> Self {
        let engine = Engine::new(Arc::new(EngineConfig::default()), Shard { partition: 0, partitions: 1 });
        Self { engine, findings: Vec::new(), requests: Vec::new(), lines: Vec::new() }
    }

    pub fn feed(&mut self, event: &Event<'_>) {
        let mut outputs = Vec::new();
        self.engine.on_event(event, &Tables::default(), &mut outputs);
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
                    self.lines.push(format!("score {:x} {:x} {}", bits(score.score), bits(score.session_score), score.state.as_str()));
                }
                Output::SessionEnd(end) => {
                    let id = end.session_id.unwrap_or_default();
                    self.lines.push(format!("end {} {id} {:x}", end.ts, end.session_score.to_bits()));
                }
                Output::Finding(finding) => self.findings.push(*finding),
                Output::StepUp(request) => self.requests.push(*request),
                Output::Sighting(_) => (),
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
