//! Where events come from and where findings go.

use std::collections::BTreeMap;

use super::written::{MASK, is_secret};

/// What a crash may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Nothing lost, nothing doubled, for `read_committed` readers.
    ExactlyOnce,
    /// Nothing lost; duplicates carry the same `finding_id`.
    AtLeastOnce,
}

/// The `[kafka]` table.
#[derive(Clone, PartialEq, Eq)]
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
    /// What agents of one shard taught that may be in memory, in units of 2^20 bytes, by its layout; those idle longest wait in the
    /// state topic.
    pub resident_megabytes: u64,
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

impl Input {
    /// Whether its records can be scored as they come: native events keyed by agent. All others pass through the ingest stage.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.keyed && self.format == InputFormat::Native
    }
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

/// Masks secrets, so that no log line can hold one.
impl std::fmt::Debug for Kafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            brokers,
            group,
            topic_prefix,
            partitions,
            replication,
            delivery,
            commit_interval_ms,
            lanes,
            snapshot_interval_ms,
            resident_megabytes,
            state_dir,
            client,
        } = self;
        let shown: BTreeMap<&str, &str> =
            client.iter().map(|(name, value)| (name.as_str(), if is_secret(name) { MASK } else { value.as_str() })).collect();
        f.debug_struct("Kafka")
            .field("brokers", brokers)
            .field("group", group)
            .field("topic_prefix", topic_prefix)
            .field("partitions", partitions)
            .field("replication", replication)
            .field("delivery", delivery)
            .field("commit_interval_ms", commit_interval_ms)
            .field("lanes", lanes)
            .field("snapshot_interval_ms", snapshot_interval_ms)
            .field("resident_megabytes", resident_megabytes)
            .field("state_dir", state_dir)
            .field("client", &shown)
            .finish()
    }
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
            resident_megabytes: 1_024,
            state_dir: None,
            client: BTreeMap::new(),
        }
    }
}
