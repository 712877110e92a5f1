//! What every mode stands on: a fleet, its topics, records in, committed offsets and records out.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gaitkeeper::config::Config;
use gaitkeeper::stream::topics::TopicKeeper;
use gaitkeeper::stream::{Link, TopicNames, client};
use gaitkeeper::workbench::generate::{Generated, Generator, Settings, Shape};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::broker::Broker;

pub const PARTITIONS: i32 = 4;
/// No step takes longer, even on a busy machine.
pub const WITHIN: Duration = Duration::from_mins(10);
/// How long a question to the broker may take; it may be starting.
const ANSWER: Duration = Duration::from_secs(10);

/// The fleet of all modes, without end for what they need.
pub fn fleet(agents: usize) -> Generator {
    Generator::new(Settings { sessions: 1_000_000, shape: Shape { agents, ..Shape::default() }, ..Settings::default() })
}

/// The service's settings against this broker, with topics under a prefix of their own.
pub fn config(broker: &Broker, prefix: &str) -> Config {
    let mut config = Config::default();
    config.kafka.brokers = broker.bootstrap().into();
    config.kafka.partitions = PARTITIONS;
    config.kafka.topic_prefix = prefix.into();
    config.kafka.state_dir = Some(state_dir(broker));
    config.admin_listen = "off".into();
    config
}

/// Where services keep their locks.
pub fn state_dir(broker: &Broker) -> PathBuf {
    Path::new(broker.folder()).join("state")
}

/// Makes and deletes the topics of a configuration.
pub fn keeper(config: &Config) -> TopicKeeper {
    let link = Link::new(&config.kafka.brokers, &input(config));
    TopicKeeper::new(&Arc::new(config.clone()), &link).expect("valid settings")
}

pub fn input(config: &Config) -> String {
    TopicNames::new(config).inputs.swap_remove(0)
}

/// Sends the events as fast as the broker takes them.
pub fn produce<'e>(config: &Config, events: impl IntoIterator<Item = &'e Generated>) {
    let topic = input(config);
    let producer: BaseProducer = client::producer(&config.kafka, None).create().expect("valid settings");
    for event in events {
        send(&producer, &topic, &event.agent_id, event.line.as_bytes());
    }
    producer.flush(WITHIN).expect("the broker takes the events");
}

/// Hands over one record, waiting while the producer is full.
pub fn send(producer: &BaseProducer, topic: &str, key: &str, value: &[u8]) {
    let mut record = BaseRecord::to(topic).key(key).payload(value);
    while let Err((error, back)) = producer.send(record) {
        assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull), "{error}");
        producer.poll(Duration::from_millis(5));
        record = back;
    }
}

/// A producer that waits up to `linger_ms` to fill a batch.
pub fn producer(config: &Config, linger_ms: u32) -> BaseProducer {
    ClientConfig::new()
        .set("bootstrap.servers", &config.kafka.brokers)
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        .set("linger.ms", linger_ms.to_string())
        .create()
        .expect("valid settings")
}

/// Waits until record `number` is due at `rate` records a second, in steps of at most `step`.
pub fn keep_pace(producer: &BaseProducer, began: Instant, number: u64, rate: u64, step: Duration) {
    let due = Duration::from_nanos(1_000_000_000 * number / rate);
    while let Some(early) = due.checked_sub(began.elapsed()).filter(|early| !early.is_zero()) {
        producer.poll(Duration::ZERO);
        std::thread::sleep(early.min(step));
    }
}

pub fn wait(done: impl Fn() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < WITHIN, "not done within {WITHIN:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Looks at a group from outside it.
pub struct Onlooker {
    consumer: BaseConsumer,
    topic: String,
}

impl Onlooker {
    pub fn new(brokers: &str, group: &str, topic: &str) -> Self {
        let consumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", group)
            // Otherwise the broker lets the question wait while a transaction is being committed.
            .set("isolation.level", "read_uncommitted")
            .create()
            .expect("valid settings");
        Self { consumer, topic: topic.into() }
    }

    /// Records that the group has committed, over all partitions; `None` when the broker does not answer.
    pub fn committed(&self) -> Option<u64> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.topic, 0, PARTITIONS - 1);
        let list = self.consumer.committed_offsets(list, ANSWER).ok()?;
        Some(list.elements().iter().filter_map(|element| u64::try_from(element.offset().to_raw()?).ok()).sum())
    }

    /// Records in the topic, as long as none was deleted and no transaction wrote there.
    pub fn offered(&self) -> Option<u64> {
        (0..PARTITIONS)
            .map(|partition| {
                let (_, end) = self.consumer.fetch_watermarks(&self.topic, partition, ANSWER).ok()?;
                u64::try_from(end).ok()
            })
            .sum()
    }
}

/// Every partition of a topic, from `from` on, as a reader of committed records sees it.
pub fn reader(brokers: &str, topic: &str, from: Offset) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "reader")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .expect("valid settings");
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(topic, partition, from).expect("a valid offset");
    }
    consumer.assign(&list).expect("partitions of the topic");
    consumer
}

/// How many committed records a topic holds.
pub fn count_committed(brokers: &str, topic: &str) -> u64 {
    let consumer = reader(brokers, topic, Offset::Beginning);
    let (mut count, mut ended, since) = (0, 0, Instant::now());
    while ended < PARTITIONS {
        assert!(since.elapsed() < WITHIN, "{topic} cannot be read to its end");
        match consumer.poll(Duration::from_millis(500)) {
            Some(Ok(_)) => count += 1,
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(error)) => panic!("{topic}: {error}"),
            None => (),
        }
    }
    count
}
