//! What follows from findings, and whether it was followed: requests with their answers, states with their acknowledgements, and
//! the trail of it all (DESIGN.md, section 9). Small, and written through with every commit: judged state.

mod agenda;
mod control;
mod event;
mod holding;
mod raised;
mod time;
mod trail;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use agenda::Agenda;
pub(super) use event::Responded;
use holding::{Holding, Holdings};

use super::alarm::OpenFinding;
use super::audit::Trail;
use super::enforcement::Standing;
use super::step_up::{Requests, Tracked};

/// Who is named where nobody is known: in findings about answers to questions that nobody asked.
const NOBODY: &str = "unknown";
/// Refused answers of an agent that are remembered, so that reading one again raises nothing.
const REFUSED_KEPT: usize = 64;

/// What a shard remembers of one agent beside its behaviour.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Desk {
    /// What was asked.
    pub requests: Requests,
    /// Whether it may act.
    pub standing: Option<Standing>,
    /// Findings that no session holds.
    raised: Vec<OpenFinding>,
    /// Digests of answers that were refused.
    refused: VecDeque<String>,
    /// The agent, as the agenda names it without a copy.
    #[serde(skip)]
    name: Arc<str>,
    /// When the agenda says that something is due, and whether it may be wrong.
    #[serde(skip)]
    planned: Option<i64>,
    #[serde(skip)]
    is_stale: bool,
    /// As what it was counted last.
    #[serde(skip)]
    holding: Holding,
}

/// Everything of a shard that tables and clocks touch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Response {
    #[serde(with = "crate::stats::sorted")]
    desks: hashbrown::HashMap<Box<str>, Desk, foldhash::fast::FixedState>,
    trail: Trail,
    /// The earliest time, epoch ms, at which time alone changes something; the agenda's first.
    due: i64,
    #[serde(skip)]
    agenda: Agenda,
    #[serde(skip)]
    holdings: Holdings,
    /// Answers that were given again.
    pub repeated_answers: u64,
    /// What was made of the event at hand; empty between events.
    #[serde(skip)]
    at_hand: Option<Responded>,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            desks: hashbrown::HashMap::default(),
            trail: Trail::default(),
            due: i64::MAX,
            agenda: Agenda::default(),
            holdings: Holdings::default(),
            repeated_answers: 0,
            at_hand: None,
        }
    }
}

impl Response {
    /// What is remembered of an agent.
    #[must_use]
    pub fn desk(&self, agent: &str) -> Option<&Desk> {
        self.desks.get(agent)
    }

    /// Number of agents of which anything is remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.desks.len()
    }

    /// True if nobody was ever asked about, nor stopped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.desks.is_empty()
    }

    /// Keeps what was made of the event at hand for its record.
    pub(super) fn note(&mut self, responded: Responded) {
        self.at_hand = Some(responded);
    }

    /// The request of that id, with its agent.
    #[must_use]
    pub fn find(&self, request_id: &str) -> Option<(&str, Cow<'_, Tracked>)> {
        self.desks.iter().find_map(|(agent, desk)| Some((&**agent, desk.requests.find(request_id)?)))
    }
}
