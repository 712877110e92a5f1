//! Single records to a topic, and a topic as it is now: for commands that a person runs beside the service.

use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use super::client;
use crate::config::Kafka;

/// How long brokers may take for one answer.
const ANSWER: Duration = Duration::from_secs(15);

/// A record as it stands on a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key; empty without one.
    pub key: String,
    /// Its value; `None` says that the key is gone.
    pub value: Option<Vec<u8>>,
}

/// Sends one record and waits until the brokers have it.
///
/// # Errors
/// When they do not answer, or refuse it.
pub fn send(kafka: &Kafka, topic: &str, key: &str, value: &[u8]) -> Result<(), KafkaError> {
    let producer: ThreadedProducer<DefaultProducerContext> = ThreadedProducer::from_config(&client::producer(kafka, None))?;
    producer.send(BaseRecord::to(topic).key(key).payload(value)).map_err(|(error, _)| error)?;
    producer.flush(ANSWER)?;
    if producer.in_flight_count() > 0 { Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)) } else { Ok(()) }
}

/// Every record of a topic up to its present end, each partition in its order. Of records of transactions only committed ones.
///
/// # Errors
/// When the brokers do not answer, or there is no such topic.
pub fn read_whole(kafka: &Kafka, topic: &str) -> Result<Vec<Entry>, KafkaError> {
    let mut config = client::plain(kafka);
    config
        .set("group.id", "gaitkeeper-command")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true");
    let consumer: BaseConsumer = BaseConsumer::from_config(&config)?;
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
    let Some(found) = found else { return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopic)) };
    let mut assigned = TopicPartitionList::new();
    for partition in found.partitions() {
        assigned.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    consumer.assign(&assigned)?;
    let mut open = assigned.count();
    let mut entries = Vec::new();
    let mut last_news = Instant::now();
    while open > 0 {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                last_news = Instant::now();
                let key = message.key().map_or_else(String::new, |key| String::from_utf8_lossy(key).into_owned());
                entries.push(Entry { key, value: message.payload().map(<[u8]>::to_vec) });
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error),
            None if last_news.elapsed() > ANSWER => return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut)),
            None => (),
        }
    }
    Ok(entries)
}
