//! The chain of a partition's audit records: what comes next, and an anchor now and then. Part of judged state, so that a chain
//! goes on across restarts.

use serde::{Deserialize, Serialize};

use super::identifier;
use crate::finding::audit_record::{AuditRecord, BEGINNING, What};

/// Records from one digest to the next.
const DIGEST_EVERY: u64 = 1_000;

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    sequence: u64,
    previous: String,
}

impl Default for Trail {
    fn default() -> Self {
        Self { sequence: 0, previous: BEGINNING.to_owned() }
    }
}

impl Trail {
    /// Puts a record at the end of the chain of `partition`; a digest may follow. `key` seeds the salts, and keeps what was struck
    /// out from being guessed.
    pub fn extend(&mut self, record: AuditRecord, partition: i32, key: &str) -> Vec<AuditRecord> {
        let at = record.at;
        let mut extended = vec![self.put(record, partition, key)];
        if (self.sequence + 1).is_multiple_of(DIGEST_EVERY) {
            extended.push(self.digest(at, false, partition, key));
        }
        extended
    }

    /// The last record of a stream that ends; `None` if the chain is empty.
    pub fn end(&mut self, at: i64, partition: i32, key: &str) -> Option<AuditRecord> {
        (self.sequence > 0).then(|| self.digest(at, true, partition, key))
    }

    fn digest(&mut self, at: i64, is_last: bool, partition: i32, key: &str) -> AuditRecord {
        let mut digest = AuditRecord::new(What::Digest, at, "", if is_last { "ended" } else { "anchored" });
        digest.records = Some(self.sequence + 1);
        digest.is_last = is_last.then_some(true);
        self.put(digest, partition, key)
    }

    fn put(&mut self, mut record: AuditRecord, partition: i32, key: &str) -> AuditRecord {
        self.sequence += 1;
        let place = format!("{partition}-{}", self.sequence);
        record.seal(partition, self.sequence, &self.previous, |member| identifier::of(&[key, &place, member]));
        self.previous.clone_from(&record.hash);
        record
    }
}

#[cfg(test)]
mod tests {
    use super::Trail;
    use crate::finding::audit_record::{AuditRecord, BEGINNING, What, check};

    #[test]
    fn each_record_holds_the_hash_of_the_one_before() {
        let mut trail = Trail::default();
        let mut previous = BEGINNING.to_owned();
        for sequence in 1..=3 {
            let records = trail.extend(AuditRecord::new(What::Decision, 0, "a", "allowed"), 2, "");
            let [record] = &records[..] else { panic!("one at a time") };
            assert_eq!((record.partition, record.sequence, &record.previous), (2, sequence, &previous));
            assert!(check(&record.to_bytes()).is_ok());
            previous.clone_from(&record.hash);
        }
    }

    #[test]
    fn every_thousandth_record_is_a_digest_and_so_is_the_last() {
        let mut trail = Trail::default();
        let mut records = Vec::new();
        for _ in 0..1_500 {
            records.extend(trail.extend(AuditRecord::new(What::Decision, 0, "a", "allowed"), 0, ""));
        }
        records.extend(trail.end(0, 0, ""));
        let digests: Vec<(u64, Option<u64>, Option<bool>)> = records
            .iter()
            .filter(|record| record.what == What::Digest)
            .map(|digest| (digest.sequence, digest.records, digest.is_last))
            .collect();
        assert_eq!(digests, [(1_000, Some(1_000), None), (1_502, Some(1_502), Some(true))]);
    }

    #[test]
    fn salts_depend_on_the_key() {
        let sealed = |key: &str| {
            let mut record = AuditRecord::new(What::Decision, 0, "a", "allowed");
            record.target = Some("t".into());
            Trail::default().extend(record, 0, key).remove(0)
        };
        assert_ne!(sealed("one").salts, sealed("other").salts);
        assert_eq!(sealed("one"), sealed("one"));
    }
}
