//! What a lane has to say: records and input offsets, out together or not at all.
//!
//! Every record is kept until the commit that carried it has succeeded. After an abort the records of partitions that the lane
//! has owned without a break go out again in the next transaction: processing is deterministic and memory already holds its
//! effect. Records of partitions that were lost in between are dropped, their next owner makes them anew.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, config::RDKafkaLogLevel};

use super::link::Link;
use super::record::{InputPartition, Record, Sent};
use super::watchdog::{HANGS_AFTER, Watch};
use super::{Stop, client};
use crate::config::Kafka;

/// Longest wait of one transactional call; a longer one is repeated, never aborted: its outcome is unknown, not failed.
const CALL: Duration = Duration::from_secs(10);
/// Between two tries of a call that may be repeated.
const PAUSE: Duration = Duration::from_millis(50);
/// The library looks for acknowledgements ten times a second; this is what a commit waits instead.
const FLUSH_STEP: Duration = Duration::from_micros(200);
/// How long a stop waits for brokers that do not answer.
const GIVE_UP_AFTER: Duration = Duration::from_secs(6);

/// Why a commit did not succeed.
#[derive(Debug)]
pub enum Failed {
    /// Nothing of it counts. The outbox has rolled back and may try again.
    Again(KafkaError),
    /// The clients are of no use any more; new ones must be made.
    Broken(KafkaError),
}

/// A record of state with the offset at which it was committed.
#[derive(Debug)]
pub struct Placed {
    /// The partition whose state it is.
    pub from: InputPartition,
    /// Its key.
    pub key: Vec<u8>,
    /// Its offset.
    pub offset: i64,
}

/// The producer of a lane with what it has not yet committed.
pub struct Outbox {
    producer: ThreadedProducer<Deliveries>,
    transactional: bool,
    /// Whether a transaction is open.
    open: bool,
    /// Everything since the last commit that succeeded, oldest first.
    unconfirmed: Vec<Record>,
    /// How many of `unconfirmed` the producer has taken in the open transaction.
    sent: usize,
    placed: Vec<Placed>,
    watch: Arc<Watch>,
    stop: Stop,
}

impl Outbox {
    /// Makes the producer and, with an id, fences off whoever used that id before.
    ///
    /// # Errors
    /// When the producer cannot be made or the brokers refuse it.
    pub fn open(kafka: &Kafka, transactional_id: Option<&str>, link: Arc<Link>, watch: Arc<Watch>, stop: Stop) -> Result<Self, KafkaError> {
        let deliveries = Deliveries { link, failures: Mutex::default(), offsets: Mutex::default() };
        let producer = ThreadedProducer::from_config_and_context(&client::producer(kafka, transactional_id), deliveries)?;
        let outbox = Self {
            producer,
            transactional: transactional_id.is_some(),
            open: false,
            unconfirmed: Vec::new(),
            sent: 0,
            placed: Vec::new(),
            watch,
            stop,
        };
        if outbox.transactional {
            outbox.insist("init_transactions", || outbox.producer.init_transactions(CALL)).map_err(|(_, error)| error)?;
        }
        Ok(outbox)
    }

    /// Takes a record and hands it to the producer.
    ///
    /// # Errors
    /// When the open transaction cannot go on.
    pub fn send(&mut self, record: Record) -> Result<(), Failed> {
        self.unconfirmed.push(record);
        self.send_waiting()
    }

    /// How many records wait for a commit.
    #[must_use]
    pub fn len(&self) -> usize {
        self.unconfirmed.len()
    }

    /// Whether no record waits for a commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unconfirmed.is_empty()
    }

    /// Whether a record of a partition that `of` names waits for a commit.
    #[must_use]
    pub fn holds(&self, of: impl Fn(InputPartition) -> bool) -> bool {
        self.unconfirmed.iter().any(|record| of(record.from))
    }

    /// Commits all records together with `offsets`, the next offset to read of each partition.
    ///
    /// # Errors
    /// See [`Failed`]; after `Again` the records are kept and go out with the next commit.
    pub fn commit<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>, offsets: &TopicPartitionList) -> Result<(), Failed> {
        self.send_waiting()?;
        let committed =
            if self.transactional { self.commit_transaction(consumer, offsets) } else { self.commit_plainly(consumer, offsets) };
        if committed.is_ok() {
            self.unconfirmed.clear();
            self.sent = 0;
        }
        committed
    }

    /// Where the records of state are that were committed since this was asked last.
    pub fn take_placed(&mut self) -> Vec<Placed> {
        std::mem::take(&mut self.placed)
    }

    fn note_offsets(&mut self) {
        for (index, offset) in self.producer.context().take_offsets() {
            if let Some(record) = self.unconfirmed.get_mut(index) {
                self.placed.push(Placed { from: record.from, key: record.key.take().unwrap_or_default(), offset });
            }
        }
    }

    /// Gives up the open transaction and forgets the records of partitions that `keep` refuses.
    ///
    /// # Errors
    /// When even that fails, and new clients are needed.
    pub fn roll_back(&mut self, keep: impl Fn(InputPartition) -> bool) -> Result<(), Failed> {
        let aborted = self.abort();
        self.unconfirmed.retain(|record| keep(record.from));
        aborted
    }

    fn abort(&mut self) -> Result<(), Failed> {
        self.sent = 0;
        if !std::mem::take(&mut self.open) {
            return Ok(());
        }
        self.insist("abort_transaction", || self.producer.abort_transaction(CALL)).map_err(|(_, error)| Failed::Broken(error))?;
        self.producer.context().take_offsets();
        self.shorten_refused();
        Ok(())
    }

    /// Rolls back when that is what `error` asks for.
    fn failed(&mut self, (class, error): (Class, KafkaError)) -> Failed {
        match class {
            Class::Fatal => Failed::Broken(error),
            Class::Retriable | Class::Abortable => match self.abort() {
                Ok(()) => Failed::Again(error),
                Err(broken) => broken,
            },
        }
    }

    fn send_waiting(&mut self) -> Result<(), Failed> {
        if self.sent == self.unconfirmed.len() {
            return Ok(());
        }
        self.begin()?;
        while let Some(record) = self.unconfirmed.get(self.sent) {
            match self.producer.send(record.as_sent(self.sent)) {
                Ok(()) => self.sent += 1,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) if !self.gives_up() => std::thread::sleep(FLUSH_STEP),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge), _)) if !record.is_short() => {
                    self.unconfirmed[self.sent].shorten();
                }
                Err((error, _)) => {
                    let class = if self.producer.client().fatal_error().is_some() { Class::Fatal } else { Class::Abortable };
                    return Err(self.failed((class, error)));
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Failed> {
        if self.transactional && !self.open {
            self.producer.begin_transaction().map_err(Failed::Broken)?;
            self.open = true;
        }
        Ok(())
    }

    fn commit_transaction<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>, offsets: &TopicPartitionList) -> Result<(), Failed> {
        self.begin()?;
        // Before the offsets: once they are accepted, the records must already pin the stable offset of their topics.
        self.flush();
        let step = self
            .insist("send_offsets_to_transaction", || {
                // Asked for each time: the generation moves silently.
                let group = consumer.group_metadata().ok_or(KafkaError::Canceled)?;
                self.producer.send_offsets_to_transaction(offsets, &group, CALL)
            })
            .and_then(|()| self.insist("commit_transaction", || self.producer.commit_transaction(CALL)));
        match step {
            Ok(()) => {
                self.open = false;
                self.note_offsets();
                Ok(())
            }
            Err(failure) => Err(self.failed(failure)),
        }
    }

    fn commit_plainly<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>, offsets: &TopicPartitionList) -> Result<(), Failed> {
        self.flush();
        self.note_offsets();
        let failures = self.producer.context().take_failures();
        if let Some((_, code)) = failures.first() {
            self.sent = 0;
            let failed: Vec<usize> = failures.iter().map(|&(index, _)| index).collect();
            let mut index = 0;
            self.unconfirmed.retain(|_| {
                index += 1;
                failed.contains(&(index - 1))
            });
            for (record, (_, code)) in self.unconfirmed.iter_mut().zip(&failures) {
                if *code == RDKafkaErrorCode::MessageSizeTooLarge {
                    record.shorten();
                }
            }
            return Err(Failed::Again(KafkaError::MessageProduction(*code)));
        }
        self.unconfirmed.clear();
        self.sent = 0;
        match self.watch.over("commit", || consumer.commit(offsets, CommitMode::Sync)) {
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
            Err(error) => Err(Failed::Again(error)),
        }
    }

    /// Waits until every record that was sent is acknowledged or has failed.
    fn flush(&self) {
        self.watch.over("flush", || {
            while self.producer.in_flight_count() > 0 {
                // With no time to wait it only tells the library not to linger.
                let _ = self.producer.flush(Duration::ZERO);
                std::thread::sleep(FLUSH_STEP);
            }
        });
    }

    /// Repeats a call until it succeeds or fails in a way that repeating does not mend. A producer that has lost all its connections may
    /// never find its coordinator again, so while the brokers answer others it is given no longer than a call that hangs.
    fn insist(&self, name: &'static str, call: impl Fn() -> KafkaResult<()>) -> Result<(), (Class, KafkaError)> {
        let link = &self.producer.context().link;
        let mut alone_since = Instant::now();
        loop {
            let Err(error) = self.watch.over(name, &call) else { return Ok(()) };
            let class = Class::of(&error);
            if class != Class::Retriable {
                return Err((class, error));
            }
            if !link.is_reachable() {
                alone_since = Instant::now();
            }
            if self.gives_up() || alone_since.elapsed() > HANGS_AFTER {
                return Err((Class::Fatal, error));
            }
            tracing::debug!(call = name, %error, "repeating");
            std::thread::sleep(PAUSE);
        }
    }

    fn gives_up(&self) -> bool {
        self.stop.since().is_some_and(|since| since > GIVE_UP_AFTER)
    }

    /// A record that the brokers will never take in full goes out shortened.
    fn shorten_refused(&mut self) {
        for (index, code) in self.producer.context().take_failures() {
            if let Some(record) = self.unconfirmed.get_mut(index)
                && code == RDKafkaErrorCode::MessageSizeTooLarge
            {
                record.shorten();
            }
        }
    }
}

/// What an error of a transactional call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// The same call again.
    Retriable,
    /// Abort, then go on.
    Abortable,
    /// New clients.
    Fatal,
}

impl Class {
    fn of(error: &KafkaError) -> Self {
        match error {
            KafkaError::Transaction(error) if error.is_fatal() => Self::Fatal,
            KafkaError::Transaction(error) if error.txn_requires_abort() => Self::Abortable,
            KafkaError::Transaction(error) if error.is_retriable() => Self::Retriable,
            KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut) => Self::Retriable,
            // No group yet or any more: the offsets cannot be fenced, so they are not sent.
            KafkaError::Canceled => Self::Abortable,
            _ => Self::Fatal,
        }
    }
}

/// Collects the records that the brokers refused, and the offsets of those whose partition was given: records of state.
struct Deliveries {
    link: Arc<Link>,
    failures: Mutex<Vec<(usize, RDKafkaErrorCode)>>,
    offsets: Mutex<Vec<(usize, i64)>>,
}

impl Deliveries {
    /// Refused records by their place in the outbox, in that order.
    fn take_failures(&self) -> Vec<(usize, RDKafkaErrorCode)> {
        let mut failures = std::mem::take(&mut *self.failures.lock().unwrap_or_else(PoisonError::into_inner));
        failures.sort_unstable_by_key(|&(index, _)| index);
        failures
    }

    /// Accepted records by their place in the outbox, with their offsets.
    fn take_offsets(&self) -> Vec<(usize, i64)> {
        std::mem::take(&mut *self.offsets.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.link.heard_log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.link.heard_error(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: usize) {
        let Sent { index, is_state } = Sent::from(sent);
        match result {
            Ok(record) if is_state => {
                self.offsets.lock().unwrap_or_else(PoisonError::into_inner).push((index, record.offset()));
            }
            Ok(_) => (),
            Err((error, _)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                self.failures.lock().unwrap_or_else(PoisonError::into_inner).push((index, code));
            }
        }
    }
}
