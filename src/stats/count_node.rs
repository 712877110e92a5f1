//! Back-off counts of one context (DETECTION.md, section 1.1): a categorical distribution that knows how much it does not know.

use std::hash::Hash;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;
use thin_vec::ThinVec;

use super::prefetch::prefetch;

/// A symbol with its count, without the gap that an aligned pair would have.
#[derive(Debug, Clone, Copy)]
#[repr(C, packed(2))]
pub struct Entry<K: Copy> {
    symbol: K,
    count: u16,
}

/// A symbol small enough to be stored by value, whose lowest bit is bit 0 of its text's FNV-1a hash.
pub trait Symbol: Copy + Eq + Ord + Hash + std::fmt::Debug {
    /// Entries kept without an allocation: an array, as long as leaves a node small.
    type Inline: AsRef<[Entry<Self>]> + AsMut<[Entry<Self>]> + Copy + std::fmt::Debug;
    /// Entries that count nothing.
    const NONE: Self::Inline;

    /// Bit 0 of the FNV-1a hash of the symbol's text.
    fn parity(self) -> u16;
}

impl<K: Copy + Eq> Entry<K> {
    #[inline]
    fn is_of(&self, symbol: K) -> bool {
        // Copied first: what is packed cannot be borrowed.
        let held = self.symbol;
        held == symbol
    }

    fn pair(self) -> (K, u16) {
        (self.symbol, self.count)
    }
}

impl Symbol for u8 {
    type Inline = [Entry<u8>; 3];
    const NONE: Self::Inline = [Entry { symbol: 0, count: 0 }; 3];

    fn parity(self) -> u16 {
        u16::from(self & 1)
    }
}

impl Symbol for u16 {
    type Inline = [Entry<u16>; 3];
    const NONE: Self::Inline = [Entry { symbol: 0, count: 0 }; 3];

    fn parity(self) -> u16 {
        self & 1
    }
}

impl Symbol for u64 {
    type Inline = [Entry<u64>; 1];
    const NONE: Self::Inline = [Entry { symbol: 0, count: 0 }; 1];

    fn parity(self) -> u16 {
        u16::from(self & 1 == 1)
    }
}

/// Past this total the node halves, so counts fit 16 bits and old habits fade.
const HALVE_ABOVE: u16 = 4000;
/// Past this many entries a hash table is quicker than a scan.
const SCAN_MAX: usize = 32;
/// Share of a singleton's count that goes to the unseen.
const DISCOUNT: f64 = 0.5;
/// Strength of the parent.
const THETA: f64 = 1.0;

#[derive(Debug, Clone)]
enum Entries<K: Symbol> {
    /// So many places of the array; the others count nothing.
    Inline(u8, K::Inline),
    Few(ThinVec<Entry<K>>),
    Many(Box<hashbrown::HashMap<K, u16, foldhash::fast::FixedState>>),
}

/// Counts of the symbols seen in one context.
#[derive(Debug, Clone)]
pub struct CountNode<K: Symbol> {
    total: u16,
    singletons: u16,
    /// When it was last added to, in whatever unit the owner counts; decides what goes first when memory is short.
    pub touched: u32,
    entries: Entries<K>,
}

impl<K: Symbol> Default for CountNode<K> {
    fn default() -> Self {
        Self { total: 0, singletons: 0, touched: 0, entries: Entries::Inline(0, K::NONE) }
    }
}

impl<K: Symbol> Entries<K> {
    /// All entries, as long as a scan finds one quickly; beyond, none.
    fn few(&self) -> &[Entry<K>] {
        match self {
            Self::Inline(len, places) => &places.as_ref()[..usize::from(*len)],
            Self::Few(few) => few,
            Self::Many(_) => &[],
        }
    }

    /// The count of a symbol that has one.
    #[inline]
    fn get_mut(&mut self, symbol: K) -> Option<&mut u16> {
        let few = match self {
            Self::Inline(len, places) => &mut places.as_mut()[..usize::from(*len)],
            Self::Few(few) => few.as_mut_slice(),
            Self::Many(many) => return many.get_mut(&symbol),
        };
        let at = few.iter().position(|entry| entry.is_of(symbol))?;
        // One place nearer to the front each time it overtakes: a scan finds what is frequent first.
        let overtakes = at > 0 && few[at].count >= few[at - 1].count;
        if overtakes {
            few.swap(at, at - 1);
        }
        Some(&mut few[at - usize::from(overtakes)].count)
    }

    /// Adds a symbol that has no count yet.
    fn push(&mut self, symbol: K, count: u16) {
        let entry = Entry { symbol, count };
        match self {
            Self::Inline(len, places) => {
                if let Some(place) = places.as_mut().get_mut(usize::from(*len)) {
                    *place = entry;
                    *len += 1;
                    return;
                }
                let held = places.as_ref();
                let mut few = ThinVec::with_capacity(2 * held.len().max(1));
                few.extend_from_slice(held);
                few.push(entry);
                *self = Self::Few(few);
            }
            Self::Few(few) if few.len() < SCAN_MAX => few.push(entry),
            Self::Few(few) => {
                let all = few.iter().copied().chain([entry]).map(Entry::pair);
                *self = Self::Many(Box::new(all.collect()));
            }
            Self::Many(many) => {
                many.insert(symbol, count);
            }
        }
    }

    fn retain(&mut self, mut keep: impl FnMut(K, &mut u16) -> bool) {
        match self {
            Self::Inline(len, places) => {
                let before = *places;
                (*len, *places) = (0, K::NONE);
                for mut entry in before.as_ref().iter().copied() {
                    if entry.count > 0 && keep(entry.symbol, &mut entry.count) {
                        places.as_mut()[usize::from(*len)] = entry;
                        *len += 1;
                    }
                }
            }
            Self::Few(few) => few.retain_mut(|entry| keep(entry.symbol, &mut entry.count)),
            Self::Many(many) => many.retain(|&symbol, count| keep(symbol, count)),
        }
    }
}

impl<K: Symbol> CountNode<K> {
    /// Sum of all counts.
    #[must_use]
    pub fn total(&self) -> u32 {
        u32::from(self.total)
    }

    /// Number of different symbols.
    #[must_use]
    pub fn distinct(&self) -> usize {
        match &self.entries {
            Entries::Inline(len, _) => usize::from(*len),
            Entries::Few(few) => few.len(),
            Entries::Many(many) => many.len(),
        }
    }

    /// Asks for the symbols where they do not lie in the node: a hint.
    #[inline]
    pub fn ask_for_symbols(&self) {
        if let Entries::Few(few) = &self.entries {
            prefetch(few.as_ptr());
        }
    }

    /// How often `symbol` was added; 0 if never.
    #[inline]
    #[must_use]
    pub fn count(&self, symbol: K) -> u32 {
        let count = match &self.entries {
            // Looking at every place takes no branch that could be guessed wrongly.
            Entries::Inline(_, places) => places.as_ref().iter().map(|entry| if entry.is_of(symbol) { entry.count } else { 0 }).sum(),
            Entries::Few(few) => few.iter().find(|entry| entry.is_of(symbol)).map_or(0, |entry| entry.count),
            Entries::Many(many) => many.get(&symbol).copied().unwrap_or(0),
        };
        u32::from(count)
    }

    /// Probability of `symbol`, smoothed with the parent's probability `parent`: only singletons are discounted (Good-Turing style),
    /// so the escape mass is `(θ + d·n1) / (n + θ)`. An empty node returns `parent`.
    #[inline]
    #[must_use]
    pub fn probability(&self, symbol: K, parent: f64) -> f64 {
        self.probability_of(self.count(symbol), parent)
    }

    /// [`Self::probability`] of a symbol whose count is known.
    #[inline]
    #[must_use]
    pub fn probability_of(&self, count: u32, parent: f64) -> f64 {
        if self.total == 0 {
            return parent;
        }
        let discounted = f64::from(count) - if count == 1 { DISCOUNT } else { 0.0 };
        (discounted + (THETA + DISCOUNT * f64::from(self.singletons)) * parent) / (f64::from(self.total) + THETA)
    }

    /// Share of this node's own evidence in [`Self::probability`], 0 to 1; the rest is the parent's.
    #[must_use]
    pub fn own_share(&self) -> f64 {
        let total = f64::from(self.total);
        total / (total + THETA + DISCOUNT * f64::from(self.singletons))
    }

    /// Adds `symbol`; true if that opened a table, and the parent must learn it too: a child's count `c` adds `1 + ⌊log2 c⌋` to its parent,
    /// so one busy agent cannot own its group. With `distinct_max` symbols there already, the smallest count goes first: what was
    /// evicted looks new again, which alarms too often and never too seldom.
    pub fn add(&mut self, symbol: K, distinct_max: usize) -> bool {
        let before = if let Some(count) = self.entries.get_mut(symbol) {
            *count += 1;
            *count - 1
        } else {
            if self.distinct() >= distinct_max {
                self.evict_smallest();
            }
            self.entries.push(symbol, 1);
            0
        };
        self.total += 1;
        match before {
            0 => self.singletons += 1,
            1 => self.singletons -= 1,
            _ => {}
        }
        if self.total > HALVE_ABOVE {
            self.halve();
        }
        bit_length(before + 1) > bit_length(before)
    }

    /// The symbols with their counts, most frequent first, ties by symbol.
    #[must_use]
    pub fn most_frequent(&self, limit: usize) -> Vec<(K, u32)> {
        let mut all: Vec<(K, u32)> = self.iter().map(|(symbol, count)| (symbol, u32::from(count))).collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        all.truncate(limit);
        all
    }

    /// Every symbol with its count, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (K, u16)> + '_ {
        let many = if let Entries::Many(many) = &self.entries { Some(many) } else { None };
        let many = many.into_iter().flat_map(|many| many.iter().map(|(&symbol, &count)| (symbol, count)));
        self.entries.few().iter().copied().map(Entry::pair).chain(many)
    }

    /// A node with these counts, as read from a snapshot.
    #[must_use]
    pub fn from_counts(counts: impl IntoIterator<Item = (K, u16)>, touched: u32) -> Self {
        let mut node = Self { touched, ..Self::default() };
        for (symbol, count) in counts {
            match node.entries.get_mut(symbol) {
                Some(known) => *known = count,
                None => node.entries.push(symbol, count),
            }
        }
        node.recount();
        node
    }

    /// The node of what several nodes counted together, halved as often as it takes to be a node.
    #[must_use]
    pub fn pooled(counts: impl IntoIterator<Item = (K, u32)>) -> Self {
        let mut counts: Vec<(K, u32)> = counts.into_iter().collect();
        for pass in 0u32.. {
            let total: u32 = counts.iter().map(|entry| entry.1).sum();
            if total <= u32::from(HALVE_ABOVE) {
                break;
            }
            // The other half of the singletons goes next time: what nothing is taken from would never be small enough.
            let odd = total.wrapping_add(pass) & 1 == 1;
            counts.retain_mut(|(symbol, count)| survives_halving(*symbol, count, odd));
        }
        Self::from_counts(counts.into_iter().filter_map(|(symbol, count)| Some((symbol, u16::try_from(count).ok()?))), 0)
    }

    fn evict_smallest(&mut self) {
        let Some((smallest, _)) = self.iter().min_by_key(|&(symbol, count)| (count, symbol)) else { return };
        self.entries.retain(|symbol, _| symbol != smallest);
        self.recount();
    }

    /// Halves every count, rounding up; a singleton survives iff bit 0 of its hash xor the total before halving is 0.
    fn halve(&mut self) {
        let odd = self.total & 1 == 1;
        self.entries.retain(|symbol, count| survives_halving(symbol, count, odd));
        self.recount();
    }

    fn recount(&mut self) {
        let (total, singletons) =
            self.iter().fold((0, 0), |(total, singletons), (_, count)| (total + count, singletons + u16::from(count == 1)));
        self.total = total;
        self.singletons = singletons;
    }
}

/// Halves a count; whether anything is left of it.
fn survives_halving<K: Symbol, C: Copy + Into<u32> + TryFrom<u32>>(symbol: K, count: &mut C, odd: bool) -> bool {
    let before: u32 = (*count).into();
    if before <= 1 {
        return (symbol.parity() == 1) == odd;
    }
    if let Ok(half) = C::try_from(before.div_ceil(2)) {
        *count = half;
    }
    true
}

/// In stored state a node is what counts: when it was touched, and its symbols in their order.
impl<K: Symbol + Serialize> Serialize for CountNode<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut counts: SmallVec<[(K, u16); SCAN_MAX]> = self.iter().collect();
        counts.sort_unstable();
        (self.touched, &counts[..]).serialize(serializer)
    }
}

impl<'de, K: Symbol + Deserialize<'de>> Deserialize<'de> for CountNode<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (touched, counts) = <(u32, SmallVec<[(K, u16); SCAN_MAX]>)>::deserialize(deserializer)?;
        Ok(Self::from_counts(counts, touched))
    }
}

fn bit_length(count: u16) -> u32 {
    u16::BITS - count.leading_zeros()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::CountNode;

    fn node(counts: &[(u16, u16)]) -> CountNode<u16> {
        CountNode::from_counts(counts.iter().copied(), 0)
    }

    #[track_caller]
    fn check(counts: &[(u16, u16)], symbol: u16, parent: f64, expected: f64) {
        let actual = node(counts).probability(symbol, parent);
        assert!((actual - expected).abs() < 1e-15, "{actual} is not {expected}");
    }

    /// An agent has up to two thousand nodes: what a node takes is most of what an agent takes.
    #[test]
    fn a_node_takes_twenty_four_bytes() {
        assert_eq!([size_of::<CountNode<u8>>(), size_of::<CountNode<u16>>(), size_of::<CountNode<u64>>()], [24; 3]);
    }

    #[test]
    fn an_empty_node_says_what_its_parent_says() {
        check(&[], 2, 0.25, 0.25);
    }

    #[test]
    fn a_frequent_symbol_keeps_its_count() {
        check(&[(2, 3), (4, 1), (6, 1)], 2, 0.1, 3.2 / 6.0);
    }

    #[test]
    fn a_singleton_gives_half_its_count_to_the_unseen() {
        check(&[(2, 3), (4, 1), (6, 1)], 4, 0.1, 0.7 / 6.0);
    }

    #[test]
    fn tables_open_at_powers_of_two() {
        let mut child = CountNode::<u16>::default();
        let opened: Vec<u32> = (1..=16).filter(|_| child.add(2, 64)).collect();
        assert_eq!(opened, [1, 2, 4, 8, 16]);
    }

    #[test]
    fn a_full_node_forgets_its_rarest_symbol() {
        let mut full = node(&[(2, 5), (4, 1), (6, 3)]);
        full.add(8, 3);
        assert_eq!((full.count(4), full.count(8), full.total()), (0, 1, 9));
    }

    #[test]
    fn a_node_halves_above_four_thousand() {
        let mut node = node(&[(2, 3989), (4, 7), (6, 1), (7, 1), (8, 1)]);
        node.add(2, 64);
        assert_eq!(node.total(), 3999 + 1);
        node.add(2, 64);
        // 4001 is odd, so the singletons whose hash is odd survive.
        assert_eq!((node.count(2), node.count(4), node.count(6), node.count(7), node.count(8)), (1996, 4, 0, 1, 0));
        assert_eq!(node.total(), 2001);
    }

    #[test]
    fn a_pool_of_nodes_counts_what_they_counted_together() {
        let pooled = CountNode::pooled([(2u16, 3), (4, 1), (6, 2)]);
        assert_eq!((pooled.count(2), pooled.count(4), pooled.count(6), pooled.total()), (3, 1, 2, 6));
    }

    #[test]
    fn a_pool_too_large_for_a_node_is_halved_until_it_fits() {
        let pooled = CountNode::pooled([(2u16, 30_000), (4, 10_000), (6, 1), (7, 1)]);
        assert_eq!((pooled.count(2), pooled.count(4)), (1875, 625));
        // Singletons of one hash alone, which no total of theirs would thin out.
        assert!(CountNode::pooled((0..5_000u16).map(|number| (2 * number, 1))).total() <= 4_000);
    }

    proptest! {
        #[test]
        fn probabilities_sum_to_one(adds in prop::collection::vec(0u16..60, 1..400)) {
            let mut node = CountNode::<u16>::default();
            for &symbol in &adds {
                node.add(symbol, 64);
            }
            let sum: f64 = (0..60).map(|symbol| node.probability(symbol, 1.0 / 60.0)).sum();
            prop_assert!((sum - 1.0).abs() < 1e-12, "{sum}");
        }

        #[test]
        fn a_node_read_back_is_the_node_that_was_written(adds in prop::collection::vec(0u64..90, 0..900)) {
            let mut node = CountNode::<u64>::default();
            for &symbol in &adds {
                node.add(symbol, 64);
            }
            let copy = CountNode::from_counts(node.iter(), node.touched);
            for symbol in 0..90 {
                prop_assert!(node.probability(symbol, 0.01).to_bits() == copy.probability(symbol, 0.01).to_bits());
            }
        }
    }
}
