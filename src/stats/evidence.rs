//! From p-values to e-values: evidence that may be added up and watched while it grows.

use super::elementary;

/// A p-to-e calibrator that integrates to at most 1 under uniform p: `(1 − p + p·ln p) / (p·ln² p)`, 0.5 from p = 0.9999 on.
#[must_use]
pub fn e_value(p: f64) -> f64 {
    if p >= 0.9999 {
        return 0.5;
    }
    let p = p.max(1e-30);
    let ln = elementary::ln(p);
    (1.0 - p + p * ln) / (p * ln * ln)
}

/// The e-value of a channel: never more than its own likelihood ratio `e^raw` claims.
#[must_use]
pub fn channel_e_value(raw: f64, p: f64) -> f64 {
    bounded_e_value(elementary::exp(raw.min(50.0)), p)
}

/// [`channel_e_value`] of what is already a ratio.
#[must_use]
pub fn bounded_e_value(ratio: f64, p: f64) -> f64 {
    let e = e_value(p);
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
    fn a_small_p_cannot_claim_more_than_the_likelihood_ratio() {
        assert!((channel_e_value(0.5, 0.001) - 0.5f64.exp()).abs() < 1e-12);
    }

    #[test]
    fn evidence_is_finite_for_any_p() {
        assert!(e_value(0.0).is_finite() && e_value(1.0).is_finite());
    }
}
