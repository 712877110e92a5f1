//! What Kafka costs, measured on a broker of its own on this machine, so broker and service share its processors.
//!
//! `cargo bench --bench kafka` compares raw consumption, `replay` and the service on the same events; `-- latency` measures from
//! producer to finding; `-- peers` does a simpler job in Kafka Streams and Flink beside the service; `-- soak` loads it for long
//! with restarts. `--write` puts the table into the operations page. Rounds run every variant once, in rotated order; compare
//! within a run, not between runs.

#[path = "../../tests/kafka/broker.rs"]
mod broker;
#[path = "../../tests/kafka/child.rs"]
mod child;
mod contender;
mod ground;
mod latency;
mod measure;
mod operations;
mod peers;
mod soak;
mod throughput;

use std::process::ExitCode;

use clap::Parser;

/// Measures what Kafka costs.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    mode: Option<Mode>,
    /// Put the table into benches/kafka/README.md.
    #[arg(long, global = true)]
    write: bool,
    /// What cargo says to every bench.
    #[arg(long, hide = true, global = true)]
    bench: bool,
    /// Events, instead of what each mode takes by itself.
    #[arg(long, global = true)]
    events: Option<usize>,
    /// Rounds over all variants.
    #[arg(long, global = true, default_value_t = 3)]
    rounds: usize,
}

#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum Mode {
    /// Raw consumption, `replay`, and `run` at least and exactly once, about five minutes.
    Throughput,
    /// From a producer's send to a committed finding, about five minutes.
    Latency {
        /// Seconds measured in each cell.
        #[arg(long, default_value_t = 12)]
        seconds: u64,
    },
    /// A simpler job in Kafka Streams and in Flink, about seven minutes.
    Peers,
    /// A steady load with restarts.
    Soak {
        #[arg(long, default_value_t = 60)]
        minutes: u64,
        /// Events a second.
        #[arg(long, default_value_t = 1_000)]
        rate: u64,
    },
}

fn main() -> ExitCode {
    let Args { mode, write, bench: _, events, rounds } = Args::parse();
    match mode.unwrap_or(Mode::Throughput) {
        Mode::Throughput => throughput::run(events, rounds, write),
        Mode::Latency { seconds } => latency::run(seconds, write),
        Mode::Peers => peers::run(events, rounds, write),
        Mode::Soak { minutes, rate } => return soak::run(minutes, rate, write),
    }
    ExitCode::SUCCESS
}
