//! `gaitkeeper run`: the service.

use super::{Failure, Outcome};

/// Scores the events of a Kafka topic and publishes findings and step-up requests
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(Args {}: Args) -> Outcome {
    Err(Failure::usage(anyhow::anyhow!("not built yet")))
}
