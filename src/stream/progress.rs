//! How far the lanes are, for those who look from outside: readiness, lag, and the sentence that an instance cannot keep up.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};

use super::meters::Meters;

/// Time between two looks at the ends of the partitions.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Longest wait for the end of one partition.
const END_WITHIN: Duration = Duration::from_secs(1);
/// Looks over which a lag must grow before it is said.
const LOOKS: usize = 12;
/// A lag below this many seconds of work is no lag.
const BEHIND_SECONDS_MAX: f64 = 10.0;

/// What the lanes tell of themselves.
#[derive(Debug, Default)]
pub struct Progress {
    next: Mutex<BTreeMap<(String, i32), i64>>,
    joined: AtomicUsize,
    restoring: AtomicUsize,
}

impl Progress {
    /// A partition is owned, and its next record is at `next`.
    pub fn at(&self, topic: &str, partition: i32, next: i64) {
        let mut positions = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        match positions.iter_mut().find(|((known, number), _)| *number == partition && known == topic) {
            Some((_, position)) => *position = next,
            None => {
                positions.insert((topic.to_owned(), partition), next);
            }
        }
    }

    /// A partition is not owned any more.
    pub fn lost(&self, topic: &str, partition: i32) {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).remove(&(topic.to_owned(), partition));
    }

    /// A lane has been given its partitions.
    pub fn lane_joined(&self) {
        self.joined.fetch_add(1, Ordering::Relaxed);
    }

    /// A lane has left the group.
    pub fn lane_left(&self) {
        self.joined.fetch_sub(1, Ordering::Relaxed);
    }

    /// Lanes that have their partitions.
    #[must_use]
    pub fn lanes_joined(&self) -> usize {
        self.joined.load(Ordering::Relaxed)
    }

    /// Partitions are being restored until the guard is dropped.
    pub fn restoring(&self, partitions: usize) -> Restoring<'_> {
        self.restoring.fetch_add(partitions, Ordering::Relaxed);
        Restoring { progress: self, partitions }
    }

    /// Partitions that are being restored.
    #[must_use]
    pub fn partitions_restoring(&self) -> usize {
        self.restoring.load(Ordering::Relaxed)
    }

    fn positions(&self) -> Vec<(String, i32, i64)> {
        let positions = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        positions.iter().map(|((topic, partition), next)| (topic.clone(), *partition, *next)).collect()
    }
}

/// Counts partitions as being restored while it lives.
pub struct Restoring<'p> {
    progress: &'p Progress,
    partitions: usize,
}

impl Drop for Restoring<'_> {
    fn drop(&mut self) {
        self.progress.restoring.fetch_sub(self.partitions, Ordering::Relaxed);
    }
}

/// Looks at the lag now and then and says when it only grows.
pub struct LagWatch {
    meters: Meters,
    lags: VecDeque<i64>,
    taken: u64,
    said: bool,
}

impl LagWatch {
    /// Writes the lag to these meters.
    #[must_use]
    pub fn new(meters: Meters) -> Self {
        Self { meters, lags: VecDeque::new(), taken: 0, said: false }
    }

    /// Asks for the end of every owned partition. A partition that does not answer is left out of this look.
    pub fn look<'p, C: ConsumerContext>(&mut self, asker: &BaseConsumer<C>, progress: impl Iterator<Item = &'p Progress>) {
        self.meters.lag.reset();
        let mut total = 0;
        for (topic, partition, next) in progress.flat_map(Progress::positions) {
            let Ok((_, end)) = asker.fetch_watermarks(&topic, partition, END_WITHIN) else { continue };
            let lag = (end - next).max(0);
            self.meters.lag.with_label_values(&[topic.as_str(), &partition.to_string()]).set(lag);
            total += lag;
        }
        let records = self.meters.records.get();
        let a_second = (records - self.taken) as f64 / LOOK_EVERY.as_secs_f64();
        self.taken = records;
        self.judge(total, a_second);
    }

    fn judge(&mut self, lag: i64, a_second: f64) {
        self.lags.push_back(lag);
        if self.lags.len() > LOOKS {
            self.lags.pop_front();
        }
        let grows = self.lags.len() == LOOKS && self.lags.iter().zip(self.lags.iter().skip(1)).all(|(before, after)| before < after);
        let behind = lag as f64 > BEHIND_SECONDS_MAX * a_second.max(1.0);
        if grows && behind && !self.said {
            tracing::warn!(lag, a_second, "this instance cannot keep up: records come faster than it takes them");
            self.said = true;
        } else if self.said && !behind {
            tracing::info!(lag, "this instance has caught up");
            self.said = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at lags one after the other, at 100 records a second, and tells whether the last one was said to be too much.
    #[track_caller]
    fn check(lags: impl IntoIterator<Item = i64>, expected: bool) {
        let mut watch = LagWatch::new(Meters::new());
        for lag in lags {
            watch.judge(lag, 100.0);
        }
        assert_eq!(watch.said, expected);
    }

    #[test]
    fn a_lag_that_only_grows_is_said() {
        check((1..=12).map(|look| look * 1_000), true);
    }

    #[test]
    fn a_lag_that_shrinks_now_and_then_is_not() {
        check((1..=24).map(|look| if look % 6 == 0 { 1_500 } else { look * 1_000 }), false);
    }

    #[test]
    fn a_small_lag_is_not() {
        check((1..=12).map(|look| look * 10), false);
    }

    #[test]
    fn catching_up_ends_it() {
        check((1..=12).map(|look| look * 1_000).chain([500]), false);
    }
}
