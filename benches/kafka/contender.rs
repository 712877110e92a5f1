//! A process that works on the input: started, watched from outside, ended.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use gaitkeeper::config::Config;

/// A child whose output goes to a file; killed when dropped.
pub struct Contender {
    child: Child,
    said: PathBuf,
}

impl Contender {
    pub fn start(mut command: Command, said: &Path) -> Self {
        let file = File::create(said).expect("a writable folder");
        let errors = file.try_clone().expect("an open file");
        let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn().expect("the program starts");
        Self { child, said: said.to_owned() }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Asks for the end and waits for it.
    pub fn end(&mut self) -> ExitStatus {
        let asked = Command::new("kill").arg("-TERM").arg(self.id().to_string()).status().expect("kill runs");
        assert!(asked.success(), "the process was gone: {}", self.said());
        self.child.wait().expect("a child")
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap_or_default()
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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
