//! The same events read raw, judged by `replay`, and taken through the service at least and exactly once.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use gaitkeeper::config::{Config, Delivery};
use gaitkeeper::stream::{Meters, Service, Stop, TopicCheck, client};
use gaitkeeper::workbench::generate::Generated;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::broker::Broker;
use crate::ground::{self, PARTITIONS, WITHIN, wait};
use crate::measure::{Measured, commits, conditions, measured, median, spread};
use crate::operations;

const EVENTS: usize = 500_000;
const AGENTS: usize = 1_000;

/// Positions of the variants in the table.
const RAW: usize = 0;
const REPLAY: usize = 1;
const EXACTLY_ONCE: usize = 3;

pub fn run(events: Option<usize>, rounds: usize, write: bool) {
    let Some(broker) = Broker::shared() else { return };
    let conditions = conditions();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = ground::config(broker, "");
    ground::keeper(&config).create().expect("the broker makes topics");
    let events: Vec<Generated> = ground::fleet(AGENTS).take(events.unwrap_or(EVENTS)).collect();
    let file = folder.path().join("events.jsonl");
    write_lines(&file, &events);
    ground::produce(&config, &events);
    let count = events.len() as u64;
    drop(events);

    let variants: [(&str, &dyn Fn(usize) -> Measured); 4] = [
        ("raw consumption, nothing done with it", &|_| raw(&config, count)),
        ("`replay` of the same events from a file", &|_| replay(&file)),
        ("`run`, at least once", &|round| service(&config, Delivery::AtLeastOnce, round, count)),
        ("`run`, exactly once", &|round| service(&config, Delivery::ExactlyOnce, round, count)),
    ];
    let mut runs: [Vec<Measured>; 4] = [const { Vec::new() }; 4];
    for round in 0..rounds {
        for step in 0..variants.len() {
            let index = (round + step) % variants.len();
            let measured = variants[index].1(round);
            println!("round {round}: {}: {:.2} s, {:.2} CPU s", variants[index].0, measured.wall_s, measured.cpu_s);
            runs[index].push(measured);
        }
    }
    let names = variants.map(|(name, _)| name);
    operations::publish("throughput", &table(count, &names, &runs, &conditions), write);
}

fn table(count: u64, names: &[&str], runs: &[Vec<Measured>], conditions: &str) -> String {
    let millions = count as f64 / 1e6;
    let mut lines = vec!["| | events/s | CPU s per million | commit p50 / p99, ms |".to_owned(), "|---|---|---|---|".to_owned()];
    for (name, runs) in names.iter().zip(runs) {
        let rate = median(runs.iter().map(|run| count as f64 / run.wall_s));
        let cpu = median(runs.iter().map(|run| run.cpu_s / millions));
        let (p50, p99): (Vec<f64>, Vec<f64>) = runs.iter().filter_map(|run| run.commit_ms).unzip();
        let commits = if p50.is_empty() { String::new() } else { format!("{:.0} / {:.0}", median(p50), median(p99)) };
        lines.push(format!("| {name} | {rate:.0} | {cpu:.2} | {commits} |"));
    }
    let ratios =
        |of: usize| -> Vec<f64> { runs[EXACTLY_ONCE].iter().zip(&runs[of]).map(|(run, other)| other.wall_s / run.wall_s).collect() };
    lines.push(String::new());
    lines.push(format!(
        "`run` exactly once, events/s against `replay`: {}; against raw consumption: {} (median of {} rounds, range). {count} events of \
         {AGENTS} agents, one lane, {PARTITIONS} partitions, commits every 100 ms; {conditions}",
        spread(&ratios(REPLAY)),
        spread(&ratios(RAW)),
        runs[RAW].len()
    ));
    lines.join("\n")
}

fn write_lines(path: &Path, events: &[Generated]) {
    let mut file = BufWriter::new(File::create(path).expect("a writable folder"));
    for event in events {
        writeln!(file, "{}", event.line).expect("a writable folder");
    }
    file.flush().expect("a writable folder");
}

/// The consumer of the service, and nothing done with what it reads.
fn raw(config: &Config, count: u64) -> Measured {
    let consumer: BaseConsumer = client::consumer(&config.kafka).create().expect("valid settings");
    let mut all = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        all.add_partition_offset(&ground::input(config), partition, Offset::Beginning).expect("a valid offset");
    }
    consumer.assign(&all).expect("partitions of the topic");
    while consumer.poll(WITHIN).is_none_or(|message| message.is_err()) {}
    measured(|| {
        let mut seen = 1;
        while seen < count {
            seen += u64::from(matches!(consumer.poll(Duration::from_secs(1)), Some(Ok(_))));
        }
        None
    })
}

/// The whole command, from its start to its end.
fn replay(file: &Path) -> Measured {
    measured(|| {
        let status = Command::new(env!("CARGO_BIN_EXE_gaitkeeper"))
            .arg("replay")
            .arg(file)
            .arg("--findings")
            .arg(file.with_extension("findings"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("the binary starts");
        assert!(status.success(), "replay: {status}");
        None
    })
}

/// From the first record taken to the commit of the last one.
fn service(config: &Config, delivery: Delivery, round: usize, count: u64) -> Measured {
    let mut config = config.clone();
    config.kafka.delivery = delivery;
    config.kafka.group = format!("bench-{delivery:?}-{round}");
    let (stop, meters) = (Stop::new(), Meters::new());
    let service = Service::launch(&Arc::new(config), TopicCheck::Full, meters.clone(), &stop, |call| panic!("{call} hangs"));
    let service = service.expect("the topics are there").expect("nobody stopped it");
    wait(|| meters.records.get() > 0);
    let measured = measured(|| {
        wait(|| meters.records.get() >= count);
        let before = meters.commits.get();
        wait(|| meters.commits.get() > before);
        Some(commits(&meters))
    });
    stop.request();
    service.wait().expect("a clean end");
    assert_eq!(meters.events.get(), count, "every event is judged once");
    measured
}
