//! One thread, one consumer, one producer: records in, outputs and offsets out, as long as nothing breaks.
//!
//! Every call here may block, so a lane never runs on an asynchronous worker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::link::Link;
use super::liveness::Liveness;
use super::outbox::{Failed, Outbox};
use super::rebalance::Ownership;
use super::shards::{Assembly, Shards};
use super::state::StateReader;
use super::tables::TableFollower;
use super::watchdog::Watch;
use super::{Stop, client};

/// Longest wait for a record; also how late a stop may be noticed.
const WAIT_MAX: Duration = Duration::from_millis(100);
/// Records between two looks at the clock.
const BATCH: usize = 256;
/// A consumer that has heard nothing for so long is asked whether it reaches the brokers.
const ASK_EVENTS: Duration = Duration::from_secs(10);
/// The same for the follower of tables, which seldom hears anything; an answer waits for a fetch to end, and events for the answer.
const ASK_TABLES: Duration = Duration::from_secs(30);
/// How long a stop tries to commit.
const COMMIT_WITHIN: Duration = Duration::from_secs(5);
/// First and longest pause after commits that were rolled back one after the other.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Why a lane's clients are of no use any more.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LaneError {
    /// New clients may do better.
    #[error("{0}")]
    Broken(KafkaError),
    /// New clients would fail in the same way.
    #[error("{0}")]
    Refused(KafkaError),
    /// A client reaches no broker while others do.
    #[error("the {reader} reaches no broker any more, others do: {error}")]
    CutOff {
        /// Which client.
        reader: &'static str,
        /// The answer to the last question.
        error: KafkaError,
    },
    /// State could not be read; a new try may do better.
    #[error("{0}")]
    Unread(String),
    /// State that nobody should go on with.
    #[error("{0}")]
    Contradiction(String),
}

impl From<KafkaError> for LaneError {
    fn from(error: KafkaError) -> Self {
        use RDKafkaErrorCode as Code;
        match error.rdkafka_error_code() {
            Some(
                Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::TransactionalIdAuthorizationFailed
                | Code::UnsupportedVersion
                | Code::InvalidTransactionTimeout,
            ) => Self::Refused(error),
            _ if matches!(error, KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_)) => Self::Refused(error),
            _ => Self::Broken(error),
        }
    }
}

/// One lane.
pub struct Lane {
    /// What it shares with the other lanes.
    pub assembly: Arc<Assembly>,
    /// Its transactional id; `None` for at least once.
    pub transactional_id: Option<String>,
    /// The way to the brokers.
    pub link: Arc<Link>,
    /// Watches over its calls.
    pub watch: Arc<Watch>,
    /// The wish to end.
    pub stop: Stop,
}

impl Lane {
    /// Works until the stop comes, then commits and leaves the group.
    ///
    /// # Errors
    /// When its clients break down. Nothing uncommitted counts then, and a new run takes up where the last commit ended.
    pub fn run(&self) -> Result<(), LaneError> {
        let kafka = &self.assembly.config.kafka;
        let outbox =
            Outbox::open(kafka, self.transactional_id.as_deref(), Arc::clone(&self.link), Arc::clone(&self.watch), self.stop.clone())?;
        let reader = if self.assembly.keeps_state {
            Some(StateReader::new(kafka, &self.link, Arc::clone(&self.watch), self.stop.clone())?)
        } else {
            None
        };
        let follower = match &reader {
            Some(reader) => Some(TableFollower::open(&self.assembly.config, &self.assembly.names, &self.link, reader)?),
            None => None,
        };
        let shards = Shards::new(Arc::clone(&self.assembly), outbox, follower);
        let ownership = Ownership::new(shards, reader, Arc::clone(&self.link), Arc::clone(&self.watch), self.stop.clone());
        let consumer = BaseConsumer::from_config_and_context(&client::consumer(kafka), ownership)?;
        let topics: Vec<&str> = self.assembly.names.inputs.iter().map(String::as_str).collect();
        consumer.subscribe(&topics)?;
        let ended = self.poll(&consumer);
        if let Err(error) = &ended {
            consumer.context().shards().break_down(error.clone());
        }
        // Dropping the consumer leaves the group; its last callback still commits through the producer, which lives in its context.
        self.watch.over("leave the group", || drop(consumer));
        ended
    }

    fn poll(&self, consumer: &BaseConsumer<Ownership>) -> Result<(), LaneError> {
        let mut failures = 0;
        let mut events = Liveness::new(ASK_EVENTS, Instant::now());
        let mut tables = Liveness::new(ASK_TABLES, Instant::now());
        while !self.stop.is_requested() {
            let followed = consumer.context().shards().follow();
            self.settle(followed, &mut failures)?;
            let now = Instant::now();
            self.cut_off("reader of events", &mut events, now, || self.link.question(consumer))?;
            self.cut_off("reader of tables", &mut tables, now, || {
                consumer.context().shards().follower.as_ref().map_or(Ok(()), |follower| self.link.question(follower.client()))
            })?;
            let mut wait = consumer.context().shards().patience(WAIT_MAX);
            for _ in 0..BATCH {
                match consumer.poll(wait) {
                    None => break,
                    Some(Ok(message)) => {
                        events.heard(now);
                        self.settle(consumer.context().shards().take(&message, consumer.context().reader()), &mut failures)?;
                    }
                    Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) => self.skip_deleted(consumer)?,
                    Some(Err(error)) => heard(error)?,
                }
                wait = Duration::ZERO;
            }
            let mut shards = consumer.context().shards();
            if let Some(error) = shards.broken() {
                return Err(error.clone());
            }
            if shards.is_commit_due() {
                let committed = shards.commit(consumer).and_then(|()| shards.step_epochs());
                drop(shards);
                if committed.is_ok() {
                    failures = 0;
                }
                self.settle(committed, &mut failures)?;
            }
        }
        // What a refused last commit held is read again at the next start, but a healthy group takes it at the second try.
        loop {
            let committed = consumer.context().shards().commit(consumer);
            let done = committed.is_ok() || self.stop.since().is_some_and(|since| since > COMMIT_WITHIN);
            self.settle(committed, &mut failures)?;
            if done {
                return Ok(());
            }
        }
    }

    /// Asks a client that has been silent for long, and fails when it is cut off from the brokers.
    fn cut_off(
        &self,
        reader: &'static str,
        liveness: &mut Liveness,
        now: Instant,
        ask: impl FnOnce() -> Result<(), KafkaError>,
    ) -> Result<(), LaneError> {
        let lost = liveness.lost(now, self.link.is_reachable(), || self.watch.over("metadata", ask));
        lost.map_or(Ok(()), |error| Err(LaneError::CutOff { reader, error }))
    }

    /// The brokers deleted what was to be read next.
    fn skip_deleted(&self, consumer: &BaseConsumer<Ownership>) -> Result<(), LaneError> {
        self.watch.over("watermarks", || consumer.context().shards().skip_deleted(consumer)).map_err(LaneError::Broken)
    }

    /// Lets a rolled back transaction pass, after a pause that grows while nothing succeeds.
    fn settle(&self, result: Result<(), Failed>, failures: &mut u32) -> Result<(), LaneError> {
        match result {
            Ok(()) => Ok(()),
            Err(Failed::Broken(error)) => Err(LaneError::from(error)),
            Err(Failed::Again(error)) => {
                if *failures == 0 {
                    tracing::info!(%error, "transaction rolled back, sending again");
                }
                self.assembly.meters.roll_backs.inc();
                std::thread::sleep(PAUSE.0.saturating_mul(1 << (*failures).min(7)).min(PAUSE.1));
                *failures += 1;
                Ok(())
            }
        }
    }
}

/// Most of what a consumer reports mends itself, and the link says when the brokers are gone.
fn heard(error: KafkaError) -> Result<(), LaneError> {
    match &error {
        KafkaError::MessageConsumptionFatal(_) => Err(LaneError::Broken(error)),
        KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            tracing::error!(%error, "an input topic is not there any more");
            Ok(())
        }
        _ => match LaneError::from(error) {
            LaneError::Broken(error) => {
                tracing::debug!(%error, "the consumer reports");
                Ok(())
            }
            refused => Err(refused),
        },
    }
}
