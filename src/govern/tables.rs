//! What a shard may read of the control tables. The same for every shard of an instance; only [`Tables::apply`] changes it.

use std::collections::BTreeMap;

use super::control::{AgentStateRecord, ControlRecord, ControlValue};
use super::inventory::Inventory;
use super::record::InventoryRecord;
use super::sightings::Sightings;

/// How long amounts that other shards saw may be of use, ms: the longest window that the configuration allows.
const SIGHTINGS_KEPT_MS: i64 = 90 * 86_400_000;

/// The control tables as they are now.
///
/// Answers, acknowledgements, verdicts and changes are not held here: each is a transition of the shard's own state, and
/// reaches it through [`ControlRecord`].
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// What was declared.
    pub inventory: Inventory,
    /// What all shards saw; a shard finds its own sightings here again, which changes nothing.
    pub sightings: Sightings,
    agent_states: BTreeMap<String, AgentStateRecord>,
}

impl Tables {
    /// Takes a record in. The same record twice changes nothing.
    pub fn apply(&mut self, record: &ControlRecord) {
        match &record.value {
            ControlValue::Inventory(Some(declared)) => self.inventory.insert(InventoryRecord::clone(declared)),
            ControlValue::Inventory(None) => self.inventory.remove(&record.key),
            ControlValue::Sighting(sighting) => {
                self.sightings.insert(sighting.clone(), record.ts.saturating_sub(SIGHTINGS_KEPT_MS));
            }
            ControlValue::State(Some(state)) => {
                self.agent_states.insert(record.key.clone(), AgentStateRecord::clone(state));
            }
            ControlValue::State(None) => drop(self.agent_states.remove(&record.key)),
            ControlValue::Answer(_)
            | ControlValue::MalformedAnswer { .. }
            | ControlValue::Ack(_)
            | ControlValue::Feedback(_)
            | ControlValue::Change(_) => (),
        }
    }

    /// What the agent may do at all, where somebody said so.
    #[must_use]
    pub fn agent_state(&self, agent: &str) -> Option<&AgentStateRecord> {
        self.agent_states.get(agent)
    }
}
