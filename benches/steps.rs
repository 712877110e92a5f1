//! `cargo bench --bench steps`: single steps of the way of an event, for work on one of them. What counts is `throughput`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use gaitkeeper::config::EngineConfig;
use gaitkeeper::engine::{Engine, Shard, Tables};
use gaitkeeper::event::native::{self, Origin};
use gaitkeeper::event::timestamp;
use gaitkeeper::stats::calibrator::{CHANNEL, Calibrator};
use gaitkeeper::stats::count_node::CountNode;
use gaitkeeper::stats::hash;
use gaitkeeper::stats::student_t::{StudentT, to_normal};

#[path = "throughput/world.rs"]
mod world;

use world::{Shape, Turns, World};

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

criterion_group!(steps, decode, score, statistics);
criterion_main!(steps);
