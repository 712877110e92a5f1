//! What one agent, its group and the population normally do. `learn` writes, everything else reads.

pub mod agent;
pub mod ahead;
pub mod attribute;
pub mod bounds;
pub mod candidates;
pub mod golden;
pub mod group;
pub mod histogram;
pub mod learn;
pub mod metric;
pub mod model;
pub mod observation;
pub mod own_pools;
pub mod pins;
pub mod pool;
pub mod population;
pub mod sequence;
pub mod session_totals;
pub mod texts;
pub mod tools;
pub mod volume;
pub mod write_verbs;

pub use attribute::Attribute;
pub use metric::Metric;
pub use model::{AgentIndex, GroupIndex, Model};
pub use observation::Observation;
pub use tools::ToolId;
