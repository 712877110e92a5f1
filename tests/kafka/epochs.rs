//! Snapshots without a broker: whatever of them has reached the topic when an instance dies, a whole one is in force there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gaitkeeper::config::EngineConfig;
use gaitkeeper::engine::{Engine, Shard, Tables};
use gaitkeeper::event::{Origin, decode};
use gaitkeeper::stream::state::epochs::Step;
use gaitkeeper::stream::state::form::StateRecord;
use gaitkeeper::stream::state::{Epochs, Stored};

use crate::state::fleet;

const SHARD: Shard = Shard { partition: 0, partitions: 1 };
const INPUT: &str = "group/agent-events";

/// One shard whose every step may be an epoch's.
struct Writer {
    config: Arc<EngineConfig>,
    engine: Engine,
    epochs: Epochs,
    lines: std::vec::IntoIter<(String, Vec<u8>)>,
    next: i64,
    /// The state at the beginning of each epoch, by its offset.
    digests: BTreeMap<i64, String>,
}

impl Writer {
    fn new(events: usize) -> Self {
        let config = Arc::new(EngineConfig::default());
        Self {
            engine: Engine::new(Arc::clone(&config), SHARD),
            epochs: Epochs::new(INPUT, Duration::ZERO, config.hash(), 0),
            lines: fleet(5, events).into_iter(),
            next: 0,
            digests: BTreeMap::new(),
            config,
        }
    }

    /// Takes events, commits them, and lets the snapshot go on.
    fn commit(&mut self, events: usize) -> Step {
        for (_, line) in self.lines.by_ref().take(events) {
            let decoded = decode(&line, Origin { partition: 0, offset: self.next }).expect("a generated event is valid");
            self.engine.on_event(&decoded.event, &Tables::default(), &mut Vec::new());
            self.next += 1;
        }
        let step = self.epochs.step(&mut self.engine, self.next, 0);
        if step.begun {
            self.digests.insert(self.next, self.engine.digest());
        }
        step
    }

    /// What is in force among these records; it must be a whole epoch, or none yet.
    #[track_caller]
    fn in_force<'r>(&self, records: impl Iterator<Item = &'r StateRecord>) -> Option<i64> {
        let mut stored = Stored::default();
        (0..).zip(records).for_each(|(offset, record)| stored.take(&record.key, offset, record.value.as_deref()));
        let complete = stored.take_complete(INPUT).expect("a record of the epoch in force is gone")?;
        let at = complete.epoch.at;
        let engine = Engine::restore(&self.config, SHARD, complete.parts).expect("parts of one epoch");
        assert_eq!(engine.digest(), self.digests[&at], "the state at {at}");
        Some(at)
    }
}

#[test]
fn whatever_a_crash_takes_away_of_the_newest_records_an_epoch_that_was_in_force_stays_whole() {
    let mut writer = Writer::new(2_000);
    let mut written: Vec<StateRecord> = Vec::new();
    let mut before = None;
    for _ in 0..20 {
        let step = writer.commit(100);
        // Without transactions the brokers may have refused any one of them.
        for lost in 0..step.records.len() {
            let rest = step.records.iter().enumerate().filter(|(index, _)| *index != lost).map(|(_, record)| record);
            let left = writer.in_force(written.iter().chain(rest));
            assert!(left == before, "{left:?} is in force without all of its records, {before:?} was before");
        }
        written.extend(step.records);
        before = writer.in_force(written.iter());
    }
    assert!(before > Some(1_000), "hardly an epoch became valid: {before:?}");
}

#[test]
fn an_epoch_is_due_only_where_something_was_committed_since_the_last_one_began() {
    let mut writer = Writer::new(200);
    let mut steps = (0..4).map(|_| writer.commit(0)).collect::<Vec<Step>>();
    assert!(steps.remove(0).begun);
    assert!(steps.iter().any(|step| step.completed.is_some()), "four commits are enough for a small shard");
    for _ in 0..10 {
        let idle = writer.commit(0);
        assert!(!idle.begun && idle.records.is_empty(), "nothing has changed, and yet {} records are written", idle.records.len());
    }
    assert!(writer.commit(100).begun);
}
