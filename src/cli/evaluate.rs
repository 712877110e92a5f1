//! `gaitkeeper evaluate`: how well labelled misuse is found, and what it costs.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::ValueEnum;

use crate::config::AlarmBudget;
use crate::workbench::evaluate::{Mode, Options, Recorded, evaluate, meta, table};
use crate::workbench::metrics::Bootstrap;

use super::{Exit, Failure, Outcome, destination, read_config, timestamp};

/// Measures detection and false alarms on a labelled stream
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recorded stream, JSON lines, plain or compressed; - is standard input
    file: PathBuf,
    /// End of the training stretch, RFC 3339 or epoch ms [default: `train_end_ts` of NAME.meta.json beside the file; without one
    /// everything is scored live]
    #[arg(long, value_name = "TS", value_parser = timestamp::parse)]
    train_until: Option<i64>,
    /// What the engine may learn from the test sessions
    #[arg(long, value_enum, default_value_t = Modes::All)]
    mode: Modes,
    /// Other detectors to measure on the same sessions
    #[arg(long, value_enum)]
    compare: Option<Compare>,
    /// Configuration; without it the defaults and the environment hold
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// False alarms accepted: a share of sessions (0.01) or a number a day (5/day) [default: that of the configuration]
    #[arg(long, value_name = "B", value_parser = parse_budget)]
    budget: Option<AlarmBudget>,
    /// Writes every figure as JSON
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
    /// Bootstrap draws behind each interval
    #[arg(long, value_name = "N", default_value_t = Bootstrap::default().draws)]
    draws: usize,
    /// Seed of the bootstrap draws
    #[arg(long, value_name = "N", default_value_t = Bootstrap::default().seed)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Modes {
    /// Nothing is learned or calibrated
    Frozen,
    /// The engine goes on learning without labels
    Live,
    /// As live, with the true label of each session below p .01 fed back at its end
    Triage,
    /// All three
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compare {
    /// STIDE, Markov chain, z-scores, isolation forest and combinations, trained on the training stretch
    Peers,
}

pub fn run(args: Args) -> Outcome {
    let train_until = training_end(&args)?;
    let Args { file, mode, compare, config, budget, json, draws, seed, .. } = args;
    let modes = modes(mode, train_until)?;
    let mut config = read_config(config.as_deref())?.engine;
    config.alarm.budget = budget.unwrap_or(config.alarm.budget);
    let alpha = match config.alarm.budget {
        AlarmBudget::PerSession(share) => share,
        AlarmBudget::PerDay(_) => 0.01,
    };
    let recorded = Recorded::read(std::slice::from_ref(&file), train_until, config.detect.sessions.idle_ms).map_err(Failure::io)?;
    if recorded.is_empty() {
        return Err(Failure::usage(anyhow!("{} holds no event", file.display())));
    }
    let peers = compare == Some(Compare::Peers);
    if peers && train_until.is_none() {
        eprintln!("gaitkeeper: peers need a training stretch; without --train-until they are left out");
    }
    let bootstrap = Bootstrap { draws, seed };
    let evaluation = evaluate(&recorded, &Options { train_until, modes, peers, config: Arc::new(config), alpha, bootstrap });
    if let Some(path) = &json {
        let mut out = destination::open(path)?;
        let written = serde_json::to_writer_pretty(&mut out, &evaluation).map_err(std::io::Error::from);
        written.and_then(|()| writeln!(out)).and_then(|()| out.flush()).with_context(|| path.display().to_string()).map_err(Failure::io)?;
    }
    print!("{}", table::render(&evaluation));
    Ok(Exit::Fine)
}

/// The end of the training stretch as given, else as the description beside the file says.
fn training_end(args: &Args) -> Result<Option<i64>, Failure> {
    if args.train_until.is_some() || args.file == Path::new("-") {
        return Ok(args.train_until);
    }
    let Some(text) = meta::beside(&args.file).map_err(Failure::usage)?.and_then(|meta| meta.train_end_ts) else {
        eprintln!("gaitkeeper: no training stretch given; all sessions are scored live");
        return Ok(None);
    };
    let until = timestamp::parse(&text).map_err(|error| Failure::usage(anyhow!("train_end_ts beside {}: {error}", args.file.display())))?;
    eprintln!("gaitkeeper: training until {text}, as {} says", meta::path_beside(&args.file).unwrap_or_default().display());
    Ok(Some(until))
}

fn modes(asked: Modes, train_until: Option<i64>) -> Result<Vec<Mode>, Failure> {
    match (asked, train_until) {
        (Modes::Frozen, None) => Err(Failure::usage(anyhow!("frozen needs a training stretch: --train-until"))),
        (Modes::All, None) | (Modes::Live, _) => Ok(vec![Mode::Live]),
        (Modes::Frozen, Some(_)) => Ok(vec![Mode::Frozen]),
        (Modes::Triage, _) => Ok(vec![Mode::Triage]),
        (Modes::All, Some(_)) => Ok(Mode::ALL.to_vec()),
    }
}

fn parse_budget(text: &str) -> Result<AlarmBudget, String> {
    let (number, per_day) = match text.strip_suffix("/day") {
        Some(number) => (number, true),
        None => (text, false),
    };
    let value: f64 = number.trim().parse().map_err(|_| format!("`{text}` is neither a share (0.01) nor a number a day (5/day)"))?;
    if per_day && value > 0.0 && value.is_finite() {
        Ok(AlarmBudget::PerDay(value))
    } else if !per_day && 0.0 < value && value < 1.0 {
        Ok(AlarmBudget::PerSession(value))
    } else {
        Err(format!("`{text}` is out of range: a share lies between 0 and 1, a number a day above 0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_budget(text: &str, expected: Option<AlarmBudget>) {
        assert_eq!(parse_budget(text).ok(), expected, "{text}");
    }

    #[test]
    fn a_budget_is_a_share_or_a_number_a_day() {
        check_budget("0.01", Some(AlarmBudget::PerSession(0.01)));
        check_budget("5/day", Some(AlarmBudget::PerDay(5.0)));
        check_budget("5", None);
        check_budget("0", None);
        check_budget("-1/day", None);
        check_budget("nan", None);
    }
}
