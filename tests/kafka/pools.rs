//! Groups and population shared over the pools topic.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use gaitkeeper::engine::part::PartName;
use gaitkeeper::engine::{Counters, Engine};
use gaitkeeper::finding::{Activity, Finding};
use gaitkeeper::stream::state::Stored;
use gaitkeeper::stream::state::form::{self, Checkpoint, Epoch};
use rdkafka::message::Message;

use crate::broker::Broker;
use crate::chaos::{Weathered, feed, setting, weather};
use crate::events::{PARTITIONS, replayed};
use crate::stand::{SHORT_SESSION, Stand, wait_until};
use crate::state::{fleet, left, produce, reader, restored};

fn sharing(broker: &Broker, test: &str) -> Stand {
    let mut stand = Stand::new(broker, test, PARTITIONS);
    stand.config.kafka.snapshot_interval_ms = 1_000;
    stand.config.engine.detect.sessions.idle_ms = 60_000;
    stand.config.engine.pools.share = true;
    stand
}

/// A record of the state topic: offset, key, value.
type Stated = (i64, String, Option<Vec<u8>>);

/// Everything that was ever written of each partition; the topics are too young for compaction.
fn history(stand: &Stand) -> BTreeMap<i32, Vec<Stated>> {
    let mut history: BTreeMap<i32, Vec<Stated>> = BTreeMap::new();
    let partitions: Vec<i32> = (0..PARTITIONS).collect();
    let take = |record: &rdkafka::message::BorrowedMessage<'_>| {
        let key = String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned();
        history.entry(record.partition()).or_default().push((record.offset(), key, record.payload().map(<[u8]>::to_vec)));
    };
    reader(stand).whole(&stand.names.state, &partitions, take).expect("the state can be read");
    history
}

/// What the topic held before an offset.
fn before(records: &[Stated], end: i64) -> Stored {
    let mut stored = Stored::default();
    for (offset, key, value) in records.iter().take_while(|record| record.0 < end) {
        stored.take(key, *offset, value.as_deref());
    }
    stored
}

/// A snapshot is what the living shard was when it began. Whoever restores from the one before must come to the same; returns how
/// often pools were adopted in between.
#[track_caller]
fn check_each_snapshot(stand: &Stand, partition: i32, records: &[Stated]) -> usize {
    let prefix = form::prefix(&stand.config.kafka.group, &stand.names.inputs[0]);
    let value_of = |wanted: &str, record: &Stated| record.2.clone().filter(|_| record.1 == wanted);
    let epochs: Vec<(i64, Epoch)> = records
        .iter()
        .filter_map(|record| Some((record.0, form::read("epoch", &value_of(&form::epoch_key(&prefix), record)?).expect("an epoch"))))
        .collect();
    let mut adopted = 0;
    for (announced, epoch) in epochs.iter().skip(1) {
        let is_part = |record: &&Stated| {
            let rest = record.1.strip_prefix(&prefix).unwrap_or_default();
            let is_other = ["/checkpoint", "/epoch", "/command."].iter().any(|other| rest.starts_with(other));
            !is_other && record.2.as_ref().is_some_and(|value| form::epoch_of(&record.1, value) == Ok(epoch.number))
        };
        let first_part = records.iter().find(is_part).expect("an epoch has parts").0;
        let begun = records.iter().take_while(|record| record.0 < first_part);
        let checkpoint = begun.filter_map(|record| {
            let checkpoint: Checkpoint =
                form::read("checkpoint", &value_of(&form::checkpoint_key(&prefix), record)?).expect("a checkpoint");
            (checkpoint.next == epoch.at).then_some(record.0)
        });
        let end = checkpoint.last().expect("an epoch begins at a commit") + 1;
        let from_the_one_before = restored(stand, &reader(stand), partition, Some(epoch.at), &mut before(records, end));
        let snapshot = before(records, announced + 1).take_complete(&prefix).expect("whole").expect("an epoch");
        let snapshot: BTreeMap<PartName, Vec<u8>> = snapshot.parts.into_iter().map(|part| (part.name, part.bytes)).collect();
        for part in from_the_one_before.engine.parts().filter(|part| part.name != PartName::Offer) {
            assert!(snapshot[&part.name] == part.bytes, "partition {partition}, epoch {}: {:?}", epoch.number, part.name);
        }
        adopted += usize::from(from_the_one_before.engine.pool_version().is_some());
    }
    adopted
}

#[test]
fn a_restart_repeats_what_was_adopted_from_other_partitions() {
    let Some(broker) = Broker::shared() else { return };
    let stand = sharing(broker, "pools");
    let lines = fleet(5, 16_000);
    for (turn, slice) in (1i64..).zip(lines.chunks(8_000)) {
        let serving = stand.serve();
        for (small, part) in (1i64..).zip(slice.chunks(1_000)) {
            produce(&stand, part);
            wait_until("everything is consumed", || stand.consumed() == (turn - 1) * 8_000 + small * 1_000);
            thread::sleep(Duration::from_millis(500));
        }
        assert!(serving.meters.pools_adopted.get() >= 4, "{}", serving.meters.pools_adopted.get());
        assert_eq!(serving.meters.rebuilds.get(), 0);
        serving.stop().expect("a clean end");
    }
    let adopted: usize = history(&stand).iter().map(|(partition, records)| check_each_snapshot(&stand, *partition, records)).sum();
    assert!(adopted >= 8, "only {adopted} snapshots were compared after an adoption");
    for (partition, left) in left(&stand) {
        let model = &left.engine.detector().model;
        let own = model.own.as_ref().expect("pools are shared");
        let borrows = model.groups.iter().zip(&own.groups).any(|(group, own)| group.sessions > own.sessions + 10);
        assert!(borrows, "partition {partition} knows nothing of the others");
    }
}

/// Which records are adopted depends on the moment, so there is no other run whose bytes a storm's must be: what can be counted is.
#[test]
fn a_storm_over_shards_that_share_pools_loses_and_doubles_nothing() {
    let (seed, seconds) = (setting("GAITKEEPER_CHAOS_SEED", 1), setting("GAITKEEPER_CHAOS_POOLS_SECONDS", 15));
    let Some(mut broker) = Broker::private(&format!("chaos-pools-{seed}"), SHORT_SESSION) else { return };
    let stand = sharing(&broker, "chaos-pools");
    // Some of it comes after the storm: to those who restore what it has left, and in peace.
    let lines = fleet(seed, usize::try_from(seconds + 10).expect("small") * 1_000);
    let total = i64::try_from(lines.len()).expect("small");
    let settings = "[pools]\nshare = true\n";
    let Weathered { instances, restored, .. } =
        weather(&mut broker, &stand, settings, (seed, seconds), || feed(&stand, &lines), || stand.consumed() >= total);
    let inputs = stand.committed(&stand.names.inputs[0]);
    let mut adopted = 0;
    for (partition, left) in left(&stand) {
        let (_, undisturbed) = replayed(&stand, partition, &inputs[&partition]);
        let counted = |engine: &Engine| {
            let Counters { scored, duplicates, late, sessions, .. } = engine.counters();
            [scored, duplicates, late, sessions]
        };
        assert_eq!(counted(&left.engine), counted(&undisturbed), "partition {partition}");
        adopted += usize::from(left.engine.pool_version().is_some());
    }
    assert!(adopted > 0, "nothing was adopted, so nothing was tested");
    let said = stand.committed(&stand.names.outputs[0]).into_values().flatten();
    let said: Vec<Finding> = said.map(|seen| serde_json::from_slice(&seen.value).expect("a finding")).collect();
    let opened: Vec<&str> =
        said.iter().filter(|finding| finding.activity == Activity::Open).map(|finding| finding.finding_id.as_str()).collect();
    assert!(!opened.is_empty(), "a stream with misuse in it must raise findings");
    assert_eq!(opened.iter().collect::<BTreeSet<_>>().len(), opened.len(), "no finding is opened twice");
    eprintln!("seed {seed}: {total} events, {} findings, {instances} instances, {restored} restores", opened.len());
}
