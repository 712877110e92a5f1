//! Creates the topics and checks that they are what the service needs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::runtime;

use super::link::{Link, Listener};
use super::topic::{Cleanup, Partitions, SUPERSEDED_KEPT, TopicNames, TopicSpec};
use super::{StreamError, client};
use crate::config::Config;

/// Longest wait for one answer about topics.
const ANSWER: Duration = Duration::from_secs(15);
/// The brokers' view of a new topic lags its creation.
const VISIBLE_WITHIN: Duration = Duration::from_secs(15);
/// Between two looks at it.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What is wrong with a topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Fault {
    #[error("topic {topic} is missing")]
    Missing { topic: String },
    #[error("topic {topic} has cleanup.policy={actual}, expected {}", expected.as_str())]
    Cleanup { topic: String, actual: String, expected: Cleanup },
    #[error("topic {topic} has {actual} partitions, expected {expected}")]
    Partitions { topic: String, actual: i32, expected: i32 },
}

/// A topic that forgets what a restore may need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptTooShort {
    /// Its name.
    pub topic: String,
    /// The setting that says how long it keeps them.
    pub setting: &'static str,
    /// That time.
    pub kept_ms: i64,
}

/// What became of a topic that was to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Creation {
    /// It is new.
    Created,
    /// It was there before.
    Existed,
    /// The brokers refused.
    Refused(RDKafkaErrorCode),
}

/// Asks and tells the brokers about topics.
pub struct TopicKeeper {
    admin: AdminClient<Listener>,
    runtime: runtime::Runtime,
    config: Arc<Config>,
    names: TopicNames,
}

impl TopicKeeper {
    /// Makes the client.
    ///
    /// # Errors
    /// When its settings are wrong.
    pub fn new(config: &Arc<Config>, link: &Arc<Link>) -> Result<Self, StreamError> {
        let admin =
            AdminClient::from_config_and_context(&client::plain(&config.kafka), Listener(Arc::clone(link))).map_err(StreamError::Client)?;
        let runtime = runtime::Builder::new_current_thread().enable_time().build().map_err(StreamError::Thread)?;
        Ok(Self { admin, runtime, config: Arc::clone(config), names: TopicNames::new(config) })
    }

    /// Creates the topics that are missing, and waits until they can be seen. Leaves the others as they are.
    ///
    /// # Errors
    /// When the brokers do not answer. A topic that they refuse is no error here.
    pub fn create(&self) -> Result<Vec<(TopicSpec, Creation)>, StreamError> {
        let kafka = &self.config.kafka;
        let specs = self.names.specs();
        let new: Vec<NewTopic<'_>> = specs
            .iter()
            .map(|spec| {
                let partitions = if spec.partitions == Partitions::One { 1 } else { kafka.partitions };
                let topic = NewTopic::new(&spec.name, partitions, TopicReplication::Fixed(kafka.replication));
                let topic = topic.set("cleanup.policy", spec.cleanup.as_str());
                spec.settings.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
            })
            .collect();
        let options = AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER));
        let answers = self.runtime.block_on(self.admin.create_topics(&new, &options)).map_err(StreamError::Topics)?;
        let mut creations = BTreeMap::new();
        for answer in answers {
            let (name, creation) = match answer {
                Ok(name) => (name, Creation::Created),
                Err((name, RDKafkaErrorCode::TopicAlreadyExists)) => (name, Creation::Existed),
                Err((name, code)) => (name, Creation::Refused(code)),
            };
            creations.insert(name, creation);
        }
        self.wait_until_visible(creations.iter().filter(|(_, creation)| **creation == Creation::Created).map(|(name, _)| name.as_str()))?;
        Ok(specs
            .into_iter()
            .filter_map(|spec| {
                let creation = creations.remove(&spec.name)?;
                Some((spec, creation))
            })
            .collect())
    }

    /// Deletes every topic, with everything in it. Topics that are not there are no error.
    ///
    /// # Errors
    /// When the brokers do not answer or refuse.
    pub fn delete(&self) -> Result<(), StreamError> {
        let specs = self.names.specs();
        let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        let options = AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER));
        let answers = self.runtime.block_on(self.admin.delete_topics(&names, &options)).map_err(StreamError::Topics)?;
        let refused = answers.into_iter().filter_map(Result::err).find(|(_, code)| *code != RDKafkaErrorCode::UnknownTopicOrPartition);
        refused.map_or(Ok(()), |(_, code)| Err(StreamError::Topics(KafkaError::AdminOp(code))))
    }

    fn wait_until_visible<'a>(&self, topics: impl Iterator<Item = &'a str>) -> Result<(), StreamError> {
        let since = std::time::Instant::now();
        for topic in topics {
            while self.partitions(topic)?.is_none() && since.elapsed() < VISIBLE_WITHIN {
                std::thread::sleep(LOOK_AGAIN);
            }
        }
        Ok(())
    }

    /// The number of partitions of a topic; `None` when there is no such topic.
    ///
    /// # Errors
    /// When the brokers do not answer, or refuse to say.
    pub fn partitions(&self, topic: &str) -> Result<Option<i32>, StreamError> {
        let metadata = self.admin.inner().fetch_metadata(Some(topic), ANSWER).map_err(StreamError::Topics)?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
        match found.error().map(RDKafkaErrorCode::from) {
            None => Ok(Some(i32::try_from(found.partitions().len()).unwrap_or(i32::MAX))),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::LeaderNotAvailable) => {
                Ok(None)
            }
            Some(code) => Err(StreamError::Topics(KafkaError::MetadataFetch(code))),
        }
    }

    /// The number of partitions of each of these topics.
    ///
    /// # Errors
    /// When the brokers do not answer or a topic is missing.
    pub fn partitions_of(&self, topics: &[String]) -> Result<Vec<i32>, StreamError> {
        let count =
            |topic: &String| self.partitions(topic)?.ok_or_else(|| StreamError::TopicFaults(vec![Fault::Missing { topic: topic.clone() }]));
        topics.iter().map(count).collect()
    }

    /// Everything that is wrong with the topics, inputs first.
    ///
    /// # Errors
    /// When the brokers do not answer.
    pub fn check(&self) -> Result<Vec<Fault>, StreamError> {
        let specs = self.names.specs();
        let mut faults = Vec::new();
        let mut found = BTreeMap::new();
        for spec in &specs {
            match self.partitions(&spec.name)? {
                None => faults.push(Fault::Missing { topic: spec.name.clone() }),
                Some(count) => {
                    found.insert(spec.name.clone(), count);
                }
            }
        }
        let largest_input = self.names.inputs.iter().filter_map(|name| found.get(name)).max().copied();
        let policies = self.setting("cleanup.policy", found.keys())?;
        for spec in specs {
            let Some(&actual) = found.get(&spec.name) else { continue };
            let expected = match spec.partitions {
                Partitions::Free => None,
                Partitions::One => Some(1),
                Partitions::AsInput => largest_input,
            };
            if let Some(expected) = expected.filter(|&expected| expected != actual) {
                faults.push(Fault::Partitions { topic: spec.name.clone(), actual, expected });
            }
            if let Some(actual) = policies.get(&spec.name).filter(|actual| *actual != spec.cleanup.as_str()) {
                faults.push(Fault::Cleanup { topic: spec.name, actual: actual.clone(), expected: spec.cleanup });
            }
        }
        Ok(faults)
    }

    /// What is kept for a shorter time than a restore may need: it goes back to the beginning of the newest complete snapshot, which
    /// is up to two intervals old while the next one is written. That holds for the inputs, and for superseded records of the tables
    /// by which events are judged.
    ///
    /// # Errors
    /// When the brokers do not answer.
    pub fn kept_too_short(&self) -> Result<Vec<KeptTooShort>, StreamError> {
        let needed = i64::try_from(self.config.kafka.snapshot_interval_ms).unwrap_or(i64::MAX).saturating_mul(2);
        let late: Vec<String> =
            self.names.specs().into_iter().filter(|spec| spec.cleanup.keeps_superseded()).map(|spec| spec.name).collect();
        let mut short = Vec::new();
        for (setting, topics) in [("retention.ms", &self.names.inputs), (SUPERSEDED_KEPT, &late)] {
            let kept = self.setting(setting, topics.iter())?.into_iter();
            let kept = kept.filter_map(|(topic, value)| Some(KeptTooShort { topic, setting, kept_ms: value.parse().ok()? }));
            // A negative time is for ever.
            short.extend(kept.filter(|kept| (0..needed).contains(&kept.kept_ms)));
        }
        Ok(short)
    }

    fn setting<'a>(&self, name: &str, topics: impl Iterator<Item = &'a String>) -> Result<BTreeMap<String, String>, StreamError> {
        let asked: Vec<ResourceSpecifier<'_>> = topics.map(|topic| ResourceSpecifier::Topic(topic)).collect();
        if asked.is_empty() {
            return Ok(BTreeMap::new());
        }
        let options = AdminOptions::new().request_timeout(Some(ANSWER));
        let answers = self.runtime.block_on(self.admin.describe_configs(&asked, &options)).map_err(StreamError::Topics)?;
        let mut settings = BTreeMap::new();
        for answer in answers {
            let resource = answer.map_err(|code| StreamError::Topics(KafkaError::AdminOp(code)))?;
            let value = resource.get(name).and_then(|entry| entry.value.clone());
            if let (OwnedResourceSpecifier::Topic(topic), Some(value)) = (resource.specifier, value) {
                settings.insert(topic, value);
            }
        }
        Ok(settings)
    }
}
