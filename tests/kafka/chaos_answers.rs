//! The storm of `chaos`, over questions: refunds that are held, asked about, answered, acknowledged and executed while instances and
//! broker are killed. Each answer counts once, each approval is used once, and the trail of it all has neither gap nor double.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gaitkeeper::workbench::audit::verify::{Extent, verify};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::broker::Broker;
use crate::chaos::{Weathered, setting, weather};
use crate::events::PARTITIONS;
use crate::stand::{PATIENCE, SHORT_SESSION, Stand};
use crate::stepup::now_ms;

const AGENTS: usize = 40;
/// Refunds of one slice; an agent has fewer of them in all than requests are remembered.
const SLICE: usize = 16;
const SLICE_EVERY: Duration = Duration::from_millis(250);
/// Nothing is withheld, however long an outage lasts.
const SETTINGS: &str = "[step_up]\nopen = 1000\n";

/// The refund of that number, as its agent wants to make it now.
fn refund(number: usize, status: &str, approval: Option<&str>) -> (String, Vec<u8>) {
    let agent = format!("agent-{}", number % AGENTS);
    let mut event = json!({
        "event_id": format!("{status}-{number}"), "ts": now_ms(), "agent_id": agent, "session_id": format!("session-{number}"),
        "tool": "issue_refund", "target": format!("order/{number}"), "on_behalf_of": "customer", "amount": "80", "currency": "EUR",
        "status": status, "params_hash": format!("sha256:{number:064x}"),
    });
    if let Some(approval) = approval {
        event["approval_id"] = approval.into();
    }
    (agent, event.to_string().into_bytes())
}

/// People and enforcement points: they answer each question, most of them with yes, say it twice, and do what was approved.
struct People<'s> {
    stand: &'s Stand,
    producer: BaseProducer,
    /// Of requests and of the trail, from their beginning on; only what is committed.
    reader: BaseConsumer,
    approved: usize,
    denied: usize,
}

impl<'s> People<'s> {
    fn new(stand: &'s Stand) -> Self {
        let reader: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &stand.config.kafka.brokers)
            .set("group.id", "people")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .create()
            .expect("valid settings");
        let mut list = TopicPartitionList::new();
        for topic in [&stand.names.step_up_requests, &stand.names.audit] {
            for partition in 0..PARTITIONS {
                list.add_partition_offset(topic, partition, Offset::Beginning).expect("a valid offset");
            }
        }
        reader.assign(&list).expect("partitions of the topics");
        Self { stand, producer: stand.producer(), reader, approved: 0, denied: 0 }
    }

    fn send(&self, topic: &str, key: &str, value: &[u8]) {
        self.producer.send(BaseRecord::to(topic).key(key).payload(value)).expect("a queue longer than the test");
        // Waiting for each record would take most of the time.
        self.producer.poll(Duration::ZERO);
    }

    /// Works until so many refunds have come to their end.
    fn work(&mut self, total: usize) {
        let since = Instant::now();
        let mut ended = 0;
        while ended < total {
            assert!(since.elapsed() < PATIENCE, "{ended} of {total} refunds came to their end");
            let Some(Ok(message)) = self.reader.poll(Duration::from_millis(200)) else { continue };
            let record: Value = serde_json::from_slice(message.payload().unwrap_or_default()).expect("JSON");
            if message.topic() == self.stand.names.step_up_requests {
                self.answer(&record);
            } else if record["what"] == "request" {
                match record["outcome"].as_str().expect("a word") {
                    "approved" => self.execute(&record),
                    "denied" | "consumed" => ended += 1,
                    "pending" => (),
                    other => panic!("{other}: {record}"),
                }
            }
        }
    }

    fn answer(&mut self, request: &Value) {
        let (id, agent) = (request["request_id"].as_str().expect("an id"), request["agent"]["id"].as_str().expect("an agent"));
        let is_approved = (self.approved + self.denied) % 4 != 3;
        *(if is_approved { &mut self.approved } else { &mut self.denied }) += 1;
        let answer = json!({
            "request_id": id, "outcome": if is_approved { "approved" } else { "denied" }, "decided_by": {"sub": "eve"},
            "decided_at": now_ms(), "params_hash": request["params_hash"],
        });
        let prefix = &self.stand.config.kafka.topic_prefix;
        for _ in 0..2 {
            self.send(&format!("{prefix}agent-stepup-responses"), id, answer.to_string().as_bytes());
        }
        let ack = json!({"agent_id": agent, "request_id": id, "enforced_by": "gate", "effect": "held", "enforced_at": now_ms()});
        self.send(&format!("{prefix}agent-enforcement-acks"), agent, ack.to_string().as_bytes());
    }

    fn execute(&self, record: &Value) {
        let number = record["target"].as_str().and_then(|target| target.strip_prefix("order/")).and_then(|number| number.parse().ok());
        let (agent, event) = refund(number.expect("an order"), "ok", record["request_id"].as_str());
        self.send(&self.stand.names.inputs[0], &agent, &event);
    }
}

/// How often each value of a member is there.
fn counted<'r>(records: impl Iterator<Item = &'r Value>, member: &str) -> BTreeMap<&'r str, usize> {
    let mut counts = BTreeMap::new();
    for record in records {
        *counts.entry(record[member].as_str().expect("a text")).or_insert(0) += 1;
    }
    counts
}

#[track_caller]
fn assert_each_once(stand: &Stand, total: usize, approved: usize) {
    let all = |topic: &str| stand.committed(topic).into_values().flatten().map(|seen| seen.value).collect::<Vec<_>>();
    let read = |lines: &[Vec<u8>]| lines.iter().map(|line| serde_json::from_slice(line).expect("JSON")).collect::<Vec<Value>>();
    let requests = read(&all(&stand.names.step_up_requests));
    for member in ["request_id", "event_id"] {
        let counts = counted(requests.iter(), member);
        assert!(counts.len() == total && counts.values().all(|count| *count == 1), "each held refund asks once: {member}");
    }

    let mut lines = all(&stand.names.audit);
    let number = |line: &Vec<u8>, member: &str| read(std::slice::from_ref(line))[0][member].as_u64().expect("a number");
    lines.sort_by_cached_key(|line| (number(line, "partition"), number(line, "sequence")));
    let heads = verify(lines.iter().map(Vec::as_slice), Extent::Part).unwrap_or_else(|fault| panic!("the trail: {fault}"));
    let length: u64 = heads.values().map(|head| head.sequence).sum();
    assert_eq!((heads.len(), length), (usize::try_from(PARTITIONS).expect("small"), lines.len() as u64), "from the first record on");

    let trail = read(&lines);
    let those = |what: &'static str, outcome: &'static str| {
        trail.iter().filter(move |record| record["what"] == what && record["outcome"] == outcome)
    };
    let denied = total - approved;
    for (what, outcome, member, expected) in [
        ("request", "pending", "request_id", total),
        ("request", "approved", "request_id", approved),
        ("request", "consumed", "request_id", approved),
        ("request", "denied", "request_id", denied),
        ("answer", "approved", "request_id", approved),
        ("answer", "denied", "request_id", denied),
        ("ack", "held", "request_id", total),
        ("decision", "held", "event_id", total),
        ("decision", "covered", "event_id", approved),
    ] {
        let counts = counted(those(what, outcome), member);
        let doubled = counts.iter().find(|(_, count)| **count > 1);
        assert!(counts.len() == expected && doubled.is_none(), "{what} {outcome}: {} of {expected}, {doubled:?}", counts.len());
    }
    let findings = read(&all(&stand.names.outputs[0]));
    let kinds = counted(findings.iter().filter(|finding| finding["activity"] == "open"), "kind");
    assert_eq!(kinds, BTreeMap::from([("intent_limit", total)]), "nothing else is found");
}

#[test]
fn a_storm_over_questions_and_answers_counts_each_once() {
    let (seed, seconds) = (setting("GAITKEEPER_CHAOS_SEED", 2), setting("GAITKEEPER_CHAOS_SECONDS", 30));
    let Some(mut broker) = Broker::private(&format!("answers-{seed}"), SHORT_SESSION) else { return };
    let mut stand = Stand::new(&broker, "answers", PARTITIONS);
    stand.config.kafka.snapshot_interval_ms = 1_000;
    let contracts = (0..AGENTS).map(|number| {
        let limits =
            json!([{"action": "issue_refund", "field": "amount", "currency": "EUR", "automatic_up_to": 50, "above": "human_approval"}]);
        let agent = format!("agent-{number}");
        let record = json!({"agent": agent, "owner": "payments", "limits": limits}).to_string();
        (agent, record)
    });
    let contracts: Vec<(String, String)> = contracts.collect();
    let inventory = format!("{}agent-inventory", stand.config.kafka.topic_prefix);
    stand.produce_to(&inventory, contracts.iter().map(|(agent, record)| (agent.as_str(), record.as_bytes())));

    // An agent is asked about less often than requests are remembered.
    let slices = usize::try_from(seconds * 4).expect("small").min(64 * AGENTS / SLICE - 1);
    let total = slices * SLICE;
    let (is_over, approved) = (AtomicBool::new(false), std::sync::Mutex::new(0));
    let mut people = People::new(&stand);
    let feed = || {
        thread::scope(|scope| {
            scope.spawn(|| {
                let producer = stand.producer();
                for slice in 0..slices {
                    let lines: Vec<_> = (slice * SLICE..(slice + 1) * SLICE).map(|number| refund(number, "denied", None)).collect();
                    stand.produce_with(&producer, lines.iter().map(|(key, line)| (key.as_str(), line.as_slice())));
                    thread::sleep(SLICE_EVERY);
                }
            });
            people.work(total);
        });
        *approved.lock().expect("nobody panicked") = people.approved;
        is_over.store(true, Ordering::Release);
    };
    let Weathered { instances, restored, .. } =
        weather(&mut broker, &stand, SETTINGS, (seed, seconds), feed, || is_over.load(Ordering::Acquire));
    let approved = *approved.lock().expect("nobody panicked");
    assert_each_once(&stand, total, approved);
    eprintln!("seed {seed}: {total} refunds held, {approved} approved and executed, {instances} instances, {restored} restores: each once");
}
