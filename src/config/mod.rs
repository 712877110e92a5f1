//! The one configuration file, as checked: holding a [`Config`] proves that every value is in range.

mod answer_keys;
pub(crate) mod document;
pub mod duration;
pub mod engine;
pub mod kafka;
mod load;
mod read_engine;
mod read_kafka;
pub(crate) mod section;
pub mod topics;
mod written;

pub use answer_keys::AnswerKeys;
pub use document::{Place, Problem};
pub use engine::{
    Alarm, AlarmBudget, Audit, Clock, ColdStart, Detect, EngineConfig, KindVerdict, Memory, Policy, Pools, SessionRules, StepUp,
    Structuring,
};
pub use kafka::{Delivery, Input, InputFormat, Kafka, Output, OutputFormat};
pub use load::{ConfigError, LoadError};
pub use topics::Topics;

/// Everything that can be configured; `Config::default()` is what an empty file means.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What the engine judges by.
    pub engine: EngineConfig,
    /// How Kafka is spoken to.
    pub kafka: Kafka,
    /// Topics beside inputs and outputs.
    pub topics: Topics,
    /// The topics that are read; at least one.
    pub inputs: Vec<Input>,
    /// The topics that findings are written to.
    pub outputs: Vec<Output>,
    /// Where health and metrics are served, `host:port`; `off`: nowhere.
    pub admin_listen: String,
}

impl Config {
    /// The inputs that are scored: those that can be as they come, and what the ingest stage makes of the others.
    #[must_use]
    pub fn scored_inputs(&self) -> Vec<Input> {
        let mut scored: Vec<Input> = self.inputs.iter().filter(|input| input.is_direct()).cloned().collect();
        let events = Input { topic: self.topics.events.clone(), format: InputFormat::Native, keyed: true };
        if scored.len() < self.inputs.len() && !scored.contains(&events) {
            scored.push(events);
        }
        scored
    }

    /// The inputs that pass through the ingest stage.
    #[must_use]
    pub fn ingested_inputs(&self) -> Vec<Input> {
        self.inputs.iter().filter(|input| !input.is_direct()).cloned().collect()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            engine: EngineConfig::default(),
            kafka: Kafka::default(),
            topics: Topics::default(),
            inputs: vec![Input { topic: "agent-events".into(), format: InputFormat::Native, keyed: true }],
            outputs: vec![Output { topic: "agent-alerts".into(), format: OutputFormat::Native }],
            admin_listen: "127.0.0.1:9464".into(),
        }
    }
}

#[cfg(test)]
mod tests;
