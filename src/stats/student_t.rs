//! Student's t: density, deviate, and the normal tail. `df` is rounded down to a quarter; from 200 on it is the normal distribution.

use std::f64::consts::{PI, SQRT_2};
use std::sync::LazyLock;

use super::elementary::{self, Lanes};

/// From here on the normal density.
const NORMAL_FROM_DF: f64 = 200.0;
const QUARTERS: usize = 800;

/// `ln` of the density's factor, by `4·df`.
static LN_FACTOR: LazyLock<[f64; QUARTERS]> = LazyLock::new(|| {
    std::array::from_fn(|quarter| {
        let df = quarter.max(1) as f64 / 4.0;
        libm::lgamma(f64::midpoint(df, 1.0)) - libm::lgamma(df / 2.0) - 0.5 * (df * PI).ln()
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
        if df >= NORMAL_FROM_DF {
            return Self { ln_factor: -0.5 * (2.0 * PI).ln(), exponent: 0.0, df: f64::INFINITY };
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 < df < 200")]
        let quarter = ((df * 4.0) as usize).max(1);
        let df = quarter as f64 / 4.0;
        Self { ln_factor: LN_FACTOR[quarter], exponent: -f64::midpoint(df, 1.0), df }
    }

    /// Density at `x`, standard scale.
    #[must_use]
    pub fn density(&self, x: f64) -> f64 {
        if self.df.is_infinite() {
            return elementary::exp(self.ln_factor - x * x * 0.5);
        }
        elementary::exp(self.ln_factor + self.exponent * elementary::ln(1.0 + x * x / self.df))
    }

    /// [`Self::density`] at four places.
    #[must_use]
    pub fn densities(&self, x: Lanes) -> Lanes {
        if self.df.is_infinite() {
            return elementary::exp_lanes(Lanes::splat(self.ln_factor) - x * x * 0.5);
        }
        elementary::exp_lanes(elementary::ln_lanes(x * x / self.df + 1.0) * self.exponent + self.ln_factor)
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

/// Share of the normal distribution above `z`.
#[must_use]
pub fn normal_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z / SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::{StudentT, density_of_three, normal_tail, to_normal};

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
            assert_eq!(density.densities(places.into()).to_array().map(f64::to_bits), places.map(|x| density.density(x).to_bits()), "{df}");
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

    #[test]
    fn half_of_the_normal_distribution_is_above_zero() {
        check(normal_tail(0.0), 0.5);
    }
}
