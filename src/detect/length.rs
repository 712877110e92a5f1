//! Whether a session is longer, or sends more in all, than this agent's sessions do.

use crate::baseline::session_totals::SessionTotals;
use crate::baseline::volume::Predictive;
use crate::stats::elementary::{self, Lanes};
use crate::stats::student_t::{normal_tail, to_normal};

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
        let beyond = normal_tail(to_normal(predictive.standardise(log), predictive.df));
        let ordinary = (f64::from(totals.at_least(events)) + beyond) / (f64::from(totals.sessions) + 1.0);
        let scale = predictive.scale.max(0.2);
        let lengthened = |factor: f64| normal_tail((log - predictive.mean - factor.ln()) / scale);
        Self { ordinary, misuse: [1.5, 2.0, 5.0, 20.0].map(lengthened).iter().sum::<f64>() / 4.0 }
    }

    /// `ln` of the ratio.
    #[must_use]
    pub fn raw(&self) -> f64 {
        elementary::ln(self.misuse.max(1e-12) / self.ordinary.max(1e-12))
    }
}

/// Raw score of a session that has sent `bytes` (> 0) so far.
#[must_use]
pub fn total_raw(bytes: f64, predictive: &Predictive) -> f64 {
    let z = to_normal(predictive.standardise(elementary::ln_1p(bytes)), predictive.df);
    let exponent = |factor: f64| {
        let shift = (factor.ln() / predictive.scale).min(6.0);
        (z * shift - shift * shift / 2.0).min(60.0)
    };
    let grown = elementary::exp_lanes(Lanes::from([1.5, 2.0, 5.0, 20.0].map(exponent))).to_array();
    let sum = grown.iter().sum::<f64>() + elementary::exp(exponent(100.0));
    elementary::ln(1e-9 + sum / 5.0)
}

#[cfg(test)]
mod tests {
    use super::{Expected, total_raw};
    use crate::baseline::session_totals::SessionTotals;
    use crate::baseline::volume::Predictive;

    const USUAL: Predictive = Predictive { mean: 1.7, scale: 0.4, df: 23.0 };

    #[test]
    fn a_longer_session_is_stranger() {
        let mut totals = SessionTotals::default();
        for events in [3, 4, 4, 6] {
            totals.count(events);
        }
        let raws = [2, 6, 20, 60].map(|events| Expected::of(events, &USUAL, &totals).raw());
        assert!(raws.is_sorted(), "{raws:?}");
    }

    #[test]
    fn any_total_gives_a_finite_score() {
        for bytes in [1e-9, 1.0, 1e6, 1e300] {
            assert!(total_raw(bytes, &USUAL).is_finite(), "{bytes}");
        }
    }
}
