//! Whether a saved trail is whole and untouched. Of each chain every record is checked by itself (form, commitments, hash), then
//! its place: behind the one before, whose hash it names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::finding::audit_record::{self, BEGINNING, RecordError};

/// How much of a trail must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// From its first record to the digest that ends it, as `replay` writes it.
    Whole,
    /// Older records may be gone and newer ones still to come, as on a topic.
    Part,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line or record in the order of reading, from 1.
    pub number: usize,
    /// Chain, as far as it is known.
    pub partition: Option<i64>,
    /// Place in the chain: of the record, or of the first missing one.
    pub sequence: Option<u64>,
    /// What is wrong.
    pub what: What,
}

/// What is wrong with a record or its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It is not what was written.
    Altered(RecordError),
    /// The record of that place is not there.
    Missing,
    /// It stands before one that belongs in front of it, or behind its place.
    Reordered,
    /// It stands there twice.
    Repeated,
    /// It names another record before it than the one that is there.
    Broken,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "record {}", self.number)?;
        if let (Some(partition), Some(sequence)) = (self.partition, self.sequence) {
            write!(formatter, " (partition {partition}, sequence {sequence})")?;
        }
        match &self.what {
            What::Altered(error) => write!(formatter, " was altered: it {error}"),
            What::Missing => formatter.write_str(": that sequence is missing before here"),
            What::Reordered => formatter.write_str(" is out of its order"),
            What::Repeated => formatter.write_str(" stands there twice"),
            What::Broken => formatter.write_str(" does not follow the record before it"),
        }
    }
}

/// The newest record of a chain, for keeping elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Place in the chain.
    pub sequence: u64,
    /// Its hash.
    pub hash: String,
}

struct Link {
    number: usize,
    sequence: u64,
    previous: String,
    hash: String,
    is_last: bool,
}

/// The records of a saved trail, one a line.
pub fn records(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// Checks records in the order of reading; returns the head of each chain.
///
/// # Errors
/// The first fault, in the order of reading.
pub fn verify<'r>(records: impl IntoIterator<Item = &'r [u8]>, extent: Extent) -> Result<BTreeMap<i64, Head>, Fault> {
    let mut chains: BTreeMap<i64, Vec<Link>> = BTreeMap::new();
    let mut altered = None;
    let mut count = 0;
    for (number, bytes) in (1..).zip(records) {
        count = number;
        match audit_record::check(bytes) {
            Ok(value) => {
                let (partition, link) = link(number, &value);
                chains.entry(partition).or_default().push(link);
            }
            Err(error) => {
                let (partition, sequence) = place(bytes);
                altered = Some(Fault { number, partition, sequence, what: What::Altered(error) });
                break;
            }
        }
    }
    let is_cut = altered.is_some();
    let faults = chains.iter().filter_map(|(partition, links)| order(*partition, links, extent, is_cut, count));
    match altered.into_iter().chain(faults).min_by_key(|fault| fault.number) {
        Some(fault) => Err(fault),
        None => Ok(chains.into_iter().filter_map(|(partition, links)| Some((partition, head(&links)?))).collect()),
    }
}

fn head(links: &[Link]) -> Option<Head> {
    links.last().map(|link| Head { sequence: link.sequence, hash: link.hash.clone() })
}

fn link(number: usize, value: &Value) -> (i64, Link) {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let link = Link {
        number,
        sequence: value.get("sequence").and_then(Value::as_u64).unwrap_or_default(),
        previous: text("previous"),
        hash: text("hash"),
        is_last: value.get("is_last").and_then(Value::as_bool).unwrap_or(false),
    };
    (value.get("partition").and_then(Value::as_i64).unwrap_or_default(), link)
}

/// What an altered record says of its place, if it can still be read.
fn place(bytes: &[u8]) -> (Option<i64>, Option<u64>) {
    let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
    (value.get("partition").and_then(Value::as_i64), value.get("sequence").and_then(Value::as_u64))
}

/// The first fault in the order of a chain. `is_cut`: what follows its last link was not looked at.
fn order(partition: i64, links: &[Link], extent: Extent, is_cut: bool, count: usize) -> Option<Fault> {
    let known: BTreeSet<u64> = links.iter().map(|link| link.sequence).collect();
    let fault = |number, sequence, what| Some(Fault { number, partition: Some(partition), sequence: Some(sequence), what });
    let mut seen = BTreeSet::new();
    let mut before = match (extent, links.first()) {
        (Extent::Whole, _) => Some((0, BEGINNING)),
        (Extent::Part, _) => None,
    };
    for link in links {
        if !seen.insert(link.sequence) {
            return fault(link.number, link.sequence, What::Repeated);
        }
        if let Some((sequence, hash)) = before {
            let expected = sequence + 1;
            if link.sequence != expected {
                let is_elsewhere = link.sequence < expected || known.contains(&expected);
                return if is_elsewhere {
                    fault(link.number, link.sequence, What::Reordered)
                } else {
                    fault(link.number, expected, What::Missing)
                };
            }
            if link.previous != hash {
                return fault(link.number, link.sequence, What::Broken);
            }
        }
        before = Some((link.sequence, &link.hash));
    }
    let ended = links.last().is_none_or(|link| link.is_last);
    let (last, _) = before?;
    (extent == Extent::Whole && !ended && !is_cut).then(|| fault(count + 1, last + 1, What::Missing)).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::tampering::trail;
    use super::*;
    use crate::finding::audit_record::AuditRecord;
    use crate::stats::canonical;

    fn checked(records: &[Vec<u8>]) -> Result<BTreeMap<i64, Head>, Fault> {
        verify(records.iter().map(Vec::as_slice), Extent::Whole)
    }

    #[track_caller]
    fn check(records: &[Vec<u8>], number: usize, expected: &str) {
        let fault = checked(records).expect_err("tampered with");
        assert_eq!(fault.number, number, "{fault}");
        assert!(fault.to_string().contains(expected), "{fault}");
    }

    #[test]
    fn an_untouched_trail_holds() {
        let records = trail(2_500);
        let heads = checked(&records).expect("untouched");
        assert_eq!(heads[&0].sequence, records.len() as u64);
    }

    #[test]
    fn deletions_swaps_and_repeats_are_found_at_their_place() {
        let records = trail(100);
        let changed = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
            let mut records = records.clone();
            change(&mut records);
            records
        };
        check(&changed(&|records| drop(records.remove(0))), 1, "sequence 1): that sequence is missing");
        check(&changed(&|records| drop(records.remove(41))), 42, "sequence 42): that sequence is missing");
        check(&changed(&|records| drop(records.pop())), 101, "sequence 101): that sequence is missing");
        check(&changed(&|records| records.swap(10, 20)), 11, "sequence 21) is out of its order");
        check(&changed(&|records| records.insert(5, records[4].clone())), 6, "sequence 5) stands there twice");
    }

    #[test]
    fn a_record_made_anew_breaks_the_chain_behind_it() {
        let mut records = trail(100);
        let mut record: AuditRecord = serde_json::from_slice(&records[30]).unwrap();
        record.outcome = "forged".into();
        (record.commitments, record.salts) = Default::default();
        let previous = record.previous.clone();
        record.seal(0, 31, &previous, |_| "salt".into());
        records[30] = record.to_bytes();
        check(&records, 32, "does not follow the record before it");
    }

    #[test]
    fn a_part_of_a_topic_may_begin_and_end_anywhere() {
        let records = trail(100);
        assert!(verify(records[10..50].iter().map(Vec::as_slice), Extent::Part).is_ok());
        let holed = records[10..20].iter().chain(&records[21..50]).map(Vec::as_slice);
        assert_eq!(verify(holed, Extent::Part).unwrap_err().sequence, Some(21));
    }

    #[test]
    fn redaction_keeps_the_chain() {
        let mut records = trail(50);
        for bytes in &mut records {
            let mut value: Value = serde_json::from_slice(bytes).unwrap();
            audit_record::redact(&mut value, &["target"]);
            *bytes = canonical::bytes(&value);
        }
        assert!(checked(&records).is_ok());
        assert!(!String::from_utf8_lossy(&records[0]).contains("order/"));
    }
}
