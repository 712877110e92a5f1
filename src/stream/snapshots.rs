//! Lets the snapshots of the owned shards go on between commits, and with them what shards know of each other.

use std::time::Instant;

use super::outbox::Failed;
use super::pools;
use super::publish::stored;
use super::record::{InputPartition, Record};
use super::shards::{Owned, Shards};
use super::state::Epochs;
use super::state::commands::Command;
use super::state::epochs::Step;
use super::tables::TableFollower;

impl Shards {
    /// Lets the snapshots go on; called right after a commit, when the engines hold exactly what is committed. Not before partitions
    /// are given up: a transaction that was only just begun cannot always be rolled back.
    ///
    /// # Errors
    /// See [`Failed`].
    pub fn step_epochs(&mut self) -> Result<(), Failed> {
        let Self { assembly, owned, follower, outbox, state, pools, uncommitted_since, .. } = self;
        let mut result = Ok(());
        for (&from, owned) in owned {
            let prefix = || assembly.state_prefix(from);
            let started = Instant::now();
            let Some(mut step) = owned.step(prefix, from, follower.as_ref()) else { continue };
            let runs = owned.epochs.as_ref().is_some_and(Epochs::is_running);
            owned.send_away(assembly.config.kafka.resident_megabytes);
            let meters = &assembly.meters;
            if let Some(length) = step.completed {
                meters.epochs.inc();
                meters.epoch_seconds.observe(length.as_secs_f64());
                step.records.extend(owned.commands.forget(&prefix(), step.commands));
                if owned.engine.adopt_pools() {
                    meters.pools_adopted.inc();
                    tracing::debug!(prefix = prefix(), from.partition, version = owned.engine.pool_version(), "pools adopted");
                    step.records.push(owned.commands.note(&prefix(), owned.next, Command::Adopted));
                    owned.checkpointed = None;
                }
            }
            if runs || !step.records.is_empty() {
                // Another commit must follow, even if no event does.
                uncommitted_since.get_or_insert_with(Instant::now);
            }
            for record in step.records {
                meters.state_bytes.inc_by(record.bytes());
                result = result.and(outbox.send(stored(from, state, record)));
            }
            for told in &step.told {
                for record in pools::records(&pools::shard_name(&prefix(), from.partition), told) {
                    let (key, value) = (Some(record.key.into_bytes()), record.value);
                    let record = Record { from, topic: pools.clone(), partition: None, key, value, headers: Vec::new() };
                    result = result.and(outbox.send(record));
                }
            }
            if runs || step.completed.is_some() {
                meters.snapshot_pause_seconds.observe(started.elapsed().as_secs_f64());
            }
        }
        result
    }
}

impl Owned {
    /// One step of the shard's snapshots; `None` where none are kept.
    fn step(&mut self, prefix: impl Fn() -> String, from: InputPartition, follower: Option<&TableFollower>) -> Option<Step> {
        let epochs = self.epochs.as_mut()?;
        if epochs.is_due(self.committed)
            && let Some(peers) = follower.and_then(TableFollower::peers)
        {
            self.engine.offer_pools(peers, &pools::shard_name(&prefix(), from.partition));
        }
        let mut step = epochs.step(&mut self.engine, self.committed, self.commands.next());
        if step.begun
            && self.reached.is_some()
            && let Some(follower) = follower
        {
            // The first command of every epoch says by which tables its events are judged.
            let reached = Command::Reached(follower.now().positions.clone());
            step.records.push(self.commands.note(&prefix(), self.next, reached));
        }
        Some(step)
    }
}
