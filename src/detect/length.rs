//! Whether a session is longer, or sends more in all, than this agent's sessions do.

#![expect(clippy::inline_always, reason = "only what is inlined into a kernel takes on the features of the processor")]

use std::f64::consts::LN_2;

use crate::baseline::session_totals::SessionTotals;
use crate::baseline::volume::Predictive;
use crate::stats::elementary;
use crate::stats::lanes::{self, Four, Kernel, Lanes};
use crate::stats::student_t::{normal_tails, to_normal};

/// `ln` of 1.5, 2, 5, 20: the factors by which misuse lengthens a session and raises what it sends.
const LN_FACTORS: [f64; 4] = [0.405_465_108_108_164_4, LN_2, 1.609_437_912_434_100_3, 2.995_732_273_553_991];
/// The last factor by which it raises what a session sends.
const LN_100: f64 = 4.605_170_185_988_092;

/// How likely a session of at least this length is: ordinarily, and under misuse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Share of ordinary sessions at least this long.
    pub ordinary: f64,
    /// Share under sessions lengthened by typical factors.
    pub misuse: f64,
}

impl Expected {
    /// For a session of `events` so far.
    #[must_use]
    pub fn of(events: u32, predictive: &Predictive, totals: &SessionTotals) -> Self {
        let log = elementary::ln(f64::from(events) + 0.5);
        let scale = predictive.scale.max(0.2);
        let beyond = to_normal(predictive.standardise(log), predictive.df);
        let (misuse, beyond) = lanes::run(Lengthened { distance: log - predictive.mean, scale, beyond });
        Self { ordinary: (f64::from(totals.at_least(events)) + beyond) / (f64::from(totals.sessions) + 1.0), misuse }
    }

    /// Of misuse to what is ordinary; its logarithm is the raw score.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.misuse.max(1e-12) / self.ordinary.max(1e-12)
    }
}

/// Ratio whose logarithm is the raw score of a session that has sent `bytes` (> 0) so far.
#[must_use]
pub fn total_ratio(bytes: f64, predictive: &Predictive) -> f64 {
    let z = to_normal(predictive.standardise(elementary::ln_1p(bytes)), predictive.df);
    1e-9 + lanes::run(Grown { z, scale: predictive.scale }) / 5.0
}

/// Mean share of lengthened sessions beyond a distance, and the share of ordinary ones beyond a deviate.
struct Lengthened {
    distance: f64,
    scale: f64,
    beyond: f64,
}

impl Kernel for Lengthened {
    type Answer = (f64, f64);

    #[inline(always)]
    fn run<F: Four>(self) -> (f64, f64) {
        let deviates = (F::splat(self.distance) - F::load(&LN_FACTORS)) / F::splat(self.scale);
        let [beyond, ..] = normal_tails(F::splat(self.beyond)).store();
        (normal_tails(deviates).store().iter().sum::<f64>() / 4.0, beyond)
    }
}

/// Sum of the likelihood ratios of totals grown by typical factors.
struct Grown {
    z: f64,
    scale: f64,
}

impl Kernel for Grown {
    type Answer = f64;

    #[inline(always)]
    fn run<F: Four>(self) -> f64 {
        let [by_100, ..] = self.ratios(F::splat(LN_100)).store();
        self.ratios(F::load(&LN_FACTORS)).store().iter().sum::<f64>() + by_100
    }
}

impl Grown {
    #[inline(always)]
    fn ratios<L: Lanes>(&self, ln_factors: L) -> L {
        let shifts = (ln_factors / L::splat(self.scale)).at_most(L::splat(6.0));
        let exponents = L::splat(self.z) * shifts - shifts * shifts / L::splat(2.0);
        elementary::exp_of(exponents.at_most(L::splat(60.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Expected, total_ratio};
    use crate::baseline::session_totals::SessionTotals;
    use crate::baseline::volume::Predictive;

    const USUAL: Predictive = Predictive { mean: 1.7, scale: 0.4, df: 23.0 };

    #[test]
    fn a_longer_session_is_stranger() {
        let mut totals = SessionTotals::default();
        for events in [3, 4, 4, 6] {
            totals.count(events);
        }
        let ratios = [2, 6, 20, 60].map(|events| Expected::of(events, &USUAL, &totals).ratio());
        assert!(ratios.is_sorted(), "{ratios:?}");
    }

    #[test]
    fn any_total_gives_a_finite_score() {
        for bytes in [1e-9, 1.0, 1e6, 1e300] {
            assert!(total_ratio(bytes, &USUAL).ln().is_finite(), "{bytes}");
        }
    }
}
