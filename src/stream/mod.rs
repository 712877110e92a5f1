//! Kafka: events in, findings, step-up requests and dead letters out, input offsets in the same transaction.

pub mod client;
mod control;
mod health;
mod intake;
pub mod lane;
pub mod link;
mod liveness;
pub mod meters;
mod occupancy;
pub mod ordinal;
mod outbox;
mod pools;
pub mod progress;
mod publish;
mod rebalance;
mod recall;
mod record;
pub mod restore;
pub mod service;
pub mod shards;
mod snapshots;
pub mod state;
pub mod stop;
pub mod table_access;
pub mod table_history;
mod tables;
pub mod topic;
pub mod topics;
pub mod watchdog;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

pub use link::Link;
pub use meters::Meters;
pub use service::{Service, TopicCheck};
pub use stop::Stop;
pub use topic::TopicNames;
pub use topics::Fault;

/// Why the service cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum StreamError {
    #[error("kafka client: {0}")]
    Client(#[source] KafkaError),
    #[error("brokers at {brokers} refuse this client ({code}): {cause}")]
    Refused { brokers: String, code: RDKafkaErrorCode, cause: String },
    #[error("no broker answers at {brokers}: {cause}")]
    Unreachable { brokers: String, cause: String },
    #[error("lane: {0}")]
    Lane(#[source] KafkaError),
    #[error("state: {0}")]
    State(String),
    #[error("a lane panicked")]
    Panicked,
    #[error("{lanes} lanes still run {} s after the stop; what they had not committed is done again at the next start", within.as_secs_f32())]
    StillRunning { lanes: usize, within: Duration },
    #[error("state folder {}", folder.display())]
    StateFolder { folder: PathBuf, source: io::Error },
    #[error("thread")]
    Thread(#[source] io::Error),
    #[error("topics: {0}")]
    Topics(#[source] KafkaError),
    #[error("{}", listed(.0))]
    TopicFaults(Vec<Fault>),
    #[error("not supported: {0}")]
    Unsupported(String),
}

fn listed(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("; ")
}
