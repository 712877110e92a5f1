//! The partitions that a lane owns, each with its engine, and the commit of what they have said.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::intake;
use super::lane::LaneError;
use super::meters::Meters;
use super::occupancy::Occupancy;
use super::outbox::{Failed, Outbox};
use super::progress::Progress;
use super::publish::{addressed, stored};
use super::record::InputPartition;
use super::restore::Restored;
use super::state::form::{self, Checkpoint, StateRecord};
use super::state::{Commands, Epochs, StateReader};
use super::table_history::Now;
use super::tables::{Positions, TableFollower};
use super::topic::TopicNames;
use crate::config::{Config, Input};
use crate::engine::pools::Gathering;
use crate::engine::{Engine, Output, Shard, Tables};

/// Records in one transaction; with more it is committed early, so that memory stays bounded.
const UNCONFIRMED_MAX: usize = 20_000;
/// Longest wait for one answer about a partition.
const ANSWER: Duration = Duration::from_secs(5);

/// What every lane of a service has in common.
#[derive(Debug)]
pub struct Assembly {
    /// The whole configuration.
    pub config: Arc<Config>,
    /// Topics with their prefix.
    pub names: TopicNames,
    /// Number of partitions of each input.
    pub partitions: Vec<i32>,
    /// What is counted.
    pub meters: Meters,
    /// How far the lanes are.
    pub progress: Progress,
    /// Whether state is written to its topic and restored from there.
    pub keeps_state: bool,
    /// What is done with the records.
    pub work: Work,
    /// The inputs of this work, as `names.inputs` has them.
    pub inputs: Vec<Input>,
}

impl Assembly {
    /// The shard of a partition. Shards are numbered through all inputs in their order: what they say is told apart by that number.
    #[must_use]
    pub fn shard(&self, of: InputPartition) -> Shard {
        let before: i32 = self.partitions[..of.input].iter().sum();
        Shard { partition: before + of.partition, partitions: self.partitions.iter().sum() }
    }

    /// How the keys of what the state topic holds of a partition begin.
    pub(super) fn state_prefix(&self, of: InputPartition) -> String {
        form::prefix(&self.config.kafka.group, &self.names.inputs[of.input])
    }
}

/// What a lane does with the records of its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Scores them.
    Score,
    /// Makes native events keyed by agent of them, for others to score.
    Ingest,
}

/// One owned partition.
pub(super) struct Owned {
    pub(super) engine: Engine,
    pub(super) occupancy: Occupancy,
    /// The next offset to take.
    pub(super) next: i64,
    /// The next offset to take, as the group has it.
    pub(super) committed: i64,
    /// The offset of the newest checkpoint that was written, committed or not; `None` when another is due all the same.
    pub(super) checkpointed: Option<i64>,
    /// The offset at which it began without any state.
    began: i64,
    /// Its snapshots; `None` where no state is kept.
    pub(super) epochs: Option<Epochs>,
    /// What moved it beside its events.
    pub(super) commands: Commands,
    /// How far it has judged the control tables.
    pub(super) judged: Positions,
    /// The number of the follower's entry that it has not seen yet.
    pub(super) seen: u64,
    /// What other shards have told of their pools, while it is added up for the snapshot that begins next.
    pub(super) gathering: Option<Gathering>,
    /// How often the tables in force had moved when it last noted how far they were read; `None` before the first note.
    pub(super) reached: Option<u64>,
}

/// All that the poll loop and the rebalance callback share.
pub struct Shards {
    pub(super) assembly: Arc<Assembly>,
    pub(super) findings: Vec<Arc<str>>,
    pub(super) step_up_requests: Arc<str>,
    pub(super) sightings: Arc<str>,
    pub(super) agent_state: Arc<str>,
    pub(super) audit: Arc<str>,
    pub(super) dead_letters: Arc<str>,
    pub(super) state: Arc<str>,
    pub(super) pools: Arc<str>,
    pub(super) owned: BTreeMap<InputPartition, Owned>,
    pub(super) outbox: Outbox,
    /// When the first record after the last commit was taken.
    pub(super) uncommitted_since: Option<Instant>,
    /// The control tables; `None` where there are none.
    pub(super) follower: Option<TableFollower>,
    /// Stand in for tables where there are none.
    no_tables: Tables,
    no_positions: Positions,
    pub(super) outputs: Vec<Output>,
    /// The partition whose snapshot went on last.
    pub(super) last_stepped: Option<InputPartition>,
    /// When the shards were last told the time.
    pub(super) ticked: Instant,
    /// Whether the group has given this lane its share, which may be nothing.
    joined: bool,
    /// Set when the clients are of no use any more.
    broken: Option<LaneError>,
}

impl Shards {
    /// No partition yet.
    #[must_use]
    pub fn new(assembly: Arc<Assembly>, outbox: Outbox, follower: Option<TableFollower>) -> Self {
        let shared = |name: &String| Arc::from(name.as_str());
        Self {
            findings: assembly.names.outputs.iter().map(shared).collect(),
            step_up_requests: shared(&assembly.names.step_up_requests),
            sightings: shared(&assembly.names.sightings),
            agent_state: shared(&assembly.names.agent_state),
            audit: shared(&assembly.names.audit),
            dead_letters: shared(&assembly.names.dead_letters),
            state: shared(&assembly.names.state),
            pools: shared(&assembly.names.pools),
            owned: BTreeMap::new(),
            outbox,
            uncommitted_since: None,
            follower,
            no_tables: Tables::default(),
            no_positions: Positions::new(),
            outputs: Vec::new(),
            last_stepped: None,
            ticked: Instant::now(),
            joined: false,
            broken: None,
            assembly,
        }
    }

    /// Scores one record and sends what came of it. Records of partitions that are not owned any more, and repeated ones, are
    /// ignored.
    ///
    /// # Errors
    /// When the open transaction cannot go on; the record counts as taken all the same. One whose agent cannot come back from the
    /// state topic does not: the lane is broken then, and takes nothing any more.
    pub fn take(&mut self, message: &BorrowedMessage<'_>, reader: Option<&StateReader>) -> Result<(), Failed> {
        let Some(from) = self.place(message.topic(), message.partition()) else { return Ok(()) };
        if self.broken.is_some() || self.owned.get(&from).is_none_or(|owned| message.offset() < owned.next) {
            return Ok(());
        }
        // A shard that has just come must have judged the tables before its first event.
        let caught_up = self.catch_up(from);
        let keyed = self.assembly.inputs[from.input].keyed;
        let scores = self.assembly.work == Work::Score;
        let decoded = scores.then(|| intake::event(self.assembly.shard(from), keyed, message));
        if let Some(Ok(decoded)) = &decoded
            && !self.recall(from, &decoded.event.agent_id, reader)
        {
            return caught_up;
        }
        let Some(owned) = self.owned.get_mut(&from) else { return caught_up };
        owned.next = message.offset() + 1;
        self.uncommitted_since.get_or_insert_with(Instant::now);
        let meters = &self.assembly.meters;
        meters.records.inc();
        let Some(decoded) = decoded else {
            let sent = self.pass_on(from, message);
            return caught_up.and(sent);
        };
        let taken = match decoded {
            Ok(decoded) => {
                let tables = self.follower.as_ref().map_or(&self.no_tables, TableFollower::tables);
                owned.engine.on_event(&decoded.event, tables, &mut self.outputs);
                meters.events.inc();
                meters.unknown_fields.inc_by(u64::from(decoded.unknown_fields));
                self.publish(from)
            }
            Err(error) => {
                meters.dead_letters.with_label_values(&[error.reason()]).inc();
                let letter = intake::dead_letter(message, &error);
                tracing::debug!(
                    topic = letter.source.topic,
                    from.partition,
                    offset = letter.source.offset,
                    error = letter.message,
                    "record rejected"
                );
                let record = addressed(from, &self.dead_letters, &letter);
                self.outbox.send(record)
            }
        };
        caught_up.and(taken)
    }

    /// The control tables as this lane sees them now.
    #[must_use]
    pub fn now(&self) -> Now<'_> {
        self.follower.as_ref().map_or(Now { tables: &self.no_tables, positions: &self.no_positions }, TableFollower::now)
    }

    fn place(&self, topic: &str, partition: i32) -> Option<InputPartition> {
        let input = self.assembly.names.inputs.iter().position(|name| name == topic)?;
        Some(InputPartition { input, partition })
    }

    /// How long the loop may wait for the next record.
    #[must_use]
    pub fn patience(&self, longest: Duration) -> Duration {
        // Below a millisecond the library would not wait at all, and spin.
        self.until_commit().map_or(longest, |left| left.clamp(Duration::from_millis(1), longest))
    }

    /// Whether it is time to commit.
    #[must_use]
    pub fn is_commit_due(&self) -> bool {
        self.until_commit().is_some_and(|left| left.is_zero())
            || self.outbox.len() >= UNCONFIRMED_MAX
            || (self.outbox.is_empty() && self.owned.values().any(Owned::wants_epoch))
    }

    fn until_commit(&self) -> Option<Duration> {
        let interval = Duration::from_millis(self.assembly.config.kafka.commit_interval_ms);
        self.uncommitted_since.map(|since| interval.saturating_sub(since.elapsed()))
    }

    /// Commits everything taken so far; does nothing when there is nothing.
    ///
    /// # Errors
    /// See [`Failed`].
    ///
    /// # Panics
    /// Never: offsets that were read are valid ones.
    pub fn commit<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>) -> Result<(), Failed> {
        let mut offsets = TopicPartitionList::new();
        for (from, owned) in &self.owned {
            // Records of state go with an offset even where it did not move: the group fences an owner that has lost the partition.
            if owned.next == owned.committed && !self.outbox.holds(|of| of == *from) {
                continue;
            }
            offsets
                .add_partition_offset(&self.assembly.names.inputs[from.input], from.partition, Offset::Offset(owned.next))
                .expect("an offset that was read is a valid one");
        }
        if offsets.count() == 0 && self.outbox.is_empty() {
            self.uncommitted_since = None;
            return Ok(());
        }
        let started = Instant::now();
        self.checkpoint()?;
        self.outbox.commit(consumer, &offsets)?;
        self.assembly.meters.commit_seconds.observe(started.elapsed().as_secs_f64());
        self.assembly.meters.commits.inc();
        self.uncommitted_since = None;
        self.note_placed();
        for (from, owned) in &mut self.owned {
            if owned.committed < owned.next {
                owned.committed = owned.next;
                owned.occupancy.update(&mut owned.engine);
                self.assembly.progress.at(&self.assembly.names.inputs[from.input], from.partition, owned.next);
            }
        }
        Ok(())
    }

    /// Writes how far each shard is, once for each offset that a commit carries.
    fn checkpoint(&mut self) -> Result<(), Failed> {
        let mut result = Ok(());
        for (from, owned) in &mut self.owned {
            if owned.epochs.is_none() || owned.checkpointed == Some(owned.next) {
                continue;
            }
            owned.checkpointed = Some(owned.next);
            let prefix = self.assembly.state_prefix(*from);
            let checkpoint = Checkpoint { next: owned.next, began: owned.began, judged: owned.judged.clone() };
            let record = StateRecord { key: form::checkpoint_key(&prefix), value: Some(form::written(&checkpoint)) };
            self.assembly.meters.state_bytes.inc_by(record.bytes());
            result = result.and(self.outbox.send(stored(*from, &self.state, record)));
        }
        result
    }

    /// Begins to own a partition as it was restored.
    pub fn gain(&mut self, topic: &str, partition: i32, restored: Restored) {
        let Some(from) = self.place(topic, partition) else { return };
        let Restored { mut engine, next, began, epochs, commands, judged } = restored;
        let epochs = self.assembly.keeps_state.then_some(epochs);
        // Nothing was ever checkpointed where the shard begins; elsewhere the newest checkpoint is what was restored.
        let checkpointed = (next != began).then_some(next);
        // A shard that begins now has nothing that an old entry could be about.
        let (seen, positions) =
            self.follower.as_ref().map_or((0, Positions::new()), |follower| (follower.end(), follower.positions().clone()));
        let (seen, judged) = judged.map_or((seen, positions), |judged| (0, judged));
        let occupancy = Occupancy::of(&mut engine, &self.assembly.meters);
        let owned = Owned {
            engine,
            occupancy,
            next,
            committed: next,
            checkpointed,
            began,
            epochs,
            commands,
            judged,
            seen,
            gathering: None,
            reached: None,
        };
        if self.owned.insert(from, owned).is_none() {
            self.assembly.meters.partitions.inc();
        }
        self.assembly.progress.at(topic, partition, next);
    }

    /// What every lane has in common.
    #[must_use]
    pub fn assembly(&self) -> Arc<Assembly> {
        Arc::clone(&self.assembly)
    }

    /// The group has given this lane its share.
    pub fn join(&mut self) {
        if !std::mem::replace(&mut self.joined, true) {
            self.assembly.progress.lane_joined();
        }
    }

    /// Goes on at the oldest record that is left where the brokers deleted what was to be read next, and says so.
    ///
    /// # Errors
    /// When the brokers do not answer; nothing was moved then.
    pub fn skip_deleted<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>) -> Result<(), KafkaError> {
        let mut moved = TopicPartitionList::new();
        for (from, owned) in &mut self.owned {
            let topic = &self.assembly.names.inputs[from.input];
            let (oldest, end) = consumer.fetch_watermarks(topic, from.partition, ANSWER)?;
            if (oldest..=end).contains(&owned.next) {
                continue;
            }
            moved.add_partition_offset(topic, from.partition, Offset::Offset(oldest))?;
            let lost = oldest.saturating_sub(owned.next).max(0);
            self.assembly.meters.records_lost.inc_by(lost.unsigned_abs());
            tracing::error!(
                topic,
                from.partition,
                next = owned.next,
                oldest,
                end,
                lost,
                "the next record is not there: deleted by retention, or the topic was made anew"
            );
            owned.next = oldest;
            owned.committed = oldest;
        }
        if moved.count() == 0 {
            return Ok(());
        }
        // A seek is refused while the partition is in this state.
        if let RebalanceProtocol::Cooperative = consumer.rebalance_protocol() {
            consumer.incremental_unassign(&moved)?;
            return consumer.incremental_assign(&moved);
        }
        let mut all = TopicPartitionList::new();
        for (from, owned) in &self.owned {
            all.add_partition_offset(&self.assembly.names.inputs[from.input], from.partition, Offset::Offset(owned.next))?;
        }
        consumer.assign(&all)
    }

    /// Stops owning partitions. What they had not committed is forgotten; their next owner does it anew.
    pub fn lose(&mut self, partitions: &[(String, i32)]) {
        for (topic, partition) in partitions {
            if self.place(topic, *partition).is_some_and(|from| self.owned.remove(&from).is_some()) {
                self.assembly.meters.partitions.dec();
                self.assembly.progress.lost(topic, *partition);
            }
        }
    }

    /// Forgets the records of partitions that are not owned any more, and rolls back if they are part of the open transaction.
    ///
    /// # Errors
    /// When new clients are needed.
    pub fn forget_lost(&mut self) -> Result<(), Failed> {
        let owned = &self.owned;
        if self.outbox.holds(|from| !owned.contains_key(&from)) { self.outbox.roll_back(|from| owned.contains_key(&from)) } else { Ok(()) }
    }

    /// Notes that the clients are of no use any more.
    pub fn break_down(&mut self, error: LaneError) {
        self.broken.get_or_insert(error);
    }

    /// Why the clients are of no use any more.
    #[must_use]
    pub fn broken(&self) -> Option<&LaneError> {
        self.broken.as_ref()
    }
}

impl Owned {
    /// Whether a snapshot should begin, and nothing stands in its way.
    fn wants_epoch(&self) -> bool {
        self.next == self.committed && self.epochs.as_ref().is_some_and(|epochs| epochs.is_due(self.committed))
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        if self.joined {
            self.assembly.progress.lane_left();
        }
        for from in self.owned.keys() {
            self.assembly.meters.partitions.dec();
            self.assembly.progress.lost(&self.assembly.names.inputs[from.input], from.partition);
        }
    }
}
