//! A process that works beside the tests and benches: started, watched from outside, killed when nobody holds it any more.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A child whose output goes to a file.
pub struct Process {
    child: Child,
    said: PathBuf,
}

impl Process {
    /// Starts the command; what it says goes to the file `said`.
    pub fn of(command: &mut Command, said: PathBuf) -> Self {
        let file = File::create(&said).expect("a writable folder");
        let errors = file.try_clone().expect("an open file");
        let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn().expect("the program starts");
        Self { child, said }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status().expect("kill runs");
        assert!(status.success(), "the process was gone: {}", self.said());
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("a child")
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.said).expect("its own file")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
