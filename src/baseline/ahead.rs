//! Asks for what an event will look up of its agent, before it is needed. An agent of a large fleet is in no cache when it acts; asked
//! for together, its lines of memory take about as long as one of them. Hints: they change no result.

use super::Observation;
use super::agent::AgentBaseline;
use super::sequence::{History, attribute_context, status_context};
use super::volume::cell_key;
use crate::stats::table::{Hashed, Table};

/// What is asked for, in the order in which it is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Where in its tables a search begins.
    Places,
    /// What stands there, once the places should be at hand.
    Values,
}

impl Stage {
    #[inline]
    fn ask<V>(self, table: &Table<V>, key: u64) {
        match self {
            Self::Places => table.ask_for_place(Hashed::from(key)),
            Self::Values => table.ask_for_value(Hashed::from(key)),
        }
    }
}

impl AgentBaseline {
    /// What tells which tool comes after `history`.
    #[inline]
    pub fn ask_for_next(&self, history: &History, stage: Stage) {
        for context in history.contexts() {
            stage.ask(&self.counts.sequence, context);
        }
    }

    /// What tells how usual the rest of an event is.
    #[inline]
    pub fn ask_for_rest(&self, observation: &Observation, stage: Stage) {
        let tool = observation.tool;
        for (attribute, _) in observation.attributes() {
            stage.ask(&self.counts.attributes, attribute_context(attribute, tool));
        }
        for (metric, _) in observation.values() {
            stage.ask(&self.cells, cell_key(metric, tool, observation.status_or_ok()));
        }
        if observation.status().is_some() {
            stage.ask(&self.counts.status, status_context(tool));
        }
    }

    /// All that a closed session will be learned into.
    pub fn ask_for_session(&self, observations: &[Observation]) {
        for stage in [Stage::Places, Stage::Values] {
            let mut history = History::default();
            for observation in observations {
                self.ask_for_next(&history, stage);
                self.ask_for_rest(observation, stage);
                history.push(observation.tool);
            }
        }
    }
}
