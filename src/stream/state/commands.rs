//! What moved a shard beside its events, each with the offset at which it took effect, so that a restore does it again in its place:
//! records of control tables, moments of the wall clock that had an effect, and how far the tables by which events are judged were read.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::form::{self, StateRecord};
use crate::stream::tables::Positions;

/// A record of a control table as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Number of the table in the order of [`crate::govern::ControlTopic::ALL`].
    pub table: u8,
    /// Time of the record, epoch ms.
    pub ts: i64,
    /// Its key.
    pub key: String,
    /// Its value, if any.
    pub payload: Option<Vec<u8>>,
}

/// What moved the shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A record of a control table.
    Control(Given),
    /// The wall clock, epoch ms.
    Tick(i64),
    /// From here on events are judged by the tables as far as they had been read by then.
    Reached(Positions),
    /// One more pool of what the newest snapshot offers of other shards' groups and population was adopted.
    Adopted,
}

/// A command with its place among the events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Counts the commands of a shard.
    pub number: u64,
    /// The input offset that was to be taken next.
    pub at: i64,
    /// What it was.
    pub command: Command,
}

impl Placed {
    /// How far the tables were read, if that is what it says.
    #[must_use]
    pub fn reached(&self) -> Option<&Positions> {
        match &self.command {
            Command::Reached(positions) => Some(positions),
            Command::Control(_) | Command::Tick(_) | Command::Adopted => None,
        }
    }
}

/// The commands of one shard since its newest epochs.
#[derive(Debug, Clone, Default)]
pub struct Commands {
    next: u64,
    kept: VecDeque<u64>,
}

impl Commands {
    /// Goes on after these, which the state topic holds.
    #[must_use]
    pub fn after(stored: &[Placed], epoch_next: u64) -> Self {
        let next = stored.last().map_or(0, |last| last.number + 1).max(epoch_next);
        Self { next, kept: stored.iter().map(|placed| placed.number).collect() }
    }

    /// The number of the command to come.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Notes a command; returns its record.
    pub fn note(&mut self, input: &str, at: i64, command: Command) -> StateRecord {
        let number = self.next;
        self.next += 1;
        self.kept.push_back(number);
        StateRecord { key: form::command_key(input, number), value: Some(form::written(&Placed { number, at, command })) }
    }

    /// Records that take out what is before `number`: a complete epoch holds its effect.
    pub fn forget(&mut self, input: &str, number: u64) -> Vec<StateRecord> {
        let mut gone = Vec::new();
        while let Some(first) = self.kept.pop_front_if(|first| *first < number) {
            gone.push(StateRecord { key: form::command_key(input, first), value: None });
        }
        gone
    }
}
