//! Lets the shards judge what came to the control tables, and tells them the time.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::outbox::Failed;
use super::publish::stored;
use super::record::{InputPartition, Record};
use super::shards::{Assembly, Shards};
use super::state::commands::Command;
use super::state::form;
use super::tables::{self, Entry};

/// Between two looks at the wall clock: expiry of requests and of waiting for acknowledgements is told this late.
const TICK_EVERY: Duration = Duration::from_secs(1);

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
        let Some(owned) = owned.get_mut(&from).filter(|owned| owned.seen < follower.end()) else { return Ok(()) };
        while let Some((number, entry)) = follower.entry(owned.seen) {
            owned.seen = number + 1;
            let judged = owned.judged.entry(entry.place).or_insert(0);
            if entry.offset < *judged {
                continue;
            }
            *judged = entry.offset + 1;
            owned.checkpointed = None;
            uncommitted_since.get_or_insert_with(Instant::now);
            match &entry.record {
                Ok(record) => {
                    owned.engine.on_control(record, follower.tables(), outputs);
                    let command = Command::Control(entry.given.clone());
                    let record = owned.commands.note(&prefix(assembly, from), owned.next, command);
                    assembly.meters.state_bytes.inc_by(record.bytes());
                    result = result.and(outbox.send(stored(from, state, record)));
                }
                Err(cause) => {
                    if let Some(record) = tables::judged(&entry.given) {
                        owned.engine.on_control(&record, follower.tables(), outputs);
                        let command = Command::Control(entry.given.clone());
                        let record = owned.commands.note(&prefix(assembly, from), owned.next, command);
                        assembly.meters.state_bytes.inc_by(record.bytes());
                        result = result.and(outbox.send(stored(from, state, record)));
                    }
                    // Every instance reads it; one shard says so.
                    if from.input != 0 || from.partition != 0 {
                        continue;
                    }
                    assembly.meters.dead_letters.with_label_values(&["control_record"]).inc();
                    result = result.and(outbox.send(refused(
                        from,
                        dead_letters,
                        &assembly.names.tables[usize::from(entry.place.0)].1,
                        entry,
                        cause,
                    )));
                }
            }
        }
        result.and(self.publish(from))
    }

    /// Tells one shard the time. It is kept only where it had an effect.
    fn tick(&mut self, from: InputPartition) -> Result<(), Failed> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        let Self { assembly, owned, follower: Some(follower), outbox, state, outputs, uncommitted_since, .. } = self else { return Ok(()) };
        let Some(owned) = owned.get_mut(&from) else { return Ok(()) };
        owned.engine.on_tick(now, follower.tables(), outputs);
        if outputs.is_empty() {
            return Ok(());
        }
        owned.checkpointed = None;
        uncommitted_since.get_or_insert_with(Instant::now);
        let record = owned.commands.note(&prefix(assembly, from), owned.next, Command::Tick(now));
        assembly.meters.state_bytes.inc_by(record.bytes());
        let sent = outbox.send(stored(from, state, record));
        sent.and(self.publish(from))
    }
}

fn prefix(assembly: &Assembly, from: InputPartition) -> String {
    form::prefix(&assembly.config.kafka.group, &assembly.names.inputs[from.input])
}

/// A record of a control table that cannot be used, with the reason.
fn refused(from: InputPartition, topic: &Arc<str>, table: &str, entry: &Entry, cause: &str) -> Record {
    let header = |name: &str, value: String| (name.to_owned(), Some(value.into_bytes()));
    Record {
        from,
        topic: Arc::clone(topic),
        partition: None,
        key: Some(entry.given.key.clone().into_bytes()),
        value: entry.given.payload.clone(),
        headers: vec![
            header("gaitkeeper-reason", "control_record".into()),
            header("gaitkeeper-message", cause.to_owned()),
            header("gaitkeeper-topic", table.to_owned()),
            header("gaitkeeper-partition", entry.place.1.to_string()),
            header("gaitkeeper-offset", entry.offset.to_string()),
        ],
    }
}
