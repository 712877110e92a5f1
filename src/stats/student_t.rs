//! Student's t: density, deviate, and the normal tail. `df` is rounded down to a quarter; from 200 on it is the normal distribution.

#![expect(clippy::inline_always, reason = "only what is inlined into a kernel takes on the features of the processor")]

use std::f64::consts::{PI, SQRT_2};
use std::sync::LazyLock;

use super::elementary;
use super::lanes::Lanes;

/// From here on the normal density.
const NORMAL_FROM_DF: f64 = 200.0;
const QUARTERS: usize = 800;

/// The densities by `4·df`, the last for all from there on.
static DENSITIES: LazyLock<[StudentT; QUARTERS + 1]> = LazyLock::new(|| {
    std::array::from_fn(|quarter| {
        if quarter == QUARTERS {
            return StudentT { ln_factor: -0.5 * (2.0 * PI).ln(), exponent: 0.0, df: f64::INFINITY };
        }
        let df = quarter.max(1) as f64 / 4.0;
        let ln_factor = libm::lgamma(f64::midpoint(df, 1.0)) - libm::lgamma(df / 2.0) - 0.5 * (df * PI).ln();
        StudentT { ln_factor, exponent: -f64::midpoint(df, 1.0), df }
    })
});

/// Density of Student's t with fixed degrees of freedom: what is common to its many evaluations for one event.
#[derive(Debug, Clone, Copy)]
pub struct StudentT {
    ln_factor: f64,
    exponent: f64,
    df: f64,
}

impl StudentT {
    /// `df` > 0, rounded down to a quarter.
    #[must_use]
    pub fn new(df: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 < df, taken as at most 200")]
        let quarter = (df.min(NORMAL_FROM_DF) * 4.0) as u32;
        DENSITIES[quarter as usize]
    }

    /// Density at `x`, standard scale.
    #[must_use]
    pub fn density(&self, x: f64) -> f64 {
        if self.df.is_infinite() {
            return elementary::exp(self.ln_factor - x * x * 0.5);
        }
        elementary::exp(self.ln_factor + self.exponent * elementary::ln(1.0 + x * x / self.df))
    }

    /// [`Self::density`] within a kernel.
    #[inline(always)]
    #[must_use]
    pub fn densities<L: Lanes>(&self, x: L) -> L {
        let squares = x * x;
        let exponents = if self.df.is_infinite() {
            L::splat(self.ln_factor) - squares * L::splat(0.5)
        } else {
            elementary::ln_of(squares / L::splat(self.df) + L::splat(1.0)) * L::splat(self.exponent) + L::splat(self.ln_factor)
        };
        elementary::exp_of(exponents)
    }
}

/// Density of Student's t with three degrees of freedom, which needs neither logarithm nor power.
#[must_use]
pub fn density_of_three(x: f64) -> f64 {
    /// `6·√3/π`.
    const FACTOR: f64 = 3.307_973_372_530_752_3;
    let spread = 3.0 + x * x;
    FACTOR / (spread * spread)
}

/// The normal deviate that is about as far out as `t` is under Student's t with `df` (Wallace's approximation).
#[must_use]
pub fn to_normal(t: f64, df: f64) -> f64 {
    if df > 400.0 {
        return t;
    }
    let magnitude = (df * elementary::ln_1p(t * t / df)).sqrt() * (8.0 * df + 1.0) / (8.0 * df + 3.0);
    magnitude.copysign(t)
}

/// The 99 % quantile, by the inverse of [`to_normal`].
#[must_use]
pub fn quantile_99(df: f64) -> f64 {
    const NORMAL_99: f64 = 2.326_347_874_040_841;
    if df > 400.0 {
        return NORMAL_99;
    }
    let deviate = NORMAL_99 * (8.0 * df + 3.0) / (8.0 * df + 1.0);
    (df * (deviate * deviate / df).exp_m1()).sqrt()
}

/// `(1 + 2x)·e^{x²}·erfc(x)` as a polynomial in `(x − 4)/(x + 4)` for `x` from 0 to 28, within 2^-53; fitted at the Chebyshev points.
const SCALED_TAIL: [f64; 22] = [
    1.232_995_118_625_552_6,
    -0.139_621_116_840_562_55,
    0.015_379_652_102_606_133,
    0.068_097_054_254_702_12,
    -0.101_039_066_035_580_63,
    0.093_732_834_997_984_63,
    -0.066_330_365_827_292_79,
    0.037_167_515_542_420_76,
    -0.016_197_733_895_959_854,
    0.005_031_969_952_329_153,
    -0.000_757_774_306_169_337_1,
    -0.000_199_256_696_404_256_23,
    0.000_150_625_671_413_694_32,
    -2.439_860_935_351_290_6e-5,
    -1.123_208_602_340_473_4e-5,
    5.706_827_475_068_264e-6,
    3.099_440_201_083_154_6e-7,
    -8.187_662_562_915_786e-7,
    5.883_230_632_914_435e-8,
    1.018_124_747_514_997_1e-7,
    -9.456_271_524_915_692e-9,
    -8.906_208_663_934_622e-9,
];

/// Share of the normal distribution above `z`, within 2^-48 relative to it; within a kernel.
#[inline(always)]
#[must_use]
pub fn normal_tails<L: Lanes>(z: L) -> L {
    /// Beyond it the tail is 0.
    const FARTHEST: f64 = 28.0;
    /// `2^27 + 1`: splits a number in two of half as many digits.
    const SPLITTER: f64 = 134_217_729.0;
    let one = L::splat(1.0);
    let x = z / L::splat(SQRT_2);
    let far = x.at_least(L::splat(0.0) - x).at_most(L::splat(FARTHEST));
    let reduced = (far - L::splat(4.0)) / (far + L::splat(4.0));
    let scaled = elementary::polynomial(reduced, reduced * reduced, &SCALED_TAIL) / (one + far + far);
    // The square's rounding error would be the exponential's: squared is a number of half the digits, and the little rest is a series.
    let shifted = far * L::splat(SPLITTER);
    let high = shifted - (shifted - far);
    let rest = (far - high) * (far + high);
    let of_rest = one - rest * (one - rest * (L::splat(0.5) - rest * L::splat(1.0 / 6.0)));
    let above = elementary::exp_of(L::splat(0.0) - high * high) * of_rest * scaled;
    x.below(L::splat(0.0), L::splat(2.0) - above, above) * L::splat(0.5)
}

#[cfg(test)]
mod tests {
    use super::{StudentT, density_of_three, normal_tails, to_normal};
    use crate::stats::lanes::{Four, Kernel, run, tests::check_forms};

    #[track_caller]
    fn check(actual: f64, expected: f64) {
        assert!((actual - expected).abs() <= 1e-12 * expected.abs(), "{actual} is not {expected}");
    }

    #[test]
    fn the_density_at_the_centre_is_exact_for_four_degrees() {
        check(StudentT::new(4.0).density(0.0), 0.375);
    }

    #[test]
    fn degrees_are_rounded_down_to_a_quarter() {
        check(StudentT::new(6.7).density(1.3), StudentT::new(6.5).density(1.3));
    }

    #[test]
    fn many_degrees_are_normal() {
        check(StudentT::new(200.0).density(2.0), 0.053_990_966_513_188_06);
    }

    #[test]
    fn three_degrees_have_a_form_of_their_own() {
        for x in [0.0, -0.3, 1.0, 40.0, 1e4] {
            check(density_of_three(x), StudentT::new(3.0).density(x));
        }
    }

    #[test]
    fn four_places_at_once_are_the_same_to_the_bit() {
        for df in [4.0, 33.3, 250.0] {
            let (density, places) = (StudentT::new(df), [0.0, -0.7, 3.0, 55.0]);
            check_forms(&AtFour(density, places));
            assert_eq!(run(AtFour(density, places)).map(f64::to_bits), places.map(|x| density.density(x).to_bits()), "{df}");
        }
    }

    #[derive(Clone)]
    struct AtFour(StudentT, [f64; 4]);

    impl Kernel for AtFour {
        type Answer = [f64; 4];
        fn run<F: Four>(self) -> [f64; 4] {
            self.0.densities(F::load(&self.1)).store()
        }
    }

    #[test]
    fn the_deviate_keeps_its_sign() {
        assert!(to_normal(-3.0, 4.0) < 0.0 && to_normal(3.0, 4.0) > 0.0);
        check(to_normal(0.0, 4.0).abs(), 0.0);
    }

    #[test]
    fn the_quantile_is_the_deviates_inverse() {
        for df in [4.0, 9.5, 60.0, 1000.0] {
            assert!((to_normal(super::quantile_99(df), df) - 2.326_347_874_040_841).abs() < 1e-9, "{df}");
        }
    }

    #[derive(Clone)]
    struct Above([f64; 4]);

    impl Kernel for Above {
        type Answer = [f64; 4];
        fn run<F: Four>(self) -> [f64; 4] {
            normal_tails(F::load(&self.0)).store()
        }
    }

    #[test]
    fn normal_tails_are_within_their_bound() {
        for step in -400..=3_800 {
            let deviates: [f64; 4] = std::array::from_fn(|lane| f64::from(step) * 0.01 + lane as f64 * 0.002_468);
            check_forms(&Above(deviates));
            for (tail, z) in run(Above(deviates)).into_iter().zip(deviates) {
                let exact = 0.5 * libm::erfc(z / std::f64::consts::SQRT_2);
                // 2^-48, and below the normal numbers their spacing.
                assert!((tail - exact).abs() <= 3.56e-15 * exact + 1e-320, "{z}: {tail} is not {exact}");
            }
        }
    }

    #[test]
    fn half_of_the_normal_distribution_is_above_zero_and_nothing_is_above_infinity() {
        check(normal_tails(0.0), 0.5);
        for (z, tail) in [(f64::INFINITY, 0.0), (1e300, 0.0), (40.0, 0.0), (-40.0, 1.0), (f64::NEG_INFINITY, 1.0)] {
            assert_eq!(normal_tails(z).to_bits(), f64::to_bits(tail), "{z}");
        }
    }
}
