//! What all agents of the shard do together.

use serde::{Deserialize, Serialize};

use super::group::SharedCells;
use super::metric::METRICS;
use super::sequence::{Counts, EXPERTS};
use super::volume::{SharedCell, SharedMetric};

/// What the population normally does.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Population {
    /// Tools, attributes, outcomes.
    pub counts: Counts,
    /// Sizes, durations, gaps by key.
    pub cells: SharedCells,
    /// The same by metric, whatever the key.
    pub metrics: [SharedMetric; METRICS],
    /// Lengths of sessions.
    pub events: SharedCell,
    /// Totals of sessions.
    pub bytes: SharedCell,
    /// Weights of the sequence experts that a new agent starts with.
    pub weights: ExpertWeights,
}

/// Weights of the sequence experts; they sum to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ExpertWeights(pub [f64; EXPERTS]);

impl Default for ExpertWeights {
    fn default() -> Self {
        Self([1.0 / EXPERTS as f64; EXPERTS])
    }
}
