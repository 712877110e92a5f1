//! Single records to a topic, and a topic as it is now: for commands that a person runs beside the service.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::FromClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};

use super::state::StateReader;
use super::state::reader::ReadError;
use super::{Link, Stop, client};
use crate::config::Kafka;

/// How long brokers may take for one answer.
const ANSWER: Duration = Duration::from_secs(15);

/// A record as it stands on a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it came, epoch ms.
    pub at: i64,
    /// Its key; empty without one.
    pub key: String,
    /// Its value; `None` says that the key is gone.
    pub value: Option<Vec<u8>>,
}

/// Sends records, each a key and a value, and waits until the brokers have them all.
///
/// # Errors
/// When they do not answer, or refuse one; those before it may be there.
pub fn send<'r>(kafka: &Kafka, topic: &str, records: impl IntoIterator<Item = (&'r str, Vec<u8>)>) -> Result<(), KafkaError> {
    let producer: ThreadedProducer<DefaultProducerContext> = ThreadedProducer::from_config(&client::producer(kafka, None))?;
    for (key, value) in records {
        producer.send(BaseRecord::to(topic).key(key).payload(&value)).map_err(|(error, _)| error)?;
    }
    producer.flush(ANSWER)?;
    if producer.in_flight_count() > 0 { Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)) } else { Ok(()) }
}

/// Every record of a topic up to its present end, each partition in its order. Of records of transactions only committed ones.
///
/// # Errors
/// When the brokers do not answer, or there is no such topic.
pub fn read_whole(kafka: &Kafka, link: &Arc<Link>, topic: &str) -> Result<Vec<Entry>, ReadError> {
    let reader = StateReader::new(kafka, link, Arc::default(), Stop::new())?;
    let partitions = reader.partitions(topic)?;
    if partitions.is_empty() {
        return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition).into());
    }
    let mut entries = Vec::new();
    reader.whole(topic, &partitions, |record| {
        let key = String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned();
        let at = record.timestamp().to_millis().unwrap_or(0);
        entries.push(Entry { at, key, value: record.payload().map(<[u8]>::to_vec) });
    })?;
    Ok(entries)
}
