//! Simulated worlds (DETECTION.md, section 9): how much of what is planted is found at a budget of 1 %, each row beside its floor.
//!
//! `cargo bench --bench worlds` measures all of them; names of tables, `--seed N` and `--json` narrow and shape the output.

mod cold;
mod drift;
mod fleet;
mod interleaved;
mod lab;
mod poisoning;
mod power;
mod release;
mod table;

use std::process::ExitCode;
use std::time::Instant;

use power::SizeField;
use table::Table;

/// A table by name.
type Measure = fn(u64) -> Vec<Table>;

const MEASURES: &[(&str, Measure)] = &[
    ("power", |seed| power::measure(seed, SizeField::Out).into()),
    ("power-in", |seed| power::measure(seed, SizeField::In).into()),
    ("fleet", |seed| vec![fleet::measure(seed)]),
    ("poisoning", |seed| vec![poisoning::measure(seed)]),
    ("drift", |seed| vec![drift::measure(seed)]),
    ("release", |seed| vec![release::measure(seed)]),
    ("cold", |seed| vec![cold::measure(seed)]),
    ("interleaved", |seed| vec![interleaved::measure(seed)]),
];

fn main() -> ExitCode {
    let mut seed = 1;
    let mut json = false;
    let mut names = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            // Cargo says so to every benchmark.
            "--bench" => {}
            "--json" => json = true,
            "--seed" => match args.next().map(|text| text.parse()) {
                Some(Ok(number)) => seed = number,
                _ => return usage("--seed needs a whole number"),
            },
            name if MEASURES.iter().any(|(known, _)| *known == name) => names.push(arg),
            _ => return usage(&format!("unknown argument `{arg}`")),
        }
    }
    let mut missed = 0;
    for (name, measure) in MEASURES {
        if !names.is_empty() && !names.iter().any(|wanted| wanted == name) {
            continue;
        }
        let started = Instant::now();
        for table in measure(seed) {
            missed += table.missed();
            if json { table.print_json() } else { table.print() }
        }
        eprintln!("{name}: {:.1} s", started.elapsed().as_secs_f64());
    }
    eprintln!("{missed} figures miss what is asked");
    ExitCode::SUCCESS
}

fn usage(what: &str) -> ExitCode {
    let names: Vec<&str> = MEASURES.iter().map(|(name, _)| *name).collect();
    eprintln!("worlds: {what}\nusage: worlds [--seed N] [--json] [{}]…", names.join(" | "));
    ExitCode::from(2)
}
