//! Rounds: each runs every variant once, in an order that moves on by one, so that no variant always follows the same
//! neighbour and a slow second of the machine hits all of them alike. Ratios are taken inside a round.

use serde::Serialize;

use crate::clock::Took;

/// One thing to measure.
pub struct Variant<'a> {
    pub name: &'static str,
    /// What it does, for the reader of the table.
    pub about: &'static str,
    pub run: Box<dyn FnMut() -> Slice + 'a>,
}

/// One run of a variant.
#[derive(Debug, Clone, Copy)]
pub struct Slice {
    pub events: usize,
    pub took: Took,
}

/// All runs of one variant, nanoseconds an event, in the order of the rounds.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    pub cpu_ns: Vec<f64>,
    pub wall_ns: Vec<f64>,
}

/// Median with what lies around it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    pub low: f64,
    pub quartile_1: f64,
    pub median: f64,
    pub quartile_3: f64,
    pub high: f64,
}

/// Runs the rounds, after one that is thrown away; the answer is in the order of `variants`.
pub fn run(variants: &mut [Variant<'_>], rounds: usize, mut progress: impl FnMut(usize)) -> Vec<Measured> {
    let mut measured = vec![Measured::default(); variants.len()];
    for round in 0..=rounds {
        progress(round);
        for place in 0..variants.len() {
            let which = (round + place) % variants.len();
            let slice = (variants[which].run)();
            if round > 0 {
                measured[which].cpu_ns.push(slice.took.cpu_ns / slice.events as f64);
                measured[which].wall_ns.push(slice.took.wall_ns / slice.events as f64);
            }
        }
    }
    measured
}

impl Summary {
    /// Of at least one finite value.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len() - 1;
        let quartile = |number: usize| {
            let (below, beyond) = (number * last / 4, (number * last % 4) as f64 / 4.0);
            sorted[below] + (sorted[last.min(below + 1)] - sorted[below]) * beyond
        };
        Self { low: sorted[0], quartile_1: quartile(1), median: quartile(2), quartile_3: quartile(3), high: sorted[last] }
    }

    /// Of the ratios of two variants, round by round.
    pub fn of_ratios(above: &[f64], below: &[f64]) -> Self {
        let ratios: Vec<f64> = above.iter().zip(below).map(|(above, below)| above / below).collect();
        Self::of(&ratios)
    }
}
