//! The one configuration file, as checked: holding a [`Config`] proves that every value is in range.

pub mod engine;
pub mod kafka;

pub use engine::{Alarm, AlarmBudget, Clock, ColdStart, Detect, EngineConfig, Policy, SessionRules, StepUp};
pub use kafka::{Delivery, Input, InputFormat, Kafka, Output, OutputFormat};

/// Everything that can be configured; `Config::default()` is what an empty file means.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// What the engine judges by.
    pub engine: EngineConfig,
    /// Where events come from and findings go.
    pub kafka: Kafka,
    /// The topics that are read.
    pub inputs: Vec<Input>,
    /// The topics that findings are written to.
    pub outputs: Vec<Output>,
    /// Where health and metrics are served.
    pub admin_listen: String,
}
