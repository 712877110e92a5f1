//! Everything a shard has learned.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::agent::AgentBaseline;
use super::group::GroupBaseline;
use super::own_pools::OwnPools;
use super::population::Population;
use super::texts::Texts;
use super::tools::Tools;
use super::{Attribute, Metric, ToolId};
use crate::baseline::volume::{Cell, Predictive, Prior, SharedCell, cell_key};
use crate::stats::table::Hashed;

/// Number of an agent's baseline within its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AgentIndex(pub u32);

/// Number of a group within its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupIndex(pub u32);

/// Everything a shard has learned about behaviour.
#[derive(Debug, Clone)]
pub struct Model {
    /// Tools by number.
    pub tools: Tools,
    /// All agents together.
    pub population: Population,
    /// Task types and roles.
    pub groups: Vec<GroupBaseline>,
    /// What of population and groups is of this shard alone; `None` where nothing of it is shared.
    pub own: Option<OwnPools>,
    /// Agents and their versions.
    pub agents: Vec<AgentBaseline>,
    /// What usual values are called, for explanations.
    pub texts: Texts,
    /// Numbers whose baseline was forgotten.
    spare: BTreeSet<AgentIndex>,
}

impl Model {
    /// Knows nothing; `hash_key` seeds the hash of names.
    #[must_use]
    pub fn new(hash_key: u64) -> Self {
        Self {
            tools: Tools::new(hash_key),
            population: Population::default(),
            groups: Vec::new(),
            own: None,
            agents: Vec::new(),
            texts: Texts::default(),
            spare: BTreeSet::new(),
        }
    }

    /// What was learned before; a number without a baseline is one whose baseline was forgotten.
    #[must_use]
    pub fn resumed(
        tools: Tools,
        texts: Texts,
        population: Population,
        groups: Vec<GroupBaseline>,
        agents: Vec<Option<AgentBaseline>>,
    ) -> Self {
        let spare = (0..).zip(&agents).filter(|(_, agent)| agent.is_none()).map(|(number, _)| AgentIndex(number)).collect();
        let agents = agents.into_iter().map(Option::unwrap_or_default).collect();
        Self { tools, population, groups, own: None, agents, texts, spare }
    }

    /// A further group, of which nothing is known yet.
    ///
    /// # Panics
    /// With 2^32 groups.
    pub fn add_group(&mut self, name: &str) -> GroupIndex {
        let group = GroupBaseline { name: name.into(), ..GroupBaseline::default() };
        if let Some(own) = &mut self.own {
            own.groups.push(group.clone());
        }
        self.groups.push(group);
        GroupIndex(u32::try_from(self.groups.len() - 1).expect("fewer groups than 2^32: each takes more than a byte of memory"))
    }

    /// A further baseline, by the smallest number that is free.
    ///
    /// # Panics
    /// With 2^32 baselines.
    pub fn add_agent(&mut self, baseline: AgentBaseline) -> AgentIndex {
        if let Some(index) = self.spare.pop_first() {
            self.agents[index.0 as usize] = baseline;
            return index;
        }
        self.agents.push(baseline);
        AgentIndex(u32::try_from(self.agents.len() - 1).expect("fewer baselines than 2^32: each takes more than a byte of memory"))
    }

    /// Forgets a baseline; its number is free.
    pub fn forget_agent(&mut self, index: AgentIndex) {
        self.agents[index.0 as usize] = AgentBaseline::default();
        self.spare.insert(index);
    }

    /// Keeps what a value is called, once the value was learned, so that a flood of one-off values leaves no trace.
    pub fn keep_text(&mut self, attribute: Attribute, value: u64, text: &str) {
        if !self.texts.contains(value) && self.population.counts.any[attribute as usize].count(value) > 0 {
            self.texts.keep(value, text);
        }
    }

    /// An agent's baseline.
    #[must_use]
    pub fn agent(&self, index: AgentIndex) -> &AgentBaseline {
        &self.agents[index.0 as usize]
    }

    /// A group's baseline.
    #[must_use]
    pub fn group(&self, index: GroupIndex) -> &GroupBaseline {
        &self.groups[index.0 as usize]
    }

    /// The baseline of the version before, where there is one.
    #[must_use]
    pub fn parent(&self, index: AgentIndex) -> Option<&AgentBaseline> {
        self.agent(index).parent.map(|parent| self.agent(parent))
    }

    /// What the next value of `metric` should look like, with the agent's own cell and its group's.
    #[must_use]
    pub fn predict(
        &self,
        agent: AgentIndex,
        group: Option<GroupIndex>,
        metric: Metric,
        tool: ToolId,
        status: u8,
    ) -> (Predictive, Option<&Cell>, Option<&SharedCell>) {
        let key = Hashed::from(cell_key(metric, tool, status));
        let own = self.agent(agent).cells.get(key);
        let parent = self.parent(agent).and_then(|parent| parent.cells.get(key)).map(|cell| cell.moments);
        let of_group = group.and_then(|group| self.group(group).cells.get(key));
        let prior = Prior::of_population(self.population.cells.get(key), &self.population.metrics[metric as usize].cell).in_group(of_group);
        (prior.predict(own, parent), own, of_group)
    }

    /// What the length of the next session should look like, as `ln(1 + events)`.
    #[must_use]
    pub fn predict_events(&self, agent: AgentIndex, group: Option<GroupIndex>) -> Predictive {
        let parent = self.parent(agent).map(|parent| parent.totals.events.moments);
        Prior::of_population(Some(&self.population.events), &self.population.events)
            .in_group(group.map(|group| &self.group(group).events))
            .predict(Some(&self.agent(agent).totals.events), parent)
    }

    /// What the next session should send in all, as `ln(1 + bytes)`.
    #[must_use]
    pub fn predict_bytes(&self, agent: AgentIndex, group: Option<GroupIndex>) -> Predictive {
        let parent = self.parent(agent).map(|parent| parent.totals.bytes.moments);
        Prior::of_population(Some(&self.population.bytes), &self.population.bytes)
            .in_group(group.map(|group| &self.group(group).bytes))
            .predict(Some(&self.agent(agent).totals.bytes), parent)
    }
}
