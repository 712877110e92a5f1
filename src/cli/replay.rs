//! `gaitkeeper replay`: recorded streams through the same engine.

use super::{Failure, Outcome};

/// Runs recorded streams through the same engine
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(Args {}: Args) -> Outcome {
    Err(Failure::usage(anyhow::anyhow!("not built yet")))
}
