//! `gaitkeeper check-config`.

use super::{Failure, Outcome};

/// Checks a configuration file
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(Args {}: Args) -> Outcome {
    Err(Failure::usage(anyhow::anyhow!("not built yet")))
}
