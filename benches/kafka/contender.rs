//! A process that works on the input, and how it is asked to end.

use std::process::{Command, ExitStatus};

use gaitkeeper::config::Config;

pub use crate::child::Process;

impl Process {
    /// Asks for the end and waits for it.
    pub fn end(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }
}

/// `gaitkeeper run` with this configuration.
pub fn service(config: &Config) -> Command {
    let kafka = &config.kafka;
    let mut command = Command::new(env!("CARGO_BIN_EXE_gaitkeeper"));
    command
        .arg("run")
        .env("GAITKEEPER__KAFKA__BROKERS", &kafka.brokers)
        .env("GAITKEEPER__KAFKA__GROUP", &kafka.group)
        .env("GAITKEEPER__KAFKA__TOPIC_PREFIX", &kafka.topic_prefix)
        .env("GAITKEEPER__KAFKA__STATE_DIR", kafka.state_dir.as_deref().expect("set by the bench"))
        .env("GAITKEEPER__ADMIN__LISTEN", &config.admin_listen);
    command
}
