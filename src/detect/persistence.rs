//! What goes on and on: a tool repeated, sizes or durations that stay up. Seven CUSUMs, each its own small test.

use serde::{Deserialize, Serialize};

use crate::baseline::Metric;
use crate::baseline::volume::{Densities, Predictive};
use crate::stats::student_t::StudentT;

const SUMS: usize = 7;
const LOOP: usize = 0;
const FACTORS: [f64; 3] = [2.0, 5.0, 20.0];

/// The sums of one session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Persistence {
    sums: [f64; SUMS],
    fed: u8,
}

impl Persistence {
    /// The same tool again, or not; `expected` is the probability that was given to the tool used.
    pub fn feed_loop(&mut self, expected: f64, again: bool) {
        let ln_ratio = if again {
            (0.9 / expected).ln()
        } else {
            let other = if expected < 0.5 { 1.0 - expected } else { 0.5 };
            (0.1 / other).ln()
        };
        self.feed(LOOP, ln_ratio);
    }

    /// A size or duration; other metrics are not watched.
    pub fn feed_value(&mut self, metric: Metric, value: f64, predictive: &Predictive, densities: &Densities, has_history: bool) {
        let first = match metric {
            Metric::BytesOut => 1,
            Metric::Duration => 4,
            Metric::BytesIn | Metric::Gap => return,
        };
        let ordinary = if has_history { densities.mixture } else { densities.parts[0] };
        let (narrow, wide) = (StudentT::new(predictive.df.max(4.0)), StudentT::new(3.0));
        for (step, factor) in FACTORS.into_iter().enumerate() {
            let distance = value - factor.ln() - predictive.mean;
            let raised = (0.95 * narrow.density(distance / predictive.scale) + 0.025 * wide.density(distance / (2.0 * predictive.scale)))
                / predictive.scale;
            self.feed(first + step, (raised.max(1e-9) / ordinary.max(1e-9)).ln());
        }
    }

    /// `ln` of the mean over all seven of those that were fed; `None` before any was.
    #[must_use]
    pub fn level(&self) -> Option<f64> {
        let sum: f64 = (0..SUMS).filter(|&sum| self.fed >> sum & 1 == 1).map(|sum| self.sums[sum].exp()).sum();
        (self.fed != 0).then(|| (sum / SUMS as f64).ln())
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
