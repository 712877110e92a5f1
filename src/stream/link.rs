//! Whether the brokers can be reached: said once when it changes, not once per retry.
//!
//! What the client library reports is only a hint: "all brokers down" also comes when the one bootstrap connection has closed
//! while all is well. So a hint leads to a question to the brokers, and the answer decides.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::progress::LOOK_EVERY;
use super::{Stop, StreamError, client};
use crate::config::Kafka;

/// One question about metadata. The connection goes on being built when it ends, so it may be short.
const QUESTION: Duration = Duration::from_secs(1);
/// Questions without an answer until a link that worked counts as gone.
const QUESTIONS_MAX: u32 = 3;
/// Questions without an answer until another client asks them: this one may have lost the brokers for good (see `liveness`). Together
/// they last longer than the library's own limit for building a connection, 30 s.
const QUESTIONS_OF_ONE_CLIENT: u32 = 30;
/// Without a hint the brokers are asked this seldom.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// Log lines and errors that one question leaves behind, and then some.
const EVENTS: usize = 32;
/// How soon a hint is noticed.
const NAP: Duration = Duration::from_millis(200);

/// What is known of the way to the brokers. Shared by all clients of the process.
#[derive(Debug)]
pub struct Link {
    brokers: String,
    topic: String,
    hinted: AtomicBool,
    reachable: AtomicBool,
    last_error: Mutex<Option<(RDKafkaErrorCode, String)>>,
}

impl Link {
    /// A link to brokers that nobody has asked yet; questions will be about `topic`.
    #[must_use]
    pub fn new(brokers: &str, topic: &str) -> Arc<Self> {
        Arc::new(Self {
            brokers: brokers.to_owned(),
            topic: topic.to_owned(),
            hinted: AtomicBool::new(false),
            reachable: AtomicBool::new(false),
            last_error: Mutex::new(None),
        })
    }

    /// Whether the last answer came.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        self.reachable.load(Ordering::Relaxed)
    }

    /// Asks until the brokers answer or the stop comes; says so when it has to wait. With a patience it does not wait longer.
    ///
    /// # Errors
    /// When the client cannot be made, the brokers refuse this client for good (wrong password, wrong certificate), or the
    /// patience ends.
    pub fn wait(self: &Arc<Self>, kafka: &Kafka, stop: &Stop, patience: Option<Duration>) -> Result<(), StreamError> {
        let mut asker = Asker::new(self, kafka)?;
        let since = Instant::now();
        let mut said = false;
        while !stop.is_requested() {
            let Err(error) = asker.ask() else {
                self.reachable.store(true, Ordering::Relaxed);
                if said {
                    tracing::info!(brokers = self.brokers, "a broker answers");
                }
                return Ok(());
            };
            let cause = self.cause(&error);
            if let Some((code @ (RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL), _)) = self.last_error() {
                return Err(StreamError::Refused { brokers: self.brokers.clone(), code, cause });
            }
            if patience.is_some_and(|patience| since.elapsed() > patience) {
                return Err(StreamError::Unreachable { brokers: self.brokers.clone(), cause });
            }
            if !std::mem::replace(&mut said, true) {
                tracing::warn!(brokers = self.brokers, cause, "no broker answers, waiting for one");
            }
            stop.sleep(NAP);
        }
        Ok(())
    }

    /// Follows up hints until the stop comes, and says when the brokers went or came back. While they answer, `look` is called
    /// now and then with a client for questions of its own.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn watch(self: &Arc<Self>, kafka: &Kafka, stop: &Stop, mut look: impl FnMut(&BaseConsumer<Listener>)) -> Result<(), StreamError> {
        let mut asker = Asker::new(self, kafka)?;
        let mut last_question = Instant::now();
        let mut last_look = Instant::now();
        while !stop.is_requested() {
            stop.sleep(NAP);
            asker.client.poll(Duration::ZERO);
            if self.is_reachable() && last_look.elapsed() > LOOK_EVERY {
                look(&asker.client);
                last_look = Instant::now();
            }
            let hinted = self.hinted.swap(false, Ordering::Relaxed);
            let was_reachable = self.is_reachable();
            if was_reachable && !hinted && asker.unanswered == 0 && last_question.elapsed() < ASK_EVERY {
                continue;
            }
            let answer = asker.ask();
            last_question = Instant::now();
            match answer {
                Ok(()) if !was_reachable => {
                    tracing::info!(brokers = self.brokers, "the brokers answer again");
                    self.reachable.store(true, Ordering::Relaxed);
                }
                Err(error) if was_reachable && asker.unanswered >= QUESTIONS_MAX && !stop.is_requested() => {
                    tracing::warn!(
                        brokers = self.brokers,
                        cause = self.cause(&error),
                        "the brokers do not answer any more, waiting for them"
                    );
                    self.reachable.store(false, Ordering::Relaxed);
                }
                _ => (),
            }
        }
        Ok(())
    }

    /// Takes a line of the client library's log. Its connection failures are told by this module, once.
    pub fn heard_log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let repeated = matches!(facility, "FAIL" | "ERROR" | "CONFWARN");
        match level {
            _ if repeated => tracing::debug!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::error!(target: "librdkafka", facility, "{message}");
            }
            RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "librdkafka", facility, "{message}");
            }
        }
    }

    /// Takes an error that the client library reports beside any call.
    pub fn heard_error(&self, error: &KafkaError, reason: &str) {
        let &KafkaError::Global(code) = error else { return };
        if code == RDKafkaErrorCode::PartitionEOF {
            return;
        }
        tracing::debug!(target: "librdkafka", %code, reason);
        // It says nothing that the error before it has not said better.
        if code != RDKafkaErrorCode::AllBrokersDown {
            *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some((code, reason.to_owned()));
        }
        self.hinted.store(true, Ordering::Relaxed);
    }

    /// The newest error that was reported beside the calls.
    #[must_use]
    pub fn last_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the brokers through this client.
    ///
    /// # Errors
    /// When no answer comes within a second.
    pub fn question(&self, client: &BaseConsumer<impl ConsumerContext>) -> Result<(), KafkaError> {
        client.fetch_metadata(Some(&self.topic), QUESTION).map(drop)
    }

    fn cause(&self, error: &KafkaError) -> String {
        self.last_error().map_or_else(|| error.to_string(), |(_, reason)| reason)
    }
}

/// A client for questions alone, replaced when it has had no answer for long.
struct Asker<'l> {
    link: &'l Arc<Link>,
    kafka: &'l Kafka,
    client: BaseConsumer<Listener>,
    /// Questions since the last answer.
    unanswered: u32,
}

impl<'l> Asker<'l> {
    fn new(link: &'l Arc<Link>, kafka: &'l Kafka) -> Result<Self, StreamError> {
        let client = Self::client(link, kafka).map_err(StreamError::Client)?;
        Ok(Self { link, kafka, client, unanswered: 0 })
    }

    fn client(link: &Arc<Link>, kafka: &Kafka) -> Result<BaseConsumer<Listener>, KafkaError> {
        BaseConsumer::from_config_and_context(&client::plain(kafka), Listener(Arc::clone(link)))
    }

    fn ask(&mut self) -> Result<(), KafkaError> {
        if self.unanswered > 0 && self.unanswered.is_multiple_of(QUESTIONS_OF_ONE_CLIENT) {
            self.client = Self::client(self.link, self.kafka)?;
        }
        let answer = self.link.question(&self.client);
        // Errors at first contact come beside the call, and only when polled for, between lines of the library's log.
        for _ in 0..EVENTS {
            self.client.poll(Duration::ZERO);
        }
        self.unanswered = if answer.is_ok() { 0 } else { self.unanswered + 1 };
        answer
    }
}

/// Passes what a client hears on to the link.
#[derive(Debug, Clone)]
pub struct Listener(pub Arc<Link>);

impl ClientContext for Listener {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.heard_log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.heard_error(&error, reason);
    }
}

impl ConsumerContext for Listener {}
