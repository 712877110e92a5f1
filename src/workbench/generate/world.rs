//! A fleet at rest: tools, task types with their tool graphs, agents with their habits (DETECTION.md, section 9, "Fleet").

use std::sync::Arc;

use rand::{Rng, RngExt};

use super::{draw, names};

/// How large a fleet, and what its events tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Kinds of work, at least 1.
    pub task_types: usize,
    /// Agents in all, spread evenly over the task types, at least 1.
    pub agents: usize,
    /// Tools in all, at least 2.
    pub tools: usize,
    /// A tool knows 3 to this many targets, at least 3.
    pub targets_max: u64,
    /// A call takes a target never used before with a probability of a hundredth of this to this, 0 to 1.
    pub fresh_target_max: f64,
    /// Whether events leave out bytes received, credential, source address and principal.
    pub sparse: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self { task_types: 6, agents: 60, tools: 40, targets_max: 300, fresh_target_max: 0.1, sparse: false }
    }
}

/// Mean and spread of the logarithm of a quantity.
#[derive(Debug, Clone, Copy)]
pub struct LogNormal {
    /// Mean of the logarithm.
    pub mean: f64,
    /// Standard deviation of the logarithm.
    pub sd: f64,
}

/// Something that agents can call.
#[derive(Debug, Clone)]
pub struct Tool {
    /// What events call it.
    pub name: Arc<str>,
    /// The server that offers it.
    pub server: Arc<str>,
}

/// How one task type uses one tool.
#[derive(Debug, Clone)]
pub struct Step {
    /// Index into [`World::tools`].
    pub tool: usize,
    /// Bytes sent.
    pub bytes_out: LogNormal,
    /// Bytes received.
    pub bytes_in: LogNormal,
    /// Milliseconds.
    pub duration: LogNormal,
    /// How many targets it knows.
    pub targets: u64,
    /// Probability that a call takes a target never used before.
    pub fresh_target: f64,
    /// What may follow: index into [`TaskType::steps`] and probability.
    pub next: Vec<(usize, f64)>,
    /// Probability that nothing follows.
    pub end: f64,
}

/// A kind of work.
#[derive(Debug, Clone)]
pub struct TaskType {
    /// The `task_type` of events.
    pub name: Arc<str>,
    /// The tools it uses.
    pub steps: Vec<Step>,
    /// Weight of each step as the first one.
    pub start: Vec<f64>,
    /// Where its data may go.
    pub destinations: Vec<Arc<str>>,
}

/// One agent: its task type's graph, shifted by its own habits.
#[derive(Debug, Clone)]
pub struct Agent {
    /// The `agent_id` of events.
    pub name: Arc<str>,
    /// Index into [`World::task_types`].
    pub task_type: usize,
    /// Per step of the task type, the probabilities of its successors.
    pub next: Vec<Vec<f64>>,
    /// Per step, added to the mean logarithm of both volumes.
    pub volume_shift: Vec<f64>,
    /// Added to the mean logarithm of every duration.
    pub duration_shift: f64,
    /// Indices into [`TaskType::destinations`].
    pub destinations: [usize; 2],
    /// Its one credential.
    pub credential: Arc<str>,
    /// The address it calls from.
    pub source_ip: Arc<str>,
    /// People it acts for.
    pub principals: Vec<Arc<str>>,
}

/// Everything that stays as it is while a stream is made.
#[derive(Debug, Clone)]
pub struct World {
    /// Every tool of the fleet.
    pub tools: Vec<Tool>,
    /// Every kind of work.
    pub task_types: Vec<TaskType>,
    /// Every agent.
    pub agents: Vec<Agent>,
    /// What its events tell.
    pub shape: Shape,
}

/// Index of the tool that moves money; the first task type always has it.
pub const REFUND_TOOL: usize = 0;

/// An agent's transitions are drawn from a Dirichlet distribution of this concentration around its task type's.
const CONCENTRATION: f64 = 40.0;
const VOLUME_SHIFT_SD: f64 = 0.3;
const TOOL_VOLUME_SHIFT_SD: f64 = 0.4;
const DURATION_SHIFT_SD: f64 = 0.15;
const DESTINATIONS: usize = 4;

impl World {
    /// Draws a fleet. Counts below their least are raised to it.
    pub fn new<R: Rng>(shape: Shape, rng: &mut R) -> Self {
        let shape = Shape {
            task_types: shape.task_types.max(1),
            agents: shape.agents.max(1),
            tools: shape.tools.max(2),
            targets_max: shape.targets_max.max(3),
            fresh_target_max: shape.fresh_target_max.clamp(0.0, 1.0),
            sparse: shape.sparse,
        };
        let tools: Vec<Tool> = (0..shape.tools)
            .map(|index| {
                let (name, server) = names::tool(index);
                Tool { name: name.into(), server: server.into() }
            })
            .collect();
        let task_types: Vec<TaskType> = (0..shape.task_types).map(|index| task_type(index, &shape, rng)).collect();
        let agents = (0..shape.agents).map(|index| agent(index, &task_types, rng)).collect();
        Self { tools, task_types, agents, shape }
    }

    /// The task type of an agent.
    #[must_use]
    pub fn task_of(&self, agent: usize) -> &TaskType {
        &self.task_types[self.agents[agent].task_type]
    }
}

fn task_type<R: Rng>(index: usize, shape: &Shape, rng: &mut R) -> TaskType {
    let name = names::task_type(index);
    let count = rng.random_range(8..=14).min(shape.tools);
    let mut chosen = draw::subset(rng, shape.tools, count);
    if index == 0 && !chosen.contains(&REFUND_TOOL) {
        chosen[0] = REFUND_TOOL;
    }
    let steps = chosen
        .iter()
        .map(|&tool| {
            let successors = rng.random_range(2..=5).min(count);
            let mut next: Vec<(usize, f64)> =
                draw::subset(rng, count, successors).into_iter().map(|step| (step, draw::gamma(rng, 0.7))).collect();
            let total: f64 = next.iter().map(|(_, weight)| weight).sum();
            for (_, weight) in &mut next {
                *weight /= total;
            }
            Step {
                tool,
                bytes_out: LogNormal { mean: rng.random_range(4.0..9.0), sd: rng.random_range(0.4..1.1) },
                bytes_in: LogNormal { mean: rng.random_range(4.0..9.0), sd: rng.random_range(0.4..1.1) },
                duration: LogNormal { mean: rng.random_range(3.0..8.0), sd: rng.random_range(0.25..0.7) },
                targets: draw::whole(draw::log_uniform(rng, 3.0, (shape.targets_max + 1) as f64)),
                fresh_target: shape.fresh_target_max * rng.random_range(0.01..1.0),
                next,
                end: rng.random_range(0.05..0.25),
            }
        })
        .collect();
    let start = (0..count).map(|_| draw::gamma(rng, 0.7)).collect();
    let destinations = (0..DESTINATIONS).map(|number| format!("{name}-{number}.partner.example").into()).collect();
    TaskType { name: name.into(), steps, start, destinations }
}

fn agent<R: Rng>(index: usize, task_types: &[TaskType], rng: &mut R) -> Agent {
    let task_type = index % task_types.len();
    let task = &task_types[task_type];
    let number = index / task_types.len() + 1;
    let own = draw::normal(rng, 0.0, VOLUME_SHIFT_SD);
    let next = task
        .steps
        .iter()
        .map(|step| {
            let weights: Vec<f64> = step.next.iter().map(|(_, share)| draw::gamma(rng, CONCENTRATION * share)).collect();
            let total: f64 = weights.iter().sum();
            weights.into_iter().map(|weight| weight / total).collect()
        })
        .collect();
    let two = draw::subset(rng, DESTINATIONS, 2);
    Agent {
        name: format!("{}-agent-{number:02}", task.name).into(),
        task_type,
        next,
        volume_shift: task.steps.iter().map(|_| own + draw::normal(rng, 0.0, TOOL_VOLUME_SHIFT_SD)).collect(),
        duration_shift: draw::normal(rng, 0.0, DURATION_SHIFT_SD),
        destinations: [two[0], two[1]],
        credential: format!("key-{}-{number:02}", task.name).into(),
        source_ip: format!("10.{}.{}.{}", task_type % 256, number % 256, rng.random_range(1..255)).into(),
        principals: (0..rng.random_range(3..=12)).map(|_| format!("user-{:03}", rng.random_range(0..400)).into()).collect(),
    }
}
