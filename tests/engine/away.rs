//! Agents that have been idle leave memory and come back before they act, and nobody can tell.

use std::collections::BTreeMap;

use gaitkeeper::config::EngineConfig;
use gaitkeeper::engine::Engine;
use gaitkeeper::engine::part::{Part, PartName};
use gaitkeeper::workbench::generate::{Generator, Settings};
use proptest::prelude::*;

use crate::shard::{Step, TestShard};

/// What a store holds of an engine: the parts of its newest snapshot.
#[derive(Default)]
struct Store(BTreeMap<PartName, Part>);

impl Store {
    fn take_epoch(&mut self, engine: &mut Engine) {
        engine.begin_epoch();
        self.0.extend(std::iter::from_fn(|| engine.next_part()).map(|part| (part.name, part)));
    }

    fn send_away(&self, engine: &mut Engine, most: u64) {
        engine.send_away(most, |number| self.0.contains_key(&PartName::Agent(number)));
    }

    /// True if the agent was away.
    fn recall(&self, engine: &mut Engine, agent: &str) -> bool {
        let name = engine.away(agent);
        if let Some(name) = name {
            engine.bring_back(&self.0[&name]).expect("the part of an agent that is away");
        }
        name.is_some()
    }
}

fn crowded(agents: usize) -> EngineConfig {
    let mut config = EngineConfig::default();
    config.detect.sessions.idle_ms = 600_000;
    config.detect.seal_after_sessions = Some(5);
    config.memory.agents = agents;
    config
}

/// A stream through an engine whose agents leave whenever they can, and one where they stay; returns how many came back.
#[track_caller]
fn check(config: &EngineConfig, seed: u64, every: usize) -> usize {
    let settings = Settings { seed, quiet_until: 0, ..Settings::default() };
    let events: Vec<_> = Generator::new(settings).take(6_000).collect();
    let (mut staying, mut leaving) = (TestShard::with(config.clone()), TestShard::with(config.clone()));
    let (mut store, mut back) = (Store::default(), 0);
    for (number, event) in events.iter().enumerate() {
        back += usize::from(store.recall(&mut leaving.engine, &event.agent_id));
        staying.feed_line(&event.line);
        leaving.feed_line(&event.line);
        if number % every == 0 {
            store.take_epoch(&mut leaving.engine);
        }
        store.send_away(&mut leaving.engine, 0);
    }
    assert_eq!(leaving.lines, staying.lines);
    assert_eq!(leaving.findings, staying.findings);
    assert_eq!(leaving.requests, staying.requests);
    assert_eq!(leaving.engine.agent_bytes(), staying.engine.agent_bytes(), "whoever is away counts");
    for event in &events {
        store.recall(&mut leaving.engine, &event.agent_id);
    }
    assert_eq!(leaving.engine.agents_away(), 0);
    assert_eq!(leaving.engine.digest(), staying.engine.digest());
    back
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn who_left_and_came_back_is_who_stayed(seed in 0u64..1000, every in 20usize..400) {
        prop_assert!(check(&crowded(1_000), seed, every) > 0, "nobody came back, so nothing was tested");
    }

    #[test]
    fn agents_are_forgotten_in_the_same_order_whether_they_are_away_or_not(seed in 0u64..1000) {
        check(&crowded(20), seed, 100);
    }
}

fn act(shard: &mut TestShard, agent: &str, session: &str, ts: i64) {
    let step = Step { agent: agent.into(), session: session.into(), ts, tool: "read".into(), target: None, bytes_out: 1 };
    shard.feed(&step.event(&format!("{agent} {session} {ts}")));
}

/// Three agents, each with a closed session.
fn three() -> (TestShard, Store) {
    let mut shard = TestShard::with(EngineConfig::default());
    for (agent, ts) in [("a", 0), ("b", 1), ("c", 2)] {
        act(&mut shard, agent, "s", ts);
    }
    shard.engine.close_idle(10 * 3_600_000, &mut Vec::new());
    let mut store = Store::default();
    store.take_epoch(&mut shard.engine);
    (shard, store)
}

fn away(shard: &TestShard) -> Vec<&'static str> {
    ["a", "b", "c"].into_iter().filter(|agent| shard.engine.away(agent).is_some()).collect()
}

#[test]
fn those_idle_longest_leave_until_the_others_fit() {
    let (mut shard, store) = three();
    let most = shard.engine.agent_bytes() as u64;
    store.send_away(&mut shard.engine, most);
    assert_eq!(away(&shard), [""; 0]);
    store.send_away(&mut shard.engine, most - 1);
    assert_eq!(away(&shard), ["a"]);
    store.send_away(&mut shard.engine, 0);
    assert_eq!((away(&shard), shard.engine.agents_away()), (vec!["a", "b", "c"], 3));
}

#[test]
fn who_has_an_open_session_or_has_changed_since_the_snapshot_stays() {
    let (mut shard, mut store) = three();
    act(&mut shard, "a", "t", 36_000_000);
    store.send_away(&mut shard.engine, 0);
    assert_eq!(away(&shard), ["b", "c"], "changed");
    store.take_epoch(&mut shard.engine);
    store.send_away(&mut shard.engine, 0);
    assert_eq!(away(&shard), ["b", "c"], "open");
    shard.engine.close_idle(20 * 3_600_000, &mut Vec::new());
    store.take_epoch(&mut shard.engine);
    store.send_away(&mut shard.engine, 0);
    assert_eq!(away(&shard), ["a", "b", "c"]);
}

#[test]
fn whoever_no_store_holds_stays() {
    let (mut shard, _) = three();
    shard.engine.send_away(0, |number| number == 1);
    assert_eq!(away(&shard), ["b"]);
}

#[test]
fn a_part_of_somebody_else_or_of_another_time_is_refused() {
    let (mut shard, store) = three();
    let part = |number| store.0[&PartName::Agent(number)].clone();
    assert!(shard.engine.bring_back(&part(0)).is_err(), "nobody is away");
    store.send_away(&mut shard.engine, 0);
    assert!(shard.engine.bring_back(&Part { name: PartName::Agent(0), ..part(1) }).is_err(), "somebody else's");
    assert!(shard.engine.bring_back(&Part { bytes: Vec::new(), ..part(0) }).is_err(), "empty");
    assert!(shard.engine.bring_back(&store.0[&PartName::Shard]).is_err(), "no agent's");
    assert_eq!(shard.engine.agents_away(), 3);
    assert!(shard.engine.bring_back(&part(0)).is_ok());
}
