//! Sums over a sliding stretch of stream time.
//!
//! A value counts from the stream time at which it arrived, whatever its own `ts` says: an agent that dates its actions back
//! cannot slip out of the window.

use std::collections::VecDeque;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Values kept one by one; beyond, the two oldest become one.
const VALUES_MAX: usize = 1024;

/// Values of the last stretch of stream time, with their sum.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SlidingSum {
    /// Arrival in stream time and value, oldest first.
    values: VecDeque<(i64, Decimal)>,
    sum: Decimal,
}

impl SlidingSum {
    /// The sum over `(now − window, now]`, after what has left the window is forgotten.
    pub fn total(&mut self, now_ms: i64, window_ms: i64) -> Decimal {
        while let Some((arrived, value)) = self.values.front().copied() {
            if arrived > now_ms.saturating_sub(window_ms) {
                break;
            }
            self.values.pop_front();
            self.sum = self.sum.saturating_sub(value);
        }
        if self.values.is_empty() {
            // A saturated sum must not outlive its values.
            self.sum = Decimal::ZERO;
        }
        self.sum
    }

    /// Adds a value that arrived at stream time `now`. Beyond the largest decimal the sum stays there.
    pub fn add(&mut self, now_ms: i64, value: Decimal) {
        if self.values.len() == VALUES_MAX {
            self.join_oldest();
        }
        self.values.push_back((now_ms, value));
        self.sum = self.sum.saturating_add(value);
    }

    /// The two oldest values become one that leaves with the later: the sum may be too large for a while, never too small.
    fn join_oldest(&mut self) {
        if let (Some((_, first)), Some((_, second))) = (self.values.pop_front(), self.values.front_mut()) {
            *second = second.saturating_add(first);
        }
    }

    /// Whether nothing is in the window.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_sum_is_the_brute_force_sum(steps in prop::collection::vec((0_i64..500, 0_i64..100_000, 0_u32..5), 1..200), window in 1_i64..2_000) {
            let mut sliding = SlidingSum::default();
            let mut arrived: Vec<(i64, Decimal)> = Vec::new();
            let mut now = 0;
            for (step, digits, scale) in steps {
                now += step;
                let value = Decimal::new(digits, scale);
                sliding.add(now, value);
                arrived.push((now, value));
                let brute: Decimal = arrived.iter().filter(|(at, _)| *at > now - window).map(|(_, value)| *value).sum();
                prop_assert_eq!(sliding.total(now, window), brute);
            }
        }

        #[test]
        fn with_joined_values_the_sum_is_never_too_small(steps in prop::collection::vec(0_i64..3, 1_100..1_400), window in 1_i64..3_000) {
            let mut sliding = SlidingSum::default();
            let mut arrived: Vec<i64> = Vec::new();
            let mut now = 0;
            for step in steps {
                now += step;
                sliding.add(now, Decimal::ONE);
                arrived.push(now);
                let brute = arrived.iter().filter(|at| **at > now - window).count();
                prop_assert!(sliding.total(now, window) >= Decimal::from(brute));
            }
        }
    }

    #[test]
    fn a_value_leaves_exactly_when_the_window_is_over() {
        let mut sliding = SlidingSum::default();
        sliding.add(1_000, Decimal::TEN);
        assert_eq!(sliding.total(1_099, 100), Decimal::TEN);
        assert_eq!(sliding.total(1_100, 100), Decimal::ZERO);
        assert!(sliding.is_empty());
    }

    #[test]
    fn a_saturated_sum_empties_with_its_values() {
        let mut sliding = SlidingSum::default();
        sliding.add(0, Decimal::MAX);
        sliding.add(1, Decimal::MAX);
        assert_eq!(sliding.total(1, 10), Decimal::MAX);
        assert_eq!(sliding.total(20, 10), Decimal::ZERO);
    }
}
