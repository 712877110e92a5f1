//! `gaitkeeper topics create|check`.

use super::{Failure, Outcome};

/// Creates or checks the topics
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(Args {}: Args) -> Outcome {
    Err(Failure::usage(anyhow::anyhow!("not built yet")))
}
