//! # Watches
//! The gap before an event, where the clock is real. (How long a call took is scored like its size: [`super::volume`].)
//! # Why it matters
//! A burst or a stall is another hand on the agent.
//! # How it scores
//! Two-sided: the normal deviate of the gap against one shifted up or down by `δ`.
//! # False alarms
//! Clocks that spread a session's events evenly say nothing; the channel switches itself off there.

use serde::{Deserialize, Serialize};

use crate::baseline::volume::Predictive;
use crate::stats::elementary;
use crate::stats::student_t::to_normal;

/// Ratio whose logarithm is the raw score of a gap.
#[must_use]
pub fn gap_ratio(value: f64, predictive: &Predictive) -> f64 {
    let z = to_normal(predictive.standardise(value), predictive.df).clamp(-12.0, 12.0);
    let shift = (2.3 / predictive.scale).min(6.0);
    let half = shift * shift / 2.0;
    let mut shifted = [z * shift - half, -z * shift - half, 0.0, 0.0];
    elementary::exp_all(&mut shifted);
    let [up, down, ..] = shifted;
    0.5 * up + 0.5 * down + 1e-9
}

/// Gaps of one session, to tell a real clock from one that spreads events evenly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Gaps {
    smallest_ms: i64,
    largest_ms: i64,
    count: u32,
}

/// Gaps that agree to this are no clock's.
const AGREEMENT_MS: i64 = 2;

impl Gaps {
    /// Takes in one gap; false if this session's clock is synthetic so far, which shows from the second gap on.
    pub fn is_real(&mut self, gap_ms: i64) -> bool {
        if self.count == 0 {
            (self.smallest_ms, self.largest_ms) = (gap_ms, gap_ms);
        }
        self.smallest_ms = self.smallest_ms.min(gap_ms);
        self.largest_ms = self.largest_ms.max(gap_ms);
        self.count += 1;
        self.count < 2 || self.largest_ms - self.smallest_ms > AGREEMENT_MS
    }
}

#[cfg(test)]
mod tests {
    use super::Gaps;

    #[track_caller]
    fn check(gaps: &[i64], expected: &[bool]) {
        let mut clock = Gaps::default();
        let actual: Vec<bool> = gaps.iter().map(|&gap| clock.is_real(gap)).collect();
        assert_eq!(actual, expected);
    }

    #[test]
    fn an_even_clock_is_seen_at_the_third_event() {
        check(&[1000, 1001, 1002], &[true, false, false]);
    }

    #[test]
    fn one_uneven_gap_makes_the_clock_real() {
        check(&[1000, 1001, 1500, 1000], &[true, false, true, true]);
    }
}
