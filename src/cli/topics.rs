//! `gaitkeeper topics create|check`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;

use super::{Exit, Failure, Outcome, logging, read_config};
use crate::config::Config;
use crate::stream::topics::{Creation, TopicKeeper};
use crate::stream::{Link, Stop, TopicNames};

/// How long a broker may take to answer at first.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Creates or checks the topics
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Makes the topics that are missing, with the settings that they need
    Create(Source),
    /// Says what is wrong with the topics; exit code 1 when something is
    Check(Source),
}

#[derive(Debug, clap::Args)]
struct Source {
    /// Configuration file; without one, the defaults against localhost:9092
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> Outcome {
    logging::start();
    match args.task {
        Task::Create(Source { config }) => create(config.as_deref()),
        Task::Check(Source { config }) => check(config.as_deref()),
    }
}

fn create(path: Option<&Path>) -> Outcome {
    let (config, keeper) = connect(path)?;
    let mut refused = Vec::new();
    for (spec, creation) in keeper.create().map_err(Failure::io)? {
        match creation {
            Creation::Created => println!("created  {} (cleanup.policy={})", spec.name, spec.cleanup.as_str()),
            Creation::Existed => println!("existed  {}", spec.name),
            Creation::Refused(code) => refused.push(format!("{}: {code}", spec.name)),
        }
    }
    if !refused.is_empty() {
        return Err(Failure::io(anyhow!("the brokers at {} refuse: {}", config.kafka.brokers, refused.join("; "))));
    }
    report(&keeper)
}

fn check(path: Option<&Path>) -> Outcome {
    let (_, keeper) = connect(path)?;
    report(&keeper)
}

fn report(keeper: &TopicKeeper) -> Outcome {
    let faults = keeper.check().map_err(Failure::io)?;
    for fault in &faults {
        eprintln!("gaitkeeper: {fault}");
    }
    Ok(if faults.is_empty() { Exit::Fine } else { Exit::Failed })
}

fn connect(path: Option<&Path>) -> Result<(Arc<Config>, TopicKeeper), Failure> {
    let config = Arc::new(read_config(path)?);
    let names = TopicNames::new(&config);
    let link = Link::new(&config.kafka.brokers, names.inputs.first().map_or("", String::as_str));
    link.wait(&config.kafka, &Stop::new(), Some(ANSWER_WITHIN)).map_err(Failure::io)?;
    let keeper = TopicKeeper::new(&config, &link).map_err(Failure::io)?;
    Ok((config, keeper))
}
