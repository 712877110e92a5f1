//! Lets the shards judge what came to the control tables, and tells them the time.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::outbox::Failed;
use super::publish::{addressed, stored};
use super::record::{InputPartition, Record};
use super::shards::{Assembly, Owned, Shards};
use super::state::commands::Command;
use super::tables::Entry;
use crate::event::{DeadLetter, Source};

/// Between two looks at the wall clock: expiry of requests and of waiting for acknowledgements is told this late.
const TICK_EVERY: Duration = Duration::from_secs(1);
/// The reason of a record of a control table that cannot be used.
const REFUSED: &str = "control_record";

impl Shards {
    /// Takes in what came to the tables and what the clock says.
    ///
    /// # Errors
    /// When the open transaction cannot go on; what came counts as taken all the same.
    pub fn follow(&mut self) -> Result<(), Failed> {
        let Some(follower) = &mut self.follower else { return Ok(()) };
        let came = follower.follow();
        let ticks = self.ticked.elapsed() >= TICK_EVERY;
        if !came && !ticks {
            return Ok(());
        }
        let owned: Vec<InputPartition> = self.owned.keys().copied().collect();
        let mut result = Ok(());
        for from in owned {
            result = result.and(self.catch_up(from));
            if ticks {
                result = result.and(self.tick(from));
            }
        }
        if ticks {
            self.ticked = Instant::now();
        }
        result
    }

    /// Lets one shard judge the entries that it has not seen.
    pub(super) fn catch_up(&mut self, from: InputPartition) -> Result<(), Failed> {
        let mut result = Ok(());
        let Self { assembly, owned, follower: Some(follower), outbox, state, dead_letters, outputs, uncommitted_since, .. } = self else {
            return Ok(());
        };
        let Some(owned) = owned.get_mut(&from) else { return Ok(()) };
        if owned.reached != Some(follower.moves()) {
            owned.reached = Some(follower.moves());
            owned.checkpointed = None;
            uncommitted_since.get_or_insert_with(Instant::now);
            let reached = Command::Reached(follower.now().positions.clone());
            result = result.and(outbox.send(keep(assembly, owned, state, from, reached)));
        }
        if owned.seen >= follower.end() {
            return result;
        }
        while let Some((number, entry)) = follower.entry(owned.seen) {
            owned.seen = number + 1;
            let judged = owned.judged.entry(entry.place).or_insert(0);
            if entry.offset < *judged {
                continue;
            }
            *judged = entry.offset + 1;
            owned.checkpointed = None;
            uncommitted_since.get_or_insert_with(Instant::now);
            if let Some(record) = &entry.judged {
                owned.engine.on_control(record, follower.tables(), outputs);
                let command = keep(assembly, owned, state, from, Command::Control(entry.given.clone()));
                result = result.and(outbox.send(command));
            }
            // Every instance reads it; one shard says so.
            if let Some(cause) = entry.refused.as_deref().filter(|_| (from.input, from.partition) == (0, 0)) {
                assembly.meters.dead_letters.with_label_values(&[REFUSED]).inc();
                let topic = &assembly.names.tables[usize::from(entry.place.0)].1;
                result = result.and(outbox.send(addressed(from, dead_letters, &refused(topic, entry, cause))));
            }
        }
        result.and(self.publish(from))
    }

    /// Tells one shard the time. It is kept only where it had an effect.
    fn tick(&mut self, from: InputPartition) -> Result<(), Failed> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        let Self { assembly, owned, follower: Some(follower), outbox, state, outputs, uncommitted_since, .. } = self else { return Ok(()) };
        let Some(owned) = owned.get_mut(&from) else { return Ok(()) };
        // Also where no events come that would lead to commits.
        owned.send_away(assembly.config.kafka.resident_megabytes);
        owned.engine.on_tick(now, follower.tables(), outputs);
        if outputs.is_empty() {
            return Ok(());
        }
        owned.checkpointed = None;
        uncommitted_since.get_or_insert_with(Instant::now);
        let sent = outbox.send(keep(assembly, owned, state, from, Command::Tick(now)));
        sent.and(self.publish(from))
    }
}

/// Notes what moved a shard beside its events; returns its record of the state topic.
fn keep(assembly: &Assembly, owned: &mut Owned, state: &Arc<str>, from: InputPartition, command: Command) -> Record {
    let record = owned.commands.note(&assembly.state_prefix(from), owned.next, command);
    assembly.meters.state_bytes.inc_by(record.bytes());
    stored(from, state, record)
}

/// A record of a control table that cannot be used, with the reason.
fn refused<'a>(topic: &'a str, entry: &'a Entry, cause: &str) -> DeadLetter<'a> {
    DeadLetter {
        key: Some(entry.given.key.as_bytes()),
        payload: entry.given.payload.as_deref(),
        headers: Vec::new(),
        source: Source { topic, partition: entry.place.1, offset: entry.offset },
        reason: REFUSED,
        message: cause.to_owned(),
    }
}
