//! Writes the epochs of one shard, a little after each commit, so that events never wait long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::form::{self, Chunk, Epoch, Manifest, Place, StateRecord};
use super::packing::{self, Packer};
use crate::engine::Engine;
use crate::engine::part::PartName;

/// How long one commit may be held up by an epoch.
pub const SLICE: Duration = Duration::from_millis(5);
/// Most that one commit carries of an epoch, bytes.
const SLICE_BYTES: u64 = 4 << 20;

/// The epochs of one shard.
#[derive(Debug)]
pub struct Epochs {
    input: String,
    interval: Duration,
    config: String,
    next_number: u64,
    /// The parts of the newest complete epoch.
    in_force: BTreeMap<PartName, Kept>,
    manifest: Option<Place>,
    /// Where the newest epoch began; before it there is nothing to write.
    last_at: Option<i64>,
    last_begun: Instant,
    /// The next one should begin whatever the time.
    is_overdue: bool,
    phase: Phase,
    packer: Packer,
}

#[derive(Debug)]
enum Phase {
    Idle,
    /// Parts are being written.
    Writing(Running),
    /// Parts and their list are written; a commit must make them count before the epoch may be announced.
    Written(Running),
    /// The epoch's record is written.
    Announced(Running),
}

#[derive(Debug)]
struct Running {
    epoch: Epoch,
    parts: BTreeMap<PartName, Kept>,
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    place: Place,
    /// Of its record, once the brokers have said it; of an agent that takes one record.
    offset: Option<i64>,
}

/// The record that is a part of the newest complete epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// Its key.
    pub key: String,
    /// Its offset in the shard's partition of the state topic.
    pub offset: i64,
    /// The epoch that wrote it.
    pub epoch: u64,
}

/// What a step gave.
#[derive(Debug, Default)]
pub struct Step {
    /// Records to send with the next commit.
    pub records: Vec<StateRecord>,
    /// Parts among them that other shards read too.
    pub told: Vec<Told>,
    /// Whether an epoch began here.
    pub begun: bool,
    /// Whether anything was done: it took its time, and what comes next needs another commit.
    pub is_work: bool,
    /// Set when an epoch became valid: how long it took.
    pub completed: Option<Duration>,
    /// With it: commands before this number are part of the epoch.
    pub commands: u64,
}

/// A part for the other shards.
#[derive(Debug)]
pub struct Told {
    /// Which one.
    pub name: PartName,
    /// The epoch that wrote it.
    pub epoch: u64,
    /// Compressed.
    pub packed: Vec<u8>,
}

impl Epochs {
    /// No epoch yet. `next_number` is above every number that the state topic has seen.
    #[must_use]
    pub fn new(input: &str, interval: Duration, config: String, next_number: u64) -> Self {
        Self {
            input: input.to_owned(),
            interval,
            config,
            next_number,
            in_force: BTreeMap::new(),
            manifest: None,
            last_at: None,
            last_begun: Instant::now(),
            is_overdue: false,
            phase: Phase::Idle,
            packer: Packer::new(),
        }
    }

    /// Goes on after a complete epoch.
    #[must_use]
    pub fn after(mut self, epoch: &Epoch, parts: &Manifest, offsets: impl IntoIterator<Item = (PartName, i64)>) -> Self {
        self.in_force = parts.iter().map(|&(name, place)| (name, Kept { place, offset: None })).collect();
        for (name, offset) in offsets {
            self.in_force.entry(name).and_modify(|kept| kept.offset = Some(offset));
        }
        self.manifest = Some(epoch.manifest);
        self.last_at = Some(epoch.at);
        self
    }

    /// The next epoch begins as soon as it can: a restore had to apply events again, and the next one must not have to as well. An
    /// instance that never lives for an interval would leave ever more of them.
    #[must_use]
    pub fn overdue(self, is_overdue: bool) -> Self {
        Self { is_overdue, ..self }
    }

    /// Called right after a commit up to `committed` has succeeded, before another event is taken.
    pub fn step(&mut self, engine: &mut Engine, committed: i64, commands: u64) -> Step {
        let mut step = Step::default();
        self.phase = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Idle if self.is_due(committed) => {
                step.begun = true;
                let running = self.begin(engine, committed, commands);
                self.go_on(running, engine, &mut step)
            }
            Phase::Idle => Phase::Idle,
            Phase::Writing(running) => self.go_on(running, engine, &mut step),
            Phase::Written(running) => {
                step.records.push(StateRecord { key: form::epoch_key(&self.input), value: Some(form::written(&running.epoch)) });
                Phase::Announced(running)
            }
            Phase::Announced(Running { epoch, parts }) => {
                self.in_force = parts;
                self.manifest = Some(epoch.manifest);
                step.completed = Some(self.last_begun.elapsed());
                step.commands = epoch.commands;
                Phase::Idle
            }
        };
        step.is_work = self.is_running() || step.completed.is_some();
        step
    }

    /// A record of the state topic was committed at `offset`.
    pub fn place(&mut self, key: &str, offset: i64) {
        let (Phase::Writing(running) | Phase::Written(running) | Phase::Announced(running)) = &mut self.phase else { return };
        let Some((agent, slot)) = form::agent_of(&self.input, key) else { return };
        if let Some(kept) = running.parts.get_mut(&PartName::Agent(agent))
            && kept.place == (Place { epoch: running.epoch.number, slot, chunks: 1 })
        {
            kept.offset = Some(offset);
        }
    }

    /// Where a part of the newest complete epoch is, if it is a record of its own and that is known.
    #[must_use]
    pub fn find(&self, name: PartName) -> Option<Whereabouts> {
        let Kept { place, offset } = self.in_force.get(&name)?;
        let key = form::part_key(&self.input, name, place.slot, 0);
        Some(Whereabouts { key, offset: (*offset)?, epoch: place.epoch })
    }

    /// Whether [`Self::find`] finds it.
    #[must_use]
    pub fn holds(&self, name: PartName) -> bool {
        self.in_force.get(&name).is_some_and(|kept| kept.offset.is_some())
    }

    /// Whether a commit is needed for the running epoch to go on.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !matches!(self.phase, Phase::Idle)
    }

    /// Whether an epoch should begin.
    #[must_use]
    pub fn is_due(&self, committed: i64) -> bool {
        let is_time = self.is_overdue || self.last_begun.elapsed() >= self.interval;
        !self.is_running() && is_time && self.last_at.is_none_or(|at| committed > at)
    }

    fn begin(&mut self, engine: &mut Engine, at: i64, commands: u64) -> Running {
        engine.begin_epoch();
        let number = self.next_number;
        self.next_number += 1;
        self.last_at = Some(at);
        self.last_begun = Instant::now();
        self.is_overdue = false;
        let manifest = Place { epoch: number, slot: other_slot(self.manifest.as_ref()), chunks: 0 };
        Running { epoch: Epoch { number, at, commands, config: self.config.clone(), manifest }, parts: self.in_force.clone() }
    }

    fn go_on(&mut self, mut running: Running, engine: &mut Engine, step: &mut Step) -> Phase {
        let since = Instant::now();
        let mut bytes = 0;
        while since.elapsed() < SLICE && bytes < SLICE_BYTES {
            let Some(part) = engine.next_part() else {
                self.list(&mut running, step);
                return Phase::Written(running);
            };
            let epoch = running.epoch.number;
            let slot = other_slot(self.in_force.get(&part.name).map(|kept| &kept.place));
            let packed = self.packer.pack(&part.bytes);
            let records = records(&packed, epoch, |chunk| form::part_key(&self.input, part.name, slot, chunk));
            let place = Place { epoch, slot, chunks: count(records.len()) };
            running.parts.insert(part.name, Kept { place, offset: None });
            bytes += records.iter().map(StateRecord::bytes).sum::<u64>();
            step.records.extend(records);
            if engine.shares_pools() && part.name.is_told() {
                step.told.push(Told { name: part.name, epoch, packed });
            }
        }
        Phase::Writing(running)
    }

    fn list(&mut self, running: &mut Running, step: &mut Step) {
        let manifest: Manifest = running.parts.iter().map(|(&name, kept)| (name, kept.place)).collect();
        let Place { epoch, slot, .. } = running.epoch.manifest;
        let packed = self.packer.pack(&form::written(&manifest));
        let records = records(&packed, epoch, |chunk| form::manifest_key(&self.input, slot, chunk));
        running.epoch.manifest.chunks = count(records.len());
        step.records.extend(records);
    }
}

/// What is written of one part, or of the list of them.
fn records(packed: &[u8], epoch: u64, key: impl Fn(u32) -> String) -> Vec<StateRecord> {
    let record = |(bytes, chunk)| StateRecord { key: key(chunk), value: Some(form::written(&Chunk { epoch, bytes })) };
    packing::pieces(packed).zip(0..).map(record).collect()
}

/// The slot that does not hold what is in force.
fn other_slot(in_force: Option<&Place>) -> u8 {
    in_force.map_or(0, |place| 1 - place.slot.min(1))
}

fn count(len: usize) -> u32 {
    u32::try_from(len).expect("a part is cut into fewer than 2^32 pieces")
}
