//! `gaitkeeper check-config`.

use std::io::Write;
use std::path::PathBuf;

use crate::config::{Config, LoadError};

use super::{Exit, Failure, Outcome};

/// Checks a configuration file and prints every key with the value in force
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file; without one, the defaults and the environment are checked
    file: Option<PathBuf>,
}

pub fn run(Args { file }: Args) -> Outcome {
    let config = match Config::load(file.as_deref()) {
        Ok(config) => config,
        Err(LoadError::Invalid(problems)) => {
            // Bare lines, `file:line:column: message`, so that editors can jump to them.
            eprintln!("{problems}");
            return Ok(Exit::Usage);
        }
        Err(error @ LoadError::Read { .. }) => return Err(Failure::io(error)),
    };
    let version = config.engine.hash();
    let text = config.effective();
    writeln!(std::io::stdout(), "# fine; policy version {version}\n{text}").map_err(Failure::io)?;
    Ok(Exit::Fine)
}
