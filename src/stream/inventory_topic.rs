//! The inventory topic as a command sees it: read whole, and records put into it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use super::client;
use super::link::{Link, Listener};
use crate::config::{Config, Kafka};

/// Longest wait for one answer, and for the next record.
const ANSWER: Duration = Duration::from_secs(15);

/// The topic's name with the prefix.
#[must_use]
pub fn name(config: &Config) -> String {
    format!("{}{}", config.kafka.topic_prefix, config.topics.inventory)
}

/// The newest value of every key; tombstones are gone. A value that is no JSON is there as its text.
///
/// # Errors
/// When the topic is missing or the brokers do not answer.
pub fn read(kafka: &Kafka, link: &Arc<Link>, topic: &str) -> Result<BTreeMap<String, Value>, KafkaError> {
    let mut settings = client::plain(kafka);
    settings
        .set("group.id", &kafka.group)
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true");
    let consumer = BaseConsumer::<Listener>::from_config_and_context(&settings, Listener(Arc::clone(link)))?;
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER)?;
    let known = metadata.topics().iter().find(|known| known.name() == topic);
    let partitions: Vec<i32> = known.into_iter().flat_map(MetadataTopic::partitions).map(MetadataPartition::id).collect();
    if partitions.is_empty() {
        return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition));
    }
    let mut list = TopicPartitionList::new();
    for &partition in &partitions {
        list.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let mut found = BTreeMap::new();
    let mut open = partitions.len();
    let mut heard = Instant::now();
    while open > 0 {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(record)) => {
                let key = String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned();
                match record.payload() {
                    Some(payload) => {
                        let text = || Value::String(String::from_utf8_lossy(payload).into_owned());
                        found.insert(key, serde_json::from_slice(payload).unwrap_or_else(|_| text()));
                    }
                    None => drop(found.remove(&key)),
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error),
            None if heard.elapsed() > ANSWER => return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut)),
            None => continue,
        }
        heard = Instant::now();
    }
    Ok(found)
}

/// Puts the records into the topic and waits until the brokers have them all.
///
/// # Errors
/// When one could not be delivered; those before it may have been.
pub fn publish(kafka: &Kafka, topic: &str, records: &BTreeMap<String, Value>) -> Result<(), KafkaError> {
    let producer: ThreadedProducer<DefaultProducerContext> =
        ThreadedProducer::from_config_and_context(&client::producer(kafka, None), DefaultProducerContext)?;
    for (key, value) in records {
        let payload = value.to_string();
        producer.send(BaseRecord::to(topic).key(key).payload(&payload)).map_err(|(error, _)| error)?;
    }
    producer.flush(ANSWER)
}
