//! Random draws that worlds, runs and attacks share. Each takes its generator, so a seed fixes a whole stream.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Gamma, StandardNormal};

/// A normal deviate.
pub fn normal<R: Rng>(rng: &mut R, mean: f64, sd: f64) -> f64 {
    let z: f64 = StandardNormal.sample(rng);
    mean + sd * z
}

/// A gamma deviate of the given shape and scale 1.
pub fn gamma<R: Rng>(rng: &mut R, shape: f64) -> f64 {
    // A shape that is not positive has no distribution; its limit is a point at zero.
    Gamma::new(shape, 1.0).map_or(0.0, |gamma| gamma.sample(rng))
}

/// Uniform between two bounds on a logarithmic scale.
pub fn log_uniform<R: Rng>(rng: &mut R, low: f64, high: f64) -> f64 {
    rng.random_range(low.ln()..high.ln()).exp()
}

/// The whole part of a quantity; what is below zero or no number is 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, which is what is wanted")]
#[must_use]
pub fn whole(quantity: f64) -> u64 {
    quantity as u64
}

/// The whole part of a time; what is no number is 0.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is what is wanted")]
#[must_use]
pub fn whole_ms(time_ms: f64) -> i64 {
    time_ms as i64
}

/// An index in proportion to the weights; the last one when rounding leaves nothing.
///
/// # Panics
/// `weights` is empty.
pub fn weighted<R: Rng>(rng: &mut R, weights: &[f64]) -> usize {
    assert!(!weights.is_empty(), "a choice needs something to choose from");
    let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
    for (index, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return index;
        }
    }
    weights.len() - 1
}

/// One of the items, all alike; `None` of nothing.
pub fn one_of<'a, R: Rng, T>(rng: &mut R, items: &'a [T]) -> Option<&'a T> {
    (!items.is_empty()).then(|| &items[rng.random_range(0..items.len())])
}

/// `count` different indices below `below`, in random order.
pub fn subset<R: Rng>(rng: &mut R, below: usize, count: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..below).collect();
    shuffle(rng, &mut all);
    all.truncate(count);
    all
}

/// Fisher and Yates.
pub fn shuffle<R: Rng, T>(rng: &mut R, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.random_range(0..=last));
    }
}
