//! How much one agent may occupy. What is dropped looks new again: it alarms too often, never too seldom.

/// Nodes of an agent.
pub const NODES_PER_AGENT: usize = 2048;
/// Tools in one context of an agent.
pub const TOOLS_PER_NODE: usize = 64;
/// Values of an attribute in one context of an agent. Wider than tools: how often a *new* value comes is what such a node is there to know.
pub const VALUES_PER_NODE: usize = 1024;
/// Cells of measured quantities of an agent.
pub const CELLS_PER_AGENT: usize = 512;
/// Values of one attribute that an agent is known for, whatever the tool.
pub const VALUES_PER_ATTRIBUTE: usize = 1024;
/// Facts of an agent that wait in its candidate store.
pub const CANDIDATES_PER_AGENT: usize = 1024;
/// Attribute values of an agent over all contexts.
pub const ATTRIBUTE_HASHES_PER_AGENT: usize = 4096;
/// Pinned facts of one owner.
pub const PINS_PER_OWNER: usize = 10_000;
