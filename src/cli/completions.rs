//! `gaitkeeper completions SHELL`.

use clap::CommandFactory;

use super::{Cli, Exit, Outcome};

/// Prints a completion script for a shell
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which shell
    shell: clap_complete::Shell,
}

#[expect(clippy::unnecessary_wraps, reason = "every command answers alike")]
pub fn run(Args { shell }: Args) -> Outcome {
    clap_complete::generate(shell, &mut Cli::command(), "gaitkeeper", &mut std::io::stdout());
    Ok(Exit::Fine)
}
