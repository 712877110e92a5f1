//! # Watches
//! Bytes sent and received per tool and outcome, on a logarithmic scale.
//! # Why it matters
//! Exfiltration is a known call that moves too much.
//! # How it scores
//! `ln Q/P`: `P` the predictive mixture, `Q` the same location moved up by factors 3 to 1000, a little down, and a wide rest.
//! # False alarms
//! Heavy tails are ordinary; the mixture's wide part and the cell's own histogram learn them.

use std::f64::consts::{LN_2, LN_10};

use crate::baseline::Metric;
use crate::baseline::volume::{Cell, Densities, Predictive};
use crate::stats::elementary::{self, Lanes};
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
    /// `ln Q/P` against misuse.
    pub raw: f64,
    /// `ln` of the ratio of each raised location to the ordinary one; `None` where the metric is not watched for that.
    pub raised: Option<[f64; 3]>,
}

impl Likelihoods {
    /// All that is said of `value`: a dozen densities of the same form, four at a time.
    #[must_use]
    pub fn of(metric: Metric, value: f64, predictive: &Predictive, own: Option<&Cell>) -> Self {
        let density = StudentT::new(predictive.df);
        let distance = value - predictive.mean;
        let (misuse, narrow) = misuse_and_narrow(distance, predictive.scale, density);
        let densities = Densities::with_narrow(narrow, value, predictive, own);
        if !matches!(metric, Metric::BytesOut | Metric::Duration) {
            return Self { densities, raw: elementary::ln(misuse / densities.mixture), raised: None };
        }
        let has_history = own.is_some_and(|own| own.histogram.total() > 0);
        let ordinary = if has_history { densities.mixture } else { densities.parts[0] };
        let distances = (Lanes::splat(distance) - Lanes::from(LN_RAISED)) / predictive.scale;
        // Twice as wide, three degrees of freedom: `6√3/π / (3 + (x/2)²)²`.
        let spread = distances * distances * 0.25 + 3.0;
        let wide = Lanes::splat(density_of_three(0.0) * 9.0) / (spread * spread);
        let raised = (density.densities(distances) * 0.95 + wide * 0.025) / predictive.scale;
        let ratios = raised.fast_max(Lanes::splat(DENSITY_FLOOR)) / ordinary.max(DENSITY_FLOOR);
        let mut ratios = ratios.to_array();
        ratios[3] = misuse / densities.mixture;
        let [times_2, times_5, times_20, raw] = elementary::ln_lanes(Lanes::from(ratios)).to_array();
        Self { densities, raw, raised: Some([times_2, times_5, times_20]) }
    }
}

/// Misuse density of `value`: the predictive moved by typical factors.
#[must_use]
pub fn misuse(value: f64, predictive: &Predictive) -> f64 {
    misuse_and_narrow(value - predictive.mean, predictive.scale, StudentT::new(predictive.df)).0
}

/// The misuse density at `distance` from the predictive's location, and Student's t there in units of its scale.
fn misuse_and_narrow(distance: f64, own_scale: f64, density: StudentT) -> (f64, f64) {
    let scale = own_scale.max(0.3);
    let from_3_to_100 = (Lanes::splat(distance) - Lanes::from(LN_UP)) / scale;
    let [up_3, up_10, up_30, up_100] = density.densities(from_3_to_100).to_array();
    let rest = (Lanes::splat(distance) - Lanes::from(LN_REST)) / Lanes::from([scale, scale, scale, own_scale]);
    let [up_1000, down_10, down_100, narrow] = density.densities(rest).to_array();
    let up = (up_3 + up_10 + up_30 + up_100 + up_1000) / 5.0;
    let misuse = (0.9 * up + 0.05 * (down_10 + down_100)) / scale + 0.001 * density_of_three((distance - 4.0) / 8.0) / 8.0;
    (misuse, narrow)
}
