//! The fleet at work: events into the input topic at a bounded rate.
//!
//! The ordinary stretch goes fast, the one with attacks slowly enough to watch. The in-process cluster drops its oldest records
//! silently, so the producer never runs far ahead of the service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::cluster::Cluster;
use crate::stream::{Meters, Stop};
use crate::workbench::generate::Generated;

/// Share of the time for the ordinary stretch.
const LEARNING_SHARE: f64 = 0.35;
/// Records that the service may be behind; their bytes stay far below what the in-process cluster keeps of a partition.
const BEHIND_MAX: u64 = 4_000;
/// Longest nap of the producer.
const NAP: Duration = Duration::from_millis(2);

/// A running producer.
pub struct Feed {
    /// Events produced so far.
    pub produced: Arc<AtomicU64>,
    finished: Arc<AtomicBool>,
    started: Instant,
}

impl Feed {
    pub fn start(
        cluster: &Cluster,
        events: Vec<Generated>,
        quiet_until: i64,
        duration: Duration,
        meters: Meters,
        stop: &Stop,
    ) -> Result<Self, KafkaError> {
        let client: BaseProducer = cluster.producer().create()?;
        let feed = Self { produced: Arc::default(), finished: Arc::default(), started: Instant::now() };
        let (produced, finished, stop, topic) =
            (Arc::clone(&feed.produced), Arc::clone(&feed.finished), stop.clone(), cluster.input().to_owned());
        let pace = Pace::new(&events, quiet_until, duration);
        thread::spawn(move || {
            let started = Instant::now();
            for (index, event) in events.iter().enumerate() {
                while started.elapsed() < pace.due(index) || produced.load(Ordering::Relaxed) > meters.records.get() + BEHIND_MAX {
                    if stop.is_requested() {
                        break;
                    }
                    client.poll(NAP);
                }
                if stop.is_requested() {
                    break;
                }
                send(&client, &topic, event);
                produced.fetch_add(1, Ordering::Relaxed);
            }
            if let Err(error) = client.flush(Duration::from_secs(10)) {
                tracing::error!(%error, "events could not be produced");
            }
            finished.store(true, Ordering::Release);
        });
        Ok(feed)
    }

    /// How many events were produced, once all are.
    pub fn finished(&self) -> Option<u64> {
        self.finished.load(Ordering::Acquire).then(|| self.produced.load(Ordering::Relaxed))
    }

    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

fn send(producer: &BaseProducer, topic: &str, event: &Generated) {
    let mut record = BaseRecord::to(topic).key(&*event.agent_id).payload(&event.line);
    while let Err((error, back)) = producer.send(record) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
            tracing::error!(%error, "an event could not be produced");
            return;
        }
        producer.poll(NAP);
        record = back;
    }
}

/// When each event is due, counted from the start.
struct Pace {
    learning: usize,
    learning_lasts: Duration,
    events: usize,
    rest_lasts: Duration,
}

impl Pace {
    fn new(events: &[Generated], quiet_until: i64, lasts: Duration) -> Self {
        let learning = events.partition_point(|event| event.ts <= quiet_until);
        Self {
            learning,
            learning_lasts: lasts.mul_f64(LEARNING_SHARE),
            events: events.len(),
            rest_lasts: lasts.mul_f64(1.0 - LEARNING_SHARE),
        }
    }

    fn due(&self, index: usize) -> Duration {
        if index < self.learning {
            self.learning_lasts.mul_f64(index as f64 / self.learning as f64)
        } else {
            let rest = (index - self.learning) as f64 / (self.events - self.learning) as f64;
            self.learning_lasts + self.rest_lasts.mul_f64(rest)
        }
    }
}
