//! `gaitkeeper evaluate`: how well labelled misuse is found, and what it costs.

use super::{Failure, Outcome};

/// Measures detection and false alarms on a labelled stream
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(Args {}: Args) -> Outcome {
    Err(Failure::usage(anyhow::anyhow!("not built yet")))
}
