//! The control tables of one lane: each read whole before the first event is scored, then followed.
//!
//! What a record changes in the tables it changes for all shards of the lane at once. What it changes in a shard's own state is done
//! by the shard, once: each keeps how far it has judged every table, and gets from here what came since.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::client;
use super::link::{Link, Listener};
use super::pools::PeerReader;
use super::state::StateReader;
use super::state::commands::Given;
use super::state::reader::ReadError;
use super::table_history::{Now, is_in_force};
use super::topic::TopicNames;
use crate::config::Config;
use crate::engine::pools::Peers;
use crate::govern::control::ControlError;
use crate::govern::{ControlRecord, ControlTopic, Tables};

/// Records taken in at one time, so that events do not wait.
const BATCH: usize = 256;
/// Entries kept for shards that come later; the oldest go first, and are then not judged by them.
const ENTRIES_MAX: usize = 100_000;

/// A partition of a table: its number in the order of [`ControlTopic::ALL`], and the Kafka partition.
pub type TablePartition = (u8, i32);
/// The next offset of each partition of each table.
pub type Positions = BTreeMap<TablePartition, i64>;

/// A record that a shard has to judge.
#[derive(Debug)]
pub struct Entry {
    /// Where it came from.
    pub place: TablePartition,
    /// Its offset there.
    pub offset: i64,
    /// As it came.
    pub given: Given,
    /// What the shards judge of it; `None` where it says nothing to them.
    pub judged: Option<ControlRecord>,
    /// Why it cannot be used, where it cannot.
    pub refused: Option<String>,
}

/// Reads the control tables.
pub struct TableFollower {
    consumer: BaseConsumer<Listener>,
    names: Vec<(ControlTopic, String)>,
    tables: Tables,
    positions: Positions,
    /// Of them, those of the tables in force.
    in_force: Positions,
    /// How often those have moved.
    moves: u64,
    entries: VecDeque<Entry>,
    /// Entries that were dropped from the front.
    dropped: u64,
    /// The pools topic with what it says, where pools are shared.
    pools: Option<(String, PeerReader)>,
}

impl TableFollower {
    /// Reads every table to its end.
    ///
    /// # Errors
    /// When the brokers do not answer.
    pub fn open(config: &Config, names: &TopicNames, link: &Arc<Link>, reader: &StateReader) -> Result<Self, ReadError> {
        let mut client = client::plain(&config.kafka);
        client
            .set("group.id", &config.kafka.group)
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "100")
            .set("queued.max.messages.kbytes", "16384");
        let consumer = BaseConsumer::from_config_and_context(&client, Listener(Arc::clone(link)))?;
        let mut follower = Self {
            consumer,
            names: names.tables.clone(),
            tables: Tables::default(),
            positions: Positions::new(),
            in_force: Positions::new(),
            moves: 0,
            entries: VecDeque::new(),
            dropped: 0,
            pools: config.engine.pools.share.then(|| (names.pools.clone(), PeerReader::new(&config.kafka.group))),
        };
        let mut from = TopicPartitionList::new();
        for (table, topic) in names.tables.clone() {
            let partitions = reader.partitions(&topic)?;
            for &partition in &partitions {
                follower.positions.insert((number(table), partition), 0);
            }
            reader.whole(&topic, &partitions, |record| follower.take(table, record))?;
            for partition in partitions {
                from.add_partition_offset(&topic, partition, going_on_at(follower.positions[&(number(table), partition)]))?;
            }
        }
        if let Some((topic, pools)) = &mut follower.pools {
            let partitions = reader.partitions(topic)?;
            let mut next: BTreeMap<i32, i64> = BTreeMap::new();
            reader.whole(topic, &partitions, |record| {
                next.insert(record.partition(), record.offset() + 1);
                tell(pools, record);
            })?;
            for partition in partitions {
                from.add_partition_offset(topic, partition, going_on_at(next.get(&partition).copied().unwrap_or(0)))?;
            }
        }
        follower.consumer.assign(&from)?;
        Ok(follower)
    }

    /// Takes in what came since the last time; true if anything did.
    pub fn follow(&mut self) -> bool {
        let mut any = false;
        for _ in 0..BATCH {
            // Taken out while the record borrows the consumer.
            let given = match self.consumer.poll(Duration::ZERO) {
                None => break,
                Some(Err(error)) => {
                    tracing::debug!(%error, "the reader of tables reports");
                    continue;
                }
                Some(Ok(record)) => {
                    if let Some((_, pools)) = self.pools.as_mut().filter(|(topic, _)| topic == record.topic()) {
                        tell(pools, &record);
                        continue;
                    }
                    let Some(&(table, _)) = self.names.iter().find(|(_, name)| name == record.topic()) else { continue };
                    (table, record.partition(), record.offset(), as_given(table, &record))
                }
            };
            let (table, partition, offset, given) = given;
            self.enter(table, partition, offset, given);
            any = true;
        }
        any
    }

    /// The client that follows.
    #[must_use]
    pub fn client(&self) -> &BaseConsumer<Listener> {
        &self.consumer
    }

    /// The tables as they are now.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The tables, and how far those by which events are judged were read.
    #[must_use]
    pub fn now(&self) -> Now<'_> {
        Now { tables: &self.tables, positions: &self.in_force }
    }

    /// What other shards told of groups and population, where that is shared.
    #[must_use]
    pub fn peers(&self) -> Option<&Peers> {
        self.pools.as_ref().map(|(_, pools)| pools.peers())
    }

    /// How often the tables by which events are judged have moved; another number means other tables.
    #[must_use]
    pub fn moves(&self) -> u64 {
        self.moves
    }

    /// How far the tables were read.
    #[must_use]
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// One past the newest entry.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.dropped + self.entries.len() as u64
    }

    /// The entry of that number with its number, or the oldest that is left.
    #[must_use]
    pub fn entry(&self, number: u64) -> Option<(u64, &Entry)> {
        let number = number.max(self.dropped);
        let entry = self.entries.get(usize::try_from(number - self.dropped).ok()?)?;
        Some((number, entry))
    }

    fn take(&mut self, table: ControlTopic, record: &BorrowedMessage<'_>) {
        self.enter(table, record.partition(), record.offset(), as_given(table, record));
    }

    fn enter(&mut self, table: ControlTopic, partition: i32, offset: i64, given: Given) {
        let place = (number(table), partition);
        self.positions.insert(place, offset + 1);
        if is_in_force(table) {
            self.in_force.insert(place, offset + 1);
            self.moves += 1;
        }
        let read = read(&given);
        if let Ok(record) = &read {
            self.tables.apply(record);
        }
        if read.is_ok() && matches!(table, ControlTopic::Inventory | ControlTopic::Sightings) {
            // Read where an event is judged; no shard's own state follows from it.
            return;
        }
        if self.entries.len() == ENTRIES_MAX {
            self.entries.pop_front();
            self.dropped += 1;
        }
        let refused = read.as_ref().err().map(ToString::to_string);
        self.entries.push_back(Entry { place, offset, judged: judged_of(&given, read), given, refused });
    }
}

/// The place after what was read up to `next`.
fn going_on_at(next: i64) -> Offset {
    if next == 0 { Offset::Beginning } else { Offset::Offset(next) }
}

fn tell(pools: &mut PeerReader, record: &BorrowedMessage<'_>) {
    let key = String::from_utf8_lossy(record.key().unwrap_or_default());
    pools.take(&key, record.timestamp().to_millis().unwrap_or(0), record.payload());
}

/// What a record says.
///
/// # Errors
/// When it cannot be used.
pub(super) fn read(given: &Given) -> Result<ControlRecord, ControlError> {
    let table = ControlTopic::ALL[usize::from(given.table) % ControlTopic::ALL.len()];
    ControlRecord::from_payload(table, given.ts, &given.key, given.payload.as_deref())
}

/// What the shards judge of a record: what it says, or that it should have been an answer and cannot be read.
pub fn judged(given: &Given) -> Option<ControlRecord> {
    judged_of(given, read(given))
}

fn judged_of(given: &Given, read: Result<ControlRecord, ControlError>) -> Option<ControlRecord> {
    let is_answer = ControlTopic::ALL.get(usize::from(given.table)) == Some(&ControlTopic::StepUpResponses);
    match read {
        Ok(record) => Some(record),
        Err(why) if is_answer => {
            Some(ControlRecord::malformed_answer(given.ts, &given.key, given.payload.as_deref().unwrap_or_default(), &why))
        }
        Err(_) => None,
    }
}

pub(super) fn number(table: ControlTopic) -> u8 {
    ControlTopic::ALL.iter().zip(0..).find(|(known, _)| **known == table).map_or(0, |(_, number)| number)
}

pub(super) fn as_given(table: ControlTopic, record: &BorrowedMessage<'_>) -> Given {
    Given {
        table: number(table),
        ts: record.timestamp().to_millis().unwrap_or(0),
        key: String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned(),
        payload: record.payload().map(<[u8]>::to_vec),
    }
}

impl From<ReadError> for super::lane::LaneError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Kafka(error) => Self::from(error),
            other => Self::Unread(other.to_string()),
        }
    }
}
