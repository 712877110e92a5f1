//! Events through the service, against the same engine fed with each partition's records in their order.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use gaitkeeper::engine::{Engine, Output, Shard, Tables};
use gaitkeeper::event::{Origin, decode};
use gaitkeeper::workbench::generate::{Generator, Settings};

use crate::broker::Broker;
use crate::stand::{Seen, Stand, wait_until};

pub const PARTITIONS: i32 = 4;

/// Findings and step-up requests as they go over the wire.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Published {
    pub findings: Vec<Vec<u8>>,
    pub requests: Vec<Vec<u8>>,
}

/// What the engine says of one partition's records.
pub fn replayed(stand: &Stand, partition: i32, records: &[Seen]) -> (Published, Engine) {
    let mut engine = Engine::new(Arc::new(stand.config.engine.clone()), Shard { partition, partitions: PARTITIONS });
    let (mut published, mut outputs) = (Published::default(), Vec::new());
    for (offset, record) in records.iter().enumerate() {
        let origin = Origin { partition, offset: i64::try_from(offset).expect("small") };
        let Ok(decoded) = decode(&record.value, origin) else { continue };
        engine.on_event(&decoded.event, &Tables::default(), &mut outputs);
        for output in outputs.drain(..) {
            match output {
                Output::Finding(finding) => published.findings.push(serde_json::to_vec(&finding).expect("JSON")),
                Output::StepUp(request) => published.requests.push(serde_json::to_vec(&request).expect("JSON")),
                Output::Score(_) | Output::SessionEnd(_) | Output::Sighting(_) | Output::State(_) | Output::Audit(_) => (),
            }
        }
    }
    (published, engine)
}

pub fn values(records: &[Seen]) -> Vec<Vec<u8>> {
    records.iter().map(|record| record.value.clone()).collect()
}

/// Sends the lines with every 500th spoilt through the service; what it publishes must be what a replay says.
///
/// Every topic here has the same partitions and one partitioner, so the findings of an input partition are one output partition,
/// in their order.
#[track_caller]
fn check(stand: &Stand, lines: &[(String, Vec<u8>)]) {
    let spoilt: Vec<(String, Vec<u8>)> = lines
        .iter()
        .enumerate()
        .map(|(index, (key, line))| {
            let bytes = if index % 500 == 499 { line[..line.len() / 2].to_vec() } else { line.clone() };
            (key.clone(), bytes)
        })
        .collect();
    let serving = stand.serve();
    stand.produce(spoilt.iter().map(|(key, line)| (key.as_str(), line.as_slice())));
    let total = i64::try_from(spoilt.len()).expect("small");
    wait_until("everything is consumed", || stand.consumed() == total);
    let meters = serving.meters.clone();
    serving.stop().expect("a clean end");

    let inputs = stand.committed(&stand.names.inputs[0]);
    let (findings, requests) = (stand.committed(&stand.names.outputs[0]), stand.committed(&stand.names.step_up_requests));
    assert!(inputs.values().filter(|records| !records.is_empty()).count() > 1, "the stream must reach several partitions");
    let mut said = 0;
    for (partition, records) in &inputs {
        let published = Published { findings: values(&findings[partition]), requests: values(&requests[partition]) };
        said += published.findings.len();
        assert!(published == replayed(stand, *partition, records).0, "partition {partition} differs from its replay");
    }
    assert!(said > 0, "a stream with misuse in it must raise findings");
    assert_eq!(u64::try_from(said).expect("small"), meters.findings.get());
    let letters: BTreeMap<i32, Vec<Seen>> = stand.committed(&stand.names.dead_letters);
    assert_eq!(letters.values().map(Vec::len).sum::<usize>(), spoilt.len() / 500);
    assert_eq!(meters.events.get() + u64::try_from(spoilt.len() / 500).expect("small"), u64::try_from(spoilt.len()).expect("small"));
}

#[test]
fn a_generated_fleet_is_judged_as_in_a_replay() {
    let Some(broker) = Broker::shared() else { return };
    let stand = Stand::new(broker, "fleet", PARTITIONS);
    let events = Generator::new(Settings { quiet_until: 0, ..Settings::default() }).take(50_000);
    let lines: Vec<(String, Vec<u8>)> = events.map(|event| (event.agent_id.to_string(), event.line.into_bytes())).collect();
    check(&stand, &lines);
}

#[test]
fn a_recorded_stream_is_judged_as_in_a_replay() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/agentdojo_mix5.jsonl.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let Some(broker) = Broker::shared() else { return };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("a gzip file of text");
    let lines: Vec<(String, Vec<u8>)> = text
        .lines()
        .map(|line| {
            let agent = serde_json::from_str::<serde_json::Value>(line).expect("JSON")["agent_id"].as_str().expect("an agent").to_owned();
            (agent, line.as_bytes().to_vec())
        })
        .collect();
    check(&Stand::new(broker, "recorded", PARTITIONS), &lines);
}
