//! A share with its exact interval. Clopper and Pearson (1934): the bounds are beta quantiles, so the stated coverage is a lower bound
//! whatever the true share is.

use serde::Serialize;

/// `count` of `of`, with the 95 % Clopper-Pearson interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Proportion {
    /// Cases.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// `count / of`; `None` of none.
    pub share: Option<f64>,
    /// Lower bound of the 95 % interval.
    pub low: f64,
    /// Upper bound of the 95 % interval.
    pub high: f64,
}

impl Proportion {
    /// The share of `count` in `of`. Of none nothing is known: the interval is 0 to 1.
    #[must_use]
    pub fn new(count: u64, of: u64) -> Self {
        let (hits, misses) = (count as f64, of.saturating_sub(count) as f64);
        let low = if count == 0 { 0.0 } else { beta_quantile(0.025, hits, misses + 1.0) };
        let high = if count >= of { 1.0 } else { beta_quantile(0.975, hits + 1.0, misses) };
        Self { count, of, share: (of > 0).then(|| hits / of as f64), low, high }
    }
}

/// The x with `I_x(a, b)` = `share`, by bisection down to neighbouring floats; a, b > 0.
fn beta_quantile(share: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if beta_cdf(middle, a, b) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// The regularised incomplete beta function `I_x(a, b)`, 0 < x < 1.
fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    // The continued fraction converges fast left of the mean; the other side follows by symmetry.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_cdf_left(1.0 - x, b, a);
    }
    beta_cdf_left(x, a, b)
}

/// Lentz's evaluation of the continued fraction of the incomplete beta function (DLMF 8.17.22).
#[expect(clippy::many_single_char_names, reason = "the names of the formula")]
fn beta_cdf_left(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    const STEPS_MAX: u32 = 10_000;
    let ln_front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p() - a.ln();
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for step in 1..=STEPS_MAX {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        fraction *= c * d;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        fraction *= c * d;
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    (ln_front + fraction.ln()).exp().min(1.0)
}

/// ln Γ(x), x > 0: Stirling's series after shifting the argument above 15, where six terms give full precision.
fn ln_gamma(x: f64) -> f64 {
    let mut shift = 0.0;
    let mut x = x;
    while x < 15.0 {
        shift -= x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse
        * (1.0 / 12.0
            - square
                * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square * (1.0 / 1188.0 - square * 691.0 / 360_360.0)))));
    shift + (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bounds as scipy's `beta.ppf` gives them.
    #[track_caller]
    fn check(count: u64, of: u64, low: f64, high: f64) {
        let actual = Proportion::new(count, of);
        assert!((actual.low - low).abs() < 1e-9 && (actual.high - high).abs() < 1e-9, "{actual:?}");
    }

    #[test]
    fn nothing_found_among_ten_may_still_be_three_in_ten() {
        check(0, 10, 0.0, 0.308_497_107_8);
    }

    #[test]
    fn all_of_ten_may_still_be_seven_in_ten() {
        check(10, 10, 0.691_502_892_2, 1.0);
    }

    #[test]
    fn bounds_of_a_share_in_the_middle() {
        check(5, 10, 0.187_086_028_4, 0.812_913_971_6);
    }

    #[test]
    fn bounds_of_a_small_share_of_many() {
        check(60, 6000, 0.007_639_484_4, 0.012_853_471_3);
    }

    #[test]
    fn of_none_nothing_is_known() {
        let nothing = Proportion::new(0, 0);
        assert_eq!((nothing.share, nothing.low, nothing.high), (None, 0.0, 1.0));
    }
}
