//! Counts of a cell's values by bin. An agent with little history has few of them, and they lie in the cell itself; beyond that bins without
//! gaps from the lowest to the highest that hold anything, so that what lies around a bin is three loads.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thin_vec::ThinVec;

/// Past it every count is halved.
const HALVE_ABOVE: u16 = 4000;
/// Bins that lie in the cell itself: as many as leave it a cache line.
const FEW: usize = 6;
/// Bins come in whole eights, so that few new bins need another allocation.
const EIGHT: u8 = 8;
/// Bins fewer than that, so that with the list's head an allocation wastes nothing.
const BESIDE_HEAD: usize = 4;

/// In stored state the list of its bins with their counts.
#[derive(Debug, Clone)]
pub struct Histogram(Form);

#[derive(Debug, Clone)]
enum Form {
    /// Places above `first` with their counts, in any order; a count of 0 is no bin. `first` lies half of all places below the bin that was
    /// counted first.
    Few { first: i16, places: [(u8, u8); FEW] },
    /// Counts from `first` on, and their sum.
    Wide { first: i16, total: u16, counts: ThinVec<u16> },
}

impl Default for Histogram {
    fn default() -> Self {
        Self(Form::Few { first: 0, places: [(0, 0); FEW] })
    }
}

impl Histogram {
    /// Sum of the counts.
    #[must_use]
    pub fn total(&self) -> u32 {
        match &self.0 {
            Form::Few { places, .. } => places.iter().map(|(_, count)| u32::from(*count)).sum(),
            Form::Wide { total, .. } => u32::from(*total),
        }
    }

    /// Bins that hold anything, with their counts; in order.
    pub fn entries(&self) -> impl Iterator<Item = (i16, u16)> + '_ {
        let (few, wide) = match &self.0 {
            Form::Few { first, places } => {
                let mut places = *places;
                places.sort_unstable();
                (Some((*first, places)), None)
            }
            Form::Wide { first, counts, .. } => (None, Some((*first, counts))),
        };
        let few = few.into_iter().flat_map(|(first, places)| places.map(|(place, count)| (bin_at(first, place.into()), u16::from(count))));
        let wide = wide.into_iter().flat_map(|(first, counts)| (0..).zip(counts).map(move |(place, count)| (bin_at(first, place), *count)));
        few.chain(wide).filter(|(_, count)| *count > 0)
    }

    /// Half of what `centre` holds and a quarter of what its neighbours hold.
    #[must_use]
    pub fn mass_around(&self, centre: i16) -> f64 {
        let quarters: u32 = match &self.0 {
            Form::Few { first, places } => {
                let centre = distance(*first, centre);
                let quarters = |&(place, count): &(u8, u8)| match centre.wrapping_sub(place.into()) {
                    0 => 2 * u32::from(count),
                    1 | usize::MAX => count.into(),
                    _ => 0,
                };
                places.iter().map(quarters).sum()
            }
            Form::Wide { first, counts, .. } => {
                let place = distance(*first, centre);
                let at = |place: usize| counts.get(place).copied().map_or(0, u32::from);
                2 * at(place) + at(place.wrapping_sub(1)) + at(place.wrapping_add(1))
            }
        };
        0.25 * f64::from(quarters)
    }

    /// Counts a value in `bin`; past 4,000 all counts are halved, and single values forgotten.
    pub fn count(&mut self, bin: i16) {
        self.add(bin, 1);
        if self.total() > u32::from(HALVE_ABOVE) {
            *self = self.entries().map(|(bin, count)| (bin, count / 2)).collect();
        }
    }

    fn add(&mut self, bin: i16, more: u16) {
        if !self.add_to_few(bin, more) {
            self.add_to_wide(bin, more);
        }
    }

    /// False if there is no room for it.
    fn add_to_few(&mut self, bin: i16, more: u16) -> bool {
        let Form::Few { first, places } = &mut self.0 else { return false };
        if places.iter().all(|(_, count)| *count == 0) {
            // Room on both sides.
            *first = bin.saturating_sub(i16::from(u8::MAX / 2));
        }
        let Ok(place) = u8::try_from(distance(*first, bin)) else { return false };
        let held = places.iter().position(|(held, count)| *held == place && *count > 0);
        let Some(at) = held.or_else(|| places.iter().position(|(_, count)| *count == 0)) else { return false };
        let Some(count) = u8::try_from(more).ok().and_then(|more| places[at].1.checked_add(more)) else { return false };
        places[at] = (place, count);
        true
    }

    fn add_to_wide(&mut self, bin: i16, more: u16) {
        if !matches!(&self.0, Form::Wide { first, counts, .. } if distance(*first, bin) < counts.len()) {
            self.widen(bin);
        }
        let Form::Wide { first, total, counts } = &mut self.0 else { return };
        let count = &mut counts[distance(*first, bin)];
        (*count, *total) = (count.saturating_add(more), total.saturating_add(more));
    }

    /// Makes room for `bin` among those that hold anything.
    #[cold]
    fn widen(&mut self, bin: i16) {
        let (low, high) = self.entries().fold((bin, bin), |(low, high), (bin, _)| (low.min(bin), high.max(bin)));
        let first = low - low.rem_euclid(EIGHT.into());
        let bins = (distance(first, high) + 1 + BESIDE_HEAD).next_multiple_of(EIGHT.into()) - BESIDE_HEAD;
        let (mut counts, mut total) = (ThinVec::with_capacity(bins), 0_u16);
        counts.resize(bins, 0);
        for (bin, count) in self.entries() {
            counts[distance(first, bin)] = count;
            total = total.saturating_add(count);
        }
        self.0 = Form::Wide { first, total, counts };
    }
}

fn bin_at(first: i16, place: u16) -> i16 {
    first.wrapping_add_unsigned(place)
}

/// Places from the first bin up to `bin`; far too many for a bin below it.
fn distance(first: i16, bin: i16) -> usize {
    (isize::from(bin) - isize::from(first)).cast_unsigned()
}

/// What is counted is the same, wherever it lies.
impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        self.entries().eq(other.entries())
    }
}

impl FromIterator<(i16, u16)> for Histogram {
    /// In any order; counts of the same bin are added up.
    fn from_iter<I: IntoIterator<Item = (i16, u16)>>(entries: I) -> Self {
        let mut all = Self::default();
        for (bin, count) in entries {
            if count > 0 {
                all.add(bin, count);
            }
        }
        all
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Counted first, because some formats want the number before the list.
        serializer.collect_seq(self.entries().collect::<smallvec::SmallVec<[_; 16]>>())
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<(i16, u16)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::Histogram;

    /// A list of bins and counts, halved as the specification says.
    #[derive(Default)]
    struct Listed(BTreeMap<i16, u16>);

    impl Listed {
        fn count(&mut self, bin: i16) {
            *self.0.entry(bin).or_default() += 1;
            if self.total() > 4000 {
                self.0 = self.0.iter().map(|(bin, count)| (*bin, count / 2)).filter(|(_, count)| *count > 0).collect();
            }
        }

        fn total(&self) -> u32 {
            self.0.values().map(|count| u32::from(*count)).sum()
        }

        fn mass_around(&self, centre: i16) -> f64 {
            let weighed = |(bin, count): (&i16, &u16)| u32::from(*count) * 2u32.saturating_sub(u32::from(bin.abs_diff(centre)));
            0.25 * f64::from(self.0.iter().map(weighed).sum::<u32>())
        }
    }

    /// Counts `bins` and compares with the list; the only place that knows both.
    #[track_caller]
    fn check(bins: impl IntoIterator<Item = i16>) {
        let (mut ours, mut listed) = (Histogram::default(), Listed::default());
        for bin in bins {
            ours.count(bin);
            listed.count(bin);
            assert_eq!(ours.total(), listed.total());
        }
        assert_eq!(ours.entries().collect::<Vec<_>>(), listed.0.iter().map(|(bin, count)| (*bin, *count)).collect::<Vec<_>>());
        for centre in (-130..130).chain([i16::MIN, i16::MAX]) {
            assert_eq!(ours.mass_around(centre).to_bits(), listed.mass_around(centre).to_bits(), "{centre}");
        }
        let stored = serde_json::to_string(&ours).unwrap();
        assert_eq!(serde_json::from_str::<Histogram>(&stored).unwrap(), ours, "{stored}");
    }

    #[test]
    fn nothing_is_held_before_the_first_value() {
        check([]);
    }

    #[test]
    fn bins_may_come_in_any_order_and_at_the_ends_of_the_scale() {
        check([3, 5, -7, 5, 126, -1, 0]);
        check([i16::MAX, 32_000]);
        check([i16::MIN, -32_000]);
    }

    #[test]
    fn halving_forgets_single_values_at_the_ends_and_between_them() {
        check([0, 40, 20].into_iter().chain((0..4100).map(|step| 10 + step % 7 * 3)));
    }

    #[test]
    fn a_list_in_any_order_is_read() {
        assert_eq!(serde_json::from_str::<Histogram>("[[7,2],[-3,1]]").unwrap().entries().collect::<Vec<_>>(), [(-3, 1), (7, 2)]);
    }

    proptest! {
        #[test]
        fn counts_are_those_of_a_list(bins in prop::collection::vec(-120i16..120, 0..300)) {
            check(bins);
        }
    }
}
