//! The power table: one anomaly planted into each held-out run of three agents (DETECTION.md, section 9).
//!
//! The injectors do what those of `agentnorm` 0.2.0 do: extra calls copy one of the run's own at a random place, a burst
//! repeats one call in place, an oversized result multiplies one call's size, an unseen tool is one inserted call, a foreign
//! scope moves one call to what belongs to another principal.

use gaitkeeper::event::Status;
use gaitkeeper::workbench::generate::draw;
use gaitkeeper::workbench::generate::run::Call;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::lab::{Actor, Lab};
use crate::table::{Bound, Row, Table};

const LEARN: usize = 5_600;
const TEST: usize = 2_400;

/// Result sizes are log-normal around these.
const TOOLS: [(&str, f64); 9] = [
    ("list_schema", 30.0),
    ("find_entities", 12.0),
    ("vulnerability_exposure", 40.0),
    ("sla_status", 3.0),
    ("traverse", 25.0),
    ("attack_context", 8.0),
    ("blast_radius", 15.0),
    ("patch_plan", 5.0),
    ("summarise", 1.0),
];
const SIZE_SD: f64 = 0.9;
const ERRORS: f64 = 0.02;

/// Each agent works for one principal, and each scope belongs to one principal.
const AGENTS: [(&str, &[&str]); 3] = [
    ("triage", &["tenant-a/network", "tenant-a/hosts"]),
    ("reporting", &["tenant-b/network", "tenant-b/hosts"]),
    ("remediation", &["tenant-c/all"]),
];

/// What is planted.
#[derive(Debug, Clone, Copy)]
enum Planted {
    Nothing,
    Extra(usize),
    Size(f64),
    Burst(usize),
    UnseenTool,
    ForeignScope,
}

struct Case {
    name: &'static str,
    planted: Planted,
    /// Prototype and bound, warm and cold.
    warm: (f64, Bound),
    cold: (f64, Bound),
}

const fn case(name: &'static str, planted: Planted, warm: (f64, f64), cold: (f64, f64)) -> Case {
    Case { name, planted, warm: (warm.0, Bound::AtLeast(warm.1)), cold: (cold.0, Bound::AtLeast(cold.1)) }
}

const CASES: [Case; 12] = [
    Case {
        name: "nothing (false alarms)",
        planted: Planted::Nothing,
        warm: (0.003, Bound::AtMost(0.01)),
        cold: (0.0, Bound::AtMost(0.01)),
    },
    case("1 extra call", Planted::Extra(1), (0.774, 0.74), (0.590, 0.55)),
    case("3 extra calls", Planted::Extra(3), (0.984, 0.97), (0.988, 0.95)),
    case("result ×10", Planted::Size(10.0), (0.170, 0.15), (0.037, 0.03)),
    case("result ×30", Planted::Size(30.0), (0.575, 0.55), (0.185, 0.16)),
    case("result ×100", Planted::Size(100.0), (0.907, 0.89), (0.525, 0.50)),
    case("result ×1000", Planted::Size(1000.0), (0.994, 0.99), (0.910, 0.89)),
    case("burst 3", Planted::Burst(3), (0.893, 0.87), (0.892, 0.85)),
    case("burst 5", Planted::Burst(5), (0.964, 0.95), (1.0, 0.98)),
    case("burst 10", Planted::Burst(10), (1.0, 0.99), (1.0, 1.0)),
    case("unseen tool", Planted::UnseenTool, (1.0, 0.995), (1.0, 0.99)),
    case("foreign scope", Planted::ForeignScope, (1.0, 0.995), (1.0, 0.99)),
];

/// What the world's result size is in an event. DETECTION.md does not say; bytes sent gives the prototype's figures, bytes
/// received is what the result of a call usually is, and weighs less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeField {
    Out,
    In,
}

/// Learns the runs, then plants each anomaly into every held-out run.
pub fn measure(seed: u64, size: SizeField) -> [Table; 2] {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut lab = Lab::new();
    for _ in 0..LEARN {
        let agent = rng.random_range(0..AGENTS.len());
        let calls = run(agent, size, &mut rng);
        lab.session(actor(agent, "v1"), &calls);
    }
    lab.seal();
    lab.freeze();
    let held_out: Vec<(usize, Vec<Call>)> = (0..TEST)
        .map(|_| {
            let agent = rng.random_range(0..AGENTS.len());
            (agent, run(agent, size, &mut rng))
        })
        .collect();
    let names = match size {
        SizeField::Out => ["power, warm", "power, cold (triage as a new version)"],
        SizeField::In => ["power, sizes as bytes received, warm", "power, sizes as bytes received, cold"],
    };
    let mut tables = names.map(|name| Table { name, seed, rows: Vec::new() });
    for Case { name, planted, warm, cold } in &CASES {
        let (mut found, mut cold_found, mut cold_runs) = (0, 0, 0);
        for (agent, calls) in &held_out {
            let calls = plant(*planted, *agent, calls, size, &mut rng);
            found += u64::from(lab.session(actor(*agent, "v1"), &calls).alarmed());
            if *agent == 0 {
                cold_runs += 1;
                cold_found += u64::from(lab.session(actor(0, "v2"), &calls).alarmed());
            }
        }
        for (table, tally, (prototype, bound)) in [(0, (found, TEST as u64), warm), (1, (cold_found, cold_runs), cold)] {
            let asked = if size == SizeField::Out { *bound } else { Bound::None };
            tables[table].rows.push(Row::new(*name, tally, Some(*prototype), asked));
        }
    }
    tables
}

fn actor(agent: usize, version: &str) -> Actor<'_> {
    let (name, _) = AGENTS[agent];
    Actor { agent_id: name, version: Some(version), task_type: name }
}

/// One ordinary run.
fn run(agent: usize, size: SizeField, rng: &mut ChaCha8Rng) -> Vec<Call> {
    let mut tools: Vec<&str> = Vec::new();
    match agent {
        0 => {
            tools.push(if rng.random_bool(0.5) { "list_schema" } else { "find_entities" });
            for _ in 0..rng.random_range(1..=3) {
                tools.push(["vulnerability_exposure", "sla_status", "traverse"][rng.random_range(0..3)]);
            }
            if rng.random_bool(0.4) {
                tools.push("attack_context");
            }
        }
        1 => {
            tools.push("find_entities");
            for _ in 0..rng.random_range(4..=10) {
                tools.push(["vulnerability_exposure", "sla_status", "traverse"][draw::weighted(rng, &[3.0, 2.0, 1.0])]);
            }
            tools.extend(["blast_radius", "summarise"]);
        }
        _ => {
            tools.extend(["find_entities", "traverse", "blast_radius"]);
            tools.extend(std::iter::repeat_n("patch_plan", rng.random_range(1..=2)));
            if rng.random_bool(0.3) {
                tools.insert(2, "attack_context");
            }
        }
    }
    tools.into_iter().map(|tool| call(tool, agent, size, rng)).collect()
}

fn call(tool: &str, agent: usize, field: SizeField, rng: &mut ChaCha8Rng) -> Call {
    let scale = TOOLS.iter().find(|(name, _)| *name == tool).map_or(1.0, |(_, scale)| *scale);
    let failed = rng.random_bool(ERRORS);
    let size = if failed { 0 } else { draw::whole((draw::normal(rng, 0.0, SIZE_SD).exp() * scale).floor().max(1.0)) };
    let (_, scopes) = AGENTS[agent];
    Call {
        tool: tool.into(),
        server: "".into(),
        target: Some(scopes[rng.random_range(0..scopes.len())].into()),
        destination: None,
        on_behalf_of: None,
        bytes_out: if field == SizeField::Out { size } else { 0 },
        bytes_in: (field == SizeField::In).then_some(size),
        duration_ms: 0.0,
        status: if failed { Status::Error } else { Status::Ok },
        amount_cents: None,
        gap_ms: 1_000,
        planted: false,
    }
}

fn plant(planted: Planted, agent: usize, calls: &[Call], field: SizeField, rng: &mut ChaCha8Rng) -> Vec<Call> {
    let mut calls = calls.to_vec();
    match planted {
        Planted::Nothing => {}
        Planted::Extra(count) => {
            for _ in 0..count {
                let copied = calls[rng.random_range(0..calls.len())].clone();
                calls.insert(rng.random_range(0..=calls.len()), copied);
            }
        }
        Planted::Size(factor) => {
            let call = rng.random_range(0..calls.len());
            let size = match field {
                SizeField::Out => &mut calls[call].bytes_out,
                SizeField::In => calls[call].bytes_in.get_or_insert_default(),
            };
            *size = draw::whole(((*size).max(1) as f64 * factor).round());
        }
        Planted::Burst(count) => {
            let repeated = rng.random_range(0..calls.len());
            for _ in 0..count {
                calls.insert(repeated + 1, calls[repeated].clone());
            }
        }
        Planted::UnseenTool => {
            let template = calls[rng.random_range(0..calls.len())].clone();
            calls.insert(rng.random_range(0..=calls.len()), Call { tool: "planted_unseen_tool".into(), ..template });
        }
        Planted::ForeignScope => {
            let foreign: Vec<&str> = (0..AGENTS.len()).filter(|other| *other != agent).flat_map(|other| AGENTS[other].1).copied().collect();
            let call = rng.random_range(0..calls.len());
            calls[call].target = Some(foreign[rng.random_range(0..foreign.len())].into());
        }
    }
    calls
}
