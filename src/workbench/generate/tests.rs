//! Streams and attacks, judged by what a reader of them sees.

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::attack::{FLEET_KINDS, SCENARIOS, by_name};
use super::run::Run;
use super::world::World;
use super::{Generator, Settings, Shape};
use crate::workbench::ground_truth;

fn small() -> Settings {
    Settings { shape: Shape { agents: 12, ..Shape::default() }, sessions: 40, quiet_until: 0, attack_rate: 0.2, ..Settings::default() }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let lines = |seed| Generator::new(Settings { seed, ..small() }).map(|generated| generated.line).collect::<Vec<_>>();
    assert_eq!(lines(7), lines(7));
    assert_ne!(lines(7), lines(8));
}

#[test]
fn events_come_in_the_order_of_their_times_and_say_their_truth_in_the_line() {
    let mut before = i64::MIN;
    let mut ids = BTreeSet::new();
    for generated in Generator::new(Settings { concurrent_agents: 4, session_ends: true, ..small() }) {
        assert!(before <= generated.ts, "{} after {before}", generated.ts);
        before = generated.ts;
        let truth = ground_truth::read(generated.line.as_bytes()).expect("our own line");
        assert_eq!(truth, generated.truth);
        let event: Value = serde_json::from_str(&generated.line).expect("our own line");
        assert_eq!(event["ts"], generated.ts);
        assert_eq!(event["agent_id"], *generated.agent_id);
        assert_eq!(event["session_id"], generated.session_id);
        assert!(ids.insert(event["event_id"].to_string()), "{event}");
    }
}

#[test]
fn nothing_is_planted_before_the_quiet_time_is_over_and_much_after() {
    let quiet_until = Settings::quiet_after(super::DEFAULT_START, 20, 12.0);
    let settings = Settings { quiet_until, ..small() };
    let mut first_seen = BTreeMap::new();
    let mut attacked = BTreeSet::new();
    for generated in Generator::new(settings) {
        first_seen.entry(generated.session_id.clone()).or_insert(generated.ts);
        if generated.truth.session == Some(true) {
            attacked.insert(generated.session_id);
        }
    }
    assert!(attacked.iter().all(|session| first_seen[session] > quiet_until));
    assert!(attacked.len() > 20, "{}", attacked.len());
}

#[test]
fn onset_and_end_of_every_attack_are_those_of_its_labelled_events() {
    let mut generator = Generator::new(small());
    let mut labelled: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut kinds = BTreeSet::new();
    for generated in generator.by_ref() {
        kinds.extend(generated.truth.attack.clone());
        if generated.truth.event == Some(true) {
            labelled.entry(generated.session_id).or_default().push(generated.ts);
        }
    }
    for campaign in generator.campaigns() {
        let times: Vec<i64> = campaign.sessions.iter().flat_map(|session| labelled[session].clone()).collect();
        assert_eq!(campaign.onset, times.iter().min().copied(), "{campaign:?}");
        assert_eq!(campaign.end, times.iter().max().copied(), "{campaign:?}");
        assert_eq!(campaign.events, times.len() as u64, "{campaign:?}");
    }
    let named: BTreeSet<String> = SCENARIOS.iter().map(|attack| attack.name.to_owned()).collect();
    assert_eq!(kinds, named);
}

/// Sessions of 200 agents before and after the attack.
fn planted(name: &str) -> (World, Vec<(Run, Run)>) {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let world = World::new(Shape::default(), &mut rng);
    let attack = by_name(name).expect(name);
    let mut pairs = Vec::new();
    for index in 0..200 {
        let ordinary = world.run(index % world.agents.len(), &mut rng);
        if let Some(attacked) = attack.plant(&world, &ordinary, 0, &mut rng) {
            pairs.push((ordinary, attacked));
        }
    }
    assert!(pairs.len() >= 20, "{name} applies to {} of 200", pairs.len());
    (world, pairs)
}

#[test]
fn every_attack_changes_what_it_labels_and_is_named() {
    for attack in SCENARIOS.iter().chain(FLEET_KINDS) {
        let (_, pairs) = planted(attack.name);
        for (ordinary, attacked) in pairs {
            assert_eq!(attacked.attack, Some(attack.name));
            assert_eq!(attacked.agent, ordinary.agent);
            assert!(attacked.calls.iter().any(|call| call.planted), "{}", attack.name);
            assert!(ordinary.calls.iter().all(|call| !call.planted));
        }
    }
}

/// Checks one property of every session with the attack `name` in it.
#[track_caller]
fn check(name: &str, property: impl Fn(&World, &Run, &Run) -> bool) {
    let (world, pairs) = planted(name);
    for (ordinary, attacked) in &pairs {
        assert!(property(&world, ordinary, attacked), "{name}: {ordinary:?} became {attacked:?}");
    }
}

fn bytes_out(run: &Run) -> u64 {
    run.calls.iter().map(|call| call.bytes_out).sum()
}

fn tools_of_task(world: &World, run: &Run) -> Vec<String> {
    world.task_of(run.agent).steps.iter().map(|step| world.tools[step.tool].name.to_string()).collect()
}

#[test]
fn volume_attacks_multiply_bytes_sent() {
    check("volume_all_10", |_, ordinary, attacked| bytes_out(attacked) == 10 * bytes_out(ordinary));
    check("volume_one_30", |_, ordinary, attacked| {
        let changed = ordinary.calls.iter().zip(&attacked.calls).filter(|(before, after)| before.bytes_out != after.bytes_out);
        changed.map(|(before, after)| (after.bytes_out / before.bytes_out, after.planted)).eq([(30, true)])
    });
}

#[test]
fn a_reordered_session_makes_the_same_calls() {
    check("reorder", |_, ordinary, attacked| {
        let tools = |run: &Run| run.calls.iter().map(|call| call.tool.to_string()).collect::<Vec<_>>();
        let (before, after) = (tools(ordinary), tools(attacked));
        let sorted = |mut tools: Vec<String>| {
            tools.sort();
            tools
        };
        before != after && sorted(before) == sorted(after)
    });
}

#[test]
fn foreign_tools_are_of_the_fleet_but_not_of_the_work() {
    check("foreign_tool", |world, _, attacked| {
        let own = tools_of_task(world, attacked);
        let foreign: Vec<_> = attacked.calls.iter().filter(|call| !own.contains(&call.tool.to_string())).collect();
        foreign.len() == 1 && foreign[0].planted && world.tools.iter().any(|tool| tool.name == foreign[0].tool)
    });
    check("unseen_tool", |world, _, attacked| {
        let foreign = |tool: &str| world.tools.iter().all(|known| &*known.name != tool);
        attacked.calls.iter().filter(|call| foreign(&call.tool)).count() == 1
    });
}

#[test]
fn refunds_are_split_just_under_the_limit_for_one_person() {
    check("refund_split", |_, _, attacked| {
        let parts: Vec<_> = attacked.calls.iter().filter(|call| call.planted).collect();
        parts.len() >= 3
            && parts.iter().all(|part| part.amount_cents.is_some_and(|cents| (4_501..=5_000).contains(&cents)))
            && parts.iter().all(|part| part.on_behalf_of.is_some() && part.on_behalf_of == parts[0].on_behalf_of)
    });
    check("burst", |_, ordinary, attacked| attacked.calls.len() >= ordinary.calls.len() + 8);
}
