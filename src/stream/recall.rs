//! Agents that have been idle wait in the state topic, and come back before an event of theirs is judged.

use std::time::Instant;

use super::lane::LaneError;
use super::outbox::Placed;
use super::record::InputPartition;
use super::restore::RestoreFailed;
use super::shards::{Owned, Shards};
use super::state::reader::ReadError;
use super::state::stored;
use super::state::{Epochs, StateReader};
use crate::engine::part::{Part, PartName, RestoreError};

impl Shards {
    /// Brings an agent back if it is away; false, and the lane must begin anew, if that cannot be done.
    pub(super) fn recall(&mut self, from: InputPartition, agent_id: &str, reader: Option<&StateReader>) -> bool {
        let Some(owned) = self.owned.get_mut(&from) else { return true };
        let Some(((name, reader), epochs)) = owned.engine.away(agent_id).zip(reader).zip(owned.epochs.as_ref()) else { return true };
        let since = Instant::now();
        let topic = &self.assembly.names.state;
        let back = fetch(reader, epochs, topic, from.partition, name).and_then(|part| Ok(owned.engine.bring_back(&part)?));
        self.assembly.meters.recall_seconds.observe(since.elapsed().as_secs_f64());
        if let Err(error) = back {
            // At a stop nothing is wrong with the agent: its event is read again by whoever comes next.
            if !matches!(error, RestoreFailed::Read(ReadError::Stopped)) {
                tracing::error!(topic, from.partition, agent_id, %error, "an idle agent cannot come back from the state topic");
            }
            self.break_down(LaneError::Unread(error.to_string()));
            return false;
        }
        tracing::debug!(topic, from.partition, agent_id, "an idle agent came back");
        true
    }

    /// Notes where records of state are that were committed.
    pub(super) fn note_placed(&mut self) {
        for Placed { from, key, offset } in self.outbox.take_placed() {
            let epochs = self.owned.get_mut(&from).and_then(|owned| owned.epochs.as_mut());
            if let Some((epochs, key)) = epochs.zip(std::str::from_utf8(&key).ok()) {
                epochs.place(key, offset);
            }
        }
    }
}

impl Owned {
    /// Lets agents go that have been idle longest, until the others take at most `megabytes`. Not while an epoch is written, since
    /// that writes whom it finds.
    pub(super) fn send_away(&mut self, megabytes: u64) {
        if let Some(epochs) = self.epochs.as_ref().filter(|epochs| !epochs.is_running()) {
            self.engine.send_away(megabytes << 20, |number| epochs.holds(PartName::Agent(number)));
            self.occupancy.update(&mut self.engine);
        }
    }
}

fn fetch(reader: &StateReader, epochs: &Epochs, topic: &str, partition: i32, name: PartName) -> Result<Part, RestoreFailed> {
    let whereabouts = epochs.find(name).ok_or(RestoreError::Missing { name })?;
    let value = reader.record(topic, partition, whereabouts.offset, &whereabouts.key)?;
    let bytes = stored::single(&whereabouts.key, whereabouts.epoch, value.as_deref())?;
    Ok(Part { name, bytes })
}
