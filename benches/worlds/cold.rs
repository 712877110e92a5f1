//! Cold agents: many new agents of known groups begin at once. How often their first ordinary sessions alarm.

use gaitkeeper::workbench::generate::draw;
use gaitkeeper::workbench::generate::world::{Shape, World};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::fleet::{LEARN, actor};
use crate::lab::Lab;
use crate::table::{Bound, Row, Table};

const KNOWN: usize = 60;
const NEW: usize = 240;
const SESSIONS: usize = 40;
/// First and last session of each row, from 1.
const ROWS: [(usize, usize); 3] = [(1, 3), (4, 10), (11, 40)];

/// The known agents learn alone; then new and known ones work in random order.
pub fn measure(seed: u64) -> Table {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let world = World::new(Shape { agents: KNOWN + NEW, sparse: true, ..Shape::default() }, &mut rng);
    let mut lab = Lab::new();
    for agent in in_random_order(0..KNOWN, LEARN, &mut rng) {
        let run = world.run(agent, &mut rng);
        lab.session(actor(&world, agent), &run.calls);
    }
    lab.seal();
    let mut had = vec![0_usize; KNOWN + NEW];
    let mut rows = ROWS.map(|_| (0, 0));
    let mut known = (0, 0);
    for agent in in_random_order(0..KNOWN + NEW, SESSIONS, &mut rng) {
        let run = world.run(agent, &mut rng);
        let alarmed = u64::from(lab.session(actor(&world, agent), &run.calls).alarmed());
        had[agent] += 1;
        let row = ROWS.iter().position(|&(first, last)| (first..=last).contains(&had[agent]));
        let tally = if agent < KNOWN { Some(&mut known) } else { row.map(|row| &mut rows[row]) };
        if let Some(tally) = tally {
            tally.0 += alarmed;
            tally.1 += 1;
        }
    }
    let mut shown: Vec<Row> = ROWS
        .iter()
        .zip(rows)
        .map(|((first, last), tally)| Row::new(format!("sessions {first}-{last} of new agents"), tally, None, Bound::AtMost(0.015)))
        .collect();
    shown.push(Row::new("known agents meanwhile", known, None, Bound::AtMost(0.015)));
    Table { name: "cold agents of known groups, live", seed, rows: shown }
}

fn in_random_order(agents: std::ops::Range<usize>, sessions: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order: Vec<usize> = agents.flat_map(|agent| std::iter::repeat_n(agent, sessions)).collect();
    draw::shuffle(rng, &mut order);
    order
}
