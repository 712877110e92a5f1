//! More agents than there is room for: the one that has been idle longest is forgotten, and nothing grows.

use std::sync::Arc;

use gaitkeeper::config::EngineConfig;
use gaitkeeper::engine::Engine;
use gaitkeeper::workbench::generate::{Generator, Settings, Shape};

use crate::shard::{Step, TestShard};

fn with_room_for(agents: usize) -> TestShard {
    let mut config = EngineConfig::default();
    config.memory.agents = agents;
    TestShard::with(config)
}

fn act(shard: &mut TestShard, agent: &str, ts: i64, event_id: &str) {
    let step = Step { agent: agent.into(), session: format!("{agent}'s"), ts, tool: "read".into(), target: None, bytes_out: 1 };
    shard.feed(&step.event(event_id));
}

/// Agents act at these times, with room for three; then these are remembered.
#[track_caller]
fn check(acts: &[(&str, i64)], expected: &[&str]) {
    let mut shard = with_room_for(3);
    for &(agent, ts) in acts {
        act(&mut shard, agent, ts, &format!("{agent} at {ts}"));
        act(&mut shard, agent, ts, agent);
    }
    assert_eq!(shard.engine.known_agents(), expected.len());
    for &agent in expected {
        let mut later = TestShard::with(EngineConfig::default());
        later.engine = shard.engine.clone();
        let before = later.engine.counters().duplicates;
        // Whoever is remembered sends a duplicate.
        act(&mut later, agent, 1_000_000, agent);
        assert_eq!(later.engine.counters().duplicates, before + 1, "{agent} is forgotten");
    }
}

#[test]
fn with_room_nobody_is_forgotten() {
    check(&[("a", 0), ("b", 1), ("c", 2)], &["a", "b", "c"]);
}

#[test]
fn the_agent_idle_for_longest_is_forgotten_first() {
    check(&[("a", 0), ("b", 1), ("c", 2), ("d", 3)], &["b", "c", "d"]);
}

#[test]
fn whoever_acts_again_stays() {
    check(&[("a", 0), ("b", 1), ("c", 2), ("a", 3), ("d", 4)], &["a", "c", "d"]);
}

#[test]
fn of_agents_idle_for_the_same_time_the_first_known_is_forgotten() {
    check(&[("b", 0), ("a", 0), ("c", 0), ("d", 1)], &["a", "c", "d"]);
}

#[test]
fn an_event_dated_back_does_not_make_an_agent_look_idle() {
    check(&[("a", 0), ("b", 10), ("c", 20), ("a", 30), ("a", 5), ("d", 40)], &["a", "c", "d"]);
}

#[test]
fn the_sessions_of_a_forgotten_agent_are_closed_and_it_begins_anew() {
    let mut shard = with_room_for(1);
    act(&mut shard, "a", 0, "1");
    act(&mut shard, "b", 1, "2");
    act(&mut shard, "a", 2, "3");
    assert_eq!(shard.closed(), ["a's", "b's"]);
    assert_eq!(shard.engine.detector().model.agents[0].sessions, 0, "what it taught before is gone");
}

#[test]
fn a_flood_of_invented_agents_takes_no_more_than_was_allowed() {
    let mut shard = with_room_for(100);
    let mut flood = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            act(&mut shard, &format!("invented-{number}"), i64::from(number), "e");
        }
        shard.engine.agent_bytes()
    };
    let (early, late) = (flood(0..1_000), flood(1_000..20_000));
    assert!(late <= early * 11 / 10, "{early} bytes after a thousand, {late} after twenty thousand");
    assert_eq!((shard.engine.known_agents(), shard.engine.take_forgotten().agents), (100, 19_900));
    assert_eq!(shard.engine.detector().model.agents.len(), 100, "numbers are used again");
    assert!(shard.engine.parts().count() < 200);
}

#[test]
fn what_agents_taught_stays_within_its_bytes() {
    let mut config = EngineConfig::default();
    config.memory.megabytes = 1;
    let mut shard = TestShard::with(config);
    let settings = Settings { shape: Shape { agents: 400, ..Shape::default() }, ..Settings::default() };
    for event in Generator::new(settings).take(20_000) {
        shard.feed_line(&event.line);
        assert!(shard.engine.agent_bytes() <= 1 << 20, "{} bytes", shard.engine.agent_bytes());
    }
    assert!(shard.engine.take_forgotten().agents > 0 && shard.engine.known_agents() > 50);
}

#[test]
fn a_flood_of_agents_that_no_inventory_knows_asks_no_more_than_there_is_room_for() {
    let mut config = EngineConfig::default();
    config.memory.asked = 10;
    let expires_after = config.step_up.expires_after_ms;
    let mut shard = TestShard::with(config.clone());
    shard.declare("agent: a\n");
    let flood = |shard: &mut TestShard, name: &str, at: i64| {
        for number in 0..100 {
            act(shard, &format!("{name}-{number}"), at + number, "e");
        }
    };
    flood(&mut shard, "early", 0);
    assert_eq!((shard.requests.len(), shard.engine.counters().withheld), (10, 90));
    assert_eq!(shard.findings.len(), 100, "everybody is told of each");
    let again = Engine::restore(&Arc::new(config), shard.engine.shard(), shard.engine.parts().collect::<Vec<_>>());
    let mut restored = TestShard { engine: again.expect("its own parts"), ..TestShard::new() };
    restored.tables = shard.tables.clone();
    for shard in [&mut shard, &mut restored] {
        let before = shard.requests.len();
        flood(shard, "late", 2 * expires_after);
        let asked: Vec<&str> = shard.requests[before..].iter().map(|request| request.agent.id.as_str()).collect();
        assert_eq!(asked, (0..10).map(|number| format!("late-{number}")).collect::<Vec<_>>(), "what expired makes room");
        assert_eq!((shard.engine.response().len(), shard.engine.take_forgotten().asked), (10, 10));
    }
    assert_eq!(shard.engine.digest(), restored.engine.digest());
}
