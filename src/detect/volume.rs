//! # Watches
//! Bytes sent and received per tool and outcome, on a logarithmic scale.
//! # Why it matters
//! Exfiltration is a known call that moves too much.
//! # How it scores
//! `ln Q/P`: `P` the predictive mixture, `Q` the same location moved up by factors 3 to 1000, a little down, and a wide rest.
//! # False alarms
//! Heavy tails are ordinary; the mixture's wide part and the cell's own histogram learn them.

#![expect(clippy::inline_always, reason = "only what is inlined into a kernel takes on the features of the processor")]

use std::f64::consts::{LN_2, LN_10};

use super::ratios::Ratios;
use crate::baseline::Metric;
use crate::baseline::metric::METRICS;
use crate::baseline::observation::ones;
use crate::baseline::volume::{Cell, Densities, Predictive};
use crate::stats::lanes::{self, Four, Kernel};
use crate::stats::moments::Moments;
use crate::stats::student_t::{StudentT, density_of_three};

/// `ln` of 3, 10, 30, 100: the first factors by which misuse moves what is usual.
const LN_UP: [f64; 4] = [1.098_612_288_668_109_8, LN_10, 3.401_197_381_662_155_5, 4.605_170_185_988_092];
/// `ln` of 1000, 0.1, 0.01, the others, and of 1: what is usual stays where it is.
const LN_REST: [f64; 4] = [6.907_755_278_982_137, -LN_10, -4.605_170_185_988_091, 0.0];
/// `ln` of 2, 5, 20: the factors by which a size or duration stays up; the last is not used.
const LN_RAISED: [f64; 4] = [LN_2, 1.609_437_912_434_100_3, 2.995_732_273_553_991, 0.0];
const DENSITY_FLOOR: f64 = 1e-9;

/// What is said of one size or duration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likelihoods {
    /// Of an ordinary value.
    pub densities: Densities,
    /// `Q/P` against misuse.
    pub ratio: f64,
    /// Ratio of each raised location to the ordinary one; `None` where the metric is not watched for that.
    pub raised: Option<[f64; 3]>,
}

impl Likelihoods {
    /// All that is said of `value`: a dozen densities of the same form, four at a time.
    #[must_use]
    pub fn of(metric: Metric, value: f64, predictive: &Predictive, own: Option<&Cell>) -> Self {
        let is_watched = matches!(metric, Metric::BytesOut | Metric::Duration);
        let Places { misuse, narrow, raised } = Places::of(value, predictive, is_watched);
        let densities = Densities::with_narrow(narrow, value, predictive, own);
        let raised = is_watched.then(|| {
            let has_history = own.is_some_and(|own| own.histogram.total() > 0);
            let ordinary = if has_history { densities.mixture } else { densities.parts[0] }.max(DENSITY_FLOOR);
            let [times_2, times_5, times_20, _] = raised;
            [times_2.max(DENSITY_FLOOR) / ordinary, times_5.max(DENSITY_FLOOR) / ordinary, times_20.max(DENSITY_FLOOR) / ordinary]
        });
        Self { densities, ratio: misuse / densities.mixture, raised }
    }
}

/// Misuse density of `value`: the predictive moved by typical factors.
#[must_use]
pub fn misuse(value: f64, predictive: &Predictive) -> f64 {
    Places::of(value, predictive, false).misuse
}

/// Densities of a value under the predictive at all the places where it may have been moved to.
struct Places {
    /// Under misuse.
    misuse: f64,
    /// Where it is, in units of its scale.
    narrow: f64,
    /// Raised; 0 where that is not watched.
    raised: [f64; 4],
}

impl Places {
    fn of(value: f64, predictive: &Predictive, is_watched: bool) -> Self {
        lanes::run(Moved { distance: value - predictive.mean, scale: predictive.scale, density: StudentT::new(predictive.df), is_watched })
    }
}

/// What [`Places`] are computed from.
#[derive(Clone)]
struct Moved {
    distance: f64,
    scale: f64,
    density: StudentT,
    is_watched: bool,
}

impl Kernel for Moved {
    type Answer = Places;

    #[inline(always)]
    fn run<F: Four>(self) -> Places {
        let Self { distance, scale: own_scale, density, is_watched } = self;
        let scale = own_scale.max(0.3);
        let from_3_to_100 = (F::splat(distance) - F::load(&LN_UP)) / F::splat(scale);
        let [up_3, up_10, up_30, up_100] = density.densities(from_3_to_100).store();
        let rest = (F::splat(distance) - F::load(&LN_REST)) / F::load(&[scale, scale, scale, own_scale]);
        let [up_1000, down_10, down_100, narrow] = density.densities(rest).store();
        let up = (up_3 + up_10 + up_30 + up_100 + up_1000) / 5.0;
        let misuse = (0.9 * up + 0.05 * (down_10 + down_100)) / scale + 0.001 * density_of_three((distance - 4.0) / 8.0) / 8.0;
        if !is_watched {
            return Places { misuse, narrow, raised: [0.0; 4] };
        }
        let distances = (F::splat(distance) - F::load(&LN_RAISED)) / F::splat(own_scale);
        // Twice as wide, three degrees of freedom: `6√3/π / (3 + (x/2)²)²`.
        let spread = distances * distances * F::splat(0.25) + F::splat(3.0);
        let wide = F::splat(density_of_three(0.0) * 9.0) / (spread * spread);
        let raised = (density.densities(distances) * F::splat(0.95) + wide * F::splat(0.025)) / F::splat(own_scale);
        Places { misuse, narrow, raised: raised.store() }
    }
}

/// Quantities of which the group has seen enough to be compared with the agent: identity's part of an event's sizes, durations and gap.
#[derive(Debug, Default)]
pub struct Compared {
    metrics: u16,
    places: [f64; METRICS],
    scales: [f64; METRICS],
    own: [f64; METRICS],
}

impl Compared {
    /// A value of which the group saw `moments`, and its density under what the agent does.
    pub fn add(&mut self, metric: Metric, value: f64, moments: &Moments, own: f64) {
        let (scale, at) = (moments.variance().max(0.01).sqrt(), metric as usize);
        (self.places[at], self.scales[at], self.own[at]) = ((value - moments.mean) / scale, scale, own);
        self.metrics |= 1 << at;
    }

    /// How much better the group explains each than the agent.
    pub fn tell(&self, ratios: &mut Ratios) {
        if self.metrics == 0 {
            return;
        }
        let densities = lanes::run(OfGroup(&self.places));
        for at in ones(self.metrics) {
            let density = densities[at] / self.scales[at];
            ratios.set_value_identity(Metric::ALL[at], density.max(DENSITY_FLOOR) / self.own[at].max(DENSITY_FLOOR));
        }
    }
}

/// Student's t with five degrees of freedom, as a group's values are taken.
struct OfGroup<'a>(&'a [f64; METRICS]);

impl Kernel for OfGroup<'_> {
    type Answer = [f64; METRICS];

    #[inline(always)]
    fn run<F: Four>(self) -> [f64; METRICS] {
        StudentT::new(5.0).densities(F::load(self.0)).store()
    }
}
