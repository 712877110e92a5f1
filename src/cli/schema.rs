//! `gaitkeeper schema NAME`.

use super::{Failure, Outcome};

/// Prints the JSON Schema of a message
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(Args {}: Args) -> Outcome {
    Err(Failure::usage(anyhow::anyhow!("not built yet")))
}
