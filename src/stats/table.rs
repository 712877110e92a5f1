//! Values by 64-bit key, for the many small tables of an agent: the values lie close together in one list, and only the index beside
//! it has free places. A plain hash table would keep a free place of full size for every value or two.

use std::fmt;
use std::hash::BuildHasher;
use std::marker::PhantomData;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};

/// Room for so many values is made at first; later a quarter of what is there.
const ROOM_MIN: usize = 4;
/// Most values that are made room for on the word of stored bytes alone.
const ROOM_BY_HINT_MAX: usize = 4096;
const HASHER: FixedState = FixedState::with_seed(0);

/// Values by key. In stored state a map in the order of its keys.
#[derive(Debug, Clone)]
pub struct Table<V> {
    /// Places in `entries`.
    index: HashTable<u32>,
    entries: Vec<(u64, V)>,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self { index: HashTable::new(), entries: Vec::new() }
    }
}

impl<V> Table<V> {
    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &u64) -> Option<&V> {
        let at = *self.index.find(HASHER.hash_one(key), |&at| self.entries[at as usize].0 == *key)?;
        Some(&self.entries[at as usize].1)
    }

    /// Whether `key` has a value.
    #[must_use]
    pub fn contains_key(&self, key: &u64) -> bool {
        self.get(key).is_some()
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keys and values, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&u64, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// Keys, in no particular order.
    pub fn keys(&self) -> impl Iterator<Item = &u64> {
        self.entries.iter().map(|entry| &entry.0)
    }

    /// Values, in no particular order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|entry| &entry.1)
    }

    /// The value of `key`, to change; made if there was none.
    ///
    /// # Panics
    /// With 2^32 values.
    pub fn or_default(&mut self, key: u64) -> &mut V
    where
        V: Default,
    {
        let Self { index, entries } = self;
        let of = |at: &u32| entries[*at as usize].0;
        let at = match index.entry(HASHER.hash_one(key), |at| of(at) == key, |at| HASHER.hash_one(of(at))) {
            Entry::Occupied(known) => *known.get() as usize,
            Entry::Vacant(free) => {
                let at = entries.len();
                free.insert(u32::try_from(at).expect("2^32 values would not fit the memory"));
                if at == entries.capacity() {
                    entries.reserve_exact((at / 4).max(ROOM_MIN));
                }
                entries.push((key, V::default()));
                at
            }
        };
        &mut entries[at].1
    }

    /// Bytes of the values and of what finds them, were no place free; without what a value holds elsewhere.
    #[must_use]
    pub fn bytes(&self) -> usize {
        // An index entry is a number and a byte of hash.
        self.len() * (size_of::<(u64, V)>() + size_of::<u32>() + 1)
    }

    /// Takes the value of `key` out.
    pub fn remove(&mut self, key: &u64) -> Option<V> {
        let Self { index, entries } = self;
        let found = index.find_entry(HASHER.hash_one(key), |&at| entries[at as usize].0 == *key).ok()?;
        let (at, _) = found.remove();
        let (_, value) = entries.swap_remove(at as usize);
        if let Some((moved, _)) = entries.get(at as usize)
            && let Some(place) = index.find_mut(HASHER.hash_one(moved), |&place| place as usize == entries.len())
        {
            *place = at;
        }
        Some(value)
    }
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
        let room = map.size_hint().unwrap_or(0).min(ROOM_BY_HINT_MAX);
        let mut table = Table { index: HashTable::with_capacity(room), entries: Vec::with_capacity(room) };
        while let Some((key, value)) = map.next_entry()? {
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
                    prop_assert_eq!(table.remove(&key), map.remove(&key));
                } else {
                    *table.or_default(key) += number;
                    *map.entry(key).or_default() += number;
                }
                prop_assert_eq!(table.len(), map.len());
            }
            for key in 0..60 {
                prop_assert_eq!(table.get(&key), map.get(&key));
            }
            prop_assert_eq!(table.iter().collect::<BTreeMap<_, _>>(), map.iter().collect());
            let stored = serde_json::to_string(&table).unwrap();
            prop_assert_eq!(&stored, &serde_json::to_string(&map).unwrap());
            let copy: Table<u64> = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(copy.iter().collect::<BTreeMap<_, _>>(), map.iter().collect());
        }
    }
}
