//! Which tool follows which: eight ways of looking at the past (DETECTION.md, section 1.2), and the counts of one level.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::attribute::ATTRIBUTES;
use super::tools::{ANY_TOOL, Renumbering, START, ToolId};
use crate::stats::count_node::{CountNode, Symbol};
use crate::stats::table::{Hashed, Table};

/// Number of experts with tables: orders 0 to 3, position, run length, position with the last tool.
pub const TABLE_EXPERTS: usize = 7;
/// Those, and the session's own counts.
pub const EXPERTS: usize = 8;
/// Names of the experts, in their order.
pub const EXPERT_NAMES: [&str; EXPERTS] = ["o0", "o1", "o2", "o3", "pos", "run", "po1", "sess"];

/// Order 0: no context.
pub const ORDER_0: usize = 0;
/// Order 1: the last tool.
pub const ORDER_1: usize = 1;
/// Order 2.
pub const ORDER_2: usize = 2;
/// Order 3.
pub const ORDER_3: usize = 3;
/// Position in the session.
const POSITION: usize = 4;
/// Position in the session with the last tool.
pub const POSITION_ORDER_1: usize = 6;

/// A context of one expert, packed: the expert in the top byte.
pub type Context = u64;

/// What a session did so far, as far as contexts look back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The last tools, newest first.
    pub last: [ToolId; 3],
    /// Events so far.
    pub position: u32,
    /// How often the last tool was used in a row up to now; 0 at the start.
    pub run: u32,
}

impl Default for History {
    fn default() -> Self {
        Self { last: [START; 3], position: 0, run: 0 }
    }
}

impl History {
    /// Moves on past `tool`.
    pub fn push(&mut self, tool: ToolId) {
        self.run = if self.position > 0 && self.last[0] == tool { self.run + 1 } else { 1 };
        self.last = [tool, self.last[0], self.last[1]];
        self.position += 1;
    }

    /// The contexts of the experts with tables, in their order.
    #[must_use]
    pub fn contexts(&self) -> [Context; TABLE_EXPERTS] {
        let [h1, h2, h3] = self.last.map(u64::from);
        let position = u64::from(bucket(self.position, 16, 8, 8));
        let run = u64::from(bucket(self.run, 8, 4, 6));
        let coarse_position = u64::from(bucket(self.position, 12, 6, 6));
        let pack = |expert: u64, context: u64| expert << 56 | context;
        [
            pack(0, 0),
            pack(1, h1),
            pack(2, h2 << 16 | h1),
            pack(3, h3 << 32 | h2 << 16 | h1),
            pack(4, position),
            pack(5, run << 16 | h1),
            pack(6, coarse_position << 16 | h1),
        ]
    }
}

/// The same context by the numbers of another shard's tools.
#[must_use]
pub fn renumbered(context: Context, numbers: &Renumbering) -> Context {
    let tools = match expert_of(context) {
        ORDER_0 | POSITION => 0,
        ORDER_2 => 2,
        ORDER_3 => 3,
        _ => 1,
    };
    (0..tools).fold(context, |context, place| with_tool(context, 16 * place, numbers))
}

/// The same key with the tool at bit `at` by its number in another shard.
pub(super) fn with_tool(key: u64, at: u32, numbers: &Renumbering) -> u64 {
    let mask = u64::from(u16::MAX) << at;
    let tool = ToolId::try_from((key & mask) >> at).unwrap_or(ANY_TOOL);
    key & !mask | u64::from(numbers.of(tool)) << at
}

/// The context of order 1 after `last`.
#[must_use]
pub fn order_1(last: ToolId) -> Context {
    1 << 56 | u64::from(last)
}

/// Which expert a context belongs to.
#[must_use]
pub fn expert_of(context: Context) -> usize {
    usize::from(context.to_be_bytes()[0])
}

/// `value` itself below `exact`, then steps of `width`, at most `steps` of them.
fn bucket(value: u32, exact: u32, width: u32, steps: u32) -> u32 {
    if value < exact { value } else { exact + steps.min((value - exact) / width) }
}

/// Nodes by context.
pub type Nodes<K> = Table<CountNode<K>>;

/// All counts of one level: an agent, a group or the population.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Tools by context.
    pub sequence: Nodes<ToolId>,
    /// Attribute values by attribute and tool.
    pub attributes: Nodes<u64>,
    /// Attribute values whatever the tool. In an agent and a group these only say what is known; in the population they are the root.
    pub any: [CountNode<u64>; ATTRIBUTES],
    /// Outcomes by tool.
    pub status: Nodes<u8>,
}

impl Counts {
    /// Whether the agent or group ever went from `last` to `tool`.
    #[must_use]
    pub fn has_transition(&self, last: ToolId, tool: ToolId) -> bool {
        count(&self.sequence, order_1(last), tool) > 0
    }

    /// How often `value` was seen for `attribute`, whatever the tool.
    #[must_use]
    pub fn anywhere(&self, attribute: Attribute, value: u64) -> u32 {
        self.any[attribute as usize].count(value)
    }

    /// Bytes of the tables, were no place free.
    #[must_use]
    pub fn table_bytes(&self) -> usize {
        self.sequence.bytes() + self.attributes.bytes() + self.status.bytes()
    }

    /// Number of nodes, for the bounds.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.sequence.len() + self.attributes.len() + self.status.len()
    }
}

/// The key of an attribute's node: per tool where that says something.
#[must_use]
pub fn attribute_context(attribute: Attribute, tool: ToolId) -> Context {
    let tool = if attribute.per_tool() { tool } else { ANY_TOOL };
    (attribute as u64) << 16 | u64::from(tool)
}

/// The key of a tool's outcomes.
#[must_use]
pub fn status_context(tool: ToolId) -> Context {
    u64::from(tool)
}

/// The key of all tools' outcomes.
pub const STATUS_ANY_TOOL: Context = 1 << 32;

/// The longest run of `tool` that was ever learned, as far as runs are told apart: exact up to 8, then the start of a step of 4.
#[must_use]
pub fn longest_run(nodes: &Nodes<ToolId>, tool: ToolId) -> u32 {
    let longest = (0..=14u32).rev().find(|&run| count(nodes, 5 << 56 | u64::from(run) << 16 | u64::from(tool), tool) > 0);
    match longest {
        None => 1,
        Some(run) if run < 8 => run + 1,
        Some(run) => 8 + 4 * (run - 8) + 1,
    }
}

/// How often `symbol` was seen in `context`.
#[inline]
#[must_use]
pub fn count<K: Symbol>(nodes: &Nodes<K>, context: impl Into<Hashed>, symbol: K) -> u32 {
    nodes.get(context).map_or(0, |node| node.count(symbol))
}

/// Probability of `symbol` in `context`, given the parent's.
#[inline]
#[must_use]
pub fn probability<K: Symbol>(nodes: &Nodes<K>, context: impl Into<Hashed>, symbol: K, parent: f64) -> f64 {
    nodes.get(context).map_or(parent, |node| node.probability(symbol, parent))
}

/// Adds to a shared level, where only a node's own halving bounds its symbols; true if a table opened.
pub fn add<K: Symbol>(nodes: &mut Nodes<K>, context: impl Into<Hashed>, symbol: K) -> bool {
    nodes.or_default(context).add(symbol, usize::MAX)
}

/// Adds to an agent's level, within its bounds; true if a table opened.
#[inline]
pub fn add_bounded<K: Symbol>(nodes: &mut Nodes<K>, context: impl Into<Hashed>, symbol: K, touched: u32, symbols_max: usize) -> bool {
    let node = nodes.or_default(context);
    node.touched = touched;
    node.add(symbol, symbols_max)
}

#[cfg(test)]
mod tests {
    use super::{History, bucket, expert_of, renumbered};
    use crate::baseline::tools::Tools;

    #[test]
    fn positions_and_runs_are_exact_first_and_coarse_later() {
        let position = |value| bucket(value, 16, 8, 8);
        assert_eq!([0, 15, 16, 23, 24, 79, 80, 500].map(position), [0, 15, 16, 16, 17, 23, 24, 24]);
    }

    #[test]
    fn a_run_counts_the_same_tool_in_a_row() {
        let mut history = History::default();
        assert_eq!(history.run, 0);
        for (tool, run) in [(4, 1), (4, 2), (6, 1), (4, 1), (4, 2)] {
            history.push(tool);
            assert_eq!(history.run, run);
        }
        assert_eq!((history.last, history.position), ([4, 4, 6], 5));
    }

    #[test]
    fn contexts_in_another_shards_numbers_are_those_of_the_same_history() {
        let (mut here, mut there) = (Tools::new(1), Tools::new(1));
        let names = ["d", "c", "b", "a"];
        let theirs: Vec<_> = names.iter().map(|name| there.intern(None, name)).collect();
        let ours: Vec<_> = names.iter().rev().map(|name| here.intern(None, name)).rev().collect();
        let numbers = here.take_in(&there);
        let (mut in_theirs, mut in_ours) = (History::default(), History::default());
        for tool in [0, 1, 1, 2, 3, 0, 3] {
            assert_eq!(in_theirs.contexts().map(|context| renumbered(context, &numbers)), in_ours.contexts());
            in_theirs.push(theirs[tool]);
            in_ours.push(ours[tool]);
        }
    }

    #[test]
    fn every_expert_has_contexts_of_its_own() {
        let contexts = History::default().contexts();
        assert_eq!(contexts.map(expert_of), [0, 1, 2, 3, 4, 5, 6]);
    }
}
