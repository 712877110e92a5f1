//! What Kafka costs: the same events read raw, judged without Kafka, and taken through the service at least and exactly once.
//!
//! `cargo bench --bench kafka` starts a broker of its own on this machine, so broker and service share its processors. Rounds
//! run every variant once, in rotated order; compare within a run, not between runs.

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/kafka/broker.rs"]
mod broker;
mod measure;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gaitkeeper::config::{Config, Delivery};
use gaitkeeper::engine::{Engine, Shard, Tables};
use gaitkeeper::event::{Origin, decode};
use gaitkeeper::stream::topics::TopicKeeper;
use gaitkeeper::stream::{Link, Meters, Service, Stop, TopicCheck, TopicNames, client};
use gaitkeeper::workbench::generate::{Generated, Generator, Settings, Shape};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use broker::Broker;
use measure::{Measured, measured, quantile_ms, report};

const PARTITIONS: i32 = 4;
const EVENTS: usize = 200_000;
const ROUNDS: usize = 3;
const AGENTS: usize = 1_000;
/// No variant takes longer, even on a busy machine.
const WITHIN: Duration = Duration::from_mins(10);

fn main() {
    let Some(broker) = Broker::private("bench") else { return };
    let events: Vec<Generated> = fleet().take(number("GAITKEEPER_BENCH_EVENTS", EVENTS)).collect();
    let config = config(&broker);
    let names = TopicNames::new(&config);
    let link = Link::new(&config.kafka.brokers, &names.inputs[0]);
    TopicKeeper::new(&Arc::new(config.clone()), &link).and_then(|keeper| keeper.create()).expect("the broker makes topics");
    produce(&config, &names.inputs[0], &events);

    let count = events.len() as u64;
    let variants: [(&'static str, &dyn Fn(usize) -> Measured); 4] = [
        ("raw consumption", &|_| raw(&config, &names.inputs[0], count)),
        ("decode and engine alone", &|_| alone(&config, &events)),
        ("run, at least once", &|round| service(&config, Delivery::AtLeastOnce, round, count)),
        ("run, exactly once", &|round| service(&config, Delivery::ExactlyOnce, round, count)),
    ];
    let mut rows: Vec<(&str, Vec<Measured>)> = variants.iter().map(|(name, _)| (*name, Vec::new())).collect();
    for round in 0..number("GAITKEEPER_BENCH_ROUNDS", ROUNDS) {
        for step in 0..variants.len() {
            let index = (round + step) % variants.len();
            rows[index].1.push(variants[index].1(round));
        }
    }
    report(count, &rows);
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn fleet() -> Generator {
    Generator::new(Settings { shape: Shape { agents: AGENTS, ..Shape::default() }, ..Settings::default() })
}

fn config(broker: &Broker) -> Config {
    let mut config = Config::default();
    config.kafka.brokers = broker.bootstrap().into();
    config.kafka.partitions = PARTITIONS;
    config.kafka.state_dir = Some(Path::new(broker.folder()).join("state"));
    config.admin_listen = "off".into();
    config
}

fn produce(config: &Config, topic: &str, events: &[Generated]) {
    let producer: BaseProducer = client::producer(&config.kafka, None).create().expect("valid settings");
    for event in events {
        let mut record = BaseRecord::to(topic).key(&*event.agent_id).payload(&event.line);
        while let Err((error, back)) = producer.send(record) {
            assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull), "{error}");
            producer.poll(Duration::from_millis(5));
            record = back;
        }
    }
    producer.flush(WITHIN).expect("the broker takes the events");
}

/// The consumer of the service, and nothing done with what it reads.
fn raw(config: &Config, topic: &str, count: u64) -> Measured {
    let consumer: BaseConsumer = client::consumer(&config.kafka).create().expect("valid settings");
    let mut all = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        all.add_partition_offset(topic, partition, Offset::Beginning).expect("a valid offset");
    }
    consumer.assign(&all).expect("partitions of the topic");
    while consumer.poll(WITHIN).is_none_or(|message| message.is_err()) {}
    measured(|| {
        let mut seen = 1;
        while seen < count {
            seen += u64::from(matches!(consumer.poll(Duration::from_secs(1)), Some(Ok(_))));
        }
        Vec::new()
    })
}

fn alone(config: &Config, events: &[Generated]) -> Measured {
    let mut engine = Engine::new(Arc::new(config.engine.clone()), Shard { partition: 0, partitions: 1 });
    measured(|| {
        let mut outputs = Vec::new();
        for (offset, event) in events.iter().enumerate() {
            let origin = Origin { partition: 0, offset: i64::try_from(offset).expect("small") };
            let decoded = decode(event.line.as_bytes(), origin).expect("our own event");
            engine.on_event(&decoded.event, &Tables::default(), &mut outputs);
            outputs.clear();
        }
        Vec::new()
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
        let commits = meters.commits.get();
        wait(|| meters.commits.get() > commits);
        vec![("commit p50", quantile_ms(&meters, 0.5)), ("commit p99", quantile_ms(&meters, 0.99))]
    });
    stop.request();
    service.wait().expect("a clean end");
    measured
}

fn wait(done: impl Fn() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < WITHIN, "not done within {WITHIN:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
