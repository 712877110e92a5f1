//! The commands. The only layer that prints, and the only one with `anyhow`.

mod agent;
mod answer_signature;
mod audit;
mod check_config;
mod completions;
mod coverage;
mod demo;
mod destination;
mod evaluate;
mod feedback;
mod generate;
mod ingest;
mod interrupt;
mod inventory;
mod kafka_source;
mod logging;
mod progress;
mod replay;
mod run;
mod schema;
mod stepup;
mod timestamp;
mod topics;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, LoadError};

/// How a command ended, as the shell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Fine = 0,
    /// An expectation or a verification failed.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Input, output or broker.
    Io = 3,
}

/// What went wrong and the exit code it deserves.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    /// Usage or configuration: exit code 2.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Usage, error: error.into() }
    }

    /// Input, output or broker: exit code 3.
    pub fn io(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Io, error: error.into() }
    }
}

type Outcome = Result<Exit, Failure>;

/// Reads a configuration; without a file the defaults and the environment hold.
fn read_config(path: Option<&Path>) -> Result<Config, Failure> {
    Config::load(path).map_err(|error| match error {
        LoadError::Read { .. } => Failure::io(error),
        LoadError::Invalid(_) => Failure::usage(error),
    })
}

/// Learns how each AI agent normally walks, and says so when the gait changes.
#[derive(Debug, Parser)]
#[command(name = "gaitkeeper", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Run(run::Args),
    Ingest(ingest::Args),
    Replay(replay::Args),
    Evaluate(evaluate::Args),
    Generate(generate::Args),
    Inventory(inventory::Args),
    Coverage(coverage::Args),
    Topics(topics::Args),
    Agent(agent::Args),
    Stepup(stepup::Args),
    Feedback(feedback::Args),
    Audit(audit::Args),
    CheckConfig(check_config::Args),
    Schema(schema::Args),
    Completions(completions::Args),
}

/// Parses the arguments, runs the command, says on stderr what went wrong.
#[must_use]
pub fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo(args) => demo::run(args),
        Command::Run(args) => run::run(args),
        Command::Ingest(args) => ingest::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Generate(args) => generate::run(args),
        Command::Inventory(args) => inventory::run(args),
        Command::Coverage(args) => coverage::run(args),
        Command::Topics(args) => topics::run(args),
        Command::Agent(args) => agent::run(args),
        Command::Stepup(args) => stepup::run(args),
        Command::Feedback(args) => feedback::run(args),
        Command::Audit(args) => audit::run(args),
        Command::CheckConfig(args) => check_config::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => completions::run(args),
    };
    let exit = outcome.unwrap_or_else(|failure| {
        eprintln!("gaitkeeper: {:#}", failure.error);
        failure.exit
    });
    ExitCode::from(exit as u8)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn every_command_can_be_built() {
        super::Cli::command().debug_assert();
    }
}
