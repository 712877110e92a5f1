//! What commands beside the service have in common: a configuration, brokers that answer, and the time.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::anyhow;

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
}

impl Source {
    pub fn connect(&self) -> Result<Cluster, Failure> {
        logging::start();
        let config = read_config(self.config.as_deref())?;
        let link = Link::new(&config.kafka.brokers, &config.topics.agent_state);
        link.wait(&config.kafka, &Stop::new(), Some(ANSWER_WITHIN)).map_err(Failure::io)?;
        Ok(Cluster { config })
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
        table_access::read_whole(&self.config.kafka, &name).map_err(|error| Failure::io(anyhow!("{name}: {error}")))
    }

    /// Publishes one record.
    pub fn send(&self, topic: &str, key: &str, value: &impl serde::Serialize) -> Result<(), Failure> {
        let name = self.named(topic);
        let bytes = serde_json::to_vec(value).map_err(Failure::io)?;
        table_access::send(&self.config.kafka, &name, key, &bytes).map_err(|error| Failure::io(anyhow!("{name}: {error}")))
    }
}

/// Epoch ms.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
