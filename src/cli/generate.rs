//! `gaitkeeper generate`: seeded fleets with named attacks.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::{Exit, Failure, Outcome, destination, progress, timestamp};
use crate::workbench::generate::attack::{self, FLEET_KINDS, SCENARIOS};
use crate::workbench::generate::{Attack, Generator, Settings, Shape};

/// Writes a seeded fleet with named attacks and their ground truth
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Fixes every draw; the same options and seed give the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Agents in all
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    agents: u32,
    /// Kinds of work
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    task_types: u32,
    /// Tools in all
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    tools: u32,
    /// A tool knows 3 to this many targets
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(3..=1_000_000_000))]
    targets_max: u64,
    /// Largest probability, by tool, that a call takes a target never used before
    #[arg(long, default_value_t = 0.1, value_parser = probability)]
    fresh_target_max: f64,
    /// Sessions of each agent
    #[arg(long, default_value_t = 210)]
    sessions: u32,
    /// About how many of them come before the first attack; by default five in seven
    #[arg(long)]
    learn_sessions: Option<u32>,
    /// Mean number of sessions of an agent in a day
    #[arg(long, default_value_t = 12.0, value_parser = positive)]
    sessions_a_day: f64,
    /// How many agents work on three sessions at once
    #[arg(long, default_value_t = 0)]
    concurrent_agents: u32,
    /// Agents say when a session is over
    #[arg(long)]
    session_ends: bool,
    /// Leave out bytes received, credential, source address and principal
    #[arg(long)]
    sparse: bool,
    /// Attacks by name, or `all` (the nine scenarios), `fleet` (the 23 kinds of the fleet measurement), `none`
    #[arg(long, value_name = "KIND,…", default_value = "all", value_delimiter = ',')]
    attacks: Vec<String>,
    /// Probability that an attack begins in a session
    #[arg(long, default_value_t = 0.02, value_parser = probability)]
    attack_rate: f64,
    /// When the stream begins, RFC 3339 or epoch ms
    #[arg(long, value_name = "TS", default_value = "2026-01-05T00:00:00Z", value_parser = timestamp::parse)]
    start: i64,
    /// Where the stream goes; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Where a line per attack goes, with its agent, sessions, onset and end
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
}

pub fn run(args: Args) -> Outcome {
    let settings = settings(&args)?;
    let Args { out: out_path, truth: truth_path, .. } = args;
    let mut out = destination::open(&out_path)?;
    let mut truth = truth_path.as_deref().map(destination::open).transpose()?;
    let quiet_until = settings.quiet_until;
    let (events, generator) = write_stream(Generator::new(settings), &mut out).map_err(|error| cannot_write(error, &out_path))?;
    if let (Some(truth), Some(path)) = (&mut truth, &truth_path) {
        write_truth(&generator, truth).map_err(|error| cannot_write(error, path))?;
    }
    let attacks = generator.campaigns().len();
    eprintln!(
        "{events} events, {attacks} attacks; every session that begins until {quiet_until} is ordinary (--train-until {quiet_until})"
    );
    Ok(Exit::Fine)
}

fn settings(args: &Args) -> Result<Settings, Failure> {
    let learn_sessions = args.learn_sessions.unwrap_or(args.sessions / 7 * 5 + args.sessions % 7 * 5 / 7);
    Ok(Settings {
        seed: args.seed,
        shape: Shape {
            task_types: args.task_types as usize,
            agents: args.agents as usize,
            tools: args.tools as usize,
            targets_max: args.targets_max,
            fresh_target_max: args.fresh_target_max,
            sparse: args.sparse,
        },
        sessions: args.sessions as usize,
        sessions_a_day: args.sessions_a_day,
        concurrent_agents: args.concurrent_agents as usize,
        session_ends: args.session_ends,
        attacks: attacks(&args.attacks)?,
        attack_rate: args.attack_rate,
        start: args.start,
        quiet_until: Settings::quiet_after(args.start, learn_sessions, args.sessions_a_day),
    })
}

fn write_stream(mut generator: Generator, out: &mut impl Write) -> io::Result<(u64, Generator)> {
    let bar = progress::bar(None);
    let mut events = 0;
    for generated in generator.by_ref() {
        out.write_all(generated.line.as_bytes())?;
        out.write_all(b"\n")?;
        bar.inc(generated.line.len() as u64 + 1);
        events += 1;
    }
    out.flush()?;
    bar.finish_and_clear();
    Ok((events, generator))
}

fn write_truth(generator: &Generator, out: &mut impl Write) -> io::Result<()> {
    for campaign in generator.campaigns() {
        serde_json::to_writer(&mut *out, campaign)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

fn cannot_write(error: io::Error, path: &Path) -> Failure {
    Failure::io(anyhow::Error::new(error).context(format!("cannot write {}", path.display())))
}

/// The attacks meant by the words of `--attacks`.
fn attacks(words: &[String]) -> Result<Vec<Attack>, Failure> {
    let mut chosen = Vec::new();
    for word in words {
        match word.as_str() {
            "none" => {}
            "all" => chosen.extend_from_slice(SCENARIOS),
            "fleet" => chosen.extend_from_slice(FLEET_KINDS),
            name => chosen.push(attack::by_name(name).with_context(|| unknown(name)).map_err(Failure::usage)?),
        }
    }
    if chosen.is_empty() && words.iter().any(|word| word != "none") {
        return Err(Failure::usage(anyhow!("--attacks names nothing")));
    }
    Ok(chosen)
}

fn unknown(name: &str) -> String {
    let known: Vec<&str> = SCENARIOS.iter().chain(FLEET_KINDS).map(|attack| attack.name).collect();
    format!("unknown attack `{name}`; known are all, fleet, none, {}", known.join(", "))
}

fn probability(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(format!("{value} is not between 0 and 1")) }
}

fn positive(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if value > 0.0 && value.is_finite() { Ok(value) } else { Err(format!("{value} is not above 0")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::generate::DEFAULT_START;

    #[test]
    fn the_written_default_start_is_the_one_of_the_library() {
        assert_eq!(timestamp::parse("2026-01-05T00:00:00Z"), Ok(DEFAULT_START));
    }

    #[test]
    fn attacks_are_chosen_by_name_or_list() {
        let count = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            attacks(&words).map(|chosen| chosen.len()).ok()
        };
        assert_eq!(count(&["none"]), Some(0));
        assert_eq!(count(&["all"]), Some(9));
        assert_eq!(count(&["fleet"]), Some(23));
        assert_eq!(count(&["burst", "refund_split"]), Some(2));
        assert_eq!(count(&["bursts"]), None);
        assert_eq!(count(&[""]), None);
    }
}
