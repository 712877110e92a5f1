//! `gaitkeeper completions SHELL`.

use clap::CommandFactory;

use super::{Cli, Exit, Outcome};

/// Prints a completion script for a shell
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which shell
    shell: clap_complete::Shell,
}

pub fn run(args: Args) -> Outcome {
    clap_complete::generate(args.shell, &mut Cli::command(), "gaitkeeper", &mut std::io::stdout());
    Ok(Exit::Fine)
}
