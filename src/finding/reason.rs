//! Why: expected against actual, and what it was compared with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How often a value was seen before (STANDARDS.md, section 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pattern {
    /// More than 20 times and at least 1 %.
    Frequent,
    /// At most 20 times or below 1 %.
    Infrequent,
    /// At most 3 times or below 0.1 %.
    Rare,
    /// Never, in 50 or more.
    Unseen,
}

impl Pattern {
    /// The word for a value seen `count` times among `of`; `None` below 50, where no word is honest.
    #[must_use]
    pub fn of(count: u64, of: u64) -> Option<Self> {
        if of < 50 {
            None
        } else if count == 0 {
            Some(Self::Unseen)
        } else if count <= 3 || count.saturating_mul(1000) < of {
            Some(Self::Rare)
        } else if count <= 20 || count.saturating_mul(100) < of {
            Some(Self::Infrequent)
        } else {
            Some(Self::Frequent)
        }
    }
}

/// How often this was seen before, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Times this value was seen.
    pub count: u64,
    /// Times any value was seen.
    pub of: u64,
}

/// One reason of a finding: a number never leaves without its expected value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// The way of looking: `sequence volume duration cadence novelty outcome session`, or the name of a declared rule.
    pub channel: String,
    /// The statistic or event field.
    pub field: String,
    /// What would have been ordinary.
    pub expected: String,
    /// What was there.
    pub actual: String,
    /// How common the actual value was; absent with too little history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Pattern>,
    /// The count behind `pattern`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Share of the score, 0 to 1.
    pub contribution: f64,
    /// Further figures of the channel.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub detail: Map<String, Value>,
}

impl Reason {
    /// A reason that rests on a fact, not on a count of what was seen before; the whole of its finding.
    #[must_use]
    pub fn of_fact(channel: &str, field: &str, expected: String, actual: String) -> Self {
        Self {
            channel: channel.to_owned(),
            field: field.to_owned(),
            expected,
            actual,
            pattern: None,
            evidence: None,
            contribution: 1.0,
            detail: Map::new(),
        }
    }
}

/// How much of its own history a score rests on (DETECTION.md, section 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceWord {
    /// Neither the agent nor its group has enough history.
    Insufficient,
    /// A young agent, judged by its group and the population.
    Borrowed,
    /// The agent's own history.
    Own,
}

/// What a finding was compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BaselineShown {
    /// Share of the agent's own history in the comparison, 0 to 1.
    pub agent_weight: f64,
    /// Share of its group.
    pub group_weight: f64,
    /// Share of the population.
    pub population_weight: f64,
    /// Events learned from this agent.
    pub events: u64,
    /// Sessions learned from this agent.
    pub sessions: u64,
    /// Stream time since the agent was first seen, ms.
    pub age_ms: i64,
    /// Agent version behind the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Names what was adopted of other shards' groups and population, where they are shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_version: Option<String>,
    /// `learning`, `active`, `frozen`, `quarantined` or `stale`.
    pub state: String,
    /// How much of it is the agent's own.
    pub evidence: EvidenceWord,
    /// Channels that said nothing, because no event of the session had their fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<String>,
}
