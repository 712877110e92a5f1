//! A session while it is open: what it did so far, and what it will teach when it closes.

use serde::{Deserialize, Serialize};

use super::cadence::Gaps;
use super::channel::{CHANNELS, Channel};
use super::event_score::EventReading;
use super::family::Families;
use crate::baseline::agent::Stratum;
use crate::baseline::observation::{STATUS_DENIED, STATUS_OK, ones};
use crate::baseline::pins::{Fact, Owner};
use crate::baseline::sequence::{EXPERTS, History};
use crate::baseline::{AgentIndex, GroupIndex, Metric, Observation, ToolId};
use crate::stats::calibrator::{self, Bin};

/// Scores of one event as calibrators remember them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredScores {
    bins: [Bin; CHANNELS],
    present: u16,
    /// Bin of the joint score.
    pub joint: Bin,
}

impl StoredScores {
    /// The bins of an event's scores, those of its channels by number, and 0 where one has none; the same in every stratum.
    #[must_use]
    pub fn of(reading: &EventReading, bins: [Bin; CHANNELS]) -> Self {
        Self { bins, present: reading.channels.present, joint: calibrator::CHANNEL.bin(reading.joint) }
    }

    /// The channels that were there.
    pub fn bins(&self) -> impl Iterator<Item = (Channel, Bin)> + '_ {
        ones(self.present).map(|channel| (Channel::ALL[channel], self.bins[channel]))
    }
}

/// What is kept of an event until its session closes, beside the observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its scores.
    pub scores: StoredScores,
    /// Channels that were loud, by number; facts come from these.
    pub loud: u16,
    /// Whether the agent had never used the tool when the event came.
    pub tool_is_new: bool,
}

/// An open session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenSession {
    /// Whose.
    pub agent: AgentIndex,
    /// Of which group; that of its first event.
    pub group: Option<GroupIndex>,
    /// The agent's stratum when it opened.
    pub stratum: Stratum,
    /// Tools so far.
    pub history: History,
    /// Tools of this session and how often.
    pub tools: Vec<(ToolId, u32)>,
    /// Weights of the experts, moving within the session.
    pub weights: [f64; EXPERTS],
    /// What stands out so far.
    pub families: Families,
    /// `Σ bytes_out`.
    pub bytes_out: f64,
    /// The events, as far as they are modelled.
    pub observations: Vec<Observation>,
    /// Their scores.
    pub steps: Vec<Step>,
    /// Its clock.
    pub gaps: Gaps,
    /// p of the session so far, at most 1.
    pub p_value: f64,
}

impl OpenSession {
    /// Number of events, END not counted.
    #[must_use]
    pub fn events(&self) -> u32 {
        self.history.position
    }

    /// Who owns this session's facts.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.group.map_or(Owner::Agent(self.agent), Owner::Group)
    }

    /// Every fact in the session, loud or not, with whether it is loud; in order, repeats included.
    pub fn facts(&self) -> impl Iterator<Item = (Fact, bool)> + '_ {
        let mut last = crate::baseline::tools::START;
        self.observations.iter().zip(&self.steps).flat_map(move |(observation, step)| {
            let is_loud = |channel: Channel| step.loud >> channel as u16 & 1 == 1;
            let transition = (Fact::Transition(last, observation.tool), is_loud(Channel::Sequence));
            let tool = (Fact::Tool(observation.tool), is_loud(Channel::Sequence) && step.tool_is_new);
            last = observation.tool;
            let values = observation.attributes().map(move |(attribute, value)| {
                let loud = step.loud >> Channel::from(attribute) as u16 & 1 == 1;
                (Fact::Value(attribute, value), loud)
            });
            [transition, tool].into_iter().chain(values)
        })
    }

    /// Channels, by the word that findings use, of which no event had the field.
    #[must_use]
    pub fn silent(&self) -> Vec<&'static str> {
        let has = |field: &dyn Fn(&Observation) -> bool| self.observations.iter().any(field);
        let measured = |metric: Metric| has(&|observation: &Observation| observation.value(metric).is_some());
        [
            ("volume", measured(Metric::BytesOut) || measured(Metric::BytesIn)),
            ("duration", measured(Metric::Duration)),
            ("cadence", measured(Metric::Gap)),
            ("novelty", has(&|observation: &Observation| observation.attribute_count() > 0)),
            ("outcome", has(&|observation: &Observation| observation.status().is_some())),
        ]
        .into_iter()
        .filter_map(|(channel, spoke)| (!spoke).then_some(channel))
        .collect()
    }

    /// How often the tool of the newest event was denied in this session before it ran; `None` if it did not run, or was never denied.
    #[must_use]
    pub fn denied_before(&self) -> Option<(ToolId, usize)> {
        let (newest, before) = self.observations.split_last().filter(|(newest, _)| newest.status() == Some(STATUS_OK))?;
        let same = before.iter().filter(|observation| observation.tool == newest.tool && observation.status() == Some(STATUS_DENIED));
        Some((newest.tool, same.count())).filter(|(_, denials)| *denials > 0)
    }

    /// Leaves no place free in its lists.
    pub fn shrink(&mut self) {
        self.tools.shrink_to_fit();
        self.observations.shrink_to_fit();
        self.steps.shrink_to_fit();
    }

    /// Counts a tool.
    pub fn count_tool(&mut self, tool: ToolId) {
        match self.tools.iter_mut().find(|entry| entry.0 == tool) {
            Some(entry) => entry.1 += 1,
            None => self.tools.push((tool, 1)),
        }
    }
}
