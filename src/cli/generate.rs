//! `gaitkeeper generate`: seeded fleets with named attacks.

use super::{Failure, Outcome};

/// Writes a seeded fleet with named attacks and their ground truth
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(Args {}: Args) -> Outcome {
    Err(Failure::usage(anyhow::anyhow!("not built yet")))
}
