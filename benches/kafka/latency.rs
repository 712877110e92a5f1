//! From a producer's send to the finding in the hands of a `read_committed` reader.
//!
//! Some events come from agents that nobody declared; each of them must be named at once, so the finding tells which event it
//! answers. All others are the load.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use gaitkeeper::config::{Config, Delivery};
use gaitkeeper::govern::ControlTopic;
use gaitkeeper::stream::{Meters, Service, Stop, TopicCheck, TopicNames, client};
use gaitkeeper::workbench::generate::Generated;
use rdkafka::consumer::BaseConsumer;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::topic_partition_list::Offset;

use crate::broker::Broker;
use crate::ground::{self, WITHIN, wait};
use crate::measure::{conditions, quantile};
use crate::operations;

const RATES: [u64; 2] = [1_000, 10_000];
const INTERVALS_MS: [u64; 3] = [10, 100, 1_000];
const AGENTS: usize = 200;
/// Load before the first measured event.
const WARM_UP: Duration = Duration::from_secs(3);
/// Undeclared agents a second.
const PROBES_A_SECOND: u64 = 40;
/// How long the last findings may take.
const PATIENCE: Duration = Duration::from_mins(1);

pub fn run(seconds: u64, write: bool) {
    let Some(broker) = Broker::shared() else { return };
    let conditions = conditions();
    let most = RATES.iter().max().copied().unwrap_or_default();
    let length = usize::try_from(most * (seconds + WARM_UP.as_secs())).expect("fits memory");
    let load: Vec<Generated> = ground::fleet(AGENTS).take(length).collect();
    let mut lines = vec!["| delivery | events/s | commits every 10 ms | 100 ms | 1000 ms |".to_owned(), "|---|---|---|---|---|".to_owned()];
    for (delivery, name) in [(Delivery::ExactlyOnce, "exactly once"), (Delivery::AtLeastOnce, "at least once")] {
        for rate in RATES {
            let mut cells = Vec::new();
            for interval_ms in INTERVALS_MS {
                let mut config = ground::config(broker, &format!("{delivery:?}-{rate}-{interval_ms}."));
                config.kafka.delivery = delivery;
                config.kafka.commit_interval_ms = interval_ms;
                let millis = cell(&config, &load, rate, seconds);
                let (p50, p99) = (quantile(&millis, 0.5), quantile(&millis, 0.99));
                println!("{name}, {rate} events/s, {interval_ms} ms: p50 {p50:.1} ms, p99 {p99:.1} ms, {} findings", millis.len());
                cells.push(format!("{p50:.0} / {p99:.0}"));
            }
            lines.push(format!("| {name} | {rate} | {} |", cells.join(" | ")));
        }
    }
    lines.push(format!(
        "\nMilliseconds, p50 / p99, from the producer's send (it waits up to 1 ms to fill a batch) to the finding in a `read_committed` \
         reader; {PROBES_A_SECOND} findings a second over {seconds} s in each cell; {conditions}"
    ));
    operations::publish("latency", &lines.join("\n"), write);
}

/// One commit interval at one rate: milliseconds of each finding.
fn cell(config: &Config, load: &[Generated], rate: u64, seconds: u64) -> Vec<f64> {
    let keeper = ground::keeper(config);
    keeper.create().expect("the broker makes topics");
    declare(config, load);
    let (stop, meters) = (Stop::new(), Meters::new());
    let launched = Service::launch(&Arc::new(config.clone()), TopicCheck::Full, meters.clone(), &stop, |call| panic!("{call} hangs"));
    let service = launched.expect("the topics are there").expect("nobody stopped it");
    let findings = ground::reader(&config.kafka.brokers, &TopicNames::new(config).outputs[0], Offset::Beginning);
    wait(|| meters.partitions.get() == i64::from(ground::PARTITIONS));
    let sent = Mutex::new(Vec::new());
    let found = thread::scope(|scope| {
        let producing = scope.spawn(|| offer(config, load, rate, seconds, &sent));
        let found = collect(&findings, &sent, || producing.is_finished());
        producing.join().expect("the producer does not panic");
        found
    });
    stop.request();
    service.wait().expect("a clean end");
    drop(findings);
    keeper.delete().expect("the broker deletes topics");
    assert_eq!(found.len(), sent.into_inner().expect("nobody panicked").len(), "every undeclared agent is found once");
    // Those of the warm-up were sent first.
    let warm_up = usize::try_from(WARM_UP.as_secs() * PROBES_A_SECOND).expect("small");
    found.into_iter().filter(|(number, _)| *number >= warm_up).map(|(_, millis)| millis).collect()
}

/// Every agent of the load goes into the inventory.
fn declare(config: &Config, load: &[Generated]) {
    let names = TopicNames::new(config);
    let topic = names.tables.iter().find(|(table, _)| *table == ControlTopic::Inventory).map(|(_, name)| name);
    let topic = topic.expect("every table has a topic");
    let producer: BaseProducer = client::producer(&config.kafka, None).create().expect("valid settings");
    let agents: std::collections::BTreeSet<&str> = load.iter().map(|event| &*event.agent_id).collect();
    for agent in agents {
        ground::send(&producer, topic, agent, serde_json::json!({ "agent": agent }).to_string().as_bytes());
    }
    producer.flush(WITHIN).expect("the broker takes the records");
}

/// Sends the load at its rate, with an undeclared agent in regular distances, and notes when those were sent.
fn offer(config: &Config, load: &[Generated], rate: u64, seconds: u64, sent: &Mutex<Vec<Instant>>) {
    let producer = ground::producer(config, 1);
    let topic = ground::input(config);
    let count = rate * (seconds + WARM_UP.as_secs());
    let (began, distance) = (Instant::now(), rate / PROBES_A_SECOND);
    for (number, event) in (0..count).zip(load) {
        ground::keep_pace(&producer, began, number, rate, Duration::from_millis(1));
        if number % distance == 0 {
            let agent = format!("undeclared-{}", number / distance);
            let line = serde_json::json!({ "event_id": agent, "ts": event.ts, "agent_id": agent, "session_id": agent, "tool": "look" });
            sent.lock().expect("nobody panicked").push(Instant::now());
            ground::send(&producer, &topic, &agent, line.to_string().as_bytes());
        } else {
            ground::send(&producer, &topic, &event.agent_id, event.line.as_bytes());
        }
    }
    producer.flush(WITHIN).expect("the broker takes the events");
}

/// Number and milliseconds of each undeclared agent that is found, until all are, or they take too long.
fn collect(findings: &BaseConsumer, sent: &Mutex<Vec<Instant>>, is_all_sent: impl Fn() -> bool) -> Vec<(usize, f64)> {
    let mut found = Vec::new();
    let mut last_sent = None;
    loop {
        if let Some(Ok(message)) = findings.poll(Duration::from_millis(100)) {
            let now = Instant::now();
            if let Some(number) = undeclared(message.payload().unwrap_or_default()) {
                let at = sent.lock().expect("nobody panicked")[number];
                found.push((number, 1_000.0 * now.duration_since(at).as_secs_f64()));
            }
        } else if is_all_sent() {
            let is_complete = found.len() == sent.lock().expect("nobody panicked").len();
            if is_complete || last_sent.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                return found;
            }
        }
    }
}

/// Which undeclared agent an opened finding names.
fn undeclared(finding: &[u8]) -> Option<usize> {
    let finding: serde_json::Value = serde_json::from_slice(finding).expect("a finding is JSON");
    let opens = finding["kind"] == "shadow_agent" && finding["activity"] == "open";
    finding["agent_id"].as_str().filter(|_| opens)?.strip_prefix("undeclared-")?.parse().ok()
}
