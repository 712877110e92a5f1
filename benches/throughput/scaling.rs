//! How the cost of an event grows: with the number of agents, and with shards on threads of one process.

use std::thread;
use std::time::Instant;

use crate::memory;
use crate::rounds::Summary;
use crate::score::Watched;
use crate::world::Turns;

const SLICE: usize = 8_192;

/// Cost of an event among so many agents.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    pub agents: usize,
    pub cpu_ns: Summary,
}

/// Lets each fleet act `events_each` times, then measures `slices` more; stops where memory would not do.
pub fn by_agents(sizes: &[usize], events_each: usize, slices: usize, bytes_max: u64) -> Vec<Point> {
    let mut points = Vec::new();
    for &agents in sizes {
        let mut watched = Watched::new(agents);
        let mut left = agents * events_each;
        while left > 0 && memory::resident_bytes() < bytes_max {
            let count = left.min(SLICE);
            watched.work(count, Turns::Equal);
            left -= count;
        }
        if left > 0 {
            break;
        }
        let took: Vec<f64> = (0..slices).map(|_| watched.work(SLICE, Turns::Equal).cpu_ns / SLICE as f64).collect();
        points.push(Point { agents, cpu_ns: Summary::of(&took) });
    }
    points
}

/// Events a second of two shards on two threads, as a multiple of one shard's alone; round by round.
pub fn on_two_threads(agents: usize, events_each: usize, rounds: usize) -> Summary {
    let mut shards = [Watched::new(agents), Watched::new(agents)];
    for shard in &mut shards {
        shard.work(agents * events_each, Turns::Equal);
    }
    let ratios: Vec<f64> = (0..rounds)
        .map(|round| {
            let alone = shards[round % 2].work(SLICE, Turns::Zipf).wall_ns;
            let begin = Instant::now();
            let overhead_ns: f64 = thread::scope(|scope| {
                let running = shards.each_mut().map(|shard| {
                    scope.spawn(move || {
                        let begin = Instant::now();
                        let took = shard.work(SLICE, Turns::Zipf);
                        begin.elapsed().as_nanos() as f64 - took.wall_ns
                    })
                });
                // Making the events is not part of the work.
                running.map(|thread| thread.join().expect("the work does not fail")).into_iter().fold(0.0, f64::max)
            });
            let both = begin.elapsed().as_nanos() as f64 - overhead_ns;
            2.0 * alone / both
        })
        .collect();
    Summary::of(&ratios)
}
