//! The Kafka of the demo: in this process, or a real one with topics that are removed at the end.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::Failure;
use crate::config::{Config, Delivery};
use crate::finding::{Finding, StepUpRequest};
use crate::stream::topics::TopicKeeper;
use crate::stream::{Link, Stop, TopicCheck, TopicNames, client};

/// Small enough that each shard sees enough of the fleet to calibrate within a minute.
const PARTITIONS: i32 = 2;

/// A Kafka with the topics of the demo.
pub struct Cluster {
    config: Arc<Config>,
    names: TopicNames,
    place: Place,
}

enum Place {
    InProcess(#[expect(dead_code, reason = "it serves until it is dropped")] MockCluster<'static, DefaultProducerContext>),
    Real(Arc<Link>),
}

impl Cluster {
    /// Starts the in-process cluster, or makes topics on the brokers.
    pub fn start(brokers: Option<&str>, stop: &Stop) -> Result<Self, Failure> {
        let mut config = Config::default();
        config.kafka.partitions = PARTITIONS;
        config.admin_listen = "off".into();
        match brokers {
            Some(brokers) => {
                let name = format!("gaitkeeper-demo-{}", std::process::id());
                config.kafka.brokers = brokers.into();
                config.kafka.topic_prefix = format!("{name}.");
                config.kafka.group = name;
                Self::on_brokers(config, stop)
            }
            None => Self::in_process(config),
        }
    }

    fn in_process(mut config: Config) -> Result<Self, Failure> {
        let cluster = MockCluster::new(1).map_err(Failure::io)?;
        config.kafka.brokers = cluster.bootstrap_servers();
        // Its transactions are only acted out.
        config.kafka.delivery = Delivery::AtLeastOnce;
        let names = TopicNames::new(&config);
        for spec in names.specs() {
            cluster.create_topic(&spec.name, PARTITIONS, 1).map_err(Failure::io)?;
        }
        Ok(Self { config: Arc::new(config), names, place: Place::InProcess(cluster) })
    }

    fn on_brokers(config: Config, stop: &Stop) -> Result<Self, Failure> {
        let names = TopicNames::new(&config);
        let link = Link::new(&config.kafka.brokers, &names.inputs[0]);
        link.wait(&config.kafka, stop, None).map_err(Failure::io)?;
        let config = Arc::new(config);
        TopicKeeper::new(&config, &link).and_then(|keeper| keeper.create()).map_err(Failure::io)?;
        Ok(Self { config, names, place: Place::Real(link) })
    }

    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    pub fn input(&self) -> &str {
        &self.names.inputs[0]
    }

    /// Where it is, for people.
    pub fn brokers(&self) -> String {
        match self.place {
            Place::InProcess(_) => format!("in-process Kafka at {}", self.config.kafka.brokers),
            Place::Real(_) => format!("Kafka at {}, exactly once", self.config.kafka.brokers),
        }
    }

    pub fn check(&self) -> TopicCheck {
        match self.place {
            Place::InProcess(_) => TopicCheck::Inputs,
            Place::Real(_) => TopicCheck::Full,
        }
    }

    /// Reads back what the service publishes.
    pub fn reader(&self) -> Result<Reader, Failure> {
        let consumer: BaseConsumer = client::plain(&self.config.kafka)
            .set("group.id", "gaitkeeper-demo-reader")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "50")
            .create()
            .map_err(Failure::io)?;
        let mut all = TopicPartitionList::new();
        for topic in [&self.names.outputs[0], &self.names.step_up_requests] {
            for partition in 0..PARTITIONS {
                all.add_partition_offset(topic, partition, Offset::Beginning).map_err(Failure::io)?;
            }
        }
        consumer.assign(&all).map_err(Failure::io)?;
        Ok(Reader { consumer, requests: self.names.step_up_requests.clone() })
    }

    /// Settings of a producer of events.
    pub fn producer(&self) -> ClientConfig {
        client::producer(&self.config.kafka, None)
    }

    /// Leaves nothing behind.
    pub fn remove(&self) -> Result<(), Failure> {
        let Place::Real(link) = &self.place else { return Ok(()) };
        TopicKeeper::new(&self.config, link).and_then(|keeper| keeper.delete()).map_err(Failure::io)
    }
}

/// One thing that the service published.
pub enum Seen {
    Finding(Box<Finding>),
    Request(Box<StepUpRequest>),
}

/// Follows the output topics.
pub struct Reader {
    consumer: BaseConsumer,
    requests: String,
}

impl Reader {
    /// The next publication; `None` when there is none for a while.
    pub fn next(&self, wait: Duration) -> Result<Option<Seen>, Failure> {
        match self.consumer.poll(wait) {
            None => Ok(None),
            Some(Err(error)) => {
                tracing::debug!(%error, "the reader reports");
                Ok(None)
            }
            Some(Ok(message)) => {
                let value = message.payload().unwrap_or_default();
                let seen = if message.topic() == self.requests {
                    serde_json::from_slice(value).map(Seen::Request)
                } else {
                    serde_json::from_slice(value).map(Seen::Finding)
                };
                seen.map(Some).map_err(Failure::io)
            }
        }
    }
}
