//! A release: an agent begins to work differently, with a new version declared or without.
//!
//! What changes: how often each step is followed by which (the usual successors, with shares drawn anew), volumes of every tool
//! (a factor around 1, log-normal with sd .5) and durations (×1.5). No new tool, target or destination.

use gaitkeeper::finding::Kind;
use gaitkeeper::workbench::generate::draw;
use gaitkeeper::workbench::generate::world::Agent;

use crate::fleet::{Fleet, actor};
use crate::lab::{Actor, Said};
use crate::table::{Bound, Row, Table};

/// Sessions of the new version that are watched.
const WATCHED: usize = 20;
/// An undeclared change must be seen within so many, by the median release.
const SEEN_WITHIN: usize = 5;
/// Half of the fleet, one after the other.
const RELEASES: usize = 30;

/// One release after the other, declared and undeclared.
pub fn measure(seed: u64) -> Table {
    let declared = releases(seed, true);
    let undeclared = releases(seed, false);
    let early = |alarms: &Vec<bool>| alarms[..SEEN_WITHIN].contains(&true);
    let alarms = declared.iter().flatten().filter(|alarm| **alarm).count() as u64;
    let quiet_alarms = undeclared.iter().flatten().filter(|alarm| **alarm).count() as u64;
    let noticed_early = undeclared.iter().filter(|alarms| early(alarms)).count() as u64;
    let sessions = (RELEASES * WATCHED) as u64;
    let rows = vec![
        Row::new(format!("declared: alarms in {WATCHED} sessions"), (alarms, sessions), None, Bound::AtMost(0.03)),
        Row::new(format!("undeclared: seen within {SEEN_WITHIN}"), (noticed_early, RELEASES as u64), None, Bound::AtLeast(0.5)),
        Row::new(format!("undeclared: alarms in {WATCHED} sessions"), (quiet_alarms, sessions), None, Bound::None),
    ];
    Table { name: "release, live", seed, rows }
}

/// Per release, which of the watched sessions alarmed.
fn releases(seed: u64, declared: bool) -> Vec<Vec<bool>> {
    let mut fleet = Fleet::learned(seed);
    let mut outcomes = Vec::new();
    for agent in 0..RELEASES {
        let changed = changed(&mut fleet, agent);
        fleet.world.agents[agent] = changed;
        let mut alarms = Vec::new();
        for _ in 0..WATCHED {
            let run = fleet.world.run(agent, &mut fleet.rng);
            let known = actor(&fleet.world, agent);
            let said = fleet.lab.session(Actor { version: declared.then_some("v2"), ..known }, &run.calls);
            alarms.push(noticed(&said));
            // The rest of the fleet works on.
            for other in (RELEASES..fleet.world.agents.len()).step_by(3) {
                fleet.ordinary(other);
            }
        }
        outcomes.push(alarms);
    }
    outcomes
}

fn noticed(said: &Said) -> bool {
    said.alarmed() || said.opened.contains(&Kind::DriftUnexplained)
}

/// The agent after its release.
fn changed(fleet: &mut Fleet, agent: usize) -> Agent {
    let mut changed = fleet.world.agents[agent].clone();
    for shares in &mut changed.next {
        for share in shares.iter_mut() {
            *share = draw::gamma(&mut fleet.rng, 0.7);
        }
    }
    for shift in &mut changed.volume_shift {
        *shift += draw::normal(&mut fleet.rng, 0.0, 0.5);
    }
    changed.duration_shift += 1.5_f64.ln();
    changed
}
