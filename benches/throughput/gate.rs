//! What the continuous checks hold this benchmark to: instructions an event and ratios of variants, never nanoseconds.
//!
//! The bounds stand in `benches/throughput/budget.toml`. Both kinds have slack, for another compiler or a busy machine. A
//! figure far below its bound is no failure, but is named, so that the bound follows the code.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::instructions;
use crate::rounds::{Measured, Summary, Variant};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    /// Share above its bound at which an instruction count fails.
    slack: f64,
    /// Instructions an event, by workload.
    instructions: BTreeMap<String, f64>,
    /// Bounds on the median ratio of two variants' CPU times.
    ratios: Vec<Ratio>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ratio {
    above: String,
    below: String,
    at_most: f64,
}

/// Prints every figure with its bound; true if all hold.
pub fn holds(variants: &[Variant<'_>], measured: &[Measured]) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/throughput/budget.toml");
    let text = std::fs::read_to_string(&path).expect("it is part of the project");
    let budget: Budget = toml::from_str(&text).expect("it has this form");
    let mut all_hold = true;
    for ratio in &budget.ratios {
        let of = |name: &str| {
            let at = variants.iter().position(|variant| variant.name == name);
            &measured[at.unwrap_or_else(|| panic!("{}: no variant is called {name}", path.display()))].cpu_ns
        };
        let median = Summary::of_ratios(of(&ratio.above), of(&ratio.below)).median;
        let holds = median <= ratio.at_most;
        all_hold &= holds;
        println!("{}: {} / {} is {median:.2}, at most {}", verdict(holds), ratio.above, ratio.below, ratio.at_most);
    }
    for workload in instructions::WORKLOADS {
        let bound = *budget.instructions.get(workload).unwrap_or_else(|| panic!("{}: no bound for {workload}", path.display()));
        match instructions::count(workload) {
            Ok(counted) => {
                let holds = counted <= bound * (1.0 + budget.slack);
                all_hold &= holds;
                let loose = if counted < bound * (1.0 - budget.slack) { "; lower the bound" } else { "" };
                println!("{}: {workload} takes {counted:.0} instructions an event, bound {bound}{loose}", verdict(holds));
            }
            Err(why) => println!("skipped: instructions of {workload}: {why}"),
        }
    }
    all_hold
}

fn verdict(holds: bool) -> &'static str {
    if holds { "ok" } else { "FAILED" }
}
