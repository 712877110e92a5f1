//! The engine itself: on events already in memory, and as `replay` runs it from a file.

use std::io;
use std::path::Path;
use std::sync::Arc;

use gaitkeeper::config::EngineConfig;
use gaitkeeper::engine::part::Part;
use gaitkeeper::engine::{Engine, EventScore, Output, SessionEnd, Shard, Tables};
use gaitkeeper::event::Event;
use gaitkeeper::finding::{Finding, StepUpRequest};
use gaitkeeper::workbench::control_files::ControlFiles;
use gaitkeeper::workbench::recording::Recording;
use gaitkeeper::workbench::replay::{Plan, Sink, replay};

use crate::clock::{self, Took};
use crate::world::{Turns, World};

const SHARD: Shard = Shard { partition: 0, partitions: 1 };

/// Every bit of every score, in order, and how much else came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    pub scores: u64,
    pub sessions: u64,
    pub findings: u64,
    pub step_ups: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Self { scores: 0xcbf2_9ce4_8422_2325, sessions: 0, findings: 0, step_ups: 0 }
    }
}

impl Digest {
    fn add(&mut self, value: f64) {
        self.scores = (self.scores ^ value.to_bits()).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
    }

    fn add_score(&mut self, score: &EventScore) {
        for value in [score.score, score.session_score, score.p_value] {
            self.add(value.unwrap_or(f64::NAN));
        }
    }

    fn add_output(&mut self, output: &Output) {
        match output {
            Output::Score(score) => self.add_score(score),
            Output::SessionEnd(end) => {
                self.sessions += 1;
                self.add(end.session_score);
            }
            Output::Finding(_) => self.findings += 1,
            Output::StepUp(_) => self.step_ups += 1,
            Output::Sighting(_) | Output::State(_) | Output::Audit(_) => (),
        }
    }
}

impl Sink for Digest {
    fn score(&mut self, _: &Event<'_>, score: &EventScore) -> io::Result<()> {
        self.add_score(score);
        Ok(())
    }

    fn session_end(&mut self, end: &SessionEnd) -> io::Result<()> {
        self.sessions += 1;
        self.add(end.session_score);
        Ok(())
    }

    /// Findings are written as `replay` writes them, to nowhere.
    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        self.findings += 1;
        Ok(serde_json::to_writer(io::sink(), finding)?)
    }

    fn step_up(&mut self, request: &StepUpRequest) -> io::Result<()> {
        self.step_ups += 1;
        Ok(serde_json::to_writer(io::sink(), request)?)
    }
}

/// `replay` of a file from its first byte to its last finding, by a new engine.
pub fn replay_file(path: &Path) -> Digest {
    let mut digest = Digest::default();
    let mut recording = Recording::open(&[path.to_owned()]).expect("the file just written");
    let plan = Plan { shard: SHARD, learn_until: None, seal_at: None };
    let summary = replay(&mut recording, ControlFiles::default(), &EngineConfig::default(), plan, &mut digest).expect("a readable file");
    assert!(summary.rejected.is_empty(), "{:?}", summary.rejected);
    digest
}

/// An engine and the fleet that it watches.
pub struct Watched {
    engine: Engine,
    tables: Tables,
    outputs: Vec<Output>,
    world: World,
    pub digest: Digest,
}

impl Watched {
    pub fn new(agents: usize) -> Self {
        Self {
            engine: Engine::new(Arc::new(EngineConfig::default()), SHARD),
            tables: Tables::default(),
            outputs: Vec::new(),
            world: World::new(agents),
            digest: Digest::default(),
        }
    }

    /// What the engine remembers, as it is written down.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        self.engine.parts()
    }

    /// The same fleet under an engine that was put together from `parts`.
    pub fn resumed(&self, parts: impl Iterator<Item = Part>) -> Self {
        let engine = Engine::restore(&Arc::new(EngineConfig::default()), SHARD, parts).expect("parts of one engine");
        Self { engine, tables: Tables::default(), outputs: Vec::new(), world: self.world.clone(), digest: self.digest }
    }

    /// Makes events and throws them away, so that the memory this takes is there already.
    pub fn make_only(&mut self, count: usize) {
        self.world.slice(count, Turns::Equal).events();
    }

    /// Scores and learns the next `count` events; making them is not measured.
    pub fn work(&mut self, count: usize, turns: Turns) -> Took {
        self.work_inside(count, turns, |work| clock::measure(work).0)
    }

    /// The same, with the work itself handed to `inside`, which must do it.
    pub fn work_inside<T>(&mut self, count: usize, turns: Turns, inside: impl FnOnce(&mut dyn FnMut()) -> T) -> T {
        let Self { engine, tables, outputs, world, digest } = self;
        let slice = world.slice(count, turns);
        let events = slice.events();
        inside(&mut || {
            for event in &events {
                engine.on_event(event, tables, outputs);
                outputs.drain(..).for_each(|output| digest.add_output(&output));
            }
        })
    }

    /// Closes what is open, as the end of a file does.
    pub fn finish(&mut self) -> Digest {
        self.engine.finish(&mut self.outputs);
        let Self { outputs, digest, .. } = self;
        outputs.drain(..).for_each(|output| digest.add_output(&output));
        self.digest
    }
}
