//! What one agent (or one version of it) normally does.

use serde::{Deserialize, Serialize};

use super::candidates::Candidates;
use super::golden::Golden;
use super::sequence::{Counts, EXPERTS, ORDER_2, ORDER_3, POSITION_ORDER_1, expert_of};
use super::session_totals::SessionTotals;
use super::volume::Cell;
use super::{AgentIndex, bounds};
use crate::stats::count_node::{CountNode, Symbol};
use crate::stats::table::{Hashed, Table};

/// Cells by [`super::volume::cell_key`].
pub type Cells = Table<Cell>;

/// Committed sessions up to which a new version is judged as one.
pub const VERSION_SESSIONS: u32 = 20;

/// How much of its own history an agent has (DETECTION.md, section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stratum {
    /// Fewer than 3 committed sessions.
    New,
    /// Fewer than 10.
    Young,
    /// Fewer than 40.
    Settled,
    /// 40 and more.
    Mature,
    /// A new version of a known agent, with fewer than 20.
    NewVersion,
}

impl Stratum {
    /// Number of strata.
    pub const COUNT: usize = 5;
}

/// What one agent normally does.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AgentBaseline {
    /// The agent's version, where it names one.
    pub version: Option<Box<str>>,
    /// The version before, from which a new one borrows.
    pub parent: Option<AgentIndex>,
    /// Tools, attributes, outcomes.
    pub counts: Counts,
    /// Sizes, durations, gaps.
    pub cells: Cells,
    /// Length and total of sessions.
    pub totals: SessionTotals,
    /// Weights of the sequence experts; `None` before the first committed session.
    pub weights: Option<[f64; EXPERTS]>,
    /// Committed sessions.
    pub sessions: u32,
    /// Committed events.
    pub events: u64,
    /// Stream time when it was first seen, epoch ms.
    pub first_seen: i64,
    /// New facts that wait to be seen again.
    pub candidates: Candidates,
    /// The frozen reference that slow drift is measured against.
    pub golden: Golden,
    /// Drift was found: nothing more is learned until a verdict.
    pub drifting: bool,
    /// What found no room.
    pub not_modelled: u64,
}

impl AgentBaseline {
    /// What it does now is accepted: it learns again, and the reference is gathered anew.
    pub fn accept_drift(&mut self) {
        self.drifting = false;
        self.golden.restart();
    }

    /// Bytes of its counts and cells, were no place free: the same after a restart, whatever the allocator does. Lists too long for
    /// their node or cell come on top, in a mature agent about three quarters as much again; they are bounded as the tables are, and not
    /// looked at one by one after every session.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.counts.table_bytes() + self.cells.bytes()
    }

    /// The stratum of a session that opens now.
    #[must_use]
    pub fn stratum(&self) -> Stratum {
        match self.sessions {
            _ if self.parent.is_some() && self.sessions < VERSION_SESSIONS => Stratum::NewVersion,
            0..3 => Stratum::New,
            3..10 => Stratum::Young,
            10..40 => Stratum::Settled,
            _ => Stratum::Mature,
        }
    }

    /// The cell of `key`, made if there is room.
    pub fn cell_mut(&mut self, key: Hashed) -> Option<&mut Cell> {
        if self.cells.len() >= bounds::CELLS_PER_AGENT && !self.cells.contains_key(key) {
            self.not_modelled += 1;
            return None;
        }
        Some(self.cells.or_default(key))
    }

    /// Drops what is past the bounds: the contexts least recently learned, of order 3 first, then 2, then position, then any.
    pub fn enforce_bounds(&mut self) {
        while self.counts.nodes() > bounds::NODES_PER_AGENT {
            let before = self.counts.nodes();
            let order = [ORDER_3, ORDER_2, POSITION_ORDER_1]
                .into_iter()
                .find(|&expert| self.counts.sequence.keys().any(|&context| expert_of(context) == expert));
            match order {
                Some(expert) => drop_oldest(&mut self.counts.sequence, |context| expert_of(context) == expert),
                None if self.counts.attributes.len() > self.counts.sequence.len() => drop_oldest(&mut self.counts.attributes, |_| true),
                None => drop_oldest(&mut self.counts.sequence, |_| true),
            }
            self.not_modelled += (before - self.counts.nodes()) as u64;
        }
        // Below five nodes the bound of each is the tighter one.
        while self.counts.attributes.len() > bounds::ATTRIBUTE_HASHES_PER_AGENT / bounds::VALUES_PER_NODE
            && self.counts.attributes.values().map(CountNode::distinct).sum::<usize>() > bounds::ATTRIBUTE_HASHES_PER_AGENT
        {
            let before = self.counts.attributes.len();
            drop_oldest(&mut self.counts.attributes, |_| true);
            self.not_modelled += (before - self.counts.attributes.len()) as u64;
        }
    }
}

/// Drops the least recently touched eighth (at least one) of the nodes that `which` names, so that the search is rare.
fn drop_oldest<K: Symbol>(nodes: &mut super::sequence::Nodes<K>, which: impl Fn(u64) -> bool) {
    let mut ages: Vec<(u32, u64)> = nodes.iter().filter(|entry| which(*entry.0)).map(|(&context, node)| (node.touched, context)).collect();
    ages.sort_unstable();
    // Contexts differ, so that what is to go is all up to the last of them.
    let Some(&last) = ages[..ages.len().div_ceil(8)].last() else { return };
    nodes.retain(|context, node| !which(context) || (node.touched, context) > last);
}
