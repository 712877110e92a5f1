//! How a closed session enters the baselines (DETECTION.md, sections 1 and 3). Nothing else writes to them.

use std::iter;

use super::agent::AgentBaseline;
use super::candidates::Novelty;
use super::group::GroupBaseline;
use super::model::{AgentIndex, GroupIndex, Model};
use super::own_pools::OwnPools;
use super::pins::{Fact, OwnersPins};
use super::population::{ExpertWeights, Population};
use super::sequence::{self, Counts, EXPERTS, History, STATUS_ANY_TOOL, attribute_context, status_context};
use super::tools::{END, Tools, UNMODELLED};
use super::volume::{Cell, Densities, Lesson, Prior, SharedCell, SharedMetric, cell_key};
use super::{Attribute, Metric, Observation, ToolId, bounds};
use crate::stats::elementary;
use crate::stats::table::Hashed;

/// Sessions of an agent that shape the weights a new agent starts with.
const SHAPING_SESSIONS: u32 = 20;

/// A closed session, as far as it is learned.
#[derive(Debug)]
pub struct SessionDelta<'s> {
    /// Whose session.
    pub agent: AgentIndex,
    /// Of which group.
    pub group: Option<GroupIndex>,
    /// Its events, in order.
    pub observations: &'s [Observation],
    /// Weights of the experts at its end.
    pub weights: [f64; EXPERTS],
    /// `Σ bytes_out`.
    pub bytes_out: f64,
}

/// What the gate says about new facts.
#[derive(Debug, Clone, Copy)]
pub enum Gate<'p> {
    /// Everything is learned: before the seal, or after an analyst's approval.
    Open,
    /// New facts wait to be seen in five sessions; the owner's pinned facts are dropped, where pins apply.
    Sealed(Option<&'p OwnersPins>),
}

impl Gate<'_> {
    fn pinned(self, fact: Fact) -> bool {
        matches!(self, Self::Sealed(Some(pins)) if pins.contains(fact))
    }

    fn is_open(self) -> bool {
        matches!(self, Self::Open)
    }
}

/// What of one event is learned.
#[derive(Debug, Clone, Copy, Default)]
struct Learned {
    transition: bool,
    attributes: u8,
}

impl Model {
    /// Learns a closed session, as far as the gate lets it.
    pub fn learn(&mut self, delta: &SessionDelta<'_>, gate: Gate<'_>) {
        self.agent(delta.agent).ask_for_session(delta.observations);
        let learned = self.judge_facts(delta, gate);
        let parent = self.agent(delta.agent).parent;
        // A version's parent is another agent; its cells are put back below.
        let parent_cells = parent.map(|parent| std::mem::take(&mut self.agents[parent.0 as usize].cells));
        let Self { tools, population, groups, own, agents, .. } = self;
        let agent = &mut agents[delta.agent.0 as usize];
        let own = own.as_mut().map(|OwnPools { population, groups }| Shared::of(population, groups, delta.group));
        let mut levels = Levels { tools, shared: Shared::of(population, groups, delta.group), own, agent };
        let mut history = History::default();
        for (observation, learned) in delta.observations.iter().zip(&learned) {
            if learned.transition {
                levels.learn_transition(&history, observation.tool);
            }
            levels.learn_status(observation);
            for (attribute, value) in observation.attributes() {
                if learned.attributes >> attribute as u8 & 1 == 1 {
                    levels.learn_attribute(attribute, observation.tool, value);
                }
            }
            levels.learn_values(observation, parent_cells.as_ref());
            history.push(observation.tool);
        }
        if learned.last().is_some_and(|end| end.transition) {
            levels.learn_transition(&history, END);
        }
        levels.learn_totals(delta);
        levels.learn_weights(delta.weights);
        levels.count_session(delta.observations.len());
        levels.agent.enforce_bounds();
        let AgentBaseline { golden, cells, .. } = levels.agent;
        golden.learn(delta.observations, cells);
        if let (Some(parent), Some(cells)) = (parent, parent_cells) {
            self.agents[parent.0 as usize].cells = cells;
        }
    }

    /// Judges all facts of a session before any is learned: one entry an event, and one for END.
    fn judge_facts(&mut self, delta: &SessionDelta<'_>, gate: Gate<'_>) -> Vec<Learned> {
        let mut all = vec![Learned { transition: true, attributes: u8::MAX }; delta.observations.len() + 1];
        if gate.is_open() {
            return all;
        }
        let Self { groups, agents, .. } = self;
        let agent = &mut agents[delta.agent.0 as usize];
        let group = delta.group.map(|group| &groups[group.0 as usize].counts);
        let mut waiting = Waiting { counts: &agent.counts, group, candidates: &mut agent.candidates, seen: Vec::new() };
        let mut last = super::tools::START;
        for (observation, learned) in delta.observations.iter().zip(&mut all) {
            let tool = observation.tool;
            learned.transition = tool != UNMODELLED
                && !gate.pinned(Fact::Transition(last, tool))
                && !gate.pinned(Fact::Tool(tool))
                && waiting.may_learn_transition(last, tool);
            for (attribute, value) in observation.attributes() {
                if gate.pinned(Fact::Value(attribute, value)) || !waiting.may_learn_value(attribute, tool, value) {
                    learned.attributes &= !(1 << attribute as u8);
                }
            }
            last = tool;
        }
        if let Some(end) = all.last_mut() {
            end.transition = waiting.may_learn_transition(last, END);
        }
        all
    }
}

/// The waiting room of one session's new facts.
struct Waiting<'m> {
    counts: &'m Counts,
    group: Option<&'m Counts>,
    candidates: &'m mut super::candidates::Candidates,
    /// Facts of this session that were judged already: only the first occurrence counts.
    seen: Vec<Novelty>,
}

impl Waiting<'_> {
    fn may_learn_transition(&mut self, last: ToolId, tool: ToolId) -> bool {
        let known = self.counts.has_transition(last, tool) || self.group.is_some_and(|group| group.has_transition(last, tool));
        known || self.count(Novelty::Transition { last, tool })
    }

    fn may_learn_value(&mut self, attribute: Attribute, tool: ToolId, value: u64) -> bool {
        let context = attribute_context(attribute, tool);
        let known = sequence::count(&self.counts.attributes, context, value) > 0
            || self.counts.anywhere(attribute, value) > 0
            || self.group.is_some_and(|group| group.anywhere(attribute, value) > 0);
        known || self.count(Novelty::Value { attribute, context, value })
    }

    fn count(&mut self, novelty: Novelty) -> bool {
        if self.seen.contains(&novelty) {
            return false;
        }
        self.seen.push(novelty);
        self.candidates.see(novelty)
    }
}

/// One agent with all that is above it.
struct Levels<'m> {
    tools: &'m mut Tools,
    shared: Shared<'m>,
    /// What this shard alone taught of that, where shards share it.
    own: Option<Shared<'m>>,
    agent: &'m mut AgentBaseline,
}

impl Levels<'_> {
    fn learn_transition(&mut self, history: &History, tool: ToolId) {
        let Self { tools, shared, own, agent } = self;
        let touched = agent.sessions;
        for context in history.contexts().map(Hashed::from) {
            if sequence::add_bounded(&mut agent.counts.sequence, context, tool, touched, bounds::TOOLS_PER_NODE) {
                each(shared, own).for_each(|shared| shared.learn_transition(context, tool));
            }
        }
        tools.learn(tool);
    }

    fn learn_status(&mut self, observation: &Observation) {
        let Self { shared, own, agent, .. } = self;
        let Some(status) = observation.status() else { return };
        let context = Hashed::from(status_context(observation.tool));
        let touched = agent.sessions;
        if sequence::add_bounded(&mut agent.counts.status, context, status, touched, bounds::TOOLS_PER_NODE) {
            each(shared, own).for_each(|shared| shared.learn_status(context, status));
        }
    }

    fn learn_attribute(&mut self, attribute: Attribute, tool: ToolId, value: u64) {
        let Self { shared, own, agent, .. } = self;
        let context = Hashed::from(attribute_context(attribute, tool));
        let touched = agent.sessions;
        let opened = sequence::add_bounded(&mut agent.counts.attributes, context, value, touched, bounds::VALUES_PER_NODE);
        agent.counts.any[attribute as usize].add(value, bounds::VALUES_PER_ATTRIBUTE);
        each(shared, own).for_each(|shared| shared.learn_attribute(attribute, context, value, opened));
    }

    fn learn_values(&mut self, observation: &Observation, parent_cells: Option<&super::agent::Cells>) {
        let Self { shared, own, agent, .. } = self;
        for (metric, value) in observation.values() {
            let key = Hashed::from(cell_key(metric, observation.tool, observation.status_or_ok()));
            let Some(cell) = agent.cell_mut(key) else { continue };
            // A shared cell that is made here is empty, and says as little as none.
            let above = shared.cells(metric, key);
            let prior = Prior::of_population(Some(above.population), &above.metric.cell).in_group(above.group.as_deref());
            let parent = parent_cells.and_then(|cells| cells.get(key)).map(|cell| cell.moments);
            let densities = Densities::of(value, &prior.predict(Some(cell), parent), Some(cell));
            let is_settled = cell.learn_density(value, &densities, &above.metric.weights);
            let lesson = cell.learn_moments(value);
            above.learn(is_settled.then_some(&*cell), lesson);
            if let Some(own) = own {
                own.cells(metric, key).learn(is_settled.then_some(&*cell), lesson);
            }
        }
    }

    fn learn_totals(&mut self, delta: &SessionDelta<'_>) {
        let Self { shared, own, agent, .. } = self;
        let events = delta.observations.len() as f64;
        let totals = &mut agent.totals;
        totals.count(u32::try_from(delta.observations.len()).unwrap_or(u32::MAX));
        let lesson = totals.events.learn_moments(elementary::ln(1.0 + events));
        each(shared, own).flat_map(Shared::events).for_each(|cell| cell.learn(lesson));
        if delta.bytes_out > 0.0 {
            let lesson = totals.bytes.learn_moments(elementary::ln_1p(delta.bytes_out));
            each(shared, own).flat_map(Shared::bytes).for_each(|cell| cell.learn(lesson));
        }
    }

    fn learn_weights(&mut self, weights: [f64; EXPERTS]) {
        let Self { shared, own, agent, .. } = self;
        agent.weights = Some(weights);
        if agent.sessions < SHAPING_SESSIONS {
            each(shared, own).for_each(|Shared { population, .. }| {
                let ExpertWeights(shared) = &mut population.weights;
                for (shared, weight) in shared.iter_mut().zip(weights) {
                    *shared = 0.98 * *shared + 0.02 * weight;
                }
            });
        }
    }

    fn count_session(&mut self, events: usize) {
        let Self { shared, own, agent, .. } = self;
        agent.sessions += 1;
        agent.events += events as u64;
        for group in each(shared, own).filter_map(|shared| shared.group.as_mut()) {
            group.sessions += 1;
        }
    }
}

/// What agents share: a group, if they have one, and the population.
struct Shared<'m> {
    population: &'m mut Population,
    group: Option<&'m mut GroupBaseline>,
}

/// The levels above an agent by which it is judged, and beside them what this shard taught of them.
fn each<'a, 'm>(shared: &'a mut Shared<'m>, own: &'a mut Option<Shared<'m>>) -> impl Iterator<Item = &'a mut Shared<'m>> {
    iter::once(shared).chain(own)
}

/// The cells above one of an agent's.
struct CellsAbove<'a> {
    group: Option<&'a mut SharedCell>,
    population: &'a mut SharedCell,
    metric: &'a mut SharedMetric,
}

impl CellsAbove<'_> {
    /// What one more value says; `settled` is its cell where its weights are such that others may learn from them.
    fn learn(self, settled: Option<&Cell>, lesson: Lesson) {
        if let Some(cell) = settled {
            self.metric.learn_weights(cell);
        }
        if let Some(group) = self.group {
            group.learn(lesson);
        }
        self.population.learn(lesson);
        self.metric.cell.learn(lesson);
    }
}

impl<'m> Shared<'m> {
    fn of(population: &'m mut Population, groups: &'m mut [GroupBaseline], group: Option<GroupIndex>) -> Self {
        Self { population, group: group.map(|group| &mut groups[group.0 as usize]) }
    }

    /// An agent's table opened.
    fn learn_transition(&mut self, context: Hashed, tool: ToolId) {
        let opened = self.group.as_mut().is_none_or(|group| sequence::add(&mut group.counts.sequence, context, tool));
        if opened {
            sequence::add(&mut self.population.counts.sequence, context, tool);
        }
    }

    /// An agent's table opened.
    fn learn_status(&mut self, context: Hashed, status: u8) {
        if sequence::add(&mut self.population.counts.status, context, status) {
            sequence::add(&mut self.population.counts.status, STATUS_ANY_TOOL, status);
        }
    }

    /// An agent counted a value, and perhaps its table opened.
    fn learn_attribute(&mut self, attribute: Attribute, context: Hashed, value: u64, mut opened: bool) {
        if let Some(group) = &mut self.group {
            if opened {
                opened = sequence::add(&mut group.counts.attributes, context, value);
            }
            group.counts.any[attribute as usize].add(value, usize::MAX);
        }
        if opened && sequence::add(&mut self.population.counts.attributes, context, value) {
            self.population.counts.any[attribute as usize].add(value, usize::MAX);
        }
    }

    /// Lengths of sessions, the group's first.
    fn events(&mut self) -> impl Iterator<Item = &mut SharedCell> {
        self.group.as_mut().map(|group| &mut group.events).into_iter().chain([&mut self.population.events])
    }

    /// Totals of sessions, the group's first.
    fn bytes(&mut self) -> impl Iterator<Item = &mut SharedCell> {
        self.group.as_mut().map(|group| &mut group.bytes).into_iter().chain([&mut self.population.bytes])
    }

    fn cells(&mut self, metric: Metric, key: Hashed) -> CellsAbove<'_> {
        CellsAbove {
            group: self.group.as_mut().map(|group| group.cells.or_default(key)),
            population: self.population.cells.or_default(key),
            metric: &mut self.population.metrics[metric as usize],
        }
    }
}
