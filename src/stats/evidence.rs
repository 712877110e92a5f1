//! From p-values to e-values: evidence that may be added up and watched while it grows.

use super::elementary;
use super::lanes::Lanes;

const P_MIN: f64 = 1e-30;

/// A p-to-e calibrator that integrates to at most 1 under uniform p: `(1 − p + p·ln p) / (p·ln² p)`, 0.5 from p = 0.9999 on.
#[must_use]
pub fn e_value(p: f64) -> f64 {
    if p >= 0.9999 {
        return 0.5;
    }
    let p = p.max(P_MIN);
    of_logarithm(p, elementary::ln(p))
}

/// `ln` is that of `p` ≥ [`P_MIN`].
#[inline(always)]
#[expect(clippy::inline_always, reason = "only what is inlined into a kernel takes on the features of the processor")]
fn of_logarithm<L: Lanes>(p: L, ln: L) -> L {
    (L::splat(1.0) - p + p * ln) / (p * ln * ln)
}

/// Cap on a channel's raw score before it becomes a likelihood ratio.
pub const RAW_MAX: f64 = 50.0;

/// The e-value of a channel: never more than its own likelihood ratio `e^raw` claims.
#[must_use]
pub fn channel_e_value(raw: f64, p: f64) -> f64 {
    bounded(elementary::exp(raw.min(RAW_MAX)), e_value(p))
}

/// [`channel_e_value`] within a kernel, given `e^raw`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
#[must_use]
pub fn bounded_e_values<L: Lanes>(ratios: L, ps: L) -> L {
    let bounded_below = ps.at_least(L::splat(P_MIN));
    let e = of_logarithm(bounded_below, elementary::ln_of(bounded_below));
    bounded(ratios, ps.below(L::splat(0.9999), e, L::splat(0.5)))
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
fn bounded<L: Lanes>(ratio: L, e: L) -> L {
    e.below(ratio, e, ratio.at_least(e.at_most(L::splat(0.6))))
}

#[cfg(test)]
mod tests {
    use super::{channel_e_value, e_value};
    use crate::stats::elementary::exp_of;
    use crate::stats::lanes::{Four, Kernel, run, tests::check_forms};

    #[test]
    fn e_integrates_to_at_most_one_below_its_clip() {
        let steps = 1_000_000;
        let mean: f64 = (0..steps).map(|step| e_value((f64::from(step) + 0.5) / f64::from(steps))).sum::<f64>() / f64::from(steps);
        assert!(mean < 1.0, "{mean}");
    }

    #[derive(Clone)]
    struct Channels([f64; 4], [f64; 4]);

    impl Kernel for Channels {
        type Answer = [f64; 4];
        fn run<F: Four>(self) -> [f64; 4] {
            let ratios = exp_of(F::load(&self.0).at_most(F::splat(super::RAW_MAX)));
            super::bounded_e_values(ratios, F::load(&self.1)).store()
        }
    }

    #[test]
    fn four_channels_at_once_say_the_same_to_the_bit() {
        for (raws, ps) in [([0.5, -2.0, 60.0, 3.0], [0.001, 1.0, 0.0, 0.3]), ([0.0, 9.0, -0.1, 1.0], [0.999_95, 1e-31, 0.7, 0.5])] {
            let single: Vec<u64> = raws.iter().zip(ps).map(|(&raw, p)| channel_e_value(raw, p).to_bits()).collect();
            assert_eq!(run(Channels(raws, ps)).map(f64::to_bits).to_vec(), single);
            check_forms(&Channels(raws, ps));
        }
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
