//! What the state topic holds: read back it is the state of an undisturbed run, to the bit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use gaitkeeper::engine::{Engine, Shard, Tables};
use gaitkeeper::stream::restore::{self, Wanted};
use gaitkeeper::stream::shards::Assembly;
use gaitkeeper::stream::state::{StateReader, Stored};
use gaitkeeper::stream::table_history::{Now, TableHistory};
use gaitkeeper::stream::watchdog::Watch;
use gaitkeeper::stream::{Link, Meters, Stop};
use gaitkeeper::workbench::generate::{Generator, Settings};

use crate::broker::Broker;
use crate::events::{PARTITIONS, replayed, values};
use crate::stand::{Seen, Stand, wait_until};

/// A shard as a new owner would restore it now.
pub struct Left {
    pub engine: Engine,
    pub next: i64,
    /// Events that had to be applied again.
    pub applied: u64,
}

/// Restores every partition as a new owner would.
pub fn left(stand: &Stand) -> BTreeMap<i32, Left> {
    let reader = reader(stand);
    let partitions: Vec<i32> = (0..PARTITIONS).collect();
    let committed = stand.offsets();
    let mut all = reader.state(&stand.names.state, &partitions).expect("the state can be read");
    all.iter_mut().map(|(&partition, stored)| (partition, restored(stand, &reader, partition, committed[&partition], stored))).collect()
}

pub fn reader(stand: &Stand) -> StateReader {
    let link = Link::new(&stand.config.kafka.brokers, &stand.names.inputs[0]);
    StateReader::new(&stand.config.kafka, &link, Arc::new(Watch::default()), Stop::new()).expect("valid settings")
}

/// Restores one partition from what is stored of it.
pub fn restored(stand: &Stand, reader: &StateReader, partition: i32, committed: Option<i64>, stored: &mut Stored) -> Left {
    // Whoever has read nothing yet makes the tables of then from their topics.
    let now = Now { tables: &Tables::default(), positions: &BTreeMap::new() };
    let assembly = Assembly {
        config: Arc::new(stand.config.clone()),
        names: stand.names.clone(),
        partitions: vec![PARTITIONS],
        meters: Meters::new(),
        progress: gaitkeeper::stream::progress::Progress::default(),
        keeps_state: true,
        work: gaitkeeper::stream::shards::Work::Score,
        inputs: stand.config.scored_inputs(),
    };
    let shard = Shard { partition, partitions: PARTITIONS };
    let wanted = Wanted { topic: &stand.names.inputs[0], partition, shard, keyed: true, committed };
    let restored =
        restore::restore(&assembly, reader, now, &mut TableHistory::default(), wanted, stored).expect("the state can be restored");
    Left { engine: restored.engine, next: restored.next, applied: assembly.meters.reapplied.get() }
}

/// Findings, requests and state are what an undisturbed run of each partition gives, byte for byte.
#[track_caller]
pub fn assert_undisturbed(stand: &Stand) -> usize {
    let inputs = stand.committed(&stand.names.inputs[0]);
    let (findings, requests) = (stand.committed(&stand.names.outputs[0]), stand.committed(&stand.names.step_up_requests));
    let lefts = left(stand);
    let mut said = 0;
    for (partition, records) in &inputs {
        let (expected, engine) = replayed(stand, *partition, records);
        compare(*partition, "findings", &values(&findings[partition]), &expected.findings);
        compare(*partition, "requests", &values(&requests[partition]), &expected.requests);
        said += expected.findings.len();
        let left = &lefts[partition];
        // Markers of transactions take offsets too.
        assert!(left.next >= i64::try_from(records.len()).expect("small"), "partition {partition} is restored at its end");
        assert_eq!(left.engine.digest(), engine.digest(), "the state of partition {partition}");
    }
    assert!(said > 0, "a stream with misuse in it must raise findings");
    said
}

#[track_caller]
fn compare(partition: i32, what: &str, actual: &[Vec<u8>], expected: &[Vec<u8>]) {
    let different = actual.iter().zip(expected).position(|(one, other)| one != other);
    assert!(
        different.is_none() && actual.len() == expected.len(),
        "{what} of partition {partition}: {} published, {} expected, first difference at {different:?}",
        actual.len(),
        expected.len()
    );
}

pub fn fleet(seed: u64, count: usize) -> Vec<(String, Vec<u8>)> {
    let events = Generator::new(Settings { seed, quiet_until: 0, ..Settings::default() }).take(count);
    events.map(|event| (event.agent_id.to_string(), event.line.into_bytes())).collect()
}

pub fn produce(stand: &Stand, lines: &[(String, Vec<u8>)]) {
    stand.produce(lines.iter().map(|(key, line)| (key.as_str(), line.as_slice())));
}

#[test]
fn an_instance_that_starts_again_goes_on_as_if_it_had_never_stopped() {
    let Some(broker) = Broker::shared() else { return };
    let mut stand = Stand::new(broker, "resumed", PARTITIONS);
    stand.config.kafka.snapshot_interval_ms = 1_000;
    let lines = fleet(5, 40_000);
    let mut epochs = 0;
    for (turn, slice) in (1i64..).zip(lines.chunks(10_000)) {
        let serving = stand.serve();
        produce(&stand, slice);
        wait_until("everything is consumed", || stand.consumed() == turn * 10_000);
        if turn % 2 == 0 {
            let meters = serving.meters.clone();
            let enough = epochs + u64::try_from(PARTITIONS).expect("small");
            wait_until("snapshots are complete", || meters.epochs.get() >= enough.min(4));
        }
        epochs += serving.meters.epochs.get();
        assert_eq!(serving.meters.reapply_missing.get(), 0);
        serving.stop().expect("a clean end");
    }
    assert!(epochs > 0);
    assert_undisturbed(&stand);
    let applied: u64 = left(&stand).values().map(|left| left.applied).sum();
    assert!(applied < 40_000, "the newest snapshots spare most of the input");
}

#[test]
fn what_was_applied_again_once_is_not_applied_again_by_the_next_instance() {
    let Some(broker) = Broker::shared() else { return };
    let mut stand = Stand::new(broker, "short-lived", PARTITIONS);
    // No instance here lives so long.
    stand.config.kafka.snapshot_interval_ms = 3_600_000;
    produce(&stand, &fleet(5, 20_000));
    let serving = stand.serve();
    wait_until("everything is consumed", || stand.consumed() == 20_000);
    assert_eq!(serving.meters.epochs.get(), 0);
    serving.stop().expect("a clean end");
    for (turn, again) in [(1, 20_000), (2, 0)] {
        let serving = stand.serve();
        wait_until("every partition is back", || serving.meters.partitions.get() == i64::from(PARTITIONS));
        assert_eq!(serving.meters.reapplied.get(), again, "turn {turn}");
        wait_until("what was applied again is written down", || again == 0 || serving.meters.epochs.get() == 4);
        serving.stop().expect("a clean end");
    }
    assert_undisturbed(&stand);
}

#[test]
fn an_offset_that_was_moved_by_hand_stops_the_service_and_is_said() {
    let Some(broker) = Broker::shared() else { return };
    let stand = Stand::new(broker, "moved-by-hand", PARTITIONS);
    produce(&stand, &fleet(6, 2_000));
    let serving = stand.serve();
    wait_until("everything is consumed", || stand.consumed() == 2_000);
    serving.stop().expect("a clean end");
    stand.move_offset(0, 1);
    let serving = stand.serve();
    let since = Instant::now();
    while serving.is_running() {
        assert!(since.elapsed() < Duration::from_mins(1), "it goes on from an offset that its state is not of");
        thread::sleep(Duration::from_millis(100));
    }
    let refused = serving.wait().expect_err("the state is not that of this offset");
    assert!(refused.to_string().contains("was the group's offset moved by hand?"), "{refused}");
    let _: BTreeMap<i32, Vec<Seen>> = stand.committed(&stand.names.dead_letters);
}

#[test]
fn a_control_record_that_says_nothing_becomes_one_dead_letter_whatever_happens() {
    let Some(broker) = Broker::shared() else { return };
    let stand = Stand::new(broker, "control", PARTITIONS);
    stand.produce_to(&stand.names.tables[0].1, [("before", &b"not json"[..])]);
    let letters = || stand.committed(&stand.names.dead_letters).into_values().flatten().collect::<Vec<Seen>>();
    for turn in 0..3 {
        let serving = stand.serve();
        produce(&stand, &fleet(turn, 200));
        if turn > 0 {
            stand.produce_to(&stand.names.tables[0].1, [(format!("turn {turn}").as_str(), &b"{}"[..])]);
            let expected = usize::try_from(turn).expect("small");
            wait_until("the dead letter is there", || letters().len() >= expected);
        }
        wait_until("everything is consumed", || stand.consumed() == 200 * i64::try_from(turn + 1).expect("small"));
        serving.stop().expect("a clean end");
    }
    let mut keys: Vec<Vec<u8>> = letters().into_iter().filter_map(|letter| letter.key).collect();
    keys.sort_unstable();
    assert_eq!(keys.iter().map(|key| String::from_utf8_lossy(key)).collect::<Vec<_>>(), ["turn 1", "turn 2"]);
    assert_eq!(letters()[0].headers["gaitkeeper-reason"], "control_record");
}

#[test]
fn what_is_kept_for_less_than_a_restore_needs_is_told() {
    let Some(broker) = Broker::shared() else { return };
    let mut stand = Stand::new(broker, "kept", 1);
    assert_eq!(stand.keeper().kept_too_short().expect("the broker answers"), []);
    let day_ms: u64 = 86_400_000;
    let mut told = |interval_ms: u64| -> Vec<(String, &'static str, i64)> {
        stand.config.kafka.snapshot_interval_ms = interval_ms;
        let told = stand.keeper().kept_too_short().expect("the broker answers").into_iter();
        told.map(|kept| (kept.topic, kept.setting, kept.kept_ms)).collect()
    };
    let superseded = |topic: &str| (format!("kept.{topic}"), "min.compaction.lag.ms", 86_400_000);
    let tables = ["agent-inventory", "agent-state", "gaitkeeper-sightings"].map(superseded);
    assert_eq!(told(day_ms / 2 + 1), tables);
    // A week is the broker's default.
    let input = ("kept.agent-events".to_owned(), "retention.ms", 7 * 86_400_000);
    assert_eq!(told(7 * day_ms / 2 + 1), [vec![input], tables.to_vec()].concat());
}
