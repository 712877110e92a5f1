//! State written down and read back: an engine put together again is the engine that was taken apart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gaitkeeper::config::{ColdStart, EngineConfig};
use gaitkeeper::engine::part::{Part, PartName, RestoreError, VERSION};
use gaitkeeper::engine::{Engine, Output, Shard, Tables};
use gaitkeeper::event::{Origin, decode};
use gaitkeeper::workbench::generate::{Generator, Settings};
use proptest::prelude::*;

const SHARD: Shard = Shard { partition: 0, partitions: 1 };

fn config() -> Arc<EngineConfig> {
    let mut config = EngineConfig::default();
    config.alarm.cold_start = ColdStart::Pool;
    // Sessions that end by themselves, and pins, within a short stream.
    config.detect.sessions.idle_ms = 600_000;
    config.detect.seal_after_sessions = Some(5);
    Arc::new(config)
}

/// The same with room for a third of the fleet, so that agents are forgotten and come back all the time.
fn crowded() -> Arc<EngineConfig> {
    let mut config = EngineConfig::clone(&config());
    config.memory.agents = 20;
    Arc::new(config)
}

/// Events of a small fleet with misuse in it.
fn lines(seed: u64, count: usize) -> Vec<String> {
    Generator::new(Settings { seed, quiet_until: 0, ..Settings::default() }).take(count).map(|event| event.line).collect()
}

/// An engine with its offset in the stream and all that it said.
struct Run {
    config: Arc<EngineConfig>,
    engine: Engine,
    said: Vec<Output>,
}

impl Run {
    fn new() -> Self {
        Self::under(config())
    }

    fn under(config: Arc<EngineConfig>) -> Self {
        Self { engine: Engine::new(Arc::clone(&config), SHARD), said: Vec::new(), config }
    }

    /// An engine put together from parts, under the same settings.
    #[track_caller]
    fn restored(&self, parts: impl IntoIterator<Item = Part>) -> Self {
        let engine = Engine::restore(&self.config, SHARD, parts).expect("its own parts");
        Self { config: Arc::clone(&self.config), engine, said: Vec::new() }
    }

    fn feed(&mut self, lines: &[String], from: usize) {
        for (offset, line) in (from..).zip(&lines[from..]) {
            self.one(line, offset);
        }
    }

    fn one(&mut self, line: &str, offset: usize) {
        let origin = Origin { partition: 0, offset: i64::try_from(offset).expect("small") };
        let decoded = decode(line.as_bytes(), origin).expect("a generated event is valid");
        self.engine.on_event(&decoded.event, &Tables::default(), &mut self.said);
    }
}

/// Interrupts a run at `at`, goes on with what was put together again, and compares with the undisturbed run.
#[track_caller]
fn check(config: Arc<EngineConfig>, lines: &[String], at: usize) {
    let mut undisturbed = Run::under(config);
    undisturbed.feed(&lines[..at], 0);
    let mut resumed = undisturbed.restored(undisturbed.engine.parts());
    assert_eq!(resumed.engine.digest(), undisturbed.engine.digest(), "right after, at {at}");
    undisturbed.said.clear();
    undisturbed.feed(lines, at);
    resumed.feed(lines, at);
    assert_eq!(resumed.said, undisturbed.said, "what is said after {at}");
    assert_eq!(resumed.engine.digest(), undisturbed.engine.digest(), "at the end, after {at}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn an_engine_put_together_again_goes_on_as_if_nothing_had_been(seed in 0u64..1000, share in 0.0f64..1.0) {
        let lines = lines(seed, 3_000);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 3,000")]
        check(config(), &lines, (share * 3_000.0) as usize);
    }

    #[test]
    fn an_engine_put_together_again_forgets_the_same_agents(seed in 0u64..1000, share in 0.0f64..1.0) {
        let lines = lines(seed, 3_000);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 3,000")]
        check(crowded(), &lines, (share * 3_000.0) as usize);
    }
}

#[test]
fn a_long_stream_with_findings_can_be_cut_anywhere() {
    let lines = lines(7, 20_000);
    for at in [1, 9_999, 19_998] {
        check(config(), &lines, at);
    }
}

#[test]
fn an_epoch_is_of_the_moment_at_which_it_began_however_slowly_it_is_fetched() {
    check_slow_epochs(config());
}

#[test]
fn an_epoch_holds_no_agent_that_was_forgotten_before_it_began() {
    check_slow_epochs(crowded());
}

/// Two epochs over one stream, the second on top of the first as in the state topic.
#[track_caller]
fn check_slow_epochs(config: Arc<EngineConfig>) {
    let lines = lines(3, 12_000);
    let mut run = Run::under(config);
    let mut stored: BTreeMap<PartName, Part> = BTreeMap::new();
    for begin in [4_000, 7_000] {
        let from = if begin == 4_000 { 0 } else { 6_000 };
        run.feed(&lines[..begin], from);
        let digest = run.engine.digest();
        run.engine.begin_epoch();
        let mut fetched = 0;
        for (offset, line) in (begin..begin + 2_000).zip(&lines[begin..]) {
            run.one(line, offset);
            if offset % 20 == 0
                && let Some(part) = run.engine.next_part()
            {
                stored.insert(part.name, part);
                fetched += 1;
            }
        }
        while let Some(part) = run.engine.next_part() {
            stored.insert(part.name, part);
            fetched += 1;
        }
        assert!(fetched > 5);
        let resumed = run.restored(stored.values().cloned());
        assert_eq!(resumed.engine.digest(), digest, "begun at {begin}");
    }
}

#[test]
fn only_what_changed_is_written_again() {
    let lines = lines(3, 4_000);
    let mut run = Run::new();
    run.feed(&lines, 0);
    let count = |run: &mut Run| {
        run.engine.begin_epoch();
        std::iter::from_fn(|| run.engine.next_part()).filter(|part| matches!(part.name, PartName::Agent(_))).count()
    };
    assert!(count(&mut run) > 5);
    run.one(&lines[3_999].replace("\"event_id\":\"", "\"event_id\":\"again-"), 4_000);
    assert_eq!(count(&mut run), 1);
    assert_eq!(count(&mut run), 0);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let mut run = Run::new();
    run.feed(&lines(3, 500), 0);
    let parts: Vec<Part> = run.engine.parts().collect();
    let without = |name: PartName| parts.iter().filter(|part| part.name != name).cloned().collect::<Vec<_>>();
    let refused = |parts: Vec<Part>| Engine::restore(&config(), SHARD, parts).expect_err("must be refused");
    assert!(matches!(refused(without(PartName::Population)), RestoreError::Missing { name: PartName::Population }));
    assert!(matches!(refused(without(PartName::Agent(0))), RestoreError::Missing { name: PartName::Agent(0) }));
    let mut newer = parts.clone();
    newer[0].bytes[0] = VERSION + 1;
    assert!(matches!(refused(newer), RestoreError::Version { .. }));
    let mut cut = parts.clone();
    let half = cut[1].bytes.len() / 2;
    cut[1].bytes.truncate(half);
    assert!(matches!(refused(cut), RestoreError::Unreadable { .. }));
}

fn sample(version: u8) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/state/v{version}.zst"))
}

/// The stream whose state the samples hold.
fn sampled() -> Run {
    let mut run = Run::new();
    run.feed(&lines(11, 400), 0);
    run
}

/// `GAITKEEPER_WRITE_SAMPLES=1` writes the sample of the present version; an older one is never written again.
#[test]
fn a_sample_of_every_version_can_be_read() {
    if std::env::var_os("GAITKEEPER_WRITE_SAMPLES").is_some() {
        let parts: Vec<(PartName, Vec<u8>)> = sampled().engine.parts().map(|part| (part.name, part.bytes)).collect();
        let bytes = postcard::to_stdvec(&parts).expect("a list of bytes");
        std::fs::create_dir_all(sample(VERSION).parent().expect("a folder")).expect("writable");
        std::fs::write(sample(VERSION), zstd::encode_all(&bytes[..], 19).expect("in memory")).expect("writable");
    }
    for version in 1..=VERSION {
        let packed = std::fs::read(sample(version)).expect("a sample of every version is kept");
        let bytes = zstd::decode_all(&packed[..]).expect("zstd");
        let parts: Vec<(PartName, Vec<u8>)> = postcard::from_bytes(&bytes).expect("a list of parts");
        let read = Run::new().restored(parts.iter().map(|(name, bytes)| Part { name: *name, bytes: bytes.clone() }));
        assert_eq!(read.engine.counters().scored, 400, "version {version}");
        if version == VERSION {
            let again: Vec<(PartName, Vec<u8>)> = read.engine.parts().map(|part| (part.name, part.bytes)).collect();
            assert!(again == parts, "the form changed: give it a new version, and go on reading this one");
        }
    }
}
