//! `cargo bench --bench steps`: single steps of the way of an event, for work on one of them. What counts is `throughput`.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::{Arc, Once};
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use gaitkeeper::allocator::Allocator;
use gaitkeeper::config::EngineConfig;
use gaitkeeper::engine::audit::Trail;
use gaitkeeper::engine::{Engine, Output, Shard, Tables};
use gaitkeeper::event::Event;
use gaitkeeper::event::native::{self, Origin};
use gaitkeeper::event::timestamp;
use gaitkeeper::finding::audit_record::{AuditRecord, What};
use gaitkeeper::finding::{Decision, PolicyShown};
use gaitkeeper::govern::record::parse;
use gaitkeeper::govern::{AgentState, ControlRecord, Judge, Judgement};
use gaitkeeper::stats::calibrator::{CHANNEL, Calibrator};
use gaitkeeper::stats::count_node::CountNode;
use gaitkeeper::stats::hash;
use gaitkeeper::stats::prefetch::prefetch;
use gaitkeeper::stats::student_t::{StudentT, to_normal};

#[path = "throughput/clock.rs"]
mod clock;
#[path = "throughput/world.rs"]
mod world;

use world::{Shape, Turns, World};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

const AGENTS: usize = 64;
const EVENTS: usize = 1_024;

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(EVENTS as u64));
    for (name, shape) in [("fixed", Shape::Fixed), ("shuffled", Shape::Shuffled)] {
        let block = World::new(AGENTS).slice(EVENTS, Turns::Zipf).json(shape);
        let lines: Vec<&[u8]> = block.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for line in &lines {
                    let decoded = native::decode(black_box(line), Origin { partition: 0, offset: 0 });
                    black_box(decoded.expect("a line of the stream").event.ts);
                }
            });
        });
    }
    group.finish();
    criterion.bench_function("timestamp", |bencher| bencher.iter(|| timestamp::from_rfc3339(black_box("2025-01-06T08:00:00.195Z"))));
    let id = b"session-0000034-00000001";
    criterion.bench_function("hash of a session id", |bencher| bencher.iter(|| hash::keyed(black_box(id), 7)));
}

/// A thousand events by an engine that knows its agents; each time the same ones, on a copy of the same engine.
fn score(criterion: &mut Criterion) {
    let mut world = World::new(AGENTS);
    let mut engine = Engine::new(Arc::new(EngineConfig::default()), Shard { partition: 0, partitions: 1 });
    let (tables, mut outputs) = (Tables::default(), Vec::new());
    for _ in 0..16 {
        for event in &world.slice(EVENTS, Turns::Equal).events() {
            engine.on_event(event, &tables, &mut outputs);
            outputs.clear();
        }
    }
    let slice = world.slice(EVENTS, Turns::Equal);
    let events = slice.events();
    let mut group = criterion.benchmark_group("engine");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.bench_function("score and learn", |bencher| {
        let run = |engine: &mut Engine| {
            for event in &events {
                engine.on_event(event, &tables, &mut outputs);
                outputs.clear();
            }
        };
        bencher.iter_batched_ref(|| engine.clone(), run, BatchSize::LargeInput);
    });
    group.finish();
}

/// Ten thousand contracts with declared rules of every kind, and a stream that breaks none of them.
struct Contracts {
    world: World,
    tables: Tables,
}

/// How many there are.
const CONTRACTS: usize = 10_000;
/// Events between two looks at the clock.
const SLICE: usize = 256;
/// Events before the first look.
const WARM: usize = 1_000_000;

impl Contracts {
    /// `further_tool` tells the contracts apart, `limits` are those of each.
    fn new(further_tool: impl Fn(usize) -> String, limits: &str) -> Self {
        let world = World::new(CONTRACTS);
        let (mut tools, mut tasks) = (BTreeSet::new(), BTreeSet::new());
        for event in world.clone().slice(65_536, Turns::Equal).events() {
            tools.extend(event.tool_server.zip(event.tool).map(|(server, tool)| format!("{server}/{tool}")));
            tasks.extend(event.task_type.map(String::from));
        }
        let tools = Vec::from_iter(tools).join(", ");
        let tasks: Vec<String> = tasks.iter().map(|task| format!("{task}: [{tools}]")).collect();
        let mut tables = Tables::default();
        for number in 0..CONTRACTS {
            let yaml = format!(
                "agent: support-agent-{number:07}\nallowed_actions: [{tools}, {}]\ntasks: {{{}}}\ndestinations: []\npeers: []\n\
                 credentials: [{{id: key-{number:07}, rotation: 90d}}]\nlimits: [{limits}]",
                further_tool(number),
                tasks.join(", ")
            );
            for placed in parse(&yaml).expect("a valid record") {
                tables.apply(&ControlRecord::declared(placed.record));
            }
        }
        Self { world, tables }
    }

    /// Gives the next slice, fresh from memory that was just written, as from the decoder; each agent at its own address.
    fn with_slice<T>(&mut self, take: impl FnOnce(&[Event<'_>], &Tables) -> T) -> T {
        let slice = self.world.slice(SLICE, Turns::Zipf);
        let mut events = slice.events();
        for event in &mut events {
            let agent = u32::try_from(number_of(&event.agent_id)).expect("few");
            event.source_ip = Some(Ipv4Addr::from_bits(10 << 24 | agent << 8 | 7).into());
        }
        take(&events, &self.tables)
    }
}

/// A million events against ten thousand contracts: all declared rules of an event together, with nothing broken. Stream time goes
/// on as in a stream.
fn declared(criterion: &mut Criterion) {
    // One template with limits on what moves money, one with a limit on every action, and contracts of which no two allow the same.
    let on_refunds = "{action: issue_refund, field: bytes_out, automatic_up_to: 1000000000000}, \
                      {action: issue_refund, field: count, window: 1d, per: on_behalf_of, automatic_up_to: 1000000}, \
                      {action: change_payout, never: true}";
    let on_all = "{action: \"*\", field: count, window: 1h, automatic_up_to: 1000000}, \
                  {action: issue_refund, field: bytes_out, automatic_up_to: 1000000000000}";
    for (name, mut contracts) in [
        ("10k contracts, limits on refunds", Contracts::new(|_| "lookup_any".to_owned(), on_refunds)),
        ("10k contracts of one kind", Contracts::new(|_| "lookup_any".to_owned(), on_all)),
        ("10k contracts, each another", Contracts::new(|number| format!("lookup_{number}"), on_all)),
    ] {
        declared_alone(criterion, &format!("{name}, alone"), &mut contracts, false);
        declared_alone(criterion, &format!("{name}, alone, asked for ahead"), &mut contracts, true);
        declared_in_engine(criterion, &format!("{name}, in the engine"), &mut contracts);
    }
}

/// The judge alone, so that nothing of what it remembers of an agent is at hand when its turn comes.
/// With `ahead`, what an event needs is asked for at the four events before it, in the order in which the engine comes by it: the engine
/// has the agent's state at hand when it knows whose event it is, and asks for the rest before it scores the event, which takes long.
fn declared_alone(criterion: &mut Criterion, name: &str, contracts: &mut Contracts, ahead: bool) {
    let mut judge = Judge::new(EngineConfig::default().policy);
    // In the engine an agent's state is at hand by the agent's number; so it is here.
    let mut states = vec![AgentState::default(); CONTRACTS];
    let mut judgement = Judgement::default();
    let (mut now_ms, mut broken) = (0, 0);
    let mut next_slice = || {
        let took = contracts.with_slice(|events, tables| {
            let agents: Vec<usize> = events.iter().map(|event| number_of(&event.agent_id)).collect();
            cpu_time(|| {
                for (at, event) in events.iter().enumerate() {
                    if ahead {
                        let state = |at: usize| agents.get(at).map(|agent| &states[*agent]);
                        if let Some(state) = state(at + 4) {
                            prefetch(state);
                        }
                        state(at + 2).into_iter().for_each(AgentState::prefetch);
                        if let Some(state) = state(at + 1) {
                            judge.prefetch_rest(state);
                        }
                    }
                    now_ms = event.ts.max(now_ms);
                    judge.judge(event, now_ms, &mut states[agents[at]], tables, &mut judgement);
                }
            })
        });
        broken += judgement.violations.len();
        judgement.violations.clear();
        judgement.sightings.clear();
        took
    };
    let mut group = criterion.benchmark_group("declared rules");
    group.throughput(Throughput::Elements(SLICE as u64));
    let warming_up = Once::new();
    group.bench_function(name, |bencher| {
        // Only here, so that what a filter leaves out takes no time.
        warming_up.call_once(|| (0..WARM / SLICE).map(|_| next_slice()).for_each(drop));
        bencher.iter_custom(|rounds| (0..rounds).map(|_| next_slice()).sum());
    });
    group.finish();
    assert_eq!(broken, 0, "what breaks a rule is not the common path");
}

/// What an event costs more in an engine with contracts than in the same engine without, by turns.
fn declared_in_engine(criterion: &mut Criterion, name: &str, contracts: &mut Contracts) {
    let mut engine = Engine::new(Arc::new(EngineConfig::default()), Shard { partition: 0, partitions: 1 });
    let without = Tables::default();
    let (mut outputs, mut broken) = (Vec::new(), 0);
    let mut slice_of = |declared: bool| {
        contracts.with_slice(|events, tables| {
            let tables = if declared { tables } else { &without };
            let took = cpu_time(|| {
                for event in events {
                    engine.on_event(event, tables, &mut outputs);
                }
            });
            broken +=
                outputs.drain(..).filter(|output| matches!(output, Output::Finding(finding) if finding.policy.id == "contract")).count();
            took
        })
    };
    let mut group = criterion.benchmark_group("declared rules");
    group.throughput(Throughput::Elements(SLICE as u64));
    group.sample_size(30).measurement_time(Duration::from_secs(20));
    let warming_up = Once::new();
    group.bench_function(name, |bencher| {
        warming_up.call_once(|| (0..WARM / SLICE).map(|_| slice_of(true)).for_each(drop));
        bencher.iter_custom(|rounds| {
            let (mut with, mut bare) = (Duration::ZERO, Duration::ZERO);
            for round in 0..2 * rounds {
                // With, without, without, with: neither has always the other before it.
                let declared = matches!(round % 4, 0 | 3);
                *(if declared { &mut with } else { &mut bare }) += slice_of(declared);
            }
            with.saturating_sub(bare)
        });
    });
    group.finish();
    assert_eq!(broken, 0, "what breaks a rule is not the common path");
}

/// CPU time: what others do on a shared machine is not the event's cost.
fn cpu_time(work: impl FnOnce()) -> Duration {
    Duration::from_secs_f64(clock::measure(work).0.cpu_ns / 1e9)
}

/// The number at the end of an agent's name.
fn number_of(agent: &str) -> usize {
    agent.rsplit('-').next().and_then(|number| number.parse().ok()).expect("the world numbers its agents")
}

/// What an action that a limit speaks of leaves in the trail: sealed, and written as it is published.
fn audit(criterion: &mut Criterion) {
    let mut trail = Trail::default();
    let mut record = AuditRecord::new(What::Decision, 1_767_225_600_000, "support-agent-0000034", "allowed");
    record.decision = Some(Decision::Allow);
    record.policy = Some(PolicyShown { id: "contract".into(), version: "0123456789abcdef".into(), rule: "limits[0]".into() });
    record.score = Some(0.123_456_789);
    let text = |text: &str| Some(text.to_owned());
    (record.event_id, record.session_id) = (text("evt-0000034-00000001"), text("session-0000034-00000001"));
    (record.tool, record.tool_server) = (text("issue_refund"), text("billing.tools.internal"));
    (record.target, record.credential_id, record.on_behalf_of) = (text("order 4821"), text("key-0000034"), text("customer 4821"));
    criterion.bench_function("audit record", |bencher| {
        bencher.iter(|| {
            trail.extend(black_box(record.clone()), 0, "key").iter().map(AuditRecord::to_bytes).map(|bytes| bytes.len()).sum::<usize>()
        });
    });
}

fn statistics(criterion: &mut Criterion) {
    let student = StudentT::new(12.3);
    criterion.bench_function("density of Student's t", |bencher| bencher.iter(|| student.density(black_box(1.7))));
    criterion.bench_function("normal deviate of t", |bencher| bencher.iter(|| to_normal(black_box(1.7), black_box(12.3))));

    let mut node = CountNode::<u64>::default();
    for symbol in 0..20_u64 {
        for _ in 0..=symbol {
            node.add(symbol, 64);
        }
    }
    criterion.bench_function("probability in a count node", |bencher| bencher.iter(|| node.probability(black_box(11), black_box(0.1))));

    let mut calibrator = Calibrator::new(CHANNEL);
    for number in 0..5_000_u32 {
        let bin = calibrator.bin(f64::from(number % 97) / 20.0 - 2.0);
        calibrator.add(bin, 1.0);
    }
    calibrator.rebuild();
    criterion.bench_function("p-value inside", |bencher| bencher.iter(|| calibrator.p_value(black_box(1.3), None)));
    criterion.bench_function("p-value in the tail", |bencher| bencher.iter(|| calibrator.p_value(black_box(9.0), None)));
}

criterion_group!(steps, decode, score, audit, statistics, declared);
criterion_main!(steps);
