//! Instructions an event, counted by `valgrind --tool=callgrind`: a figure that a busy machine cannot blur.
//!
//! Each workload runs in a child under valgrind, which counts inside [`counted`] only: making the events and getting the
//! engine to know its agents stay outside.

use std::env;
use std::hint::black_box;
use std::process::Command;

use crate::parse;
use crate::score::Watched;
use crate::world::{Shape, Turns, World};

const CHILD: &str = "GAITKEEPER_BENCH_WORKLOAD";
const AGENTS: usize = 64;
const EVENTS: usize = 4_096;

/// Names in the budget.
pub const WORKLOADS: [&str; 4] = ["decode", "decode, shuffled", "score + learn, young", "score + learn, mature"];

/// In the child: does what it is for, and says that there is nothing else to do.
pub fn is_child() -> bool {
    let Ok(workload) = env::var(CHILD) else { return false };
    match workload.as_str() {
        "decode" => decode(Shape::Fixed),
        "decode, shuffled" => decode(Shape::Shuffled),
        "score + learn, young" => score_and_learn(0),
        "score + learn, mature" => score_and_learn(4),
        other => panic!("no workload is called {other}"),
    }
    true
}

/// In the parent: instructions an event, or why they cannot be counted.
pub fn count(workload: &str) -> Result<f64, String> {
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*instructions*counted*"])
        .arg(this)
        .env(CHILD, workload)
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(said.into_owned());
    }
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")).ok_or("valgrind counted nothing")?.1;
    let instructions: f64 = collected.trim().parse().map_err(|_| format!("valgrind counted `{collected}`"))?;
    if instructions == 0.0 {
        return Err("valgrind did not find the counted function".to_owned());
    }
    Ok(instructions / EVENTS as f64)
}

/// What valgrind counts. Its name is known to the command line above, so it must not vanish.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
}

fn decode(shape: Shape) {
    let mut world = World::new(AGENTS);
    let lines = world.slice(EVENTS, Turns::Zipf).json(shape);
    counted(&mut || {
        black_box(parse::own(black_box(&lines)));
    });
}

/// After `warm` times as many events as are counted.
fn score_and_learn(warm: usize) {
    let mut watched = Watched::new(AGENTS);
    for _ in 0..warm {
        // Without a clock: reading one takes a page that valgrind hides.
        watched.work_inside(EVENTS, Turns::Zipf, |work| work());
    }
    watched.work_inside(EVENTS, Turns::Zipf, counted);
}
