//! `gaitkeeper run`: the service.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Exit, Failure, Outcome, interrupt, logging, read_config};
use crate::config::Config;
use crate::stream::{Meters, Service, Stop, StreamError, TopicCheck};

/// Scores the events of a Kafka topic and publishes findings and step-up requests
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration file; without one, the defaults against localhost:9092
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> Outcome {
    let Args { config } = args;
    serve(config.as_deref(), "scoring", |config, stop| Service::launch(config, TopicCheck::Full, Meters::new(), stop, end_hung_process))
}

/// Runs what `launch` starts until a signal stops it; `at_work` is the word that the log says of it.
pub fn serve(
    config: Option<&Path>,
    at_work: &'static str,
    launch: impl FnOnce(&Arc<Config>, &Stop) -> Result<Option<Service>, StreamError>,
) -> Outcome {
    let config = Arc::new(read_config(config)?);
    logging::start();
    let stop = Stop::new();
    interrupt::stop_on_signal(&stop).map_err(Failure::io)?;
    let Some(service) = launch(&config, &stop).map_err(refused)? else { return Ok(Exit::Fine) };
    tracing::info!(brokers = config.kafka.brokers, group = config.kafka.group, "{at_work}");
    service.wait().map_err(Failure::io)?;
    tracing::info!("everything is committed, the group is left");
    Ok(Exit::Fine)
}

/// A missing topic and an unsupported setting are for the operator to mend, a broker that refuses is not.
fn refused(error: StreamError) -> Failure {
    match error {
        StreamError::TopicFaults(_) => Failure::io(anyhow::anyhow!("{error}; `gaitkeeper topics create` makes what is missing")),
        StreamError::Unsupported(_) => Failure::usage(error),
        error => Failure::io(error),
    }
}

/// Nothing inside the process can end such a call; the supervisor starts it anew.
pub fn end_hung_process(call: &'static str) {
    tracing::error!(call, "a call into the Kafka client does not come back; ending, so that a restart recovers");
    std::process::exit(Exit::Io as i32);
}
