//! The fleet: 60 agents of six kinds of work, and 23 kinds of attack planted into each held-out session.

use gaitkeeper::workbench::generate::attack::FLEET_KINDS;
use gaitkeeper::workbench::generate::run::Run;
use gaitkeeper::workbench::generate::world::{Shape, World};
use gaitkeeper::workbench::generate::{Attack, draw};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::lab::{Actor, Lab, Said};
use crate::table::{Bound, Row, Table};

/// Sessions of each agent to learn from.
pub const LEARN: usize = 150;
const TEST: usize = 60;
/// How many kinds DETECTION.md names; the others are our own choice.
const NAMED: usize = 18;

/// Found at 1 % by the prototype, in the order of the kinds; the last five are not in its table.
const PROTOTYPE: [Option<f64>; 23] = [
    Some(0.22),
    Some(0.60),
    Some(0.81),
    Some(0.40),
    Some(0.79),
    Some(0.44),
    Some(0.84),
    Some(0.94),
    Some(1.0),
    Some(1.0),
    Some(1.0),
    Some(1.0),
    Some(0.57),
    Some(0.67),
    Some(0.89),
    Some(0.70),
    Some(0.85),
    Some(0.80),
    None,
    None,
    None,
    None,
    None,
];

/// A world with its engine.
pub struct Fleet {
    pub world: World,
    pub lab: Lab,
    pub rng: ChaCha8Rng,
}

impl Fleet {
    /// Draws the world and lets every agent work for [`LEARN`] sessions, in random order over the fleet. Then seals.
    pub fn learned(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let world = World::new(Shape { sparse: true, ..Shape::default() }, &mut rng);
        let mut fleet = Self { world, lab: Lab::new(), rng };
        fleet.work(LEARN);
        fleet.lab.seal();
        fleet
    }

    /// Every agent works for `sessions` ordinary sessions; says which agents were alarmed on.
    pub fn work(&mut self, sessions: usize) -> Vec<(usize, Said)> {
        let agents = self.world.agents.len();
        let mut order: Vec<usize> = (0..agents).flat_map(|agent| std::iter::repeat_n(agent, sessions)).collect();
        draw::shuffle(&mut self.rng, &mut order);
        order.into_iter().map(|agent| (agent, self.ordinary(agent))).collect()
    }

    /// One ordinary session.
    pub fn ordinary(&mut self, agent: usize) -> Said {
        let run = self.world.run(agent, &mut self.rng);
        self.session(&run)
    }

    /// One session as given.
    pub fn session(&mut self, run: &Run) -> Said {
        self.lab.session(actor(&self.world, run.agent), &run.calls)
    }
}

/// The agent as the engine knows it; no version is declared.
pub fn actor(world: &World, agent: usize) -> Actor<'_> {
    Actor { agent_id: &world.agents[agent].name, version: None, task_type: &world.task_of(agent).name }
}

/// Plants every kind into every held-out session of a frozen fleet.
pub fn measure(seed: u64) -> Table {
    let mut fleet = Fleet::learned(seed);
    fleet.lab.freeze();
    let mut held_out = Vec::new();
    for agent in 0..fleet.world.agents.len() {
        for _ in 0..TEST {
            held_out.push(fleet.world.run(agent, &mut fleet.rng));
        }
    }
    let mut rows = Vec::new();
    let mut false_alarms = 0;
    for run in &held_out {
        false_alarms += u64::from(fleet.session(run).alarmed());
    }
    rows.push(Row::new("nothing (false alarms)", (false_alarms, held_out.len() as u64), None, Bound::Within(0.005, 0.015)));
    let mut shares = Vec::new();
    for (attack, prototype) in FLEET_KINDS.iter().zip(PROTOTYPE) {
        let (found, of) = plant_all(&mut fleet, attack, &held_out);
        shares.push(found as f64 / (of as f64).max(1.0));
        rows.push(Row::new(attack.name, (found, of), prototype, Bound::None));
    }
    rows.push(mean("mean of the 23 kinds", &shares, Bound::AtLeast(0.65)));
    rows.push(mean("mean of the 18 kinds named", &shares[..NAMED], Bound::None));
    Table { name: "fleet, frozen", seed, rows }
}

fn plant_all(fleet: &mut Fleet, attack: &Attack, held_out: &[Run]) -> (u64, u64) {
    let (mut found, mut of) = (0, 0);
    for run in held_out {
        let Some(attacked) = attack.plant(&fleet.world, run, 0, &mut fleet.rng) else { continue };
        of += 1;
        found += u64::from(fleet.session(&attacked).alarmed());
    }
    (found, of)
}

/// A mean of shares as a row in thousandths: it is no count, so its interval only shows how fine the figure is.
fn mean(name: &str, shares: &[f64], bound: Bound) -> Row {
    const FINE: f64 = 100_000.0;
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    Row::new(name, (draw::whole(mean * FINE), draw::whole(FINE)), None, bound)
}
