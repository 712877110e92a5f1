//! The configuration file of the commands that talk to Kafka.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde::Deserialize;

use super::Failure;
use crate::config::{Config, Delivery, Input, InputFormat, Output, OutputFormat};

/// Reads the file, or takes the defaults.
pub fn read(path: Option<&Path>) -> Result<Config, Failure> {
    let text = path.map(|path| fs::read_to_string(path).with_context(|| path.display().to_string())).transpose().map_err(Failure::usage)?;
    let written: Written = toml::from_str(text.as_deref().unwrap_or_default()).map_err(Failure::usage)?;
    let mut config = Config {
        inputs: vec![Input { topic: "agent-events".into(), format: InputFormat::Native, keyed: true }],
        outputs: vec![Output { topic: "agent-alerts".into(), format: OutputFormat::Native }],
        ..Config::default()
    };
    let Kafka { brokers, group, topic_prefix, partitions, replication, delivery, commit_interval_ms, state_dir, client } = written.kafka;
    let kafka = &mut config.kafka;
    replace(&mut kafka.brokers, brokers);
    replace(&mut kafka.group, group);
    replace(&mut kafka.topic_prefix, topic_prefix);
    replace(&mut kafka.partitions, partitions);
    replace(&mut kafka.replication, replication);
    replace(&mut kafka.commit_interval_ms, commit_interval_ms);
    kafka.state_dir = state_dir;
    kafka.client = client;
    kafka.delivery = match delivery.as_deref() {
        None | Some("exactly_once") => Delivery::ExactlyOnce,
        Some("at_least_once") => Delivery::AtLeastOnce,
        Some(other) => return Err(Failure::usage(anyhow!("kafka.delivery is {other:?}, expected exactly_once or at_least_once"))),
    };
    Ok(config)
}

fn replace<T>(target: &mut T, written: Option<T>) {
    if let Some(written) = written {
        *target = written;
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    kafka: Kafka,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kafka {
    brokers: Option<String>,
    group: Option<String>,
    topic_prefix: Option<String>,
    partitions: Option<i32>,
    replication: Option<i32>,
    delivery: Option<String>,
    commit_interval_ms: Option<u64>,
    state_dir: Option<PathBuf>,
    #[serde(default)]
    client: std::collections::BTreeMap<String, String>,
}
