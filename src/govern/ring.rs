//! A queue of arrivals and values that takes eight bytes for each: what most windows consist of.

use rust_decimal::Decimal;

use crate::stats::prefetch::prefetch;

use super::window::VALUES_MAX;

/// Bits of a value's digits, of their scale, and of its arrival: a quarter of a year in ms, longer than any window.
const DIGIT_BITS: u32 = 28;
const SCALE_BITS: u32 = 3;
const OFFSET_BITS: u32 = u64::BITS - DIGIT_BITS - SCALE_BITS;

/// A value of few digits with its arrival, ms after something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packed(u64);

impl Packed {
    /// `None` if there is not room enough.
    pub fn new(offset_ms: i64, value: Decimal) -> Option<Self> {
        // Zero with digits behind the point gives some to no sum, and is too seldom to be worth a thought.
        let is_plain = !value.is_sign_negative() && (!value.is_zero() || value.scale() == 0);
        let digits = u64::try_from(value.mantissa()).ok().filter(|_| is_plain)?;
        Self::of_parts(u64::try_from(offset_ms).ok()?, digits, value.scale())
    }

    fn of_parts(offset_ms: u64, digits: u64, scale: u32) -> Option<Self> {
        let fits = offset_ms >> OFFSET_BITS == 0 && digits >> DIGIT_BITS == 0 && scale >> SCALE_BITS == 0;
        fits.then_some(Self(offset_ms << (DIGIT_BITS + SCALE_BITS) | digits << SCALE_BITS | u64::from(scale)))
    }

    pub fn offset_ms(self) -> i64 {
        (self.0 >> (DIGIT_BITS + SCALE_BITS)).cast_signed()
    }

    /// Digits behind the point.
    pub fn scale(self) -> u8 {
        self.0.to_le_bytes()[0] & ((1 << SCALE_BITS) - 1)
    }

    fn digits(self) -> u64 {
        self.0 >> SCALE_BITS & ((1 << DIGIT_BITS) - 1)
    }

    /// The value in units of the last of so many digits behind the point; it has no more itself.
    pub fn units_at(self, scale: u8) -> u64 {
        match scale - self.scale() {
            0 => self.digits(),
            more => self.digits() * 10_u64.pow(more.into()),
        }
    }

    pub fn value(self) -> Decimal {
        Decimal::new(self.digits().cast_signed(), self.scale().into())
    }

    /// Both values, at the arrival of the second.
    pub fn joined(self, second: Self) -> Option<Self> {
        let scale = self.scale().max(second.scale());
        Self::of_parts(second.offset_ms().cast_unsigned(), self.units_at(scale) + second.units_at(scale), scale.into())
    }
}

/// Grows as needed, up to [`VALUES_MAX`].
#[derive(Debug, Clone, Default)]
pub(super) struct Ring {
    slots: Box<[u64]>,
    first: u16,
    len: u16,
    /// Digits behind the point of the values' sum: the most that any had since there was none. Kept here, where there is room for it.
    pub sum_scale: u8,
}

impl Ring {
    pub fn len(&self) -> usize {
        self.len.into()
    }

    /// Asks for both ends.
    pub fn prefetch(&self) {
        let ends = [self.place(0), self.place(self.len())];
        ends.iter().filter_map(|place| self.slots.get(*place)).for_each(|slot| prefetch(slot));
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the value stands that is so many places behind the oldest.
    fn place(&self, behind: usize) -> usize {
        let place = usize::from(self.first) + behind;
        if place < self.slots.len() { place } else { place - self.slots.len() }
    }

    fn get(&self, behind: usize) -> Option<Packed> {
        (behind < self.len()).then(|| Packed(self.slots[self.place(behind)]))
    }

    pub fn front(&self) -> Option<Packed> {
        self.get(0)
    }

    pub fn second(&self) -> Option<Packed> {
        self.get(1)
    }

    pub fn iter(&self) -> impl Iterator<Item = Packed> {
        (0..self.len()).filter_map(|behind| self.get(behind))
    }

    /// Puts another in the place of the oldest; there must be one.
    pub fn set_front(&mut self, value: Packed) {
        self.slots[usize::from(self.first)] = value.0;
    }

    pub fn pop_front(&mut self) {
        if self.len > 0 {
            self.first = u16::try_from(self.place(1)).unwrap_or(0);
            self.len -= 1;
        }
    }

    pub fn push_back(&mut self, value: Packed) {
        if self.len() == self.slots.len() {
            self.grow();
        }
        self.slots[self.place(self.len())] = value.0;
        self.len += 1;
    }

    fn grow(&mut self) {
        let room = (self.len() + self.len() / 2).clamp(4, VALUES_MAX.max(self.len() + 1));
        let mut slots = Vec::with_capacity(room);
        slots.extend(self.iter().map(|value| value.0));
        slots.resize(room, 0);
        (self.slots, self.first) = (slots.into(), 0);
    }

    /// Makes every arrival earlier by so many ms; `None`, with nothing changed, if one would come before the beginning.
    pub fn shift(&mut self, by_ms: i64) -> Option<()> {
        let shifted = self.iter().map(|value| {
            let offset_ms = u64::try_from(value.offset_ms() - by_ms).ok()?;
            Packed::of_parts(offset_ms, value.digits(), value.scale().into())
        });
        let shifted: Option<Vec<u64>> = shifted.map(|value| value.map(|value| value.0)).collect();
        let mut slots = shifted?;
        slots.resize(self.slots.len(), 0);
        (self.slots, self.first) = (slots.into(), 0);
        Some(())
    }
}
