//! The quantities that are measured on a logarithmic scale.

use serde::{Deserialize, Serialize};

/// A continuous quantity of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Metric {
    /// Bytes sent by the agent.
    BytesOut = 0,
    /// Bytes received by the agent.
    BytesIn = 1,
    /// Duration of the call, ms.
    Duration = 2,
    /// Time since the session's event before, s.
    Gap = 3,
}

/// Number of metrics.
pub const METRICS: usize = 4;

impl Metric {
    /// All, in the order of their numbers.
    pub const ALL: [Self; METRICS] = [Self::BytesOut, Self::BytesIn, Self::Duration, Self::Gap];

    /// The event field.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::BytesOut => "bytes_out",
            Self::BytesIn => "bytes_in",
            Self::Duration => "duration_ms",
            Self::Gap => "gap",
        }
    }
}
