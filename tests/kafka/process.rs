//! The real binary, as an operator and a supervisor see it.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::broker::Broker;
pub use crate::child::Process;
use crate::delivery::{assert_each_once, produce, unreadable};
use crate::stand::{Stand, wait_until};

impl Process {
    /// Starts `gaitkeeper` with these arguments.
    pub fn start(folder: &Path, name: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gaitkeeper"));
        Self::of(
            command.args(arguments).env("GAITKEEPER_LOG", "info,gaitkeeper::stream::recall=debug"),
            folder.join(format!("{name}.said")),
        )
    }
}

/// Writes the stand's configuration as a file.
pub fn config_file(stand: &Stand, folder: &Path) -> String {
    let kafka = &stand.config.kafka;
    let state = kafka.state_dir.as_ref().expect("set by the stand");
    let mut text = format!(
        "[kafka]\nbrokers = \"{}\"\ngroup = \"{}\"\ntopic_prefix = \"{}\"\npartitions = {}\nstate_dir = \"{}\"\nsnapshot_interval = \"{}s\"\ncommit_interval_ms = {}\nresident_megabytes = {}\n",
        kafka.brokers,
        kafka.group,
        kafka.topic_prefix,
        kafka.partitions,
        state.display(),
        kafka.snapshot_interval_ms / 1000,
        kafka.commit_interval_ms,
        kafka.resident_megabytes
    );
    for (name, value) in &kafka.client {
        writeln!(text, "client.\"{name}\" = \"{value}\"").expect("a String takes everything");
    }
    let idle_s = stand.config.engine.detect.sessions.idle_ms / 1000;
    write!(text, "[detect.sessions]\nidle = \"{idle_s}s\"\n[admin]\nlisten = \"{}\"\n", stand.config.admin_listen)
        .expect("a String takes everything");
    let path = folder.join("gaitkeeper.toml");
    fs::write(&path, text).expect("a writable folder");
    path.to_str().expect("UTF-8").to_owned()
}

/// The same with further lines behind it.
pub fn config_file_with(stand: &Stand, folder: &Path, settings: &str) -> String {
    let path = config_file(stand, folder);
    let text = fs::read_to_string(&path).expect("just written");
    fs::write(&path, text + settings).expect("a writable folder");
    path
}

/// Does `work` while unreadable records come at a steady pace, before, during and after it; how many.
pub fn while_fed(stand: &Stand, work: impl FnOnce()) -> usize {
    thread::scope(|scope| {
        // Dropped at the end of the work, also when it panics.
        let (working, over) = mpsc::channel::<()>();
        let fed = scope.spawn(move || {
            let slice = unreadable(500);
            let mut total = 0;
            while over.recv_timeout(Duration::from_millis(50)) == Err(RecvTimeoutError::Timeout) {
                produce(stand, &slice);
                total += slice.len();
            }
            total
        });
        work();
        drop(working);
        fed.join().expect("the broker takes the records")
    })
}

#[test]
fn sigterm_in_the_middle_loses_and_doubles_nothing() {
    let Some(broker) = Broker::shared() else { return };
    let stand = Stand::new(broker, "sigterm", 4);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config_file(&stand, folder.path());
    let total = while_fed(&stand, || {
        for round in 0..3 {
            let before = stand.consumed();
            let mut process = Process::start(folder.path(), &format!("round-{round}"), &["run", "--config", &config]);
            wait_until("the service commits", || stand.consumed() > before);
            process.signal("TERM");
            let status = process.wait();
            assert!(status.success(), "{status}: {}", process.said());
            assert!(process.said().contains("the group is left"), "{}", process.said());
            let letters = stand.committed(&stand.names.dead_letters);
            let seen: usize = letters.values().map(Vec::len).sum();
            assert_eq!(i64::try_from(seen).expect("small"), stand.consumed(), "records and offsets are committed together");
        }
    });
    let mut last = Process::start(folder.path(), "last", &["run", "--config", &config]);
    wait_until("everything is consumed", || usize::try_from(stand.consumed()) == Ok(total));
    last.signal("TERM");
    assert!(last.wait().success(), "{}", last.said());
    assert_each_once(&stand.committed(&stand.names.dead_letters), total);
}

#[test]
fn run_refuses_to_start_without_its_topics_and_says_how_to_make_them() {
    let Some(broker) = Broker::shared() else { return };
    let stand = Stand::without_topics(broker, "missing", 2);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config_file(&stand, folder.path());
    let mut process = Process::start(folder.path(), "run", &["run", "--config", &config]);
    assert_eq!(process.wait().code(), Some(3), "{}", process.said());
    assert!(process.said().contains("topic missing.agent-events is missing"), "{}", process.said());
    assert!(process.said().contains("gaitkeeper topics create"), "{}", process.said());

    let mut check = Process::start(folder.path(), "check", &["topics", "check", "--config", &config]);
    assert_eq!(check.wait().code(), Some(1), "{}", check.said());
    for (turn, word) in [("first", "created"), ("second", "existed")] {
        let mut create = Process::start(folder.path(), turn, &["topics", "create", "--config", &config]);
        assert!(create.wait().success(), "{}", create.said());
        assert_eq!(create.said().matches(word).count(), 14, "{}", create.said());
    }
    let mut check = Process::start(folder.path(), "check", &["topics", "check", "--config", &config]);
    assert!(check.wait().success(), "{}", check.said());
}

#[test]
fn a_broker_that_is_down_at_the_start_is_said_once_and_waited_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("gaitkeeper.toml");
    // Nothing listens on the discard port of a test machine.
    fs::write(&path, "[kafka]\nbrokers = \"127.0.0.1:9\"\n").expect("a writable folder");
    let mut process = Process::start(folder.path(), "run", &["run", "--config", path.to_str().expect("UTF-8")]);
    wait_until("it says so", || process.said().contains("waiting for one"));
    thread::sleep(Duration::from_secs(4));
    assert!(process.is_running(), "{}", process.said());
    assert_eq!(process.said().lines().count(), 1, "{}", process.said());
    assert!(process.said().contains("127.0.0.1:9") && process.said().contains("Connection refused"), "{}", process.said());
    process.signal("INT");
    assert!(process.wait().success(), "{}", process.said());
}
