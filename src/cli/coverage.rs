//! `gaitkeeper coverage`.

use std::io::Write as _;
use std::path::PathBuf;

use super::{Exit, Failure, Outcome};
use crate::workbench::coverage::{self, CoverageError};

/// Shows which kinds of finding the fixtures of a folder cover, with near misses, techniques and patterns
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder with `*.expect.toml` files
    #[arg(value_name = "FOLDER", default_value = "fixtures")]
    folder: PathBuf,
}

pub fn run(Args { folder }: Args) -> Outcome {
    let covered = coverage::read(&folder).map_err(|error| match error {
        CoverageError::Read { .. } => Failure::io(error),
        CoverageError::Expectations { .. } => Failure::usage(error),
    })?;
    write!(std::io::stdout(), "{}", coverage::table(&covered)).map_err(Failure::io)?;
    Ok(Exit::Fine)
}
