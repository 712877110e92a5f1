//! # Watches
//! How a call ended, against the same agent's calls of the same tool.
//! # Why it matters
//! Probing shows as denials and errors where there were none.
//! # How it scores
//! `ln(0.5 / P)`.
//! # False alarms
//! An outage of a tool moves every agent that uses it; the weight in an event's score is small for that reason.

use crate::baseline::sequence::{self, STATUS_ANY_TOOL, status_context};
use crate::baseline::{AgentIndex, Model, ToolId};
use crate::stats::table::Hashed;

/// Probability of `status` for the agent's call of `tool`.
#[must_use]
pub fn probability(model: &Model, agent: AgentIndex, tool: ToolId, status: u8) -> f64 {
    let population = &model.population.counts.status;
    let context = Hashed::from(status_context(tool));
    let any_tool = sequence::probability(population, STATUS_ANY_TOOL, status, 0.5);
    let of_tool = sequence::probability(population, context, status, any_tool);
    sequence::probability(&model.agent(agent).counts.status, context, status, of_tool)
}

/// Ratio whose logarithm is the raw score of a call that ended as `status`.
#[must_use]
pub fn ratio(probability: f64) -> f64 {
    0.5 / probability
}
