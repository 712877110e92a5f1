//! What the common path allocates: decoding an ordinary record, and scoring an ordinary event inside a session of a known agent. Neither
//! allocates anything, but for the event at which a session outgrows the room that sessions keep for each other.
//!
//! A binary of its own, because counting replaces the allocator of the whole program.

#[path = "../../benches/throughput/world.rs"]
#[allow(dead_code, reason = "the benchmark uses more of it")]
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use allocation_counter::measure;
use gaitkeeper::config::EngineConfig;
use gaitkeeper::engine::{Engine, Output, Shard, Tables};
use gaitkeeper::event::native::{self, Origin};
use gaitkeeper::finding::Decision;
use world::{Shape, Turns, World};

const AGENTS: usize = 16;
const ROUNDS: usize = 12;
/// Until then the agents are young, and much is new.
const WARM_ROUNDS: usize = 8;
/// Share of events that allocate nothing: the others are those at which a session becomes longer than sixteen events, or thirty-two.
const WITHOUT_MIN: f64 = 0.975;
/// Events with a smaller p are explained at once.
const EXPLAINED_BELOW: f64 = 0.02;
/// Allocations an event on average.
const MEAN_MAX: f64 = 0.05;
const ORIGIN: Origin = Origin { partition: 0, offset: 0 };

#[test]
fn a_plain_record_is_decoded_without_an_allocation() {
    for shape in [Shape::Fixed, Shape::Shuffled] {
        let mut world = World::new(AGENTS);
        let lines = world.slice(256, Turns::Zipf).json(shape);
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let mut agent_bytes = 0;
            let counted = measure(|| agent_bytes = native::decode(line, ORIGIN).expect("a record of the stream").event.agent_id.len());
            assert!(agent_bytes > 0);
            assert_eq!(counted.count_total, 0, "{}", String::from_utf8_lossy(line));
        }
    }
}

#[test]
fn an_escaped_text_is_an_allocation_so_the_count_can_fail() {
    let line = br#"{"ts":1736150400000,"agent_id":"a\"b","tool":"t"}"#;
    let counted = measure(|| drop(native::decode(line, ORIGIN).expect("a record")));
    assert!(counted.count_total > 0);
}

#[test]
fn an_event_inside_a_session_of_a_known_agent_is_scored_without_an_allocation() {
    let mut world = World::new(AGENTS);
    let mut engine = Engine::new(Arc::new(EngineConfig::default()), Shard { partition: 0, partitions: 1 });
    let tables = Tables::default();
    let mut outputs = Vec::with_capacity(1_024);
    let mut last_session = BTreeMap::new();
    let mut events_by_allocations = BTreeMap::<u64, usize>::new();
    for round in 0..ROUNDS {
        let slice = world.slice(2_048, Turns::Equal);
        for event in &slice.events() {
            let counted = measure(|| engine.on_event(event, &tables, &mut outputs));
            let session = event.session_id.as_deref().map(str::to_owned);
            let goes_on = last_session.insert(event.agent_id.to_string(), session.clone()) == Some(session);
            if goes_on && round >= WARM_ROUNDS && is_ordinary(&outputs) {
                *events_by_allocations.entry(counted.count_total).or_default() += 1;
            }
            outputs.clear();
        }
    }
    let events: usize = events_by_allocations.values().sum();
    assert!(events > 4_000, "too few events are on the common path: {events}");
    let without = events_by_allocations.get(&0).copied().unwrap_or_default();
    assert!(without as f64 >= WITHOUT_MIN * events as f64, "{without} of {events} events: {events_by_allocations:?}");
    let allocations: u64 = events_by_allocations.iter().map(|(each, events)| each * *events as u64).sum();
    assert!(allocations as f64 <= MEAN_MAX * events as f64, "{allocations} allocations in {events} events: {events_by_allocations:?}");
}

/// A score and nothing else: nobody is told, and the event is not so odd by itself that it is explained in case somebody will be.
fn is_ordinary(outputs: &[Output]) -> bool {
    matches!(outputs, [Output::Score(score)] if score.decision == Decision::Allow && score.p_value.is_some_and(|p| p >= EXPLAINED_BELOW))
}
