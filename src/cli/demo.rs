//! `gaitkeeper demo`: in-process Kafka, a sample fleet with injected misuse, live findings.

use super::{Failure, Outcome};

/// Shows it all at work on an in-process Kafka; no set-up
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(Args {}: Args) -> Outcome {
    Err(Failure::usage(anyhow::anyhow!("not built yet")))
}
