//! What peers see of a session: tools and targets as numbers, sizes and durations as logarithms.

use std::collections::HashMap;

use crate::event::{Action, Event, Status};

/// Tool number before a session's first step.
pub const START: u32 = 0;
/// Tool number after a session's last step.
pub const END: u32 = 1;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Number of the tool (of the action, where there is no tool).
    pub tool: u32,
    /// Number of the target.
    pub target: Option<u32>,
    /// ln(1+v) of bytes out, bytes in and duration; absent where v is absent or 0.
    pub sizes: [Option<f64>; 3],
    /// Whether it ended in anything but success.
    pub failed: bool,
}

/// One session.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Number of the agent.
    pub agent: u32,
    /// Number of the task type of the first event, or of the agent where there is none.
    pub group: u32,
    /// Whether the session belongs to the training stretch.
    pub training: bool,
    /// Its events in order.
    pub steps: Vec<Step>,
}

impl Trace {
    /// Tool numbers of the session between START and END: `history` is the number of STARTs.
    pub(super) fn padded(&self, history: usize) -> Vec<u32> {
        let mut padded = vec![START; history];
        padded.extend(self.steps.iter().map(|step| step.tool));
        padded.push(END);
        padded
    }
}

/// All sessions of a stream, and the numbers given to names.
#[derive(Debug, Default)]
pub struct Traces {
    /// By session number.
    pub sessions: Vec<Trace>,
    names: HashMap<(Space, String), u32>,
    counts: [u32; 4],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Space {
    Agent,
    Group,
    Tool,
    Target,
}

impl Traces {
    /// Adds an event to session `session`, which is at most one more than the greatest so far. A `session_end` is no step.
    pub fn add(&mut self, session: usize, training: bool, event: &Event<'_>) {
        if session == self.sessions.len() {
            let agent = self.number(Space::Agent, &event.agent_id);
            let group = match &event.task_type {
                Some(task_type) => self.number(Space::Group, task_type),
                None => self.number(Space::Group, &format!("\u{0}{}", event.agent_id)),
            };
            self.sessions.push(Trace { agent, group, training, steps: Vec::new() });
        }
        if event.action == Action::SessionEnd {
            return;
        }
        let tool = match (&event.tool, &event.tool_server) {
            (Some(tool), None) => self.number(Space::Tool, tool),
            (Some(tool), Some(server)) => self.number(Space::Tool, &format!("{server}/{tool}")),
            (None, _) => self.number(Space::Tool, event.action.as_str()),
        };
        let target = event.target.as_deref().map(|target| self.number(Space::Target, target));
        let bytes = |value: Option<u64>| value.filter(|&value| value > 0).map(|value| (value as f64).ln_1p());
        let duration = event.duration_ms.filter(|&value| value > 0.0).map(f64::ln_1p);
        let sizes = [bytes(event.bytes_out), bytes(event.bytes_in), duration];
        let failed = event.status.is_some_and(|status| status != Status::Ok);
        self.sessions[session].steps.push(Step { tool, target, sizes, failed });
    }

    /// Different tools, START and END included.
    pub(super) fn tool_count(&self) -> usize {
        self.counts[Space::Tool as usize] as usize + 2
    }

    /// The sessions of the training stretch.
    pub(super) fn training(&self) -> impl Iterator<Item = &Trace> {
        self.sessions.iter().filter(|trace| trace.training)
    }

    fn number(&mut self, space: Space, name: &str) -> u32 {
        let next = &mut self.counts[space as usize];
        let reserved = if space == Space::Tool { END + 1 } else { 0 };
        *self.names.entry((space, name.to_owned())).or_insert_with(|| {
            *next += 1;
            *next - 1 + reserved
        })
    }
}

/// Sessions written as tool numbers, for tests: agent 0, no sizes, no targets.
#[cfg(test)]
pub(super) fn traces_of(training: &[&[u32]], test: &[&[u32]]) -> Traces {
    let plain = |tools: &&[u32], training| Trace {
        agent: 0,
        group: 0,
        training,
        steps: tools.iter().map(|&tool| Step { tool, target: None, sizes: [None; 3], failed: false }).collect(),
    };
    let mut sessions: Vec<Trace> = training.iter().map(|tools| plain(tools, true)).collect();
    sessions.extend(test.iter().map(|tools| plain(tools, false)));
    Traces { sessions, names: HashMap::new(), counts: [1, 1, 8, 0] }
}
