//! Reads what a former owner left: its state, and the input from the epoch's beginning to the checkpoint.
//!
//! One pair of clients is kept alive for all restores of a lane: a new one costs half a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::{Offset, TopicPartitionList};

use super::Stored;
use crate::config::Kafka;
use crate::stream::link::{Link, Listener};
use crate::stream::watchdog::Watch;
use crate::stream::{Stop, client};

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Transactions of a dead owner end by themselves within ten seconds; three times that is a broken topic.
const STABLE_WITHIN: Duration = Duration::from_secs(30);
/// A read that has given nothing for so long will not give anything.
const SILENT_MAX: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(20);

/// The clients for restores.
pub struct StateReader {
    /// Sees records of open transactions: only its watermark is the real end.
    uncommitted: BaseConsumer<Listener>,
    committed: BaseConsumer<Listener>,
    watch: Arc<Watch>,
    stop: Stop,
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum ReadError {
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error(
        "{topic} {partition}: transactions before offset {mark} are still open after {} s, readable up to {stable}; one that stays open \
         hangs in the brokers, and `kafka-transactions.sh find-hanging` names it",
        STABLE_WITHIN.as_secs()
    )]
    Pinned { topic: String, partition: i32, mark: i64, stable: i64 },
    #[error("{topic}: nothing to read for {} s before the end", SILENT_MAX.as_secs())]
    Silent { topic: String },
    #[error("the service stops")]
    Stopped,
}

impl StateReader {
    /// Makes the clients; they belong to no group.
    ///
    /// # Errors
    /// When their settings are wrong.
    pub fn new(kafka: &Kafka, link: &Arc<Link>, watch: Arc<Watch>, stop: Stop) -> Result<Self, KafkaError> {
        let make = |isolation: &str| {
            let mut config = client::plain(kafka);
            config
                .set("group.id", &kafka.group)
                .set("isolation.level", isolation)
                .set("enable.auto.commit", "false")
                .set("enable.partition.eof", "true")
                .set("auto.offset.reset", "error")
                .set("fetch.queue.backoff.ms", "5")
                .set("fetch.wait.max.ms", "20")
                .set("queued.max.messages.kbytes", "65536");
            BaseConsumer::from_config_and_context(&config, Listener(Arc::clone(link)))
        };
        Ok(Self { uncommitted: make("read_uncommitted")?, committed: make("read_committed")?, watch, stop })
    }

    /// The partitions of a topic; none where there is no such topic.
    ///
    /// # Errors
    /// When the brokers do not answer.
    pub fn partitions(&self, topic: &str) -> Result<Vec<i32>, KafkaError> {
        let metadata = self.watch.over("metadata", || self.committed.fetch_metadata(Some(topic), ANSWER))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        Ok(found.into_iter().flat_map(MetadataTopic::partitions).map(MetadataPartition::id).collect())
    }

    /// Everything that counts in these partitions of the state topic.
    ///
    /// # Errors
    /// When a transaction stays open, or the brokers do not answer.
    pub fn state(&self, topic: &str, partitions: &[i32]) -> Result<BTreeMap<i32, Stored>, ReadError> {
        let mut stored: BTreeMap<i32, Stored> = partitions.iter().map(|&partition| (partition, Stored::default())).collect();
        self.whole(topic, partitions, |record| {
            let key = std::str::from_utf8(record.key().unwrap_or_default()).unwrap_or_default();
            if let Some(stored) = stored.get_mut(&record.partition()) {
                stored.take(key, record.offset(), record.payload());
            }
        })?;
        Ok(stored)
    }

    /// Gives every record that counts in these partitions of a topic, in the order of each.
    ///
    /// # Errors
    /// When a transaction stays open, or the brokers do not answer.
    pub fn whole(&self, topic: &str, partitions: &[i32], mut take: impl FnMut(&BorrowedMessage<'_>)) -> Result<(), ReadError> {
        let mut list = TopicPartitionList::new();
        for &partition in partitions {
            self.wait_until_stable(topic, partition)?;
            list.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        let mut open = partitions.to_vec();
        if open.is_empty() {
            return Ok(());
        }
        self.read(&self.committed, topic, &list, |heard| {
            match heard {
                Heard::Record(record) => take(record),
                Heard::End(partition) => open.retain(|&other| other != partition),
            }
            open.is_empty()
        })
    }

    /// Gives the input's records from `from` up to but without `to`; answers where it began, later than `from` where the brokers
    /// have deleted what came before.
    ///
    /// # Errors
    /// When the brokers do not answer.
    pub fn input(
        &self,
        topic: &str,
        partition: i32,
        from: i64,
        to: i64,
        mut take: impl FnMut(&BorrowedMessage<'_>),
    ) -> Result<i64, ReadError> {
        let (oldest, _) = self.watermarks(&self.committed, topic, partition)?;
        let start = from.max(oldest);
        if start >= to {
            return Ok(start);
        }
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(start))?;
        self.read(&self.committed, topic, &list, |heard| match heard {
            Heard::Record(record) if record.offset() < to => {
                take(record);
                record.offset() + 1 >= to
            }
            // Past the last one, which may have been a marker or an aborted record.
            Heard::Record(_) | Heard::End(_) => true,
        })?;
        Ok(start)
    }

    /// The value of one record of which it is known that it was committed; `None` if it is not there any more.
    ///
    /// # Errors
    /// When the brokers do not answer.
    pub fn record(&self, topic: &str, partition: i32, offset: i64, key: &str) -> Result<Option<Vec<u8>>, ReadError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset))?;
        let mut value = None;
        // What others have open must not hide it.
        self.read(&self.uncommitted, topic, &list, |heard| {
            if let Heard::Record(record) = heard
                && record.offset() == offset
                && record.key() == Some(key.as_bytes())
            {
                value = record.payload().map(<[u8]>::to_vec);
            }
            true
        })?;
        Ok(value)
    }

    /// The oldest offset of a partition that is still there.
    ///
    /// # Errors
    /// When the brokers do not answer.
    pub fn oldest(&self, topic: &str, partition: i32) -> Result<i64, ReadError> {
        Ok(self.watermarks(&self.committed, topic, partition)?.0)
    }

    /// A dead owner's open transaction hides everything behind it, also what its successor has committed since: whoever reads only
    /// up to there restores a state that is not the newest.
    fn wait_until_stable(&self, topic: &str, partition: i32) -> Result<(), ReadError> {
        let mark = self.watermarks(&self.uncommitted, topic, partition)?.1;
        let since = Instant::now();
        loop {
            // For this client the end is the last stable offset.
            let stable = self.watermarks(&self.committed, topic, partition)?.1;
            if stable >= mark {
                return Ok(());
            }
            if since.elapsed() > STABLE_WITHIN {
                return Err(ReadError::Pinned { topic: topic.to_owned(), partition, mark, stable });
            }
            self.may_go_on()?;
            self.stop.sleep(PAUSE);
        }
    }

    fn watermarks(&self, client: &BaseConsumer<Listener>, topic: &str, partition: i32) -> Result<(i64, i64), ReadError> {
        let since = Instant::now();
        loop {
            match self.watch.over("watermarks", || client.fetch_watermarks(topic, partition, ANSWER)) {
                Ok(marks) => return Ok(marks),
                Err(error) if since.elapsed() > STABLE_WITHIN => return Err(error.into()),
                Err(error) => tracing::debug!(topic, partition, %error, "asking for the watermarks again"),
            }
            self.may_go_on()?;
            self.stop.sleep(PAUSE);
        }
    }

    /// Reads until `take` has enough.
    fn read(
        &self,
        client: &BaseConsumer<Listener>,
        topic: &str,
        list: &TopicPartitionList,
        mut take: impl FnMut(Heard<'_>) -> bool,
    ) -> Result<(), ReadError> {
        client.assign(list)?;
        let mut heard = Instant::now();
        let result = loop {
            match client.poll(POLL) {
                Some(Ok(record)) => {
                    heard = Instant::now();
                    if take(Heard::Record(&record)) {
                        break Ok(());
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    heard = Instant::now();
                    if take(Heard::End(partition)) {
                        break Ok(());
                    }
                }
                Some(Err(
                    error @ (KafkaError::MessageConsumptionFatal(_) | KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset)),
                )) => {
                    break Err(error.into());
                }
                Some(Err(error)) => tracing::debug!(topic, %error, "the reader of state reports"),
                None => (),
            }
            if let Err(stopped) = self.may_go_on() {
                break Err(stopped);
            }
            if heard.elapsed() > SILENT_MAX {
                break Err(ReadError::Silent { topic: topic.to_owned() });
            }
        };
        client.unassign()?;
        result
    }

    fn may_go_on(&self) -> Result<(), ReadError> {
        if self.stop.is_requested() { Err(ReadError::Stopped) } else { Ok(()) }
    }
}

/// What a read comes by.
enum Heard<'m> {
    /// A record.
    Record(&'m BorrowedMessage<'m>),
    /// The end of a partition, as it is now.
    End(i32),
}
