//! `gaitkeeper ingest`: the ingest stage on its own.

use std::path::PathBuf;

use super::Outcome;
use super::run::{end_hung_process, serve};
use crate::stream::{Meters, Service};

/// Makes native events keyed by agent of the inputs that are not, exactly once; nothing is scored
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration file; without one, the defaults against localhost:9092
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> Outcome {
    let Args { config } = args;
    serve(config.as_deref(), "ingesting", |config, stop| Service::launch_ingest(config, Meters::new(), stop, end_hung_process))
}
