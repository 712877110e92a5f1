//! Counts of a cell's values by bin. Bins without gaps from the lowest to the highest that hold anything: what lies around a bin is three
//! loads.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Past it every count is halved.
const HALVE_ABOVE: u16 = 4000;
/// Before the counts: the total, and the number of the first bin.
const HEAD: usize = 2;
/// Bins come in whole eights, so that few new bins need another allocation; with the head an allocation wastes nothing by that.
const EIGHT: u8 = 8;

/// One allocation with everything in it, so that a cell stays a cache line; none before the first value. In stored state the list of its
/// bins with their counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram(Box<[u16]>);

impl Histogram {
    /// Sum of the counts.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.first().copied().map_or(0, u32::from)
    }

    /// Bins that hold anything, in order, with their counts.
    pub fn entries(&self) -> impl Iterator<Item = (i16, u16)> + '_ {
        let (first, counts) = self.parts().unwrap_or_default();
        counts.iter().zip(0_u16..).filter(|(count, _)| **count > 0).map(move |(count, place)| (first.wrapping_add_unsigned(place), *count))
    }

    /// Half of what `centre` holds and a quarter of what its neighbours hold.
    #[must_use]
    pub fn mass_around(&self, centre: i16) -> f64 {
        let Some((first, counts)) = self.parts() else { return 0.0 };
        let place = distance(first, centre);
        let at = |place: usize| counts.get(place).copied().map_or(0, u32::from);
        0.25 * f64::from(2 * at(place) + at(place.wrapping_sub(1)) + at(place.wrapping_add(1)))
    }

    /// Counts a value in `bin`; past 4,000 all counts are halved, and single values forgotten.
    pub fn count(&mut self, bin: i16) {
        if self.parts().is_none_or(|(first, counts)| distance(first, bin) >= counts.len()) {
            self.widen(bin, bin);
        }
        let [total, first, counts @ ..] = &mut *self.0 else { return };
        counts[distance(first.cast_signed(), bin)] += 1;
        *total += 1;
        if *total > HALVE_ABOVE {
            *self = self.entries().map(|(bin, count)| (bin, count / 2)).collect();
        }
    }

    /// Makes room for the bins from `low` to `high`.
    #[cold]
    fn widen(&mut self, low: i16, high: i16) {
        let (held, counts) = self.parts().unwrap_or((low, &[]));
        let first = held.min(low - low.rem_euclid(EIGHT.into()));
        let ends = [distance(first, held) + counts.len(), distance(first, high) + 1];
        let mut wider = vec![0; HEAD + ends[0].max(ends[1]).next_multiple_of(EIGHT.into())];
        (wider[0], wider[1]) = (self.0.first().copied().unwrap_or(0), first.cast_unsigned());
        wider[HEAD + distance(first, held)..][..counts.len()].copy_from_slice(counts);
        self.0 = wider.into_boxed_slice();
    }

    fn parts(&self) -> Option<(i16, &[u16])> {
        match &*self.0 {
            [_, first, counts @ ..] => Some((first.cast_signed(), counts)),
            _ => None,
        }
    }
}

/// Places from the first bin up to `bin`; far too many for a bin below it.
fn distance(first: i16, bin: i16) -> usize {
    (isize::from(bin) - isize::from(first)).cast_unsigned()
}

impl FromIterator<(i16, u16)> for Histogram {
    /// In any order; counts of the same bin are added up.
    fn from_iter<I: IntoIterator<Item = (i16, u16)>>(entries: I) -> Self {
        let held: Vec<(i16, u16)> = entries.into_iter().filter(|(_, count)| *count > 0).collect();
        let bins = || held.iter().map(|(bin, _)| *bin);
        let (Some(first), Some(last)) = (bins().min(), bins().max()) else { return Self::default() };
        let mut all = Self::default();
        all.widen(first, last);
        for (bin, count) in held {
            let [total, first, counts @ ..] = &mut *all.0 else { continue };
            for sum in [total, &mut counts[distance(first.cast_signed(), bin)]] {
                *sum = sum.saturating_add(count);
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
