//! Resident memory an agent: a child process for each layout, the difference of its resident set before the engine has seen
//! anything and after. A child, because memory given back to the allocator stays resident and would blur the next layout.

use std::process::Command;
use std::{env, fs};

use serde::{Deserialize, Serialize};

use crate::score::Watched;
use crate::world::Turns;

const CHILD: &str = "GAITKEEPER_BENCH_LAYOUT";
const SLICE: usize = 8_192;

/// How many agents, and how much history each has.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Layout {
    pub agents: usize,
    pub events_each: usize,
    /// The child gives up above this many resident bytes.
    pub bytes_max: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Resident {
    pub bytes_an_agent: f64,
    /// False: memory ran out first; the figure is of the events until then.
    pub complete: bool,
}

/// In the child: does what it is for, prints, and says that there is nothing else to do.
pub fn is_child() -> bool {
    let Ok(layout) = env::var(CHILD) else { return false };
    let layout: Layout = serde_json::from_str(&layout).expect("written by the parent");
    println!("{}", serde_json::to_string(&fill(layout)).expect("numbers"));
    true
}

/// In the parent.
pub fn measure(layout: Layout) -> Resident {
    let this = env::current_exe().expect("a running program has a name");
    let layout = serde_json::to_string(&layout).expect("numbers");
    let output = Command::new(this).env(CHILD, layout).output().expect("the same program again");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the child prints one object")
}

fn fill(layout: Layout) -> Resident {
    let mut watched = Watched::new(layout.agents);
    // More than once: the allocator keeps large blocks only after it has seen some given back.
    for _ in 0..4 {
        watched.make_only(SLICE);
    }
    let before = resident_bytes();
    let mut left = layout.agents * layout.events_each;
    while left > 0 && resident_bytes() < layout.bytes_max {
        let count = left.min(SLICE);
        watched.work(count, Turns::Equal);
        left -= count;
    }
    let grown = resident_bytes().saturating_sub(before);
    Resident { bytes_an_agent: grown as f64 / layout.agents as f64, complete: left == 0 }
}

/// Of this process.
pub fn resident_bytes() -> u64 {
    kibibytes("/proc/self/status", "VmRSS:") * 1_024
}

/// Memory that could be had without swapping.
pub fn available_bytes() -> u64 {
    kibibytes("/proc/meminfo", "MemAvailable:") * 1_024
}

fn kibibytes(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}
