//! `cargo bench --bench throughput`: what an event costs, beside what others take for less.
//!
//! Makes the stream, checks that every variant sees all of it, then runs rounds (`rounds.rs`) and prints medians with quartiles
//! and the ratios behind the project's claims. Without arguments it takes some minutes; `-- --quick` runs few rounds on small
//! fleets, enough to see whether it works; `-- --write` makes `benches/throughput.md` and its chart. Peers in Python join where `benches/peers/setup.sh` has installed them. `-- --gate` is
//! for the continuous checks: it fails when an instruction count or a ratio is beyond its bound (`gate.rs`).

mod chart;
mod clock;
mod gate;
mod instructions;
mod memory;
mod parse;
mod peers;
mod report;
mod rounds;
mod scaling;
mod score;
mod snapshot;
mod world;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gaitkeeper::allocator::Allocator;
use memory::Layout;
use report::Claim;
use rounds::{Measured, Slice, Summary, Variant};
use score::Watched;
use world::{Shape, Turns, World};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// How much is run.
struct Plan {
    rounds: usize,
    /// Agents and events of the file.
    file: (usize, usize),
    /// Agents, events each to warm up with, name in the table.
    fleets: [(usize, usize, &'static str); 3],
    /// Events scored in one round by one variant.
    slice: usize,
    young: (usize, usize),
    mature: (usize, usize),
    /// Whether the fleets are those that the claims name; a smaller plan only shows that everything works.
    is_full: bool,
    /// All agents known, events each.
    many: (usize, usize),
    /// Fleets on the chart, and events each before they are measured.
    chart: (&'static [usize], usize),
    /// Agents and events each that are written down and read back.
    stored: (usize, usize),
}

const FULL: Plan = Plan {
    rounds: 15,
    file: (1_000, 65_536),
    fleets: [
        (1_000, 300, "score + learn, 1k agents"),
        (100_000, 60, "score + learn, 100k agents"),
        (1_000_000, 2, "score + learn, 1M agents"),
    ],
    slice: 8_192,
    young: (100_000, 60),
    mature: (1_000, 4_000),
    is_full: true,
    many: (1_000_000, 2),
    chart: (&[1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000], 4),
    stored: (100_000, 30),
};
const QUICK: Plan = Plan {
    rounds: 3,
    file: (100, 8_192),
    fleets: [(100, 60, "score + learn, 100 agents"), (1_000, 10, "score + learn, 1k agents"), (10_000, 2, "score + learn, 10k agents")],
    slice: 2_048,
    young: (1_000, 60),
    mature: (100, 1_000),
    is_full: false,
    many: (10_000, 2),
    chart: (&[1_000, 3_000, 10_000], 4),
    stored: (1_000, 30),
};
/// The fleets of one process may take so much of the memory that is free: numerator and denominator.
const MEMORY_SHARE: (u64, u64) = (3, 4);

fn main() -> ExitCode {
    if memory::is_child() || instructions::is_child() {
        return ExitCode::SUCCESS;
    }
    if env::args().any(|argument| argument == "--gate") {
        return gate();
    }
    let plan = if env::args().any(|argument| argument == "--quick") { QUICK } else { FULL };
    let mut notes = Vec::new();
    let bytes_max = memory::available_bytes() / MEMORY_SHARE.1 * MEMORY_SHARE.0;
    let layout = |(agents, events_each): (usize, usize)| Layout { agents, events_each, bytes_max };
    eprintln!("measuring memory");
    let young = memory::measure(layout(plan.young));
    let mature = memory::measure(layout(plan.mature));
    let many = memory::measure(layout(plan.many));
    eprintln!("measuring a snapshot and the cost against the number of agents");
    let stored = snapshot::measure(plan.stored.0, plan.stored.1, &folder());
    let threads = scaling::on_two_threads(1_000, 60, plan.rounds);
    let points = scaling::by_agents(plan.chart.0, plan.chart.1, 5, bytes_max);

    let files = Files::write(plan.file, &mut notes);
    let mut fleets = Vec::new();
    for (agents, events_each, name) in plan.fleets {
        eprintln!("warming up {agents} agents");
        let mut fleet = Watched::new(agents);
        let mut left = (agents * events_each).div_ceil(plan.slice);
        while left > 0 && memory::resident_bytes() < bytes_max {
            fleet.work(plan.slice, Turns::Equal);
            left -= 1;
        }
        if left > 0 {
            notes.push(format!("{name}: skipped, it takes more than three quarters of the free memory"));
            continue;
        }
        fleets.push((name, fleet));
    }

    let mut variants = files.variants();
    for (name, fleet) in &mut fleets {
        let run = || Slice { events: plan.slice, took: fleet.work(plan.slice, Turns::Zipf) };
        variants.push(Variant { name, about: "events given", run: Box::new(run) });
    }
    let python = target().join("peers/venv/bin/python");
    let (peers, about_peers) = peers::start(&python, &files.fixed_path);
    variants.extend(peers);
    notes.extend(about_peers);

    let measured = rounds::run(&mut variants, plan.rounds, |round| eprintln!("round {round} of {}", plan.rounds));
    let mut claims = ratio_claims(&plan, &variants, &measured);
    claims.extend(Claim::of_memory("memory an agent, 60 events each", young, 16.0, 6.0));
    claims.extend(Claim::of_memory("memory a mature agent", mature, 60.0, 24.0));
    if plan.is_full {
        claims.extend(Claim::of_memory("memory an agent, 1M agents, 2 events each", many, 16.0, 6.0));
        let restored = Summary::of(&[stored.restore_s]);
        claims.push(Claim::of("100k agents restored, later scores equal to the bit", restored, false, (10.0, 2.0), " s"));
    }
    claims.push(Claim::of("events a second: two shards on two threads, of one alone", threads, true, (1.5, 1.8), "x"));
    let snapshot::Cost { agents, bytes, write_s, restore_s } = stored;
    let (each, mib) = (plan.stored.1, bytes >> 20);
    notes
        .push(format!("snapshot: {agents} agents, {each} events each, {mib} MiB, written in {write_s:.2} s, restored in {restore_s:.2} s"));
    for point in &points {
        let scaling::Point { agents, cpu_ns } = point;
        notes.push(format!("{agents} agents that take turns: {:.0} ns an event ({:.0}–{:.0})", cpu_ns.median, cpu_ns.low, cpu_ns.high));
    }
    notes.push("OTLP protobuf spans against prost: not measured, gaitkeeper does not read OTLP yet".to_owned());
    let tables = report::print(&variants, &measured, &claims, &notes);
    if plan.is_full && env::args().any(|argument| argument == "--write") {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
        std::fs::write(page.join("cost-by-agents.svg"), chart::cost_by_agents(&points)).expect("the project is writable");
        std::fs::write(page.join("throughput.md"), page_of(&tables)).expect("the project is writable");
    }
    ExitCode::SUCCESS
}

/// The benchmark page.
fn page_of(tables: &str) -> String {
    format!(
        "# What an event costs\n\n\
         Written by `cargo bench --bench throughput -- --write`; what is measured and how stands in `benches/throughput/main.rs`. A ratio\n\
         is the median of the ratios of its rounds, more is better for us; floor and stretch are the project's own aims.\n\n\
         {tables}\n\
         ![CPU time of an event against the number of agents](cost-by-agents.svg)\n"
    )
}

/// Few rounds over the file alone.
fn gate() -> ExitCode {
    let files = Files::write(QUICK.file, &mut Vec::new());
    let mut variants = files.variants();
    let measured = rounds::run(&mut variants, QUICK.rounds, |_| ());
    if gate::holds(&variants, &measured) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The stream in both shapes, on disk and in memory, and the digests it must give.
struct Files {
    events: usize,
    fixed: Vec<u8>,
    shuffled: Vec<u8>,
    fixed_path: PathBuf,
    shuffled_path: PathBuf,
    parsed: parse::Digest,
    scored: score::Digest,
}

impl Files {
    fn write((agents, events): (usize, usize), notes: &mut Vec<String>) -> Self {
        let mut world = World::new(agents);
        let slice = world.slice(events, Turns::Zipf);
        let (fixed, shuffled) = (slice.json(Shape::Fixed), slice.json(Shape::Shuffled));
        let folder = folder();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, bytes).expect("the target folder is writable");
            path
        };
        let mut watched = Watched::new(agents);
        watched.work(events, Turns::Zipf);
        let scored = watched.finish();
        notes.push(format!(
            "stream: seed {}, {events} events of {agents} agents, {} bytes each, Zipf {}; scores {:016x}, {} findings",
            world::SEED,
            fixed.len() / events,
            world::ZIPF_EXPONENT,
            scored.scores,
            scored.findings
        ));
        Self {
            events,
            parsed: parse::Digest::of_events(&slice.events()),
            scored,
            fixed_path: write("fixed.jsonl", &fixed),
            shuffled_path: write("shuffled.jsonl", &shuffled),
            fixed,
            shuffled,
        }
    }

    /// Everything that goes over the whole file.
    fn variants(&self) -> Vec<Variant<'_>> {
        let parsed = |name, about, block, parser: fn(&[u8]) -> parse::Digest| self.variant(name, about, self.parsed, move || parser(block));
        let replayed = |name, about, path| self.variant(name, about, self.scored, move || score::replay_file(path));
        let bytes = (self.fixed.len() - self.events) as u64;
        vec![
            self.variant("split", "newlines and UTF-8 only", bytes, || parse::split(&self.fixed)),
            parsed("serde_json owned", "parse only, texts copied", &self.fixed, parse::serde_json_owned),
            parsed("serde_json borrowed", "parse only", &self.fixed, parse::serde_json_borrowed),
            parsed("sonic-rs borrowed", "parse only", &self.fixed, parse::sonic_borrowed),
            parsed("own decode", "parse and check the whole contract", &self.fixed, parse::own),
            parsed("own decode, shuffled", "the same, keys in any order", &self.shuffled, parse::own),
            replayed("replay", "read, decode, score, learn, findings; every agent new", &self.fixed_path),
            replayed("replay, shuffled", "the same, keys in any order", &self.shuffled_path),
        ]
    }

    /// A variant whose digest is checked whenever it runs.
    fn variant<'a, D: PartialEq + std::fmt::Debug + Copy + 'a>(
        &'a self,
        name: &'static str,
        about: &'static str,
        expected: D,
        work: impl Fn() -> D + 'a,
    ) -> Variant<'a> {
        let run = move || {
            let (took, digest) = clock::measure(&work);
            assert_eq!(digest, expected, "{name} leaves something out");
            Slice { events: self.events, took }
        };
        Variant { name, about, run: Box::new(run) }
    }
}

/// The claims that compare two variants; without a peer there is no claim about it.
fn ratio_claims(plan: &Plan, variants: &[Variant<'_>], measured: &[Measured]) -> Vec<Claim> {
    let [(.., small), (.., large), _] = plan.fleets;
    [
        ("score + learn vs River GaussianScorer x 4", "river GaussianScorer x 4", small, true, 3.0, 8.0),
        ("score + learn vs River HalfSpaceTrees", "river HalfSpaceTrees", small, true, 80.0, 250.0),
        ("score + learn vs krcf", "krcf", small, true, 80.0, 250.0),
        ("replay vs sonic-rs parse only", "sonic-rs borrowed", "replay", true, 0.2, 0.4),
        ("replay vs DuckDB parse only", "duckdb read_json", "replay", true, 0.2, 0.4),
        ("replay vs orjson + River end to end", "orjson + river", "replay", true, 3.0, 10.0),
        ("100 times the agents: ns an event against the small fleet's", large, small, false, 4.0, 2.5),
    ]
    .into_iter()
    .filter_map(|(text, above, below, at_least, floor, stretch)| {
        let of = |name: &str| variants.iter().position(|variant| variant.name == name).map(|at| &measured[at].cpu_ns);
        let summary = Summary::of_ratios(of(above)?, of(below)?);
        Some(Claim { text, summary, at_least, floor, stretch, unit: "" })
    })
    .collect()
}

/// Where files go that are not kept.
fn folder() -> PathBuf {
    let folder = target().join("throughput");
    std::fs::create_dir_all(&folder).expect("the target folder is writable");
    folder
}

/// Where cargo builds, which is where the files go.
fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("cargo puts it into the target folder")
}
