//! The optional second stage: peers in Python, each a child process that runs one slice when told to, so that they alternate
//! with our variants. `benches/peers/setup.sh` installs them; a peer that is not there is skipped, never replaced by a number
//! of another day.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;

use crate::clock::Took;
use crate::rounds::{Slice, Variant};

/// Name in the table, name in `peer.py`, what it does.
const PEERS: [(&str, &str, &str); 5] = [
    ("river GaussianScorer x 4", "river-gauss", "score and learn 4 sizes of each agent, past the grace period"),
    ("river HalfSpaceTrees", "river-trees", "10 trees of height 8, window 100: score and learn 4 sizes of each agent"),
    ("krcf", "krcf", "random cut forest, 30 trees of 256: score and learn 4 sizes of each agent"),
    ("orjson + river", "orjson-river-gauss", "read, parse, score and learn, end to end"),
    ("duckdb read_json", "duckdb", "parse 6 columns of the file, one thread"),
];

/// A peer at work.
struct Peer {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Answer {
    events: usize,
    cpu_ns: f64,
    wall_ns: f64,
}

/// Those peers that are installed, and a line for each: its version, or why it is skipped.
pub fn start(python: &Path, stream: &Path) -> (Vec<Variant<'static>>, Vec<String>) {
    let mut variants = Vec::new();
    let mut notes = Vec::new();
    for (name, script_name, about) in PEERS {
        match Peer::start(python, script_name, stream) {
            Ok((mut peer, version)) => {
                notes.push(format!("{name}: {version}"));
                variants.push(Variant { name, about, run: Box::new(move || peer.run()) });
            }
            Err(why) => notes.push(format!("{name}: skipped, {why}")),
        }
    }
    (variants, notes)
}

impl Peer {
    /// Waits until the peer has read the stream and warmed up.
    fn start(python: &Path, name: &str, stream: &Path) -> Result<(Self, String), String> {
        if !python.exists() {
            return Err("not installed (benches/peers/setup.sh)".to_owned());
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/peer.py");
        let mut child = Command::new(python)
            .arg("-B")
            .arg(script)
            .arg(name)
            .arg(stream)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let orders = child.stdin.take().ok_or("no pipe")?;
        let answers = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        let mut peer = Self { child, orders, answers };
        let version = peer.answer().ok_or("it stopped while warming up")?;
        Ok((peer, version))
    }

    fn run(&mut self) -> Slice {
        writeln!(self.orders, "go").expect("the peer listens");
        let answer = self.answer().expect("the peer answers");
        let Answer { events, cpu_ns, wall_ns } = serde_json::from_str(&answer).expect("an object with three numbers");
        Slice { events, took: Took { cpu_ns, wall_ns } }
    }

    /// The next line; none once the peer has ended.
    fn answer(&mut self) -> Option<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        Some(line.trim_end().to_owned())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
