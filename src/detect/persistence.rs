//! What goes on and on: a tool repeated, sizes or durations that stay up. Seven CUSUMs, each its own small test.

use serde::{Deserialize, Serialize};

use crate::baseline::Metric;
use crate::stats::elementary;

const SUMS: usize = 7;
const LOOP: usize = 0;

/// How much better a loop explains the same tool again, or another; `expected` is the probability that was given to the tool used.
#[must_use]
pub fn loop_ratio(expected: f64, again: bool) -> f64 {
    if again {
        0.9 / expected
    } else {
        let other = if expected < 0.5 { 1.0 - expected } else { 0.5 };
        0.1 / other
    }
}

/// The sums of one session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Persistence {
    sums: [f64; SUMS],
    fed: u8,
}

impl Persistence {
    /// The same tool again, or not, by the logarithm of [`loop_ratio`].
    pub fn feed_loop(&mut self, ln_ratio: f64) {
        self.feed(LOOP, ln_ratio);
    }

    /// A size or duration: `ln` of how much better each raised location explains it; other metrics are not watched.
    pub fn feed_value(&mut self, metric: Metric, raised: [f64; 3]) {
        let first = match metric {
            Metric::BytesOut => 1,
            Metric::Duration => 4,
            Metric::BytesIn | Metric::Gap => return,
        };
        for (step, ln_ratio) in raised.into_iter().enumerate() {
            self.feed(first + step, ln_ratio);
        }
    }

    /// Mean over all seven of those that were fed, as ratios; `None` before any was.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let mut ratios = [0.0; SUMS.next_multiple_of(4)];
        ratios[..SUMS].copy_from_slice(&self.sums);
        elementary::exp_all(&mut ratios);
        let sum: f64 = ratios.iter().enumerate().filter(|(sum, _)| self.fed >> sum & 1 == 1).map(|(_, ratio)| ratio).sum();
        (self.fed != 0).then_some(sum / SUMS as f64)
    }

    /// Whether the loop is what stands out most.
    #[must_use]
    pub fn strongest(&self) -> Strongest {
        let strongest = (0..SUMS).filter(|&sum| self.fed >> sum & 1 == 1).max_by(|&a, &b| self.sums[a].total_cmp(&self.sums[b]));
        match strongest {
            None | Some(LOOP) => Strongest::Loop,
            Some(1..4) => Strongest::BytesOut,
            Some(_) => Strongest::Duration,
        }
    }

    fn feed(&mut self, sum: usize, ln_ratio: f64) {
        self.sums[sum] = self.sums[sum].max(0.0) + ln_ratio.clamp(-2.0, 3.0);
        self.fed |= 1 << sum;
    }
}

/// What drives the persistence family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strongest {
    /// A tool repeated.
    Loop,
    /// Sizes that stay up.
    BytesOut,
    /// Durations that stay up.
    Duration,
}
