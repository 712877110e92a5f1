//! One ordinary session of one agent, as a list of calls without dates.

use std::sync::Arc;

use rand::{Rng, RngExt};

use super::draw;
use super::world::{LogNormal, REFUND_TOOL, World};
use crate::event::Status;

/// One call of a session.
#[derive(Debug, Clone)]
pub struct Call {
    /// What was called.
    pub tool: Arc<str>,
    /// The server of the tool.
    pub server: Arc<str>,
    /// What it acted on.
    pub target: Option<Arc<str>>,
    /// Where data went.
    pub destination: Option<Arc<str>>,
    /// The principal, where this call has one of its own.
    pub on_behalf_of: Option<Arc<str>>,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bytes received; `None` where events leave it out.
    pub bytes_in: Option<u64>,
    /// How long it took.
    pub duration_ms: f64,
    /// How it ended.
    pub status: Status,
    /// Money moved, in cents.
    pub amount_cents: Option<u64>,
    /// Time between the end of the call before and this one.
    pub gap_ms: i64,
    /// Whether the call is misuse.
    pub planted: bool,
}

/// One session.
#[derive(Debug, Clone)]
pub struct Run {
    /// Whose name it bears; index into [`World::agents`].
    pub agent: usize,
    /// What was called, in order; never empty.
    pub calls: Vec<Call>,
    /// Name of the attack in it.
    pub attack: Option<&'static str>,
}

/// Largest refund that needs nobody's approval.
pub const REFUND_LIMIT_CENTS: u64 = 5_000;

/// Sessions are far shorter; the bound keeps a graph that hardly ends from going on for ever.
const CALLS_MAX: usize = 200;
const ERRORS: f64 = 0.03;
const HEAVY_TAILS: f64 = 0.02;
/// How much wider a heavy tail is.
const HEAVY_TAIL_WIDTH: f64 = 2.0;
const GAP: LogNormal = LogNormal { mean: 7.6, sd: 0.9 };
const ERROR_REPLY: LogNormal = LogNormal { mean: 4.5, sd: 0.3 };
const REFUND: LogNormal = LogNormal { mean: 7.4, sd: 0.5 };

impl World {
    /// Draws an ordinary session of `agent`.
    pub fn run<R: Rng>(&self, agent: usize, rng: &mut R) -> Run {
        let task = self.task_of(agent);
        let habits = &self.agents[agent];
        let principal = draw::one_of(rng, &habits.principals).cloned();
        let mut calls = Vec::new();
        let mut step = draw::weighted(rng, &task.start);
        loop {
            let mut call = self.call(agent, step, rng);
            call.on_behalf_of.clone_from(&principal);
            calls.push(call);
            let graph = &task.steps[step];
            if rng.random_bool(graph.end) || calls.len() == CALLS_MAX {
                break;
            }
            step = graph.next[draw::weighted(rng, &habits.next[step])].0;
        }
        Run { agent, calls, attack: None }
    }

    /// Draws one ordinary call of step `step` by `agent`.
    pub fn call<R: Rng>(&self, agent: usize, step: usize, rng: &mut R) -> Call {
        let habits = &self.agents[agent];
        let task = self.task_of(agent);
        let graph = &task.steps[step];
        let tool = &self.tools[graph.tool];
        let failed = rng.random_bool(ERRORS);
        let shift = habits.volume_shift[step];
        let reply = if failed { quantity(ERROR_REPLY, 0.0, rng) } else { quantity(graph.bytes_in, shift, rng) };
        let bytes_in = (!self.shape.sparse).then(|| draw::whole(reply));
        let target = if rng.random_bool(graph.fresh_target) {
            format!("{}/new-{:08x}", tool.name, rng.random::<u32>())
        } else {
            format!("{}/{}-{}", tool.name, task.name, rng.random_range(0..graph.targets))
        };
        let destination = task.destinations[habits.destinations[rng.random_range(0..2)]].clone();
        Call {
            tool: tool.name.clone(),
            server: tool.server.clone(),
            target: Some(target.into()),
            destination: Some(destination),
            on_behalf_of: None,
            bytes_out: draw::whole(with_heavy_tail(graph.bytes_out, shift, rng)),
            bytes_in,
            duration_ms: (quantity(graph.duration, habits.duration_shift, rng) * 10.0).round() / 10.0,
            status: if failed { Status::Error } else { Status::Ok },
            amount_cents: (graph.tool == REFUND_TOOL).then(|| refund(rng)),
            gap_ms: draw::whole_ms(quantity(GAP, 0.0, rng)),
            planted: false,
        }
    }
}

/// A log-normal quantity of at least 1.
fn quantity<R: Rng>(of: LogNormal, shift: f64, rng: &mut R) -> f64 {
    draw::normal(rng, of.mean + shift, of.sd).exp().clamp(1.0, 1e12).floor()
}

/// The same, with a heavy tail now and then.
fn with_heavy_tail<R: Rng>(of: LogNormal, shift: f64, rng: &mut R) -> f64 {
    let width = if rng.random_bool(HEAVY_TAILS) { HEAVY_TAIL_WIDTH } else { 1.0 };
    quantity(LogNormal { sd: of.sd * width, ..of }, shift, rng)
}

/// An everyday refund: well below the limit.
fn refund<R: Rng>(rng: &mut R) -> u64 {
    let cents = draw::whole(draw::normal(rng, REFUND.mean, REFUND.sd).exp());
    cents.clamp(100, REFUND_LIMIT_CENTS * 8 / 10)
}
