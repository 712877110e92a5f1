//! What the agents of one task type or role do together.

use serde::{Deserialize, Serialize};

use super::sequence::Counts;
use super::volume::SharedCell;
use crate::stats::table::Table;

/// Shared cells by [`super::volume::cell_key`].
pub type SharedCells = Table<SharedCell>;

/// What a group normally does.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct GroupBaseline {
    /// The task type or role.
    pub name: Box<str>,
    /// Tools and attributes; outcomes are not grouped.
    pub counts: Counts,
    /// Sizes, durations, gaps.
    pub cells: SharedCells,
    /// Lengths of sessions.
    pub events: SharedCell,
    /// Totals of sessions.
    pub bytes: SharedCell,
    /// Committed sessions of all its agents.
    pub sessions: u64,
}
