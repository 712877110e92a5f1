//! The same input through `run` and through a simpler model in Kafka Streams and in Flink: z-scores of three logarithms and
//! bigrams of tools for each agent, findings to a topic, exactly once.
//!
//! Each is a process of its own, seen through the offsets that it commits. Its first events warm it up; the measured stretch lies
//! between two commits, so that a start, a compiler at work and an idle end belong to none of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use gaitkeeper::config::Config;
use gaitkeeper::workbench::generate::Generated;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use crate::broker::Broker;
use crate::contender::{self, Process};
use crate::ground::{self, Onlooker, PARTITIONS, WITHIN};
use crate::measure::{conditions, cpu_of, median, spread, status};
use crate::operations;

const EVENTS: usize = 1_500_000;
const AGENTS: usize = 1_000;
/// Part of the events before the measured stretch.
const WARM_UP: f64 = 0.3;
/// How often offsets are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const RUN: usize = 0;

/// A job written in Java.
struct Java {
    name: &'static str,
    module: &'static str,
    main: &'static str,
    options: &'static [&'static str],
}

const JAVA: [Java; 2] = [
    Java { name: "Kafka Streams", module: "streams", main: "gaitkeeper.peers.StreamsPeer", options: &["-Xmx1g"] },
    Java {
        name: "Flink",
        module: "flink",
        main: "gaitkeeper.peers.FlinkPeer",
        // Flink looks into the classes of closures and collections.
        options: &["-Xmx2g", "--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED"],
    },
];

/// One run of one contender.
struct Outcome {
    rate: f64,
    cpu_per_million: f64,
    peak_mib: f64,
    findings: u64,
}

pub fn run(events: Option<usize>, rounds: usize, write: bool) {
    let Some(broker) = Broker::shared() else { return };
    let built = match build() {
        Ok(built) => built,
        Err(reason) => return println!("skipped: the peers in Java: {reason}"),
    };
    let conditions = conditions();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = ground::config(broker, "");
    ground::keeper(&config).create().expect("the broker makes topics");
    let events: Vec<Generated> = ground::fleet(AGENTS).take(events.unwrap_or(EVENTS)).collect();
    ground::produce(&config, &events);
    let count = events.len() as u64;
    drop(events);

    let mut outcomes: [Vec<Outcome>; 3] = [const { Vec::new() }; 3];
    let names = ["`run`", JAVA[0].name, JAVA[1].name];
    for round in 0..rounds {
        for step in 0..names.len() {
            let index = (round + step) % names.len();
            let outcome = match index.checked_sub(1) {
                None => service(&config, round, count, folder.path()),
                Some(peer) => java(&JAVA[peer], &built, &config, round, count, folder.path()),
            };
            let Outcome { rate, cpu_per_million, peak_mib, findings } = &outcome;
            let name = names[index];
            println!(
                "round {round}: {name}: {rate:.0} events/s, {cpu_per_million:.2} CPU s per million, {peak_mib:.0} MiB, {findings} findings"
            );
            outcomes[index].push(outcome);
        }
    }
    operations::publish("peers", &table(count, &names, &outcomes, &conditions), write);
}

fn table(count: u64, names: &[&str], outcomes: &[Vec<Outcome>], conditions: &str) -> String {
    let head = "| exactly once | events/s | CPU s per million | peak memory, MiB | CPU an event, times that of `run` |";
    let mut lines = vec![head.to_owned(), "|---|---|---|---|---|".to_owned()];
    for (name, runs) in names.iter().zip(outcomes) {
        let ratios: Vec<f64> = runs.iter().zip(&outcomes[RUN]).map(|(peer, run)| peer.cpu_per_million / run.cpu_per_million).collect();
        lines.push(format!(
            "| {name} | {:.0} | {:.2} | {:.0} | {} |",
            median(runs.iter().map(|run| run.rate)),
            median(runs.iter().map(|run| run.cpu_per_million)),
            median(runs.iter().map(|run| run.peak_mib)),
            spread(&ratios)
        ));
    }
    let rounds = outcomes[RUN].len();
    lines.push(format!(
        "\nMedians of {rounds} rounds, ratios within a round with their range. {count} events of {AGENTS} agents in {PARTITIONS} partitions, the \
         first {:.0} % not measured. `run` has one lane and commits every 100 ms; Kafka Streams has a thread a processor and commits every 100 ms, \
         Flink a slot a processor and 1 s checkpoints, both with z-scores and bigrams only. {}, {conditions}",
        WARM_UP * 100.0,
        versions()
    ));
    lines.join("\n")
}

/// The versions that the build names.
fn versions() -> String {
    let pom = std::fs::read_to_string(sources().join("pom.xml")).unwrap_or_default();
    let version =
        |name: &str| pom.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once('<')).map_or("?", |(text, _)| text);
    format!("Kafka Streams {}, Flink {}", version("kafka.version"), version("flink.version"))
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/kafka/peers")
}

/// Builds the Java projects; `Err` says why they cannot be.
fn build() -> Result<PathBuf, String> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/kafka/peers");
    let mut maven = Command::new("mvn");
    maven.args(["-B", "-q", "package"]).arg(format!("-Dbuild.root={}", built.display())).current_dir(sources());
    let output = maven.output().map_err(|error| format!("`mvn` does not run: {error}"))?;
    if output.status.success() { Ok(built) } else { Err(format!("mvn failed: {}", String::from_utf8_lossy(&output.stdout).trim())) }
}

fn service(config: &Config, round: usize, count: u64, folder: &Path) -> Outcome {
    let mut config = config.clone();
    config.kafka.group = format!("run-{round}");
    let topic = gaitkeeper::stream::TopicNames::new(&config).outputs.swap_remove(0);
    let before = ground::count_committed(&config.kafka.brokers, &topic);
    let contender = Process::of(&mut contender::service(&config), folder.join(&config.kafka.group));
    let mut outcome = watch(contender, &config, &config.kafka.group, count, |said| said.contains("the group is left"));
    outcome.findings = ground::count_committed(&config.kafka.brokers, &topic) - before;
    outcome
}

fn java(peer: &Java, built: &Path, config: &Config, round: usize, count: u64, folder: &Path) -> Outcome {
    let group = format!("{}-{round}", peer.module);
    let output = format!("{group}-findings");
    make_topic(&config.kafka.brokers, &output);
    let module = built.join(peer.module);
    let mut command = Command::new("java");
    command
        .args(peer.options)
        .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
        .arg("-cp")
        .arg(format!("{}:{}", module.join(format!("{}-1.jar", peer.module)).display(), module.join("lib/*").display()))
        .arg(peer.main)
        .args([&config.kafka.brokers, &group, &ground::input(config), &output])
        .arg(folder.join(format!("{group}-state")));
    let contender = Process::of(&mut command, folder.join(&group));
    let expected = format!("processed {count}\n");
    let mut outcome = watch(contender, config, &group, count, |said| said.contains(&expected));
    outcome.findings = ground::count_committed(&config.kafka.brokers, &output);
    assert!(outcome.findings > 0, "{}: a stream with misuse in it must raise findings", peer.name);
    outcome
}

/// Follows a contender to the end of the input and ends it; `is_content` says whether its last words are as they must be.
fn watch(mut contender: Process, config: &Config, group: &str, count: u64, is_content: impl Fn(&str) -> bool) -> Outcome {
    let onlooker = Onlooker::new(&config.kafka.brokers, group, &ground::input(config));
    let began = Instant::now();
    let mut samples: Vec<(Instant, u64, f64)> = Vec::new();
    loop {
        assert!(began.elapsed() < WITHIN && contender.is_running(), "{group} does not finish: {}", contender.said());
        let committed = onlooker.committed().unwrap_or_default();
        if samples.last().is_none_or(|sample| sample.1 < committed) {
            samples.push((Instant::now(), committed, cpu_of(contender.id())));
        }
        if committed >= count {
            break;
        }
        thread::sleep(LOOK_EVERY);
    }
    assert_eq!(samples.last().map(|sample| sample.1), Some(count), "{group} committed more than there is");
    let peak_mib = status(contender.id(), "VmHWM").unwrap_or_default() as f64 / 1024.0;
    contender.end();
    assert!(is_content(&contender.said()), "{group} did not process {count} events: {}", contender.said());

    let mut measured = samples.iter().filter(|sample| sample.1 as f64 >= WARM_UP * count as f64 && sample.1 < count);
    let (Some(first), Some(last)) = (measured.clone().next(), measured.next_back()) else {
        panic!("{group} needs more events to be measured")
    };
    assert!(last.1 > first.1, "{group} needs more events to be measured");
    let events = (last.1 - first.1) as f64;
    Outcome {
        rate: events / last.0.duration_since(first.0).as_secs_f64(),
        cpu_per_million: (last.2 - first.2) * 1e6 / events,
        peak_mib,
        findings: 0,
    }
}

fn make_topic(brokers: &str, name: &str) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new().set("bootstrap.servers", brokers).create().expect("valid settings");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let topic = NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1));
    let answers = runtime.block_on(admin.create_topics([&topic], &AdminOptions::new())).expect("the broker answers");
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}
