//! `gaitkeeper ingest`: the ingest stage on its own.

use std::path::PathBuf;
use std::sync::Arc;

use super::run::{end_hung_process, refused};
use super::{Exit, Failure, Outcome, interrupt, logging, read_config};
use crate::stream::{Meters, Service, Stop};

/// Makes native events keyed by agent of the inputs that are not, exactly once; nothing is scored
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration file; without one, the defaults against localhost:9092
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> Outcome {
    let Args { config } = args;
    let config = Arc::new(read_config(config.as_deref())?);
    logging::start();
    let stop = Stop::new();
    interrupt::stop_on_signal(&stop).map_err(Failure::io)?;
    let service = Service::launch_ingest(&config, Meters::new(), &stop, end_hung_process).map_err(refused)?;
    let Some(service) = service else { return Ok(Exit::Fine) };
    tracing::info!(brokers = config.kafka.brokers, group = config.kafka.group, "ingesting");
    service.wait().map_err(Failure::io)?;
    tracing::info!("everything is committed, the group is left");
    Ok(Exit::Fine)
}
