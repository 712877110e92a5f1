//! Lets the snapshots of the owned shards go on between commits, and with them what shards know of each other.

use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::outbox::Failed;
use super::pools;
use super::publish::stored;
use super::record::{InputPartition, Record};
use super::shards::{Owned, Shards};
use super::state::Epochs;
use super::state::commands::Command;
use super::state::epochs::{SLICE, Step};
use super::tables::TableFollower;

/// How long the snapshots of all shards of a lane together hold up one commit, give or take a step of one shard.
const ALL_TOGETHER: Duration = Duration::from_millis(20);

impl Shards {
    /// Lets the snapshots go on; called right after a commit, when the engines hold exactly what is committed. Not before partitions
    /// are given up: a transaction that was only just begun cannot always be rolled back.
    ///
    /// # Errors
    /// See [`Failed`].
    pub fn step_epochs(&mut self) -> Result<(), Failed> {
        let started = Instant::now();
        let mut result = Ok(());
        let mut has_worked = false;
        for _ in 0..self.owned.len() {
            if started.elapsed() >= ALL_TOGETHER {
                break;
            }
            let Some(from) = self.next_in_turn() else { break };
            self.last_stepped = Some(from);
            let Some(step) = self.step_of(from) else { continue };
            has_worked |= step.is_work;
            for record in step.records {
                self.assembly.meters.state_bytes.inc_by(record.bytes());
                result = result.and(self.outbox.send(stored(from, &self.state, record)));
            }
            for told in &step.told {
                let shard = pools::shard_name(&self.assembly.state_prefix(from), from.partition);
                for record in pools::records(&shard, told) {
                    let (key, value) = (Some(record.key.into_bytes()), record.value);
                    let record = Record { from, topic: Arc::clone(&self.pools), partition: None, key, value, headers: Vec::new() };
                    result = result.and(self.outbox.send(record));
                }
            }
        }
        if has_worked {
            // Another commit must follow, even if no event does.
            self.uncommitted_since.get_or_insert_with(Instant::now);
            self.assembly.meters.snapshot_pause_seconds.observe(started.elapsed().as_secs_f64());
        }
        result
    }

    /// The owned partition after the one that had its turn last; after the last of all, the first.
    fn next_in_turn(&self) -> Option<InputPartition> {
        let after = self.last_stepped.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.owned.range((after, Bound::Unbounded)).next().or_else(|| self.owned.first_key_value());
        next.map(|(&from, _)| from)
    }

    /// One step of one shard; `None` where no snapshots are kept.
    fn step_of(&mut self, from: InputPartition) -> Option<Step> {
        let Self { assembly, owned, follower, .. } = self;
        let prefix = || assembly.state_prefix(from);
        let owned = owned.get_mut(&from)?;
        let until = Instant::now() + SLICE;
        let mut step = owned.step(prefix, from, follower.as_ref(), until)?;
        owned.send_away(assembly.config.kafka.resident_megabytes);
        if let Some(length) = step.completed {
            assembly.meters.epochs.inc();
            assembly.meters.epoch_seconds.observe(length.as_secs_f64());
            step.records.extend(owned.commands.forget(&prefix(), step.commands));
        }
        let is_adopting = owned.is_adopting();
        while owned.is_adopting() && Instant::now() < until {
            owned.engine.adopt_pool();
            step.records.push(owned.commands.note(&prefix(), owned.next, Command::Adopted));
            owned.checkpointed = None;
        }
        if is_adopting && !owned.is_adopting() {
            assembly.meters.pools_adopted.inc();
            tracing::debug!(prefix = prefix(), from.partition, version = owned.engine.pool_version(), "pools adopted");
        }
        step.is_work |= is_adopting;
        Some(step)
    }
}

impl Owned {
    /// One step of the shard's snapshots; `None` where none are kept.
    fn step(
        &mut self,
        prefix: impl Fn() -> String,
        from: InputPartition,
        follower: Option<&TableFollower>,
        until: Instant,
    ) -> Option<Step> {
        let epochs = self.epochs.as_mut()?;
        if epochs.is_due(self.committed)
            && let Some(peers) = follower.and_then(TableFollower::peers)
        {
            if self.engine.is_offered_pools() {
                // Of the snapshot before: first to be adopted as a whole.
                return Some(Step::default());
            }
            let shard = pools::shard_name(&prefix(), from.partition);
            let gathering = self.gathering.get_or_insert_with(|| peers.gathering(&shard));
            while gathering.go_on(peers) {
                if Instant::now() >= until {
                    return Some(Step { is_work: true, ..Step::default() });
                }
            }
            self.engine.offer_pools(self.gathering.take()?, peers);
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

    /// Whether pools wait to be adopted that a complete snapshot offers.
    fn is_adopting(&self) -> bool {
        self.engine.is_offered_pools() && !self.epochs.as_ref().is_some_and(Epochs::is_running)
    }
}
