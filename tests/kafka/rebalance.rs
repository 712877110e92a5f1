//! Partitions move between instances while records flow; a reader of committed records sees each effect once, in order.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::broker::Broker;
use crate::delivery::{assert_each_once, unreadable};
use crate::process::{Process, config_file, while_fed};
use crate::stand::{SHORT_SESSION, Stand, wait_until, wait_until_or};

const TOTAL: usize = 30_000;
/// The records come in slices, so that partitions move in the middle of the stream.
const SLICE: usize = 500;
const SLICE_EVERY: Duration = Duration::from_millis(150);

/// Letters of one key are in one partition, in the order of their origin.
fn assert_in_order(stand: &Stand) {
    for letters in stand.committed(&stand.names.dead_letters).into_values() {
        let mut newest: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
        for letter in letters {
            let key = letter.key.expect("the agent");
            let offset: i64 = letter.headers["gaitkeeper-offset"].parse().expect("a number");
            let before = newest.insert(key.clone(), offset);
            assert!(before.is_none_or(|before| before < offset), "{}: {offset} after {before:?}", String::from_utf8_lossy(&key));
        }
    }
}

/// Two instances: one joins, one leaves, one is killed, one comes back, all while records flow.
#[track_caller]
fn check_moves(test: &str, settings: &[(&str, &str)]) {
    let Some(broker) = Broker::shared() else { return };
    let stand = settings.iter().fold(Stand::new(broker, test, 4), |stand, (name, value)| stand.with(name, value));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config_file(&stand, folder.path());
    let start = |name: &str| Process::start(folder.path(), name, &["run", "--config", &config]);
    let consumed_more = |than: i64| wait_until("the group goes on", || stand.consumed() > than);
    let records = unreadable(TOTAL);
    thread::scope(|scope| {
        scope.spawn(|| {
            for slice in records.chunks(SLICE) {
                stand.produce(slice.iter().map(|(key, value)| (key.as_str(), value.as_slice())));
                thread::sleep(SLICE_EVERY);
            }
        });
        let mut first = start("first");
        consumed_more(0);
        let second = start("second");
        wait_until("the second instance owns partitions", || second.said().contains("partition gained"));
        consumed_more(stand.consumed());
        first.signal("TERM");
        assert!(first.wait().success(), "{}", first.said());
        let third = start("third");
        wait_until("the third instance owns partitions", || third.said().contains("partition gained"));
        consumed_more(stand.consumed());
        // Dropping kills it in the middle of whatever it does.
        drop(second);
        let mut fourth = start("fourth");
        wait_until("everything is consumed", || stand.consumed() == i64::try_from(TOTAL).expect("small"));
        drop(third);
        fourth.signal("TERM");
        assert!(fourth.wait().success(), "{}", fourth.said());
    });
    assert_each_once(&stand.committed(&stand.names.dead_letters), TOTAL);
    assert_in_order(&stand);
}

#[test]
fn nothing_is_lost_or_doubled_when_partitions_move_cooperatively() {
    check_moves("cooperative", &[]);
}

#[test]
fn nothing_is_lost_or_doubled_when_partitions_move_eagerly() {
    check_moves("eager", &[("partition.assignment.strategy", "range")]);
}

#[test]
fn nothing_is_lost_or_doubled_when_the_brokers_assign() {
    check_moves("assigned", &[("group.protocol", "consumer")]);
}

/// Whoever takes over has nothing to do once more: what was taken before is committed when partitions are given up.
#[test]
fn what_was_taken_is_committed_before_its_partition_is_given_up() {
    let Some(broker) = Broker::shared() else { return };
    let mut stand = Stand::new(broker, "given-up", 4).with("transaction.timeout.ms", "60000");
    // Longer than the test takes: nothing is committed but by giving up.
    stand.config.kafka.commit_interval_ms = 50_000;
    let records = unreadable(1_000);
    let first = stand.serve();
    wait_until("it owns everything", || first.meters.partitions.get() == 4);
    stand.produce(records.iter().map(|(key, value)| (key.as_str(), value.as_slice())));
    first.wait_for_records(1_000);
    assert_eq!(stand.consumed(), 0);
    let second = stand.serve();
    wait_until("the partitions are shared", || first.meters.partitions.get() == 2 && second.meters.partitions.get() == 2);
    assert_eq!(stand.consumed(), 1_000);
    let meters = second.meters.clone();
    for serving in [first, second] {
        serving.stop().expect("a clean end");
    }
    assert_eq!(meters.records.get(), 0, "records were taken twice");
    assert_each_once(&stand.committed(&stand.names.dead_letters), 1_000);
}

#[test]
fn a_killed_broker_is_waited_for_and_costs_nothing() {
    let Some(mut broker) = Broker::private("killed", SHORT_SESSION) else { return };
    let stand = Stand::new(&broker, "killed", 4);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config_file(&stand, folder.path());
    let records = unreadable(20_000);
    let (before, after) = records.split_at(10_000);
    stand.produce(before.iter().map(|(key, value)| (key.as_str(), value.as_slice())));
    let mut process = Process::start(folder.path(), "run", &["run", "--config", &config]);
    wait_until("the service commits", || stand.consumed() > 0);
    broker.kill();
    wait_until("it says so", || process.said().contains("do not answer any more"));
    broker.restart();
    wait_until("it says that too", || process.said().contains("answer again"));
    stand.produce(after.iter().map(|(key, value)| (key.as_str(), value.as_slice())));
    wait_until("everything is consumed", || stand.consumed() == 20_000);
    process.signal("TERM");
    assert!(process.wait().success(), "{}", process.said());
    assert_eq!(process.said().matches("do not answer any more").count(), 1, "{}", process.said());
    assert_each_once(&stand.committed(&stand.names.dead_letters), 20_000);
    assert_in_order(&stand);
}

#[test]
fn a_broker_that_stands_still_is_waited_for_and_costs_nothing() {
    let Some(mut broker) = Broker::private("frozen", SHORT_SESSION) else { return };
    let stand = Stand::new(&broker, "frozen", 4);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config_file(&stand, folder.path());
    let mut process = Process::start(folder.path(), "run", &["run", "--config", &config]);
    let total = while_fed(&stand, || {
        wait_until("the service commits", || stand.consumed() > 0);
        // Longer than a transaction lives, and than the broker stays in its cluster.
        for _ in 0..2 {
            broker.freeze(Duration::from_secs(16));
            thread::sleep(Duration::from_secs(5));
        }
    });
    let all_consumed = || usize::try_from(stand.consumed()) == Ok(total);
    wait_until_or("everything is consumed", all_consumed, || format!("{:?} of {total}: {}", stand.offsets(), process.said()));
    process.signal("TERM");
    assert!(process.wait().success(), "{}", process.said());
    assert_each_once(&stand.committed(&stand.names.dead_letters), total);
}
