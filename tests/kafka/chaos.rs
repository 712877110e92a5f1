//! A storm over a group of instances: killed in the middle of transactions, replaced, joined and left, the broker killed too. What
//! a reader of committed records sees, and the state that is left, must be those of an undisturbed run.
//!
//! `GAITKEEPER_CHAOS_SEED` and `GAITKEEPER_CHAOS_SECONDS` choose another storm; a failure names its seed.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::broker::Broker;
use crate::events::PARTITIONS;
use crate::process::{Process, config_file_with};
use crate::stand::{SHORT_SESSION, Stand};
use crate::state::{assert_undisturbed, fleet};

const SLICE: usize = 250;
const SLICE_EVERY: Duration = Duration::from_millis(250);
/// After the storm everything must be done within this: far less than a member of the group is given that does not answer any more.
const CALM_WITHIN: Duration = Duration::from_mins(3);
/// Instances at one time.
const INSTANCES_MAX: usize = 3;

pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// What may happen next.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Kill,
    Leave,
    Join,
    KillBroker,
    FreezeBroker,
}

struct Storm<'s> {
    random: ChaCha8Rng,
    folder: &'s Path,
    config: String,
    instances: Vec<Process>,
    started: usize,
    log: Vec<String>,
}

impl Storm<'_> {
    fn start(&mut self) {
        self.started += 1;
        self.instances.push(Process::start(self.folder, &format!("instance-{}", self.started), &["run", "--config", &self.config]));
    }

    fn take(&mut self) -> Process {
        let which = self.random.random_range(0..self.instances.len());
        self.instances.swap_remove(which)
    }

    /// What the instance that was started last had to say at its end.
    fn last_words(&self) -> String {
        let said = std::fs::read_to_string(self.folder.join(format!("instance-{}.said", self.started))).unwrap_or_default();
        said.lines().last().unwrap_or_default().to_owned()
    }

    fn strike(&mut self, broker: &mut Broker) {
        // An instance may also have ended by itself, as it should when a call into the client library hangs.
        let before = self.instances.len();
        self.instances.retain_mut(Process::is_running);
        if self.instances.len() < before {
            self.log.push(format!("{} ended by itself", before - self.instances.len()));
        }
        let blow = match self.random.random_range(0..13) {
            0..5 => Blow::Kill,
            5..7 => Blow::Leave,
            7..11 => Blow::Join,
            11 => Blow::KillBroker,
            _ => Blow::FreezeBroker,
        };
        self.log.push(format!("{blow:?}"));
        match blow {
            Blow::Kill if !self.instances.is_empty() => drop(self.take()),
            Blow::Leave if !self.instances.is_empty() => {
                let mut leaving = self.take();
                leaving.signal("TERM");
                leaving.wait();
            }
            Blow::KillBroker => {
                broker.kill();
                thread::sleep(Duration::from_millis(self.random.random_range(0..3_000)));
                broker.restart();
            }
            Blow::FreezeBroker => broker.freeze(Duration::from_millis(self.random.random_range(2_000..12_000))),
            Blow::Join | Blow::Kill | Blow::Leave => (),
        }
        while self.instances.len() < 2
            || (matches!(blow, Blow::Join) && self.instances.len() < INSTANCES_MAX && self.started.is_multiple_of(2))
        {
            self.start();
        }
    }
}

/// What a storm did.
pub struct Weathered {
    pub instances: usize,
    /// Partitions restored.
    pub restored: usize,
    /// Agents that came back from the state topic.
    pub back: usize,
}

/// Lets a storm of so many seconds loose over a group of instances while `feed` sends to them, kills those that are left, and lets
/// two new ones be in peace until everything is done.
#[track_caller]
pub fn weather(
    broker: &mut Broker,
    stand: &Stand,
    settings: &str,
    (seed, seconds): (u64, u64),
    feed: impl FnOnce() + Send,
    is_done: impl Fn() -> bool,
) -> Weathered {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let random = ChaCha8Rng::seed_from_u64(seed);
    let config = config_file_with(stand, folder.path(), settings);
    let mut storm = Storm { random, folder: folder.path(), config, instances: Vec::new(), started: 0, log: Vec::new() };
    thread::scope(|scope| {
        scope.spawn(feed);
        storm.start();
        storm.start();
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(seconds) {
            let pause = storm.random.random_range(500..6_000);
            thread::sleep(Duration::from_millis(pause));
            storm.strike(broker);
        }
        // Whatever the seed gave: all of them at once, so that every partition must be restored.
        storm.log.push("KillAll".into());
        storm.instances.clear();
        eprintln!("seed {seed}: {}", storm.log.join(", "));
        storm.start();
        storm.start();
        let (mut ended, calm) = (None, Instant::now());
        while !is_done() {
            thread::sleep(Duration::from_millis(500));
            storm.instances.retain_mut(Process::is_running);
            if storm.instances.is_empty() {
                assert!(
                    ended.get_or_insert_with(Instant::now).elapsed() < Duration::from_secs(2),
                    "seed {seed}: every instance ended by itself: {}",
                    storm.last_words()
                );
            }
            assert!(calm.elapsed() < CALM_WITHIN, "seed {seed}: not everything is done {CALM_WITHIN:?} after the storm");
        }
    });
    for mut instance in storm.instances.drain(..) {
        if instance.is_running() {
            instance.signal("TERM");
            instance.wait();
        }
    }
    stand.settle();
    let said: Vec<String> = (1..=storm.started)
        .map(|number| std::fs::read_to_string(folder.path().join(format!("instance-{number}.said"))).unwrap_or_default())
        .collect();
    let [restored, back] =
        ["partition restored", "an idle agent came back"].map(|words| said.iter().map(|said| said.matches(words).count()).sum::<usize>());
    assert!(restored > 0, "nothing was restored, so nothing was tested");
    Weathered { instances: storm.started, restored, back }
}

/// Sends the lines at the pace of a storm.
pub fn feed(stand: &Stand, lines: &[(String, Vec<u8>)]) {
    let producer = stand.producer();
    for slice in lines.chunks(SLICE) {
        stand.produce_with(&producer, slice.iter().map(|(key, line)| (key.as_str(), line.as_slice())));
        thread::sleep(SLICE_EVERY);
    }
}

#[track_caller]
fn check(seed: u64, seconds: u64, settings: &[(&str, &str)]) {
    let Some(mut broker) = Broker::private(&format!("chaos-{seed}"), SHORT_SESSION) else { return };
    let mut stand = settings.iter().fold(Stand::new(&broker, "chaos", PARTITIONS), |stand, (name, value)| stand.with(name, value));
    stand.config.kafka.snapshot_interval_ms = 1_000;
    // Agents leave memory whenever they can, and are often without a session.
    stand.config.kafka.resident_megabytes = 0;
    stand.config.engine.detect.sessions.idle_ms = 60_000;
    // The last of it comes after the storm, to those who restore what it has left.
    let slices = usize::try_from(seconds + 5).expect("small") * 1000 / 250;
    let lines = fleet(seed, slices * SLICE);
    let total = i64::try_from(lines.len()).expect("small");
    let Weathered { instances, restored, back } =
        weather(&mut broker, &stand, "", (seed, seconds), || feed(&stand, &lines), || stand.consumed() >= total);
    let said = assert_undisturbed(&stand);
    assert!(back > 0, "no agent came back from the state topic, so that was not tested");
    eprintln!(
        "seed {seed}: {total} events, {said} findings, {instances} instances, {restored} restores, {back} agents came back: \
         nothing lost, nothing doubled"
    );
}

#[test]
fn a_storm_over_instances_and_broker_changes_nothing_that_a_reader_sees() {
    check(setting("GAITKEEPER_CHAOS_SEED", 1), setting("GAITKEEPER_CHAOS_SECONDS", 60), &[]);
}
