//! # Watches
//! Bytes sent and received per tool and outcome, on a logarithmic scale.
//! # Why it matters
//! Exfiltration is a known call that moves too much.
//! # How it scores
//! `ln Q/P`: `P` the predictive mixture, `Q` the same location moved up by factors 3 to 1000, a little down, and a wide rest.
//! # False alarms
//! Heavy tails are ordinary; the mixture's wide part and the cell's own histogram learn them.

use crate::baseline::volume::Predictive;
use crate::stats::student_t::StudentT;

/// Misuse density of `value`: the predictive moved by typical factors.
#[must_use]
pub fn misuse(value: f64, predictive: &Predictive) -> f64 {
    let scale = predictive.scale.max(0.3);
    let density = StudentT::new(predictive.df);
    let moved = |factor: f64| density.density((value - factor.ln() - predictive.mean) / scale) / scale;
    let up: f64 = [3.0, 10.0, 30.0, 100.0, 1000.0].map(moved).iter().sum::<f64>() / 5.0;
    let down: f64 = [0.1, 0.01].map(moved).iter().sum();
    0.9 * up + 0.05 * down + 0.001 * StudentT::new(3.0).density((value - predictive.mean - 4.0) / 8.0) / 8.0
}
