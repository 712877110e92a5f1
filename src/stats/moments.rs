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

    /// Folds in what was seen elsewhere (Chan, Golub and `LeVeque`).
    pub fn add(&mut self, other: &Self) {
        let n = self.n + other.n;
        if n <= 0.0 {
            return;
        }
        let apart = other.mean - self.mean;
        self.mean += apart * (other.n / n);
        self.squares += other.squares + apart * apart * (self.n * other.n / n);
        self.n = n;
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
    fn moments_added_up_are_those_of_all_values() {
        let of = |values: &[f64]| {
            let mut moments = Moments::default();
            for &value in values {
                moments.learn(value);
            }
            moments
        };
        let mut sum = Moments::default();
        for part in [&[4.0, 7.0][..], &[], &[13.0, 16.0, 100.0]] {
            sum.add(&of(part));
        }
        let all = of(&[4.0, 7.0, 13.0, 16.0, 100.0]);
        assert!((sum.mean - all.mean).abs() < 1e-12 && (sum.squares - all.squares).abs() < 1e-9 && sum.n.to_bits() == all.n.to_bits());
    }

    #[test]
    fn before_the_first_value_there_is_no_spread() {
        assert!(Moments::default().variance().abs() < 1e-15);
    }
}
