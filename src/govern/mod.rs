//! What was declared about each agent, and whether an event keeps to it: inventory, contracts, credentials, limits, delegation
//! (DESIGN.md, section 7). Knows nothing of what is usual; that is `detect`.

mod agent_state;
mod binding;
mod chain;
mod clearance;
mod contract;
pub mod control;
mod credentials;
pub mod inventory;
mod judge;
pub mod limit;
mod limit_judge;
pub mod pattern;
pub mod record;
mod ring;
pub mod sightings;
pub mod tables;
mod terms;
mod violation;
mod window;
mod yaml;

pub use agent_state::AgentState;
pub use contract::Contract;
pub use control::{ControlRecord, ControlTopic, ControlValue};
pub use inventory::Inventory;
pub use judge::{Judge, Judgement, Memory, Recorded};
pub use record::InventoryRecord;
pub use sightings::{Sighting, Sightings};
pub use tables::Tables;
pub use violation::{Ask, Draft, Violation};

#[cfg(test)]
mod tests;
