//! Seeded fleets with named attacks, ground truth included. The same settings give the same bytes.

pub mod attack;
pub mod draw;
mod names;
mod plant;
pub mod record;
pub mod run;
mod schedule;
#[cfg(test)]
mod tests;
pub mod world;

use std::sync::Arc;

use serde::Serialize;

pub use attack::Attack;
pub use schedule::Generator;
pub use world::Shape;

use super::ground_truth::Truth;

/// What to make.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Fixes everything.
    pub seed: u64,
    /// How large a fleet.
    pub shape: Shape,
    /// Sessions of each agent.
    pub sessions: usize,
    /// No session that begins until then, epoch ms, contains an attack.
    pub quiet_until: i64,
    /// Mean number of sessions of an agent in a day.
    pub sessions_a_day: f64,
    /// How many agents work on three sessions at once; the others work on one after the other.
    pub concurrent_agents: usize,
    /// Whether agents say that a session is over.
    pub session_ends: bool,
    /// What to plant; each session draws one of them.
    pub attacks: Vec<Attack>,
    /// Probability that an attack begins in a session, 0 to 1.
    pub attack_rate: f64,
    /// When the stream begins, epoch ms.
    pub start: i64,
}

/// One record of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Epoch ms; never smaller than the one before.
    pub ts: i64,
    /// The Kafka key.
    pub agent_id: Arc<str>,
    /// The session's name.
    pub session_id: String,
    /// The event with its ground truth as one JSON line, without the line's end.
    pub line: String,
    /// The same ground truth.
    pub truth: Truth,
}

/// One attack of the stream, over one session or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Campaign {
    /// Its name.
    pub attack: &'static str,
    /// Who is attacked, or misused.
    pub agent_id: String,
    /// Sessions with the attack in them.
    pub sessions: Vec<String>,
    /// First labelled event, epoch ms; `None` until it has come.
    pub onset: Option<i64>,
    /// Last labelled event so far, epoch ms.
    pub end: Option<i64>,
    /// Labelled events so far.
    pub events: u64,
}

/// Monday, 5 January 2026, midnight UTC.
pub const DEFAULT_START: i64 = 1_767_571_200_000;

const DAY_MS: i64 = 86_400_000;

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            shape: Shape::default(),
            sessions: 210,
            quiet_until: Self::quiet_after(DEFAULT_START, 150, 12.0),
            sessions_a_day: 12.0,
            concurrent_agents: 0,
            session_ends: false,
            attacks: attack::SCENARIOS.to_vec(),
            attack_rate: 0.02,
            start: DEFAULT_START,
        }
    }
}

impl Settings {
    /// About when each agent has had `sessions` sessions.
    #[must_use]
    pub fn quiet_after(start: i64, sessions: u32, sessions_a_day: f64) -> i64 {
        start.saturating_add(draw::whole_ms(f64::from(sessions) / sessions_a_day.max(1e-3) * DAY_MS as f64))
    }
}
