//! A saved trail of ten thousand records, tampered with in every way: each is found, and at the right record.
//!
//! What stands before a fault is read before it and what stands behind it is not needed to find it, so a neighbourhood tells what
//! the whole would; that it does is checked on the whole as well.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::verify::{self, Extent, Fault};
use crate::engine::audit::Trail;
use crate::finding::audit_record::{AnswerShown, AuditRecord, What};

/// Ten of them are digests on the way, and one more is their end.
const RECORDS: usize = 10_001;
const DIGESTS: usize = 11;

/// A trail of so many records, and of the digests between and behind them.
pub(super) fn trail(count: usize) -> Vec<Vec<u8>> {
    let mut trail = Trail::default();
    let mut records = Vec::new();
    for at in 0..count {
        let what = [What::Decision, What::Request, What::Answer, What::State][at % 4];
        let mut record = AuditRecord::new(what, 1_767_225_600_000 + i64::try_from(at).unwrap(), "agent \u{e9}", "allowed");
        record.target = Some(format!("order/{at}"));
        record.score = Some(at as f64 / 7.0);
        record.answer = (what == What::Answer).then(|| AnswerShown {
            outcome: "approved".into(),
            decided_by: Some("eve".into()),
            decided_at: record.at,
            reason: Some("a \"reason\"\nin two lines".into()),
        });
        records.extend(trail.extend(record, 0, "key").iter().map(AuditRecord::to_bytes));
    }
    records.extend(trail.end(1_767_225_700_000, 0, "key").iter().map(AuditRecord::to_bytes));
    records
}

fn ten_thousand() -> Vec<Vec<u8>> {
    let records = trail(RECORDS - DIGESTS);
    assert_eq!(records.len(), RECORDS);
    records
}

/// As it is saved: each record with the end of its line.
fn saved<'r>(records: impl IntoIterator<Item = &'r Vec<u8>>) -> Vec<u8> {
    records.into_iter().flat_map(|record| record.iter().chain(b"\n").copied()).collect()
}

#[track_caller]
fn fault(content: &[u8], extent: Extent, told: &str) -> Fault {
    verify::verify(verify::records(content), extent).expect_err(told)
}

/// The neighbourhood of a record: the one before it, where there is one, itself, and the one behind.
struct Near {
    content: Vec<u8>,
    /// Where the record begins in it.
    begin: usize,
    /// Its length with the end of its line.
    length: usize,
    /// Its number in it, from 1.
    number: usize,
}

fn near(records: &[Vec<u8>], at: usize) -> Near {
    let from = at.saturating_sub(1);
    let content = saved(&records[from..(at + 2).min(records.len())]);
    let begin = if from < at { records[from].len() + 1 } else { 0 };
    Near { content, begin, length: records[at].len() + 1, number: at - from + 1 }
}

impl Near {
    /// Changes one byte of the record, or takes it out.
    #[track_caller]
    fn check(&self, place: usize, byte: Option<u8>) {
        let mut content = self.content.clone();
        let before = content[self.begin + place];
        match byte {
            Some(byte) => content[self.begin + place] = byte,
            None => drop(content.remove(self.begin + place)),
        }
        let told = format!("byte {place} from {before} to {byte:?}");
        assert_eq!(fault(&content, Extent::Part, &told).number, self.number, "{told}");
    }
}

#[test]
fn a_byte_changed_or_taken_out_of_any_of_ten_thousand_records_is_found_in_that_record() {
    let records = ten_thousand();
    let mut random = ChaCha8Rng::seed_from_u64(8);
    for at in 0..records.len() {
        let near = near(&records, at);
        let place = random.random_range(0..near.length);
        near.check(place, Some(near.content[near.begin + place] ^ random.random_range(1..=255)));
        // Without the end of its last line a file says the same.
        near.check(random.random_range(0..near.length - 1), None);
    }
}

#[test]
fn every_byte_of_a_record_counts() {
    let records = ten_thousand();
    for at in [0, 1, 2, 3, 999, 5_000, RECORDS - 2, RECORDS - 1] {
        let near = near(&records, at);
        for place in 0..near.length {
            let byte = near.content[near.begin + place];
            for other in [byte ^ 1, byte ^ 0x20, b' ', b'\n', b'"', b'0'] {
                // The end of the last line may be an end of any kind.
                if other != byte && !(place + 1 == near.length && other == b'\n') {
                    near.check(place, Some(other));
                }
            }
        }
    }
}

#[test]
fn any_record_taken_out_is_missed_at_its_place() {
    let records = ten_thousand();
    for at in 1..records.len() - 1 {
        let fault = fault(&saved([&records[at - 1], &records[at + 1]]), Extent::Part, "one is missing");
        assert_eq!((fault.number, fault.sequence), (2, Some(at as u64 + 1)));
    }
}

#[test]
fn any_two_neighbours_that_change_places_are_found_at_the_first() {
    let records = ten_thousand();
    for at in 1..records.len() - 1 {
        let fault = fault(&saved([&records[at - 1], &records[at + 1], &records[at]]), Extent::Part, "two changed places");
        assert_eq!((fault.number, fault.sequence), (2, Some(at as u64 + 2)));
    }
}

#[test]
fn in_the_whole_stream_it_is_found_at_the_same_record() {
    let records = ten_thousand();
    assert!(verify::verify(verify::records(&saved(&records)), Extent::Whole).is_ok());
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let places: Vec<usize> = (0..6).map(|_| random.random_range(1..RECORDS - 1)).collect();
    for at in places.into_iter().chain([0, RECORDS - 1]) {
        let mut changed = records.clone();
        let place = random.random_range(0..changed[at].len());
        changed[at][place] ^= 1;
        assert_eq!(fault(&saved(&changed), Extent::Whole, "a byte").number, at + 1);
        let mut shorter = records.clone();
        shorter.remove(at);
        let missing = fault(&saved(&shorter), Extent::Whole, "one is missing");
        assert_eq!((missing.number, missing.sequence), (at + 1, Some(at as u64 + 1)));
        let other = random.random_range(0..RECORDS);
        if other != at {
            let mut swapped = records.clone();
            swapped.swap(at, other);
            assert_eq!(fault(&saved(&swapped), Extent::Whole, "two changed places").number, at.min(other) + 1);
        }
    }
}
