//! Every input record has its effect once, whatever happens in between.

use std::collections::BTreeMap;

use crate::broker::Broker;
use crate::stand::{Seen, Stand, wait_until};

/// Records that no decoder accepts: each must come out as one dead letter, so that the dead letters tell what was lost or doubled.
pub fn unreadable(count: usize) -> Vec<(String, Vec<u8>)> {
    (0..count).map(|number| (format!("agent-{}", number % 37), format!("not json {number}").into_bytes())).collect()
}

pub fn produce(stand: &Stand, records: &[(String, Vec<u8>)]) {
    stand.produce(records.iter().map(|(key, value)| (key.as_str(), value.as_slice())));
}

/// The offsets that the dead letters of each input partition name, in the order in which a reader sees them.
fn origins(letters: &BTreeMap<i32, Vec<Seen>>) -> BTreeMap<i32, Vec<i64>> {
    let mut origins: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for letter in letters.values().flatten() {
        let number = |name: &str| letter.headers[name].parse::<i64>().expect("a number");
        origins.entry(i32::try_from(number("gaitkeeper-partition")).expect("a partition")).or_default().push(number("gaitkeeper-offset"));
    }
    origins
}

/// Each offset from 0 on is there once. Order holds per key, and the dead letters of one input partition keep it when they
/// stay in one partition; across partitions a reader's order means nothing.
#[track_caller]
pub fn assert_each_once(letters: &BTreeMap<i32, Vec<Seen>>, total: usize) {
    let mut count = 0;
    for (partition, mut offsets) in origins(letters) {
        offsets.sort_unstable();
        count += offsets.len();
        let expected: Vec<i64> = (0..i64::try_from(offsets.len()).expect("small")).collect();
        assert_eq!(offsets, expected, "partition {partition}");
    }
    assert_eq!(count, total);
}

/// Sends records that nobody can read through the service and looks at what became of them.
#[track_caller]
fn check_dead_letters(stand: &Stand) {
    produce(stand, &unreadable(2_000));
    let serving = stand.serve();
    serving.wait_for_records(2_000);
    serving.stop().expect("a clean end");
    let letters = stand.committed(&stand.names.dead_letters);
    assert_each_once(&letters, 2_000);
    let letter = letters.values().flatten().find(|letter| letter.value == b"not json 7").expect("record 7");
    assert_eq!(letter.key.as_deref(), Some(&b"agent-7"[..]));
    assert_eq!(letter.headers["gaitkeeper-reason"], "malformed_json");
    assert_eq!(letter.headers["gaitkeeper-topic"], stand.names.inputs[0]);
    assert_eq!(stand.consumed(), 2_000);
}

#[test]
fn unreadable_records_become_dead_letters_with_their_origin() {
    let Some(broker) = Broker::shared() else { return };
    check_dead_letters(&Stand::new(broker, "unreadable", 3));
}

#[test]
fn without_transactions_an_undisturbed_run_doubles_nothing_either() {
    let Some(broker) = Broker::shared() else { return };
    check_dead_letters(&Stand::new(broker, "plain", 3).at_least_once());
}

#[test]
fn a_restart_goes_on_where_the_last_commit_ended() {
    let Some(broker) = Broker::shared() else { return };
    let stand = Stand::new(broker, "restart", 3);
    produce(&stand, &unreadable(6_000));
    let mut taken = 0;
    for least in [1, 1, 6_000] {
        let serving = stand.serve();
        serving.wait_for_records(least.min(6_000 - taken));
        if least == 6_000 {
            wait_until("everything is consumed", || stand.consumed() == 6_000);
        }
        let meters = serving.meters.clone();
        serving.stop().expect("a clean end");
        taken += meters.records.get();
    }
    assert_eq!(taken, 6_000, "after a clean end nothing is read twice");
    assert_each_once(&stand.committed(&stand.names.dead_letters), 6_000);
}

/// The brokers delete what was to be read next while nobody runs.
#[track_caller]
fn check_deleted(stand: &Stand) {
    produce(stand, &unreadable(1_000));
    let serving = stand.serve();
    wait_until("everything is consumed", || stand.consumed() == 1_000);
    serving.stop().expect("a clean end");
    produce(stand, &unreadable(1_000));
    stand.delete_records_before(1_500);
    let serving = stand.serve();
    wait_until("everything is consumed", || stand.consumed() == 2_000);
    let meters = serving.meters.clone();
    serving.stop().expect("a clean end");
    assert_eq!(meters.records_lost.get(), 500);
    assert_eq!(meters.records.get(), 500);
    assert_eq!(meters.rebuilds.get(), 0);
    let offsets = &origins(&stand.committed(&stand.names.dead_letters))[&0];
    let expected: Vec<i64> = (0..1_000).chain(1_500..2_000).collect();
    assert_eq!(offsets, &expected);
}

#[test]
fn records_that_were_deleted_before_they_were_read_are_counted_and_passed_over() {
    let Some(broker) = Broker::shared() else { return };
    check_deleted(&Stand::new(broker, "deleted", 1));
    check_deleted(&Stand::new(broker, "deleted-eager", 1).with("partition.assignment.strategy", "range"));
}
