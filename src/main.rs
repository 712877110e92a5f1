//! The `gaitkeeper` binary; everything is in [`gaitkeeper::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    gaitkeeper::cli::main()
}
