//! The ids of an agent's last events, to recognise a repeat without walking through all of them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Ids that are kept.
const KEPT: usize = 1024;

/// Hashes of the last ids, at most 1,024. In stored state the oldest comes first.
#[derive(Debug, Clone, Default)]
pub struct EventIds {
    hashes: Vec<u64>,
    /// One byte of each hash: a search looks at these, and at a hash only where its byte agrees.
    marks: Vec<u8>,
    /// Place of the oldest, once there is no room left.
    oldest: usize,
}

impl EventIds {
    /// True if `hash` is among them; otherwise it joins them, in the place of the oldest.
    pub fn is_repeat(&mut self, hash: u64) -> bool {
        let mark = mark(hash);
        if memchr::memchr_iter(mark, &self.marks).any(|at| self.hashes[at] == hash) {
            return true;
        }
        if self.hashes.len() < KEPT {
            self.hashes.push(hash);
            self.marks.push(mark);
        } else {
            self.hashes[self.oldest] = hash;
            self.marks[self.oldest] = mark;
            self.oldest = (self.oldest + 1) % KEPT;
        }
        false
    }
}

fn mark(hash: u64) -> u8 {
    hash.to_le_bytes()[0]
}

impl Serialize for EventIds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (newer, older) = self.hashes.split_at(self.oldest);
        serializer.collect_seq(older.iter().chain(newer))
    }
}

impl<'de> Deserialize<'de> for EventIds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut hashes = Vec::<u64>::deserialize(deserializer)?;
        hashes.drain(..hashes.len().saturating_sub(KEPT));
        let marks = hashes.iter().copied().map(mark).collect();
        Ok(Self { hashes, marks, oldest: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::{EventIds, KEPT};

    #[test]
    fn an_id_is_a_repeat_while_it_is_among_the_last() {
        let mut ids = EventIds::default();
        // All marks agree, so that only the hashes tell them apart.
        let id = |number: usize| (number as u64) << 8;
        for number in 0..KEPT + 10 {
            assert!(!ids.is_repeat(id(number)));
        }
        assert!(ids.is_repeat(id(KEPT)) && ids.is_repeat(id(10)));
        assert!(!ids.is_repeat(id(9)), "forgotten");
    }

    #[test]
    fn stored_ids_are_forgotten_in_the_same_order() {
        let mut ids = EventIds::default();
        for number in 0..KEPT as u64 + 700 {
            ids.is_repeat(number);
        }
        let stored = serde_json::to_string(&ids).unwrap();
        let mut copy: EventIds = serde_json::from_str(&stored).unwrap();
        assert_eq!(serde_json::to_string(&copy).unwrap(), stored);
        for number in 5_000..6_500 {
            assert_eq!((ids.is_repeat(number), ids.is_repeat(number - 4_290)), (copy.is_repeat(number), copy.is_repeat(number - 4_290)));
        }
    }
}
