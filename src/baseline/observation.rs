//! One event as the model sees it: names as numbers, quantities as logarithms. Nothing here borrows from the record.

use serde::{Deserialize, Serialize};

use super::attribute::ATTRIBUTES;
use super::metric::METRICS;
use super::{Attribute, Metric, ToolId};

/// What is modelled of an event. A field that was missing is missing here.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The tool, or the action of an event without one.
    pub tool: ToolId,
    /// Whether the action writes.
    pub writes: bool,
    status: Option<u8>,
    attributes: [u64; ATTRIBUTES],
    attribute_mask: u8,
    values: [f64; METRICS],
    value_mask: u8,
}

impl Observation {
    /// An event of which only the tool is known.
    #[must_use]
    pub fn new(tool: ToolId, writes: bool) -> Self {
        Self { tool, writes, status: None, attributes: [0; ATTRIBUTES], attribute_mask: 0, values: [0.0; METRICS], value_mask: 0 }
    }

    /// How it ended: a number whose lowest bit is that of the word's FNV-1a hash.
    #[must_use]
    pub fn status(&self) -> Option<u8> {
        self.status
    }

    /// The status that keys volumes and durations; a missing one counts as `ok`.
    #[must_use]
    pub fn status_or_ok(&self) -> u8 {
        self.status.unwrap_or(STATUS_OK)
    }

    /// Sets the status.
    pub fn set_status(&mut self, status: u8) {
        self.status = Some(status);
    }

    /// Hash of an attribute's value.
    #[must_use]
    pub fn attribute(&self, attribute: Attribute) -> Option<u64> {
        (self.attribute_mask >> attribute as u8 & 1 == 1).then(|| self.attributes[attribute as usize])
    }

    /// Sets an attribute's value by its hash.
    pub fn set_attribute(&mut self, attribute: Attribute, value: u64) {
        self.attributes[attribute as usize] = value;
        self.attribute_mask |= 1 << attribute as u8;
    }

    /// The attributes that are there, in their order.
    pub fn attributes(&self) -> impl Iterator<Item = (Attribute, u64)> + '_ {
        ones(self.attribute_mask.into()).map(|at| (Attribute::ALL[at], self.attributes[at]))
    }

    /// Number of attributes that are there.
    #[must_use]
    pub fn attribute_count(&self) -> u32 {
        self.attribute_mask.count_ones()
    }

    /// A quantity: `ln(1 + value)` (of a gap: `ln(0.001 + s)`).
    #[must_use]
    pub fn value(&self, metric: Metric) -> Option<f64> {
        (self.value_mask >> metric as u8 & 1 == 1).then(|| self.values[metric as usize])
    }

    /// Sets a quantity, already on its logarithmic scale.
    pub fn set_value(&mut self, metric: Metric, value: f64) {
        self.values[metric as usize] = value;
        self.value_mask |= 1 << metric as u8;
    }

    /// The quantities that are there, in their order.
    pub fn values(&self) -> impl Iterator<Item = (Metric, f64)> + '_ {
        ones(self.value_mask.into()).map(|at| (Metric::ALL[at], self.values[at]))
    }
}

/// Places of the bits that are set, lowest first.
#[inline]
#[must_use]
pub fn ones(mask: u16) -> Ones {
    Ones(mask)
}

/// See [`ones`].
#[derive(Debug, Clone)]
pub struct Ones(u16);

impl Iterator for Ones {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let place = self.0.trailing_zeros() as usize;
        let left = self.0.checked_sub(1)?;
        self.0 &= left;
        Some(place)
    }
}

/// Number of `ok`; the lowest bits follow FNV-1a of the words.
pub const STATUS_OK: u8 = 3;
/// Number of `error`.
pub const STATUS_ERROR: u8 = 5;
/// Number of `denied`.
pub const STATUS_DENIED: u8 = 6;
/// Number of `timeout`.
pub const STATUS_TIMEOUT: u8 = 8;

#[cfg(test)]
mod tests {
    use super::{Observation, STATUS_DENIED, STATUS_ERROR, STATUS_OK, STATUS_TIMEOUT};
    use crate::baseline::{Attribute, Metric};
    use crate::stats::hash::fnv1a64_parity;

    #[test]
    fn the_lowest_bit_of_a_status_is_that_of_its_words_hash() {
        for (word, number) in [("ok", STATUS_OK), ("error", STATUS_ERROR), ("denied", STATUS_DENIED), ("timeout", STATUS_TIMEOUT)] {
            assert_eq!(u64::from(number & 1), fnv1a64_parity(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn the_places_of_bits_come_in_order() {
        for mask in [0, 1, 0b1010_0110, 1 << 15, u16::MAX] {
            assert!(super::ones(mask).eq((0..16).filter(|place| mask >> place & 1 == 1)), "{mask:b}");
        }
    }

    #[test]
    fn what_was_not_set_is_missing() {
        let mut observation = Observation::new(4, false);
        observation.set_attribute(Attribute::Destination, 0);
        observation.set_value(Metric::Gap, 0.0);
        assert_eq!(observation.attributes().collect::<Vec<_>>(), [(Attribute::Destination, 0)]);
        assert_eq!(observation.values().collect::<Vec<_>>(), [(Metric::Gap, 0.0)]);
        assert_eq!((observation.status(), observation.status_or_ok()), (None, STATUS_OK));
    }
}
