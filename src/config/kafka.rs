//! Where events come from and where findings go.

use std::collections::BTreeMap;

/// What a crash may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Nothing lost, nothing doubled, for `read_committed` readers.
    ExactlyOnce,
    /// Nothing lost; duplicates carry the same `finding_id`.
    AtLeastOnce,
}

/// The `[kafka]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kafka {
    /// Bootstrap servers.
    pub brokers: String,
    /// Consumer group.
    pub group: String,
    /// Precedes every topic's name.
    pub topic_prefix: String,
    /// Partitions for `topics create`.
    pub partitions: i32,
    /// Replication for `topics create`; −1: the broker's default.
    pub replication: i32,
    /// What a crash may cost.
    pub delivery: Delivery,
    /// Milliseconds between commits.
    pub commit_interval_ms: u64,
    /// Threads that consume, each with its own clients; more than partitions are idle.
    pub lanes: usize,
    /// Milliseconds between the beginnings of two snapshots of a shard.
    pub snapshot_interval_ms: u64,
    /// Folder of the ordinal locks; `None`: the user's state folder.
    pub state_dir: Option<std::path::PathBuf>,
    /// Passed to librdkafka as it stands.
    pub client: BTreeMap<String, String>,
}

/// Form of the records of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the configuration")]
pub enum InputFormat {
    Native,
    OtlpProto,
    OtlpJson,
    Cloudevents,
    Mapped,
}

/// Form of the findings of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the configuration")]
pub enum OutputFormat {
    Native,
    Ocsf,
    Ecs,
    Cef,
}

/// One `[[input]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Topic without prefix.
    pub topic: String,
    /// Form of the records.
    pub format: InputFormat,
    /// Whether the records are keyed by agent.
    pub keyed: bool,
}

/// One `[[output]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Topic without prefix.
    pub topic: String,
    /// Form of the findings.
    pub format: OutputFormat,
}

impl Default for Kafka {
    fn default() -> Self {
        Self {
            brokers: "localhost:9092".into(),
            group: "gaitkeeper".into(),
            topic_prefix: String::new(),
            partitions: 4,
            replication: -1,
            delivery: Delivery::ExactlyOnce,
            commit_interval_ms: 100,
            lanes: 1,
            snapshot_interval_ms: 60_000,
            state_dir: None,
            client: BTreeMap::new(),
        }
    }
}
