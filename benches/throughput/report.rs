//! What was measured, for a reader (a table) and for a program (JSON lines).

use std::process::Command;
use std::{env, fs};

use serde::Serialize;

use crate::memory::Resident;
use crate::rounds::{Measured, Summary, Variant};

/// A claim of the project: a figure and the bounds it is held against.
pub struct Claim {
    pub text: &'static str,
    pub summary: Summary,
    /// At least (`true`) or at most.
    pub at_least: bool,
    pub floor: f64,
    pub stretch: f64,
    pub unit: &'static str,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    Machine { processor: &'a str, cpus: usize, load: &'a str, rustc: &'a str, flags: &'a str, gaitkeeper: &'a str, notes: &'a [String] },
    Variant { name: &'a str, cpu_ns: Summary, wall_ns: Summary, rounds: usize },
    Claim { claim: &'a str, unit: &'a str, figures: Summary, floor: f64, stretch: f64, verdict: &'a str },
}

impl Claim {
    fn verdict(&self) -> &'static str {
        let holds = |bound: f64| if self.at_least { self.summary.median >= bound } else { self.summary.median <= bound };
        match (holds(self.stretch), holds(self.floor)) {
            (true, _) => "stretch",
            (false, true) => "floor",
            (false, false) => "missed",
        }
    }

    /// Of one figure, or of some taken together.
    pub fn of(text: &'static str, summary: Summary, at_least: bool, (floor, stretch): (f64, f64), unit: &'static str) -> Self {
        Self { text, summary, at_least, floor, stretch, unit }
    }

    /// Of resident memory; a layout that ran out of memory has no figure.
    pub fn of_memory(text: &'static str, resident: Resident, floor_kib: f64, stretch_kib: f64) -> Option<Self> {
        let summary = Summary::of(&[resident.bytes_an_agent / 1_024.0]);
        resident.complete.then_some(Self { text, summary, at_least: false, floor: floor_kib, stretch: stretch_kib, unit: " KiB" })
    }
}

/// Prints everything: Markdown tables, then JSON lines. Returns the tables.
pub fn print(variants: &[Variant<'_>], measured: &[Measured], claims: &[Claim], notes: &[String]) -> String {
    let machine = Machine::look();
    let tables = tables(&machine, variants, measured, claims, notes);
    println!("{tables}");
    machine.json(notes);
    for (variant, measured) in variants.iter().zip(measured) {
        json(&Line::Variant {
            name: variant.name,
            cpu_ns: Summary::of(&measured.cpu_ns),
            wall_ns: Summary::of(&measured.wall_ns),
            rounds: measured.cpu_ns.len(),
        });
    }
    for claim in claims {
        let Claim { text, summary, floor, stretch, unit, .. } = *claim;
        json(&Line::Claim { claim: text, unit, figures: summary, floor, stretch, verdict: claim.verdict() });
    }
    tables
}

fn tables(machine: &Machine, variants: &[Variant<'_>], measured: &[Measured], claims: &[Claim], notes: &[String]) -> String {
    let Machine { processor, cpus, load, rustc, flags } = machine;
    let rounds = measured.iter().map(|measured| measured.cpu_ns.len()).max().unwrap_or(0);
    let mut lines = vec![
        format!("{processor} ({cpus} CPUs, load {load}), {rustc}, {flags}; {rounds} rounds."),
        String::new(),
        "| variant | CPU ns an event | quartiles | wall | |".into(),
        "|---|---|---|---|---|".into(),
    ];
    for (variant, measured) in variants.iter().zip(measured) {
        let (cpu, wall) = (Summary::of(&measured.cpu_ns), Summary::of(&measured.wall_ns));
        let quartiles = format!("{:.0}–{:.0}", cpu.quartile_1, cpu.quartile_3);
        lines.push(format!("| {} | {:.0} | {quartiles} | {:.0} | {} |", variant.name, cpu.median, wall.median, variant.about));
    }
    lines.push(String::new());
    lines.push("| claim | median | range | floor | stretch | |".into());
    lines.push("|---|---|---|---|---|---|".into());
    for claim in claims {
        let Claim { text, summary, floor, stretch, unit, .. } = claim;
        let range = format!("{:.3}–{:.3}", summary.low, summary.high);
        lines.push(format!("| {text} | {:.3}{unit} | {range} | {floor} | {stretch} | {} |", summary.median, claim.verdict()));
    }
    lines.push(String::new());
    lines.extend(notes.iter().map(|note| format!("- {note}")));
    lines.join("\n") + "\n"
}

struct Machine {
    processor: String,
    cpus: usize,
    load: String,
    rustc: String,
    flags: String,
}

impl Machine {
    fn look() -> Self {
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let rustc = Command::new("rustc").arg("--version").output().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        let features = [("avx2", cfg!(target_feature = "avx2")), ("avx512f", cfg!(target_feature = "avx512f"))];
        let features: Vec<&str> = features.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
        let target = if features.is_empty() { "baseline target".to_owned() } else { features.join("+") };
        Self {
            processor: model.trim_start_matches([' ', '\t', ':']).to_owned(),
            cpus: std::thread::available_parallelism().map_or(1, Into::into),
            load: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
            rustc: rustc.unwrap_or_else(|_| "rustc unknown".to_owned()),
            flags: format!("{target}, RUSTFLAGS \"{}\"", env::var("RUSTFLAGS").unwrap_or_default()),
        }
    }

    fn json(&self, notes: &[String]) {
        json(&Line::Machine {
            processor: &self.processor,
            cpus: self.cpus,
            load: &self.load,
            rustc: &self.rustc,
            flags: &self.flags,
            gaitkeeper: env!("CARGO_PKG_VERSION"),
            notes,
        });
    }
}

fn json(line: &Line<'_>) {
    println!("{}", serde_json::to_string(line).expect("numbers and text"));
}
