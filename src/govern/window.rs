//! Sums over a sliding stretch of stream time.
//!
//! A value counts from the stream time at which it arrived, whatever its own `ts` says: an agent that dates its actions back
//! cannot slip out of the window.

use std::collections::VecDeque;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::stats::prefetch::prefetch;

use super::ring::{Packed, Ring};

/// Values kept one by one; beyond, the two oldest become one.
pub(super) const VALUES_MAX: usize = 1024;
/// Most of a sum in units of its last digit: far below what a decimal holds, and above what values of few digits reach.
const UNITS_MAX: u64 = 1 << 62;

/// Values of the last stretch of stream time, with their sum.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Wide")]
pub struct SlidingSum(Form);

/// Both give the same sums to the last digit.
#[derive(Debug, Clone)]
enum Form {
    /// As long as each value has few digits: eight bytes a value, so that a large fleet's windows stay in the cache.
    Narrow(Narrow),
    Wide(Box<Wide>),
}

#[derive(Debug, Clone, Default)]
struct Narrow {
    /// Arrivals are held relative to it, epoch ms.
    base_ms: i64,
    /// The sum in units of its last digit.
    units: u64,
    /// Oldest first.
    values: Ring,
}

/// What any decimals need; as stored.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename = "SlidingSum")]
struct Wide {
    /// Arrival in stream time and value, oldest first.
    values: VecDeque<(i64, Decimal)>,
    sum: Decimal,
}

impl Default for SlidingSum {
    fn default() -> Self {
        Self(Form::Narrow(Narrow::default()))
    }
}

impl SlidingSum {
    /// The sum over `(now − window, now]`, after what has left the window is forgotten.
    pub fn total(&mut self, now_ms: i64, window_ms: i64) -> Decimal {
        let until_ms = now_ms.saturating_sub(window_ms);
        match &mut self.0 {
            Form::Narrow(narrow) => narrow.total(until_ms),
            Form::Wide(wide) => {
                let sum = wide.total(until_ms);
                if wide.values.is_empty() {
                    *self = Self::default();
                }
                sum
            }
        }
    }

    /// Adds a value that arrived at stream time `now`. Beyond the largest decimal the sum stays there.
    pub fn add(&mut self, now_ms: i64, value: Decimal) {
        match &mut self.0 {
            Form::Narrow(narrow) => {
                if narrow.add(now_ms, value).is_none() {
                    let mut wide = narrow.widened();
                    wide.add(now_ms, value);
                    self.0 = Form::Wide(Box::new(wide));
                }
            }
            Form::Wide(wide) => wide.add(now_ms, value),
        }
    }

    /// Asks for what the next event will need.
    pub(super) fn prefetch(&self) {
        match &self.0 {
            Form::Narrow(narrow) => narrow.values.prefetch(),
            Form::Wide(wide) => prefetch(&raw const **wide),
        }
    }

    /// Whether nothing is in the window.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Form::Narrow(narrow) => narrow.values.is_empty(),
            Form::Wide(wide) => wide.values.is_empty(),
        }
    }

    fn widened(&self) -> Wide {
        match &self.0 {
            Form::Narrow(narrow) => narrow.widened(),
            Form::Wide(wide) => Wide::clone(wide),
        }
    }
}

impl Narrow {
    fn total(&mut self, until_ms: i64) -> Decimal {
        while let Some(oldest) = self.values.front() {
            if self.base_ms + oldest.offset_ms() > until_ms {
                break;
            }
            self.values.pop_front();
            if self.units == 0 {
                // As decimals have it: of zero and zero the second is the difference.
                self.values.sum_scale = oldest.scale();
            } else {
                self.units -= oldest.units_at(self.values.sum_scale);
            }
        }
        if self.values.is_empty() {
            (self.units, self.values.sum_scale) = (0, 0);
        }
        self.sum()
    }

    fn sum(&self) -> Decimal {
        Decimal::new(self.units.cast_signed(), self.values.sum_scale.into())
    }

    /// `None`, and nothing has changed but the way in which it is held, if the value needs more room.
    fn add(&mut self, now_ms: i64, value: Decimal) -> Option<()> {
        if self.values.is_empty() {
            self.base_ms = now_ms;
        }
        let packed = Packed::new(now_ms.checked_sub(self.base_ms)?, value).or_else(|| {
            // Perhaps the base lies far back.
            self.rebase()?;
            Packed::new(now_ms.checked_sub(self.base_ms)?, value)
        })?;
        let joined = if self.values.len() == VALUES_MAX { Some(self.values.front()?.joined(self.values.second()?)?) } else { None };
        // As decimals have it: a sum of zero has no digits of its own.
        let scale = if self.units == 0 { packed.scale() } else { self.values.sum_scale.max(packed.scale()) };
        let before = self.units.checked_mul(10_u64.pow(scale.saturating_sub(self.values.sum_scale).into()))?;
        let units = before.checked_add(packed.units_at(scale)).filter(|units| *units <= UNITS_MAX)?;
        if let Some(joined) = joined {
            self.values.pop_front();
            self.values.set_front(joined);
        }
        self.values.push_back(packed);
        (self.units, self.values.sum_scale) = (units, scale);
        Some(())
    }

    /// Holds arrivals relative to the oldest.
    fn rebase(&mut self) -> Option<()> {
        let by = self.values.front()?.offset_ms();
        self.values.shift(by)?;
        self.base_ms += by;
        Some(())
    }

    fn widened(&self) -> Wide {
        let values = self.values.iter().map(|packed| (self.base_ms + packed.offset_ms(), packed.value()));
        Wide { values: values.collect(), sum: self.sum() }
    }

    /// The same values in less room, if they fit and add up.
    fn of(wide: &Wide) -> Option<Self> {
        let mut narrow = Self::default();
        if wide.values.len() > VALUES_MAX {
            return None;
        }
        for (arrived, value) in &wide.values {
            narrow.add(*arrived, *value)?;
        }
        // What has left may have had more digits.
        let scale = u8::try_from(wide.sum.scale()).ok().filter(|scale| (narrow.values.sum_scale..8).contains(scale))?;
        narrow.units =
            narrow.units.checked_mul(10_u64.pow((scale - narrow.values.sum_scale).into())).filter(|units| *units <= UNITS_MAX)?;
        narrow.values.sum_scale = scale;
        (narrow.sum().serialize() == wide.sum.serialize()).then_some(narrow)
    }
}

impl Wide {
    fn total(&mut self, until_ms: i64) -> Decimal {
        while let Some((arrived, value)) = self.values.front().copied() {
            if arrived > until_ms {
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

    fn add(&mut self, now_ms: i64, value: Decimal) {
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
}

impl From<Wide> for SlidingSum {
    fn from(wide: Wide) -> Self {
        Self(Narrow::of(&wide).map_or_else(|| Form::Wide(Box::new(wide)), Form::Narrow))
    }
}

impl Serialize for SlidingSum {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.widened().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any decimal: most of few digits, some of many, zero and below zero.
    fn value() -> impl Strategy<Value = Decimal> {
        prop_oneof![
            6 => (0_i64..100_000, 0_u32..5).prop_map(|(digits, scale)| Decimal::new(digits, scale)),
            2 => Just(Decimal::ONE),
            1 => Just(Decimal::new(0, 3)),
            1 => (any::<i64>(), 0_u32..12).prop_map(|(digits, scale)| Decimal::new(digits, scale)),
        ]
    }

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

        /// To the bit, also as stored, also when what is stored is read again, also when stream time leaps and stands still.
        #[test]
        fn a_narrow_window_is_the_wide_one(
            steps in prop::collection::vec((prop_oneof![8 => 0_i64..500, 1 => 0_i64..9_000_000_000], value(), 0_u8..12), 1..150),
            window in prop_oneof![1_i64..2_000, 1_i64..9_000_000_000],
        ) {
            let (mut sliding, mut wide, mut now) = (SlidingSum::default(), Wide::default(), 1_767_225_600_000);
            for (step, value, what) in steps {
                now += step;
                match what {
                    0 => sliding = serde_json::from_str(&serde_json::to_string(&sliding).unwrap()).unwrap(),
                    1 => now -= 300,
                    _ => (),
                }
                let totals = [sliding.total(now, window), wide.total(now - window)];
                prop_assert_eq!(totals[0].serialize(), totals[1].serialize());
                sliding.add(now, value);
                wide.add(now, value);
                prop_assert_eq!(serde_json::to_string(&sliding).unwrap(), serde_json::to_string(&wide).unwrap());
            }
        }

        #[test]
        fn a_full_narrow_window_joins_as_the_wide_one(steps in prop::collection::vec((0_i64..3, 0_i64..30_000_000, 0_u32..3), 1_030..1_200)) {
            let (mut sliding, mut wide, mut now) = (SlidingSum::default(), Wide::default(), 0);
            for (step, digits, scale) in steps {
                now += step;
                sliding.add(now, Decimal::new(digits, scale));
                wide.add(now, Decimal::new(digits, scale));
                prop_assert_eq!(sliding.total(now, 1_000).serialize(), wide.total(now - 1_000).serialize());
            }
            prop_assert_eq!(serde_json::to_string(&sliding).unwrap(), serde_json::to_string(&wide).unwrap());
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
