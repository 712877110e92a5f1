//! From p-values to e-values: evidence that may be added up and watched while it grows.

use super::elementary::{self, Lanes};

const P_MIN: f64 = 1e-30;

/// A p-to-e calibrator that integrates to at most 1 under uniform p: `(1 − p + p·ln p) / (p·ln² p)`, 0.5 from p = 0.9999 on.
#[must_use]
pub fn e_value(p: f64) -> f64 {
    of_logarithm(p, elementary::ln(p.max(P_MIN)))
}

/// `ln` is that of `p`, which is taken as at least [`P_MIN`].
fn of_logarithm(p: f64, ln: f64) -> f64 {
    if p >= 0.9999 {
        return 0.5;
    }
    let p = p.max(P_MIN);
    (1.0 - p + p * ln) / (p * ln * ln)
}

/// Cap on a channel's raw score before it becomes a likelihood ratio.
pub const RAW_MAX: f64 = 50.0;

/// The e-value of a channel: never more than its own likelihood ratio `e^raw` claims.
#[must_use]
pub fn channel_e_value(raw: f64, p: f64) -> f64 {
    bounded(elementary::exp(raw.min(RAW_MAX)), e_value(p))
}

/// [`channel_e_value`] of four channels, given their `e^raw`.
#[must_use]
pub fn bounded_e_values(ratios: [f64; 4], ps: [f64; 4]) -> [f64; 4] {
    let logarithms = elementary::ln_lanes(Lanes::from(ps.map(|p| p.max(P_MIN)))).to_array();
    std::array::from_fn(|lane| bounded(ratios[lane], of_logarithm(ps[lane], logarithms[lane])))
}

fn bounded(ratio: f64, e: f64) -> f64 {
    if e < ratio { e } else { ratio.max(e.min(0.6)) }
}

#[cfg(test)]
mod tests {
    use super::{channel_e_value, e_value};

    #[test]
    fn e_integrates_to_at_most_one_below_its_clip() {
        let steps = 1_000_000;
        let mean: f64 = (0..steps).map(|step| e_value((f64::from(step) + 0.5) / f64::from(steps))).sum::<f64>() / f64::from(steps);
        assert!(mean < 1.0, "{mean}");
    }

    #[test]
    fn four_channels_at_once_say_the_same_to_the_bit() {
        let (raws, ps) = ([0.5, -2.0, 60.0, 3.0], [0.001, 1.0, 0.0, 0.3]);
        let ratios = raws.map(|raw: f64| crate::stats::elementary::exp(raw.min(super::RAW_MAX)));
        let single: Vec<u64> = raws.iter().zip(ps).map(|(&raw, p)| channel_e_value(raw, p).to_bits()).collect();
        assert_eq!(super::bounded_e_values(ratios, ps).map(f64::to_bits).to_vec(), single);
    }

    #[test]
    fn a_small_p_cannot_claim_more_than_the_likelihood_ratio() {
        assert!((channel_e_value(0.5, 0.001) - 0.5f64.exp()).abs() < 1e-12);
    }

    #[test]
    fn evidence_is_finite_for_any_p() {
        assert!(e_value(0.0).is_finite() && e_value(1.0).is_finite());
    }
}
