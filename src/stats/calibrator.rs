//! Scores ranked against the stream's own scores: a decayed histogram with an exponential tail (DETECTION.md, section 2.1).

use serde::{Deserialize, Serialize};

use super::elementary;
use super::lanes::Lanes;

/// Form of a calibrator's histogram and how much it trusts its prior.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Width of a bin.
    pub width: f64,
    /// Number of bins, the first at [`LOWEST`].
    pub bins: usize,
    /// Mass of the prior.
    pub prior: f64,
}

impl Shape {
    /// The bin of `score`; a score on an edge (a raw of exactly 0) belongs to the bin above it, whatever the rounding.
    #[must_use]
    pub fn bin(&self, score: f64) -> Bin {
        cut(self.place(score))
    }

    /// The bin of `score` before what follows the point is cut off, within a kernel.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "only what is inlined into a kernel takes on the features of the processor")]
    #[must_use]
    pub fn place<L: Lanes>(&self, score: L) -> L {
        ((score - L::splat(LOWEST)) / L::splat(self.width) + L::splat(1e-9)).at_most(L::splat((self.bins - 1) as f64))
    }
}

/// The bin at a [`Shape::place`]. What lies below the first bin is cut to it by the cast, as NaN is.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the bins, of which there are at most 1,000")]
pub fn cut(place: f64) -> Bin {
    place as Bin
}

/// Lower edge of the first bin.
pub const LOWEST: f64 = -4.0;

/// For channels and the joint score of an event.
pub const CHANNEL: Shape = Shape { width: 0.1, bins: 600, prior: 100.0 };
/// For the families of a session.
pub const FAMILY: Shape = Shape { width: 0.05, bins: 1000, prior: 30.0 };

/// Mass from which a calibrator may be another's base.
const BASE_MASS_MIN: f64 = 200.0;
/// Mass that the top must hold before a tail is fitted to it.
const TAIL_MASS: f64 = 25.0;
const HALVE_ABOVE: f64 = 20_000.0;
const RATE_MAX: f64 = 3.0;

/// Ville's bound on a score that is the logarithm of a likelihood ratio: `e^−score`, at most 1.
#[must_use]
pub fn ville(score: f64) -> f64 {
    if score > 0.0 { elementary::exp(-score) } else { 1.0 }
}

/// The same, where `ratio` is `e^score`, within a kernel.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
#[must_use]
pub fn ville_of_ratio<L: Lanes>(ratio: L) -> L {
    (L::splat(1.0) / ratio).at_most(L::splat(1.0))
}

/// The sums of the last rebuild.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Total mass then.
    pub mass: f64,
    /// Mass of the bins from each one up.
    pub above: Vec<f64>,
    /// Bin where the fitted tail begins, with its rate.
    pub tail: Option<(usize, f64)>,
}

/// Ranks scores among those seen before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Calibrator {
    shape: Shape,
    masses: Vec<f64>,
    mass: f64,
    /// Lowest and highest bin that holds anything; meaningless before any does. Not stored: the masses say it.
    #[serde(skip)]
    span: (Bin, Bin),
    halved: bool,
    sums: Sums,
}

/// A calibrator in stored state.
#[derive(Deserialize)]
struct Stored {
    shape: Shape,
    masses: Vec<f64>,
    mass: f64,
    halved: bool,
    sums: Sums,
}

impl From<Stored> for Calibrator {
    fn from(Stored { shape, masses, mass, halved, sums }: Stored) -> Self {
        let held = masses.iter().zip(0..).filter(|(mass, _)| **mass > 0.0).map(|(_, bin)| bin);
        let span = held.fold(EMPTY_SPAN, |span, bin: Bin| (span.0.min(bin), span.1.max(bin)));
        Self { shape, masses, mass, span, halved, sums }
    }
}

/// Before anything was added.
const EMPTY_SPAN: (Bin, Bin) = (Bin::MAX, 0);

/// A bin's number; what a score becomes when it is remembered for a later [`Calibrator::add`].
pub type Bin = u16;

impl Calibrator {
    /// A calibrator that has seen nothing.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let sums = Sums { mass: 0.0, above: vec![0.0; shape.bins], tail: None };
        Self { shape, masses: vec![0.0; shape.bins], mass: 0.0, span: EMPTY_SPAN, halved: false, sums }
    }

    /// Total mass, now.
    #[must_use]
    pub fn mass(&self) -> f64 {
        self.mass
    }

    /// The bin of `score`: see [`Shape::bin`].
    #[must_use]
    pub fn bin(&self, score: f64) -> Bin {
        self.shape.bin(score)
    }

    /// Calibrated p-value of `score`: the share of scores at least as high, ties counted half, mixed with the prior: that of `base`
    /// where it knows enough, else Ville's bound `e^−score`.
    #[must_use]
    pub fn p_value(&self, score: f64, base: Option<&Self>) -> f64 {
        self.p_value_bounded(score, self.bin(score), ville(score), base)
    }

    /// [`Self::p_value`] where the score's bin and Ville's bound are known already: see [`ville_of_ratio`].
    #[must_use]
    pub fn p_value_bounded(&self, score: f64, bin: Bin, ville: f64, base: Option<&Self>) -> f64 {
        let prior = match base {
            Some(base) if base.mass >= BASE_MASS_MIN => base.mixed(base.tail_mass(score, bin), ville),
            _ => ville,
        };
        self.mixed(self.tail_mass(score, bin), prior)
    }

    /// Adds `mass` to a bin; the sums stay as they are until [`Self::rebuild`].
    pub fn add(&mut self, bin: Bin, mass: f64) {
        self.masses[usize::from(bin)] += mass;
        self.span = (self.span.0.min(bin), self.span.1.max(bin));
        self.mass += mass;
        if self.mass > HALVE_ABOVE {
            for mass in &mut self.masses {
                *mass *= 0.5;
            }
            self.mass = self.masses.iter().sum();
            self.halved = true;
        }
    }

    /// Brings the sums up to date if enough has come since the last time. Called at the end of a session's close.
    pub fn rebuild(&mut self) {
        if self.mass <= 1.02 * self.sums.mass + 1.0 && !self.halved {
            return;
        }
        self.halved = false;
        // Outside the bins that hold anything the sums are all or nothing.
        let (first, last) = (usize::from(self.span.0), usize::from(self.span.1));
        let mut sum = 0.0;
        for (above, mass) in self.sums.above[first..=last].iter_mut().zip(&self.masses[first..=last]).rev() {
            sum += mass;
            *above = sum;
        }
        self.sums.above[..first].fill(sum);
        self.sums.mass = self.mass;
        self.sums.tail = if self.mass > BASE_MASS_MIN { self.fit_tail() } else { None };
    }

    /// What a snapshot needs: masses and the sums' state.
    #[must_use]
    pub fn parts(&self) -> (&[f64], f64, bool, &Sums) {
        (&self.masses, self.mass, self.halved, &self.sums)
    }

    fn fit_tail(&self) -> Option<(usize, f64)> {
        let last = usize::from(self.span.1);
        let start = self.sums.above[..=last].iter().rposition(|&above| above >= TAIL_MASS)?;
        let edge = self.edge(start);
        let excess: f64 = self.masses[start..=last]
            .iter()
            .enumerate()
            .map(|(step, mass)| mass * (self.edge(start + step) + self.shape.width / 2.0 - edge))
            .sum();
        Some((start, ((self.sums.above[start] + 2.0) / (excess + 2.0)).min(RATE_MAX)))
    }

    /// Mass above `score`, which lies in `bin`.
    fn tail_mass(&self, score: f64, bin: Bin) -> f64 {
        let bin = usize::from(bin);
        let tail = (self.sums.above[bin] - 0.5 * self.masses[bin]).max(0.0);
        match self.sums.tail {
            Some((start, rate)) if tail < TAIL_MASS && score > self.edge(start) => {
                self.sums.above[start] * elementary::exp(-rate * (score - self.edge(start)))
            }
            _ => tail,
        }
    }

    /// The share of `tail`, the mass above, mixed with the prior's.
    fn mixed(&self, tail: f64, prior: f64) -> f64 {
        ((tail + self.shape.prior * prior) / (self.sums.mass + self.shape.prior)).min(1.0)
    }

    fn edge(&self, bin: usize) -> f64 {
        LOWEST + self.shape.width * bin as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{CHANNEL, Calibrator, FAMILY};

    fn taught(scores: &[f64]) -> Calibrator {
        let mut calibrator = Calibrator::new(CHANNEL);
        for &score in scores {
            calibrator.add(calibrator.bin(score), 1.0);
        }
        calibrator.rebuild();
        calibrator
    }

    #[test]
    fn an_empty_calibrator_says_what_villes_bound_says() {
        let empty = Calibrator::new(FAMILY);
        assert!((empty.p_value(2.0, None) - (-2.0f64).exp()).abs() < 1e-15);
        assert!((empty.p_value(-2.0, None) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn a_score_of_exactly_zero_lies_in_the_bin_above_it() {
        assert_eq!(Calibrator::new(CHANNEL).bin(0.0), 40);
        assert_eq!(Calibrator::new(FAMILY).bin(0.0), 80);
    }

    #[test]
    fn scores_far_outside_fall_into_the_outermost_bins() {
        let calibrator = Calibrator::new(CHANNEL);
        assert_eq!((calibrator.bin(-1e300), calibrator.bin(1e300), calibrator.bin(f64::INFINITY)), (0, 599, 599));
    }

    #[test]
    fn between_rebuilds_only_the_own_bin_is_current() {
        let mut calibrator = taught(&[0.37; 70]);
        let (own, other) = (calibrator.p_value(0.37, None), calibrator.p_value(0.21, None));
        calibrator.add(calibrator.bin(0.37), 1.0);
        calibrator.rebuild();
        assert!(calibrator.p_value(0.37, None) < own, "70 then 71 is too little for a rebuild, but the own bin counts half at once");
        assert_eq!(calibrator.p_value(0.21, None).to_bits(), other.to_bits());
    }

    #[test]
    fn a_young_calibrator_leans_on_its_base() {
        let base = taught(&(0..1000).map(|n| f64::from(n) / 200.0).collect::<Vec<_>>());
        let young = taught(&[0.1]);
        assert!(young.p_value(4.0, Some(&base)) > young.p_value(4.0, None));
    }

    #[test]
    fn a_stored_calibrator_is_the_one_that_was_stored() {
        for calibrator in [Calibrator::new(FAMILY), taught(&[-3.0, 0.1, 0.1, 7.5])] {
            let stored = serde_json::to_string(&calibrator).unwrap();
            assert_eq!(serde_json::from_str::<Calibrator>(&stored).unwrap(), calibrator);
        }
    }

    #[test]
    fn past_twenty_thousand_the_old_scores_count_half() {
        let mut calibrator = taught(&vec![1.0; 20_000]);
        calibrator.add(calibrator.bin(1.0), 1.0);
        assert!((calibrator.mass() - 10_000.5).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn a_higher_score_is_never_more_ordinary(scores in prop::collection::vec(-5.0f64..12.0, 0..600), a in -5.0f64..20.0, step in 0.0f64..5.0) {
            let calibrator = taught(&scores);
            let (low, high) = (calibrator.p_value(a, None), calibrator.p_value(a + step, None));
            // Across the start of the fitted tail the estimate may step up by the tail's misfit, never by more than its mass.
            prop_assert!(high <= low + 26.0 / (scores.len() as f64 + 100.0), "{low} then {high}");
            prop_assert!((0.0..=1.0).contains(&high));
        }
    }
}
