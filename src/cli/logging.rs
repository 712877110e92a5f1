//! What the service says goes to standard error, one line each; `GAITKEEPER_LOG` chooses how much, as `RUST_LOG` does elsewhere.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Starts logging from `info` on. Colours only on a terminal.
pub fn start() {
    start_at("info");
}

/// Starts logging from `level` on.
pub fn start_at(level: &str) {
    let filter = EnvFilter::try_from_env("GAITKEEPER_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    // Only an already started logger refuses, and that one does as well.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .try_init();
}
