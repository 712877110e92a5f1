//! Partitions come and go: what happens inside the consumer's callbacks.
//!
//! Gaining asks for the committed offsets first, which waits until no transaction of a former owner holds one back, and assigns
//! with explicit offsets. Giving up commits inside the callback; a partition that was lost is dropped, the fence of the brokers
//! keeps what it had open from counting.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::Stop;
use super::lane::LaneError;
use super::link::Link;
use super::outbox::Failed;
use super::record::InputPartition;
use super::restore::{self, RestoreFailed, Restored, Wanted};
use super::shards::{Assembly, Shards};
use super::state::StateReader;
use super::state::reader::ReadError;
use super::table_history::{Now, TableHistory};
use super::watchdog::Watch;

/// Longest wait of one question for committed offsets.
const OFFSETS_WITHIN: Duration = Duration::from_secs(10);
/// Questions before the lane starts afresh.
const OFFSETS_TRIES: u32 = 6;
/// Looks at a state that contradicts the group's offset, before the process says so and ends.
const RESTORE_TRIES: u32 = 5;
/// Between two looks.
const RESTORE_PAUSE: Duration = Duration::from_secs(1);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(200);

/// The context of a lane's consumer: it holds the shards, so that they outlive the consumer's last callback.
pub struct Ownership {
    shards: Mutex<Shards>,
    assembly: Arc<Assembly>,
    /// `None` where no state is kept.
    reader: Option<StateReader>,
    link: Arc<Link>,
    watch: Arc<Watch>,
    stop: Stop,
}

impl Ownership {
    /// Shards that will own what the group gives to this consumer.
    #[must_use]
    pub fn new(shards: Shards, reader: Option<StateReader>, link: Arc<Link>, watch: Arc<Watch>, stop: Stop) -> Self {
        let assembly = shards.assembly();
        Self { shards: Mutex::new(shards), assembly, reader, link, watch, stop }
    }

    /// Reads the state topic; `None` where no state is kept.
    pub fn reader(&self) -> Option<&StateReader> {
        self.reader.as_ref()
    }

    /// The shards. Never held while the consumer is polled, which may call back.
    pub fn shards(&self) -> MutexGuard<'_, Shards> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gain(&self, consumer: &BaseConsumer<Self>, given: &TopicPartitionList) -> Result<(), LaneError> {
        let restored = if given.count() == 0 { Vec::new() } else { self.restored(consumer, given)? };
        let mut explicit = TopicPartitionList::new();
        let mut shards = self.shards();
        for (topic, partition, restored) in restored {
            explicit.add_partition_offset(&topic, partition, Offset::Offset(restored.next))?;
            tracing::info!(topic, partition, offset = restored.next, "partition gained");
            shards.gain(&topic, partition, restored);
        }
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(&explicit)?,
            RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(&explicit)?,
        }
        shards.join();
        Ok(())
    }

    /// State and offset as their former owner left them. A contradiction between the two is looked at again: the coordinator may
    /// say for a moment that there is no offset.
    fn restored(&self, consumer: &BaseConsumer<Self>, given: &TopicPartitionList) -> Result<Vec<(String, i32, Restored)>, LaneError> {
        let _restoring = self.assembly.progress.restoring(given.count());
        let since = Instant::now();
        let mut tries = 0;
        loop {
            let offsets = self.committed(consumer, given)?;
            tries += 1;
            match self.read_back(consumer, &offsets, self.shards().now()) {
                Ok(restored) => {
                    self.assembly.meters.restore_seconds.observe(since.elapsed().as_secs_f64());
                    return Ok(restored);
                }
                Err(failed) if failed.may_pass() && tries < RESTORE_TRIES && !self.stop.is_requested() => {
                    tracing::warn!(error = %failed, "state cannot be restored, trying again");
                    self.assembly.meters.restore_retries.inc();
                    self.stop.sleep(RESTORE_PAUSE);
                }
                Err(RestoreFailed::Read(ReadError::Kafka(error))) => return Err(LaneError::from(error)),
                Err(failed @ RestoreFailed::Read(_)) => return Err(LaneError::Unread(failed.to_string())),
                Err(failed) => return Err(LaneError::Contradiction(failed.to_string())),
            }
        }
    }

    fn read_back(
        &self,
        consumer: &BaseConsumer<Self>,
        offsets: &TopicPartitionList,
        now: Now<'_>,
    ) -> Result<Vec<(String, i32, Restored)>, RestoreFailed> {
        let elements = offsets.elements();
        let mut partitions: Vec<i32> = elements.iter().map(TopicPartitionListElem::partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        let mut stored = match &self.reader {
            Some(reader) => reader.state(&self.assembly.names.state, &partitions)?,
            None => BTreeMap::new(),
        };
        let mut history = TableHistory::default();
        let mut all = Vec::new();
        for element in elements {
            let Some(input) = self.assembly.names.inputs.iter().position(|name| name == element.topic()) else { continue };
            let committed = element.offset().to_raw().filter(|offset| *offset >= 0);
            let wanted = Wanted {
                topic: element.topic(),
                partition: element.partition(),
                shard: self.assembly.shard(InputPartition { input, partition: element.partition() }),
                keyed: self.assembly.inputs[input].keyed,
                committed,
            };
            let wanted = match (&self.reader, committed) {
                // Without state there is nobody else to ask where the input begins.
                (None, None) => Wanted { committed: Some(self.oldest(consumer, &wanted)?), ..wanted },
                _ => wanted,
            };
            let restored = match &self.reader {
                Some(reader) => {
                    restore::restore(&self.assembly, reader, now, &mut history, wanted, stored.entry(element.partition()).or_default())?
                }
                None => restore::stateless(&self.assembly, wanted),
            };
            all.push((element.topic().to_owned(), element.partition(), restored));
        }
        Ok(all)
    }

    fn oldest(&self, consumer: &BaseConsumer<Self>, wanted: &Wanted<'_>) -> Result<i64, ReadError> {
        let marks = self.watch.over("watermarks", || consumer.fetch_watermarks(wanted.topic, wanted.partition, OFFSETS_WITHIN));
        Ok(marks?.0)
    }

    fn committed(&self, consumer: &BaseConsumer<Self>, given: &TopicPartitionList) -> KafkaResult<TopicPartitionList> {
        let mut tries = 0;
        loop {
            let answer = self.watch.over("committed_offsets", || {
                let mut asked = TopicPartitionList::new();
                for element in given.elements() {
                    asked.add_partition(element.topic(), element.partition());
                }
                consumer.committed_offsets(asked, OFFSETS_WITHIN)
            });
            // A partition may have an error of its own, which is no "never committed".
            let answer = answer.and_then(|list| {
                let failed = list.elements().into_iter().find_map(|element| element.error().err());
                failed.map_or(Ok(list), Err)
            });
            tries += 1;
            match answer {
                Err(error) if tries < OFFSETS_TRIES && !self.stop.is_requested() => {
                    tracing::debug!(%error, "asking for the committed offsets again");
                    self.stop.sleep(PAUSE);
                }
                answer => return answer,
            }
        }
    }

    fn give_up(&self, consumer: &BaseConsumer<Self>, taken: &TopicPartitionList) -> KafkaResult<()> {
        let lost = consumer.assignment_lost();
        let mut shards = self.shards();
        if shards.broken().is_none() && !lost {
            match shards.commit(consumer) {
                Ok(()) => (),
                Err(Failed::Again(error)) => tracing::info!(%error, "the last commit before giving up partitions was refused"),
                Err(Failed::Broken(error)) => shards.break_down(LaneError::from(error)),
            }
        }
        let partitions: Vec<(String, i32)> =
            taken.elements().iter().map(|element| (element.topic().to_owned(), element.partition())).collect();
        shards.lose(&partitions);
        for (topic, partition) in &partitions {
            tracing::info!(topic, partition, lost, "partition given up");
        }
        if shards.broken().is_none()
            && let Err(Failed::Broken(error) | Failed::Again(error)) = shards.forget_lost()
        {
            shards.break_down(LaneError::from(error));
        }
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(taken),
            RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
        }
    }
}

impl ClientContext for Ownership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.link.heard_log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.link.heard_error(&error, reason);
    }
}

impl ConsumerContext for Ownership {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let result = match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.gain(consumer, partitions),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => self.give_up(consumer, partitions).map_err(LaneError::from),
            error => Err(LaneError::from(KafkaError::Rebalance(error.into()))),
        };
        if let Err(error) = result {
            // The group believes that this consumer owns what it does not: leave and join anew.
            self.shards().break_down(error);
        }
    }
}
