//! What state costs: time to come back, bytes for an event, pauses for events. `GAITKEEPER_MEASURE=1 cargo test --test kafka
//! measured -- --nocapture --test-threads 1` measures; without it nothing is run here, since it takes minutes.

use std::thread;
use std::time::{Duration, Instant};

use gaitkeeper::stream::Meters;
use gaitkeeper::workbench::generate::{Generator, Settings, Shape};

use crate::broker::{Broker, SESSION};
use crate::stand::{Serving, Stand, wait_until};

/// A broker of its own, if this is wanted at all.
fn wanted(test: &str) -> Option<Broker> {
    if std::env::var_os("GAITKEEPER_MEASURE").is_none() {
        eprintln!("skipped: GAITKEEPER_MEASURE is not set");
        return None;
    }
    Broker::private(test, SESSION)
}

fn fleet(agents: usize) -> Generator {
    Generator::new(Settings { shape: Shape { agents, ..Shape::default() }, ..Settings::default() })
}

fn produce(stand: &Stand, events: &mut Generator, count: usize) {
    let producer = stand.producer();
    let mut left = count;
    while left > 0 {
        let slice: Vec<_> = events.by_ref().take(left.min(10_000)).collect();
        left -= slice.len();
        stand.produce_with(&producer, slice.iter().map(|event| (&*event.agent_id, event.line.as_bytes())));
    }
}

fn wait_until_consumed(stand: &Stand, events: usize) {
    wait_until("everything is consumed", || stand.consumed() == i64::try_from(events).expect("small"));
}

/// Count, sum and the least bound that holds every value, s.
fn seconds(meters: &Meters, name: &str) -> (u64, f64, f64) {
    let families = meters.registry().gather();
    let family = families.iter().find(|family| family.name() == name).expect("a meter of that name");
    let histogram = family.get_metric()[0].get_histogram();
    let count = histogram.get_sample_count();
    let longest = histogram
        .get_bucket()
        .iter()
        .find(|bucket| bucket.cumulative_count() == count)
        .map_or(f64::INFINITY, prometheus::proto::Bucket::upper_bound);
    (count, histogram.get_sample_sum(), longest)
}

/// Waits until a snapshot of the very end is in force: no step of one follows any more.
fn wait_for_last_epoch(serving: &Serving) {
    let steps = || seconds(&serving.meters, "gaitkeeper_snapshot_pause_seconds").0;
    let mut seen = (steps(), Instant::now());
    while serving.meters.epochs.get() == 0 || seen.1.elapsed() < Duration::from_secs(8) {
        thread::sleep(Duration::from_millis(100));
        let steps = steps();
        if steps != seen.0 {
            seen = (steps, Instant::now());
        }
    }
}

/// Longest that events may wait for a snapshot, s.
const PAUSE_MAX: f64 = 0.05;

#[track_caller]
fn assert_short_pauses(meters: &Meters) {
    let (steps, sum, longest) = seconds(meters, "gaitkeeper_snapshot_pause_seconds");
    let (epochs, length, _) = seconds(meters, "gaitkeeper_epoch_seconds");
    let (_, _, commit) = seconds(meters, "gaitkeeper_commit_seconds");
    eprintln!(
        "{epochs} snapshots in {steps} steps, {:.1} s each; a step {:.1} ms, the longest up to {:.0} ms; the longest commit up to {:.0} ms",
        length / epochs as f64,
        1_000.0 * sum / steps as f64,
        1_000.0 * longest,
        1_000.0 * commit
    );
    assert!(longest <= PAUSE_MAX, "events waited longer than {PAUSE_MAX} s for a snapshot");
}

#[test]
fn a_partition_of_25000_agents_is_back_within_ten_seconds() {
    let Some(broker) = wanted("measured-restore") else { return };
    let (agents, learned, again) = (25_000, 500_000, 300_000);
    let mut stand = Stand::new(&broker, "restore", 1);
    let mut events = fleet(agents);
    stand.config.kafka.snapshot_interval_ms = 1_000;
    produce(&stand, &mut events, learned);
    let serving = stand.serve();
    let since = Instant::now();
    wait_until_consumed(&stand, learned);
    eprintln!("{:.0} events/s with a snapshot every second", learned as f64 / since.elapsed().as_secs_f64());
    wait_for_last_epoch(&serving);
    let learning = serving.meters.clone();
    serving.stop().expect("a clean end");

    stand.config.kafka.snapshot_interval_ms = 3_600_000;
    produce(&stand, &mut events, again);
    let serving = stand.serve();
    wait_until_consumed(&stand, learned + again);
    serving.stop().expect("a clean end");

    let since = Instant::now();
    let serving = stand.serve();
    wait_until("the partition is back", || serving.meters.partitions.get() == 1);
    let (_, took, _) = seconds(&serving.meters, "gaitkeeper_restore_seconds");
    eprintln!(
        "{} events applied again; back after {took:.1} s, {:.1} s with the start",
        serving.meters.reapplied.get(),
        since.elapsed().as_secs_f64()
    );
    assert_eq!(serving.meters.reapplied.get(), again as u64);
    serving.stop().expect("a clean end");
    assert_short_pauses(&learning);
    assert!(took < 10.0, "the partition was back after {took} s");
}

#[test]
fn state_takes_fewer_than_300_bytes_an_event() {
    let Some(broker) = wanted("measured-bytes") else { return };
    let (agents, a_second, run) = (1_000, 20_000, Duration::from_secs(130));
    let stand = Stand::new(&broker, "bytes", 4);
    let serving = stand.serve();
    let producer = stand.producer();
    let mut events = fleet(agents);
    let since = Instant::now();
    // The fleet's events end before the run does: what was really sent counts, and how far the service was behind at its end.
    let (mut sent, mut sent_within, mut behind) = (0, Duration::ZERO, 0);
    while since.elapsed() < run {
        let due = usize::try_from(since.elapsed().as_millis()).expect("small") * a_second / 1_000;
        let slice: Vec<_> = events.by_ref().take(due - sent).collect();
        if !slice.is_empty() {
            sent += slice.len();
            stand.produce_with(&producer, slice.iter().map(|event| (&*event.agent_id, event.line.as_bytes())));
            (sent_within, behind) = (since.elapsed(), sent as u64 - serving.meters.events.get());
        }
        thread::sleep(Duration::from_millis(10));
    }
    let consumed = serving.meters.events.get();
    let bytes = serving.meters.state_bytes.get() as f64 / consumed as f64;
    let rate = sent as f64 / sent_within.as_secs_f64();
    eprintln!("{sent} events at {rate:.0} a second, the service {behind} behind at their end, {consumed} consumed");
    eprintln!("{} snapshots, {bytes:.0} bytes of state an event", serving.meters.epochs.get());
    assert!(serving.meters.epochs.get() >= 4, "every partition has had a snapshot");
    assert_short_pauses(&serving.meters);
    assert!(bytes < 300.0);
    serving.stop().expect("a clean end");
}

#[test]
fn sharing_pools_among_sixteen_partitions_makes_no_long_pause() {
    let Some(broker) = wanted("measured-pools") else { return };
    let (agents, count) = (5_000, 600_000);
    let mut stand = Stand::new(&broker, "pools", 16);
    stand.config.kafka.snapshot_interval_ms = 2_000;
    stand.config.engine.pools.share = true;
    produce(&stand, &mut fleet(agents), count);
    let serving = stand.serve();
    wait_until_consumed(&stand, count);
    wait_for_last_epoch(&serving);
    let adopted = serving.meters.pools_adopted.get();
    let pools: usize = stand.committed(&stand.names.pools).into_values().flatten().map(|seen| seen.value.len()).sum();
    eprintln!("pools adopted {adopted} times, {:.1} MB told", pools as f64 / 1e6);
    assert!(adopted >= 32, "every partition has adopted twice");
    assert_short_pauses(&serving.meters);
    serving.stop().expect("a clean end");
}

#[test]
fn agents_that_come_back_are_read_from_the_state_topic_one_by_one() {
    let Some(broker) = wanted("measured-recall") else { return };
    let agents = 5_000;
    let mut stand = Stand::new(&broker, "recall", 1);
    stand.config.kafka.snapshot_interval_ms = 1_000;
    stand.config.kafka.resident_megabytes = 0;
    let serving = stand.serve();
    let act = |number: usize, ts: i64, session: i64| {
        let line = format!(r#"{{"ts":{ts},"agent_id":"a-{number}","session_id":"{session}","tool":"read","event_id":"{ts}"}}"#);
        (format!("a-{number}"), line.into_bytes())
    };
    let send = |records: Vec<(String, Vec<u8>)>| crate::state::produce(&stand, &records);
    let mut ts = 1_700_000_000_000;
    for session in 0..20 {
        ts += 7_200_000;
        send((0..agents).map(|number| act(number, ts, session)).collect());
    }
    ts += 7_200_000;
    // Somebody else, so that all of their sessions are over.
    send(vec![act(agents, ts, 0)]);
    wait_until("agents leave memory", || serving.meters.agents_away.get() == i64::try_from(agents).expect("small"));
    let before = seconds(&serving.meters, "gaitkeeper_recall_seconds");
    let since = Instant::now();
    send((0..agents).map(|number| act(number, ts + 1, 21)).collect());
    wait_until_consumed(&stand, 21 * agents + 1);
    let took = since.elapsed().as_secs_f64();
    let (count, sum, longest) = seconds(&serving.meters, "gaitkeeper_recall_seconds");
    let back = count - before.0;
    eprintln!(
        "{back} of {agents} agents came back within {took:.1} s: {:.2} ms each, the longest up to {:.0} ms; {} bytes an agent",
        1_000.0 * (sum - before.1) / back as f64,
        1_000.0 * longest,
        serving.meters.agent_bytes.get() / serving.meters.agents.get()
    );
    assert!(back > 0);
    serving.stop().expect("a clean end");
}
