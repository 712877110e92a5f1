//! Values by 64-bit key, for the many small tables of an agent. Values lie in pages of a fixed size, so that a table grows without
//! moving what it holds and leaves no holes behind in memory; the index beside them is a number of four bytes for each place.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};

use super::prefetch::prefetch;

/// Values in a page: on average half a page is free.
const PAGE: usize = 8;
/// Places of the smallest index.
const PLACES_MIN: usize = 8;
/// Most values that are made room for on the word of stored bytes alone.
const ROOM_BY_HINT_MAX: usize = 4096;
/// A place that holds nothing. No value has all ones for its number: an index is never full.
const NOTHING: u32 = u32::MAX;

/// Values by key. In stored state a map in the order of its keys.
#[derive(Debug, Clone)]
pub struct Table<V> {
    /// A power of two of places, at most three quarters of them taken: below as many bits as number the places the number of a value,
    /// above them those of its key's hash. A value stands at the first place from its hash on that was free.
    index: Box<[u32]>,
    pages: Vec<Box<[(u64, V); PAGE]>>,
    len: u32,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self { index: Box::default(), pages: Vec::new(), len: 0 }
    }
}

/// A key with its hash, for who looks in several tables for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashed {
    key: u64,
    hash: u32,
}

impl From<u64> for Hashed {
    /// Keys are numbers that nobody outside chooses, so that it is enough to spread what differs over all bits.
    #[inline]
    fn from(key: u64) -> Self {
        let product = (key ^ key >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // The upper half, whose bits depend on all of the key.
        let hash = ((product ^ product >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32) as u32;
        Self { key, hash }
    }
}

impl<V> Table<V> {
    /// The value of `key`.
    #[inline]
    #[must_use]
    pub fn get(&self, key: impl Into<Hashed>) -> Option<&V> {
        Some(&self.entry(self.find(key.into())?).1)
    }

    /// Asks for the line of memory in which the search for `key` begins: a hint.
    #[inline]
    pub fn ask_for_place(&self, key: Hashed) {
        if let Some(place) = self.index.get(key.hash as usize & self.mask()) {
            prefetch(place);
        }
    }

    /// Asks for the line of the value of `key`, once its place should be there: a hint. No value is read for it, so that it is that of
    /// another key where the bits of their hashes are the same.
    #[inline]
    pub fn ask_for_value(&self, key: Hashed) {
        if let Some(at) = self.search(key.hash, |_| true) {
            prefetch(self.entry(at));
        }
    }

    /// Whether `key` has a value.
    #[must_use]
    pub fn contains_key(&self, key: impl Into<Hashed>) -> bool {
        self.get(key).is_some()
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Keys and values, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&u64, &V)> {
        self.pages.iter().flat_map(|page| page.iter()).take(self.len()).map(|(key, value)| (key, value))
    }

    /// Keys, in no particular order.
    pub fn keys(&self) -> impl Iterator<Item = &u64> {
        self.iter().map(|entry| entry.0)
    }

    /// Values, in no particular order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|entry| entry.1)
    }

    /// Bytes of the values and of what finds them, were no place free; without what a value holds elsewhere.
    #[must_use]
    pub fn bytes(&self) -> usize {
        // An index entry with the places that must stay free beside it.
        self.len() * (size_of::<(u64, V)>() + size_of::<u32>() + 1)
    }

    #[inline]
    fn entry(&self, at: u32) -> &(u64, V) {
        &self.pages[at as usize / PAGE][at as usize % PAGE]
    }

    #[inline]
    fn mask(&self) -> usize {
        self.index.len().wrapping_sub(1)
    }

    /// The number of the value of a key.
    #[inline]
    fn find(&self, Hashed { key, hash }: Hashed) -> Option<u32> {
        self.search(hash, |at| self.entry(at).0 == key)
    }

    /// The first number at a place of the hash that is the one sought.
    #[inline]
    fn search(&self, hash: u32, is_sought: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.mask();
        #[expect(clippy::cast_possible_truncation, reason = "there are at most 2^32 places")]
        let number = mask as u32;
        // Of an empty index `get` says that there is nothing.
        let mut place = hash as usize & mask;
        loop {
            let held = *self.index.get(place)?;
            if held == NOTHING {
                return None;
            }
            if (held ^ hash) & !number == 0 && is_sought(held & number) {
                return Some(held & number);
            }
            place = (place + 1) & mask;
        }
    }
}

impl<V: Default> Table<V> {
    /// The value of `key`, to change; made if there was none.
    ///
    /// # Panics
    /// With 2^31 values.
    #[inline]
    pub fn or_default(&mut self, key: impl Into<Hashed>) -> &mut V {
        let key = key.into();
        let at = self.find(key).unwrap_or_else(|| self.push(key));
        &mut self.pages[at as usize / PAGE][at as usize % PAGE].1
    }

    /// Keeps what `keep` says.
    pub fn retain(&mut self, mut keep: impl FnMut(u64, &V) -> bool) {
        let mut kept = Self::with_room(self.len());
        let held = std::mem::take(self);
        for (key, value) in held.pages.into_iter().flat_map(|page| *page).take(held.len as usize) {
            if keep(key, &value) {
                *kept.or_default(key) = value;
            }
        }
        *self = kept;
    }

    fn with_room(values: usize) -> Self {
        let mut table = Self { pages: Vec::with_capacity(values.div_ceil(PAGE)), ..Self::default() };
        if values > 0 {
            table.index = places_for(values);
        }
        table
    }

    /// Adds a key that is not there yet; its number.
    fn push(&mut self, key: Hashed) -> u32 {
        let at = self.len;
        if at as usize + 1 > taken_max(self.index.len()) {
            self.reindex(at as usize + 1);
        }
        if at as usize == self.pages.len() * PAGE {
            self.pages.push(Box::new(std::array::from_fn(|_| (0, V::default()))));
        }
        self.pages[at as usize / PAGE][at as usize % PAGE].0 = key.key;
        place(&mut self.index, key.hash, at);
        self.len += 1;
        at
    }

    fn reindex(&mut self, values: usize) {
        let mut index = places_for(values);
        for (key, at) in self.keys().zip(0..) {
            place(&mut index, Hashed::from(*key).hash, at);
        }
        self.index = index;
    }
}

/// How many of so many places may be taken.
fn taken_max(places: usize) -> usize {
    places / 4 * 3
}

/// An empty index with room for so many values.
fn places_for(values: usize) -> Box<[u32]> {
    let places = (values * 4).div_ceil(3).next_power_of_two().max(PLACES_MIN);
    assert!(u32::try_from(places).is_ok(), "2^31 values would not fit the memory");
    vec![NOTHING; places].into()
}

/// Puts the number of a value in the first free place from its hash on.
fn place(index: &mut [u32], hash: u32, at: u32) {
    let mask = index.len() - 1;
    let mut place = hash as usize & mask;
    while index[place] != NOTHING {
        place = (place + 1) & mask;
    }
    #[expect(clippy::cast_possible_truncation, reason = "there are at most 2^32 places")]
    let number = mask as u32;
    index[place] = hash & !number | at;
}

impl<V: Serialize> Serialize for Table<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries: Vec<(&u64, &V)> = self.iter().collect();
        entries.sort_unstable_by_key(|entry| entry.0);
        serializer.collect_map(entries)
    }
}

impl<'de, V: Deserialize<'de> + Default> Deserialize<'de> for Table<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Filled(PhantomData))
    }
}

struct Filled<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de> + Default> Visitor<'de> for Filled<V> {
    type Value = Table<V>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map by 64-bit key")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table<V>, A::Error> {
        let mut table = Table::with_room(map.size_hint().unwrap_or(0).min(ROOM_BY_HINT_MAX));
        while let Some((key, value)) = map.next_entry::<u64, V>()? {
            *table.or_default(key) = value;
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::Table;

    proptest! {
        #[test]
        fn a_table_is_the_map_of_the_same_changes(changes in prop::collection::vec((0u64..60, any::<bool>()), 0..500)) {
            let (mut table, mut map) = (Table::<u64>::default(), BTreeMap::<u64, u64>::new());
            for (number, (key, is_removed)) in (1..).zip(changes) {
                if is_removed {
                    table.retain(|known, _| known != key);
                    map.remove(&key);
                } else {
                    *table.or_default(key) += number;
                    *map.entry(key).or_default() += number;
                }
                prop_assert_eq!(table.len(), map.len());
            }
            for key in 0..60 {
                table.ask_for_place(key.into());
                table.ask_for_value(key.into());
                prop_assert_eq!(table.get(key), map.get(&key));
            }
            prop_assert_eq!(table.iter().collect::<BTreeMap<_, _>>(), map.iter().collect());
            let stored = serde_json::to_string(&table).unwrap();
            prop_assert_eq!(&stored, &serde_json::to_string(&map).unwrap());
            let copy: Table<u64> = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(copy.iter().collect::<BTreeMap<_, _>>(), map.iter().collect());
        }
    }
}
