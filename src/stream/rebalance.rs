//! Partitions come and go: what happens inside the consumer's callbacks.
//!
//! Gaining asks for the committed offsets first, which waits until no transaction of a former owner holds one back, and assigns
//! with explicit offsets. Giving up commits inside the callback; a partition that was lost is dropped, the fence of the brokers
//! keeps what it had open from counting.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::Stop;
use super::link::Link;
use super::outbox::Failed;
use super::shards::Shards;
use super::watchdog::Watch;

/// Longest wait of one question for committed offsets.
const OFFSETS_WITHIN: Duration = Duration::from_secs(10);
/// Questions before the lane starts afresh.
const OFFSETS_TRIES: u32 = 6;
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(200);

/// The context of a lane's consumer: it holds the shards, so that they outlive the consumer's last callback.
pub struct Ownership {
    shards: Mutex<Shards>,
    link: Arc<Link>,
    watch: Arc<Watch>,
    stop: Stop,
}

impl Ownership {
    /// Shards that will own what the group gives to this consumer.
    #[must_use]
    pub fn new(shards: Shards, link: Arc<Link>, watch: Arc<Watch>, stop: Stop) -> Self {
        Self { shards: Mutex::new(shards), link, watch, stop }
    }

    /// The shards. Never held while the consumer is polled, which may call back.
    pub fn shards(&self) -> MutexGuard<'_, Shards> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gain(&self, consumer: &BaseConsumer<Self>, given: &TopicPartitionList) -> KafkaResult<()> {
        let offsets = if given.count() == 0 { TopicPartitionList::new() } else { self.committed(consumer, given)? };
        let mut explicit = TopicPartitionList::new();
        let mut shards = self.shards();
        for element in offsets.elements() {
            let committed = match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            explicit.add_partition_offset(element.topic(), element.partition(), committed.map_or(Offset::Beginning, Offset::Offset))?;
            shards.gain(element.topic(), element.partition(), committed);
            tracing::info!(topic = element.topic(), partition = element.partition(), offset = committed, "partition gained");
        }
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(&explicit)?,
            RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(&explicit)?,
        }
        shards.join();
        Ok(())
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
                Err(Failed::Broken(error)) => shards.break_down(error),
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
            shards.break_down(error);
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
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => self.give_up(consumer, partitions),
            error => Err(KafkaError::Rebalance(error.into())),
        };
        if let Err(error) = result {
            // The group believes that this consumer owns what it does not: leave and join anew.
            self.shards().break_down(error);
        }
    }
}
