//! What every test on the broker stands on: topics of its own, records in, committed records out, and the service in between.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gaitkeeper::config::{Config, Delivery};
use gaitkeeper::stream::topics::TopicKeeper;
use gaitkeeper::stream::{Link, Meters, Service, Stop, StreamError, TopicCheck, TopicNames};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing_subscriber::EnvFilter;

use crate::broker::Broker;

/// Longer than anything here takes on a busy machine; a test that waits this long fails.
pub const PATIENCE: Duration = Duration::from_mins(6);
/// The session of a broker that a test kills: it lets itself back in soon, at the price of being fenced on a busy machine.
pub const SHORT_SESSION: Duration = Duration::from_secs(2);

/// A record as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub key: Option<Vec<u8>>,
    pub value: Vec<u8>,
    pub headers: BTreeMap<String, String>,
}

/// Topics under a prefix of their own, and the configuration that names them.
pub struct Stand {
    pub config: Config,
    pub names: TopicNames,
}

impl Stand {
    /// Topics made as `topics create` makes them; the test's name keeps it apart from the others.
    pub fn new(broker: &Broker, test: &str, partitions: i32) -> Self {
        let stand = Self::without_topics(broker, test, partitions);
        for (spec, creation) in stand.keeper().create().expect("the broker answers") {
            assert_eq!(creation, gaitkeeper::stream::topics::Creation::Created, "{}", spec.name);
        }
        stand
    }

    pub fn without_topics(broker: &Broker, test: &str, partitions: i32) -> Self {
        Self::at(broker.bootstrap(), broker.folder(), test, partitions)
    }

    /// On any brokers; `folder` is for the service's locks.
    pub fn at(bootstrap: &str, folder: &Path, test: &str, partitions: i32) -> Self {
        let mut config = Config::default();
        config.kafka.brokers = bootstrap.into();
        config.kafka.group = format!("{test}-group");
        config.kafka.topic_prefix = format!("{test}.");
        config.kafka.partitions = partitions;
        config.admin_listen = "off".into();
        config.kafka.state_dir = Some(folder.join("state"));
        let names = TopicNames::new(&config);
        Self { config, names }
    }

    /// With the names that the configuration gives now.
    pub fn named_anew(mut self) -> Self {
        self.names = TopicNames::new(&self.config);
        self
    }

    pub fn at_least_once(mut self) -> Self {
        self.config.kafka.delivery = Delivery::AtLeastOnce;
        self
    }

    /// A setting passed to the client library.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.config.kafka.client.insert(name.into(), value.into());
        self
    }

    pub fn keeper(&self) -> TopicKeeper {
        let link = Link::new(&self.config.kafka.brokers, &self.names.inputs[0]);
        TopicKeeper::new(&Arc::new(self.config.clone()), &link).expect("valid settings")
    }

    /// Produces records as (key, value) to the input, each key to one partition.
    pub fn produce<'a>(&self, records: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
        self.produce_with(&self.producer(), records);
    }

    /// A producer for many small loads.
    pub fn producer(&self) -> BaseProducer {
        ClientConfig::new()
            .set("bootstrap.servers", &self.config.kafka.brokers)
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .create()
            .expect("valid settings")
    }

    pub fn produce_with<'a>(&self, producer: &BaseProducer, records: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
        Self::produce_by(producer, &self.names.inputs[0], records);
    }

    /// Produces records to another topic.
    pub fn produce_to<'a>(&self, topic: &str, records: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
        Self::produce_by(&self.producer(), topic, records);
    }

    fn produce_by<'a>(producer: &BaseProducer, topic: &str, records: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
        for (key, value) in records {
            let mut record = BaseRecord::to(topic).key(key).payload(value);
            while let Err((error, back)) = producer.send(record) {
                assert_eq!(error.rdkafka_error_code(), Some(rdkafka::error::RDKafkaErrorCode::QueueFull), "{error}");
                producer.poll(Duration::from_millis(10));
                record = back;
            }
        }
        producer.flush(PATIENCE).expect("the broker takes the records");
    }

    /// Everything committed in a topic, by partition in offset order, up to the stable end at the time of the call.
    pub fn committed(&self, topic: &str) -> BTreeMap<i32, Vec<Seen>> {
        self.read(topic, "read_committed")
    }

    fn read(&self, topic: &str, isolation: &str) -> BTreeMap<i32, Vec<Seen>> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.config.kafka.brokers)
            .set("group.id", "nobody")
            .set("isolation.level", isolation)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .create()
            .expect("valid settings");
        let count = self.keeper().partitions(topic).expect("the broker answers").expect("the topic is there");
        let mut list = TopicPartitionList::new();
        for partition in 0..count {
            list.add_partition_offset(topic, partition, Offset::Beginning).expect("a valid offset");
        }
        consumer.assign(&list).expect("partitions of the topic");
        let mut seen: BTreeMap<i32, Vec<Seen>> = (0..count).map(|partition| (partition, Vec::new())).collect();
        let mut ended = 0;
        let since = Instant::now();
        while ended < count {
            assert!(since.elapsed() < PATIENCE, "{topic} cannot be read to its end");
            match consumer.poll(Duration::from_millis(500)) {
                Some(Ok(message)) => seen.entry(message.partition()).or_default().push(Seen {
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().unwrap_or_default().to_vec(),
                    headers: headers(&message),
                }),
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ended += 1,
                Some(Err(error)) => panic!("{topic}: {error}"),
                None => (),
            }
        }
        seen
    }

    /// Every topic that the broker knows.
    pub fn topics(&self) -> Vec<String> {
        let client: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", &self.config.kafka.brokers).create().expect("valid settings");
        let metadata = client.fetch_metadata(None, PATIENCE).expect("the broker answers");
        metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
    }

    /// Makes the broker forget the beginning of the input's first partition.
    pub fn delete_records_before(&self, offset: i64) {
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", &self.config.kafka.brokers).create().expect("valid settings");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.names.inputs[0], 0, Offset::Offset(offset)).expect("a valid offset");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let deleted = runtime.block_on(admin.delete_records(&list, &AdminOptions::new())).expect("the broker answers");
        assert_eq!(deleted.elements()[0].offset(), Offset::Offset(offset));
    }

    /// The group's committed offsets of the input, summed over its partitions.
    pub fn consumed(&self) -> i64 {
        self.offsets().into_values().flatten().sum()
    }

    /// The group's committed offset of each partition of the input.
    pub fn offsets(&self) -> BTreeMap<i32, Option<i64>> {
        let since = Instant::now();
        let list = loop {
            // A new client for each try: one that met a broker while it started may never ask again.
            let consumer: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", &self.config.kafka.brokers)
                .set("group.id", &self.config.kafka.group)
                .create()
                .expect("valid settings");
            let mut list = TopicPartitionList::new();
            list.add_partition_range(&self.names.inputs[0], 0, self.config.kafka.partitions - 1);
            match consumer.committed_offsets(list, Duration::from_secs(10)) {
                Ok(list) => break list,
                // The coordinator moves while a broker starts.
                Err(error) => assert!(since.elapsed() < PATIENCE, "{error}"),
            }
        };
        list.elements().iter().map(|element| (element.partition(), element.offset().to_raw().filter(|offset| *offset >= 0))).collect()
    }

    /// Moves the group's offset of one partition, as an operator might.
    pub fn move_offset(&self, partition: i32, offset: i64) {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.config.kafka.brokers)
            .set("group.id", &self.config.kafka.group)
            .create()
            .expect("valid settings");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.names.inputs[0], partition, Offset::Offset(offset)).expect("a valid offset");
        consumer.commit(&list, rdkafka::consumer::CommitMode::Sync).expect("nobody else is in the group");
    }

    /// Waits until no transaction of a dead instance is open any more, so that everything committed can be read.
    pub fn settle(&self) {
        let client = |isolation: &str| -> BaseConsumer {
            ClientConfig::new()
                .set("bootstrap.servers", &self.config.kafka.brokers)
                .set("group.id", "nobody")
                .set("isolation.level", isolation)
                .create()
                .expect("valid settings")
        };
        let (all, stable) = (client("read_uncommitted"), client("read_committed"));
        for topic in [&self.names.outputs[0], &self.names.step_up_requests, &self.names.dead_letters, &self.names.state] {
            for partition in 0..self.config.kafka.partitions {
                wait_until("the end is stable", || {
                    let end =
                        |client: &BaseConsumer| client.fetch_watermarks(topic, partition, Duration::from_secs(10)).map(|marks| marks.1);
                    matches!((end(&all), end(&stable)), (Ok(all), Ok(stable)) if all == stable)
                });
            }
        }
    }

    /// Starts the service in a thread of this process.
    pub fn serve(&self) -> Serving {
        self.serve_after(TopicCheck::Full)
    }

    /// The same with another look at the topics.
    pub fn serve_after(&self, check: TopicCheck) -> Serving {
        log();
        let (stop, meters) = (Stop::new(), Meters::new());
        let config = Arc::new(self.config.clone());
        let thread = {
            let (stop, meters) = (stop.clone(), meters.clone());
            thread::spawn(move || {
                let service = Service::launch(&config, check, meters, &stop, |call| panic!("{call} hangs"))?;
                service.map_or(Ok(()), Service::wait)
            })
        };
        Serving { stop, meters, thread: Some(thread) }
    }
}

fn headers(message: &impl Message) -> BTreeMap<String, String> {
    let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
    match message.headers() {
        None => BTreeMap::new(),
        Some(headers) => headers.iter().map(|header| (header.key.to_owned(), text(header.value))).collect(),
    }
}

/// A service in this process.
pub struct Serving {
    stop: Stop,
    pub meters: Meters,
    thread: Option<JoinHandle<Result<(), StreamError>>>,
}

impl Serving {
    /// Waits until so many records were taken.
    pub fn wait_for_records(&self, count: u64) {
        wait_until(&format!("{count} records are taken"), || {
            self.meters.records.get() >= count || self.thread.as_ref().is_some_and(JoinHandle::is_finished)
        });
    }

    /// Whether it has not ended by itself.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Waits until the service ends by itself.
    pub fn wait(mut self) -> Result<(), StreamError> {
        self.thread.take().expect("stopped once").join().expect("the service does not panic")
    }

    /// Asks for the end and waits for it.
    pub fn stop(mut self) -> Result<(), StreamError> {
        self.stop.request();
        self.thread.take().expect("stopped once").join().expect("the service does not panic")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.request();
    }
}

/// `RUST_LOG=gaitkeeper=debug` shows what the service says; the tests' own clients report every end of a partition.
fn log() {
    let filter = EnvFilter::from_default_env().add_directive("rdkafka=off".parse().expect("a directive"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// Waits for a condition.
pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    wait_until_or(what, condition, String::new);
}

/// Waits for a condition; `else_say` tells what there is to know where it does not come.
pub fn wait_until_or(what: &str, condition: impl Fn() -> bool, else_say: impl Fn() -> String) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain until {what}. {}", else_say());
        // Some conditions make a client each time they are asked.
        thread::sleep(Duration::from_millis(100));
    }
}
