//! What commands beside the service have in common: a configuration, brokers that answer, and the time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::Value;

use super::{Failure, logging, read_config};
use crate::config::Config;
use crate::stream::table_access::{self, Entry};
use crate::stream::{Link, Stop};

/// How long a broker may take to answer at first.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

#[derive(Debug, clap::Args)]
pub struct Source {
    /// Configuration file; without one, the defaults against localhost:9092
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

/// A cluster that answers.
pub struct Cluster {
    pub config: Config,
    link: Arc<Link>,
}

impl Source {
    pub fn config(&self) -> Result<Config, Failure> {
        read_config(self.config.as_deref())
    }

    pub fn connect(&self) -> Result<Cluster, Failure> {
        logging::start();
        let config = self.config()?;
        let link = Link::new(&config.kafka.brokers, &config.topics.agent_state);
        link.wait(&config.kafka, &Stop::new(), Some(ANSWER_WITHIN)).map_err(Failure::io)?;
        Ok(Cluster { config, link })
    }
}

impl Cluster {
    /// A topic's name with the prefix.
    pub fn named(&self, topic: &str) -> String {
        format!("{}{topic}", self.config.kafka.topic_prefix)
    }

    /// Everything on a topic as it is now.
    pub fn read(&self, topic: &str) -> Result<Vec<Entry>, Failure> {
        let name = self.named(topic);
        table_access::read_whole(&self.config.kafka, &self.link, &name).with_context(|| format!("cannot read {name}")).map_err(Failure::io)
    }

    /// The newest value of every key of a compacted topic. A value that is no JSON is there as its text.
    pub fn newest(&self, topic: &str) -> Result<BTreeMap<String, Value>, Failure> {
        let mut newest = BTreeMap::new();
        for Entry { key, value, .. } in self.read(topic)? {
            match value {
                Some(bytes) => {
                    let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
                    newest.insert(key, serde_json::from_slice(&bytes).unwrap_or_else(|_| text()));
                }
                None => drop(newest.remove(&key)),
            }
        }
        Ok(newest)
    }

    /// Publishes one record.
    pub fn send(&self, topic: &str, key: &str, value: &impl serde::Serialize) -> Result<(), Failure> {
        self.send_all(topic, [(key, serde_json::to_vec(value).map_err(Failure::io)?)])
    }

    /// Publishes records, each a key and a value.
    pub fn send_all<'r>(&self, topic: &str, records: impl IntoIterator<Item = (&'r str, Vec<u8>)>) -> Result<(), Failure> {
        let name = self.named(topic);
        table_access::send(&self.config.kafka, &name, records).with_context(|| format!("cannot write {name}")).map_err(Failure::io)
    }
}

/// Epoch ms.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
