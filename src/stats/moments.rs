//! Count, mean and squared deviations of a quantity, one value at a time (Welford).

use serde::{Deserialize, Serialize};

/// Mean and spread of what was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Number of values; not whole once old ones fade.
    pub n: f64,
    /// Their mean.
    pub mean: f64,
    /// Sum of squared deviations from the mean.
    pub squares: f64,
}

impl Moments {
    /// Folds in one value; returns what it added to the squares.
    pub fn learn(&mut self, value: f64) -> f64 {
        self.n += 1.0;
        let before = value - self.mean;
        self.mean += before / self.n;
        let increment = before * (value - self.mean);
        self.squares += increment;
        increment
    }

    /// Lets what was seen count for `factor` of what it did; the mean stays.
    pub fn fade(&mut self, factor: f64) {
        self.n *= factor;
        self.squares *= factor;
    }

    /// Mean squared deviation; 0 before the first value.
    #[must_use]
    pub fn variance(&self) -> f64 {
        if self.n > 0.0 { self.squares / self.n } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::Moments;

    #[test]
    fn moments_agree_with_the_two_pass_formula() {
        let values = [4.0, 7.0, 13.0, 16.0];
        let mut moments = Moments::default();
        let increments: f64 = values.iter().map(|&value| moments.learn(value)).sum();
        assert!((moments.mean - 10.0).abs() < 1e-12);
        assert!((moments.variance() - 22.5).abs() < 1e-12);
        assert!((increments - moments.squares).abs() < 1e-12);
    }

    #[test]
    fn before_the_first_value_there_is_no_spread() {
        assert!(Moments::default().variance().abs() < 1e-15);
    }
}
