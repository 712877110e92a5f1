//! `gaitkeeper inventory check|apply|draft|report`.

mod apply;
mod draft;
mod read;
mod report;

use std::path::PathBuf;

use super::{Exit, Outcome, logging};

/// Checks, publishes, proposes and reports what is declared about agents
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Says what is wrong with inventory records, with line and column; exit code 1 when something is
    Check {
        /// YAML or JSON, several documents a file
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    Apply(apply::Args),
    Draft(draft::Args),
    Report(report::Args),
}

pub fn run(args: Args) -> Outcome {
    logging::start();
    match args.task {
        Task::Check { files } => check(&files),
        Task::Apply(args) => apply::run(&args),
        Task::Draft(args) => draft::run(&args),
        Task::Report(args) => report::run(&args),
    }
}

fn check(files: &[PathBuf]) -> Outcome {
    let records = match read::records(files)? {
        Ok(records) => records,
        Err(problems) => {
            // Bare lines, `file:line:column: message`, so that editors can jump to them.
            eprintln!("{problems}");
            return Ok(Exit::Failed);
        }
    };
    let drafts = records.iter().filter(|placed| placed.record.draft).count();
    println!("{} records are fine, {drafts} of them drafts", records.len());
    Ok(Exit::Fine)
}
