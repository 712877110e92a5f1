//! What an engine remembers, in parts that can be stored and put together again to the bit.
//!
//! A snapshot is of one moment but need not be taken in one: from [`Engine::begin_epoch`] on, a part that is about to change is
//! written down first, and the others are fetched one by one with [`Engine::next_part`] while events go on.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::agents::{Agent, AgentSlot, Agents};
use super::budget::{Budget, Past};
use super::campaigns::Campaigns;
use super::change_log::{ChangeLog, Declared, Shown};
use super::feedback::AwaitingVerdict;
use super::part::{Part, PartName, RestoreError, read, written};
use super::pools::Pooled;
use super::response::Response;
use super::sessions::{Numbers, Session, SessionSlot, Sessions};
use super::{Counters, Engine, HASH_KEY, Shard};
use crate::baseline::agent::AgentBaseline;
use crate::baseline::group::GroupBaseline;
use crate::baseline::own_pools::OwnPools;
use crate::baseline::population::Population;
use crate::baseline::texts::Texts;
use crate::baseline::tools::Tools;
use crate::baseline::{AgentIndex, GroupIndex, Model};
use crate::config::EngineConfig;
use crate::detect::Detector;
use crate::detect::calibration::Calibration;
use crate::detect::gate::Learning;
use crate::govern::{Judge, Memory};
use crate::stats::hash;

impl Part {
    /// The agent of a part in which no session is open, with its baselines.
    pub(super) fn idle_agent(&self) -> Result<(Agent, Vec<AgentBaseline>), RestoreError> {
        let AgentRead { agent, baselines, sessions, shown: _ } = read(self)?;
        let is_whole = sessions.is_empty() && agent.open.is_empty() && agent.baselines.len() == baselines.len();
        is_whole.then_some((agent, baselines)).ok_or(RestoreError::Misfit { name: self.name })
    }
}

/// What changed since it was last written down, and what of the running epoch still waits.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    agents: Vec<bool>,
    groups: Vec<bool>,
    /// Parts of the running epoch that have not changed since it began.
    waiting: BTreeSet<PartName>,
    /// Parts of the running epoch as they were when it began.
    ready: VecDeque<Part>,
}

impl Changes {
    /// Every one of so many groups has changed.
    pub(super) fn note_all_groups(&mut self, groups: usize) {
        self.groups = vec![true; groups];
    }
}

#[derive(Serialize, Deserialize)]
struct ShardPart {
    agents: u32,
    baselines: u32,
    groups: u32,
    sessions: Numbers,
    budget: Past,
    stream_ms: i64,
    frozen: bool,
    handles: u64,
    counters: Counters,
}

#[derive(Serialize)]
struct AgentWritten<'e> {
    agent: &'e Agent,
    baselines: Vec<&'e AgentBaseline>,
    sessions: Vec<&'e Session>,
    shown: Option<&'e Shown>,
}

#[derive(Deserialize)]
struct AgentRead {
    agent: Agent,
    baselines: Vec<AgentBaseline>,
    sessions: Vec<Session>,
    shown: Option<Shown>,
}

/// Parts that are small enough to be written down whole when an epoch begins.
const SHARED: [PartName; 8] = [
    PartName::Shard,
    PartName::Names,
    PartName::Population,
    PartName::Calibration,
    PartName::Learning,
    PartName::Campaigns,
    PartName::Declared,
    PartName::Response,
];

impl Engine {
    /// Begins to write down the state of this moment: all that every epoch has, and of groups and agents those that changed since
    /// the last epoch began. Ends what an epoch before had not yet fetched.
    pub fn begin_epoch(&mut self) {
        self.changes.ready = self.shared_parts().map(|name| self.part(name)).collect();
        let changed = |flags: &mut Vec<bool>, name: fn(u32) -> PartName| -> Vec<PartName> {
            let numbers = flags.iter().zip(0..).filter(|(changed, _)| **changed).map(|(_, number)| name(number)).collect();
            flags.fill(false);
            numbers
        };
        self.changes.waiting.clear();
        let groups = changed(&mut self.changes.groups, PartName::Group);
        let agents = changed(&mut self.changes.agents, PartName::Agent);
        let own_groups: Vec<PartName> = groups.iter().filter_map(|&group| self.own_group(group)).collect();
        self.changes.waiting.extend(groups.into_iter().chain(agents).chain(own_groups));
    }

    /// What every epoch has whole.
    fn shared_parts(&self) -> impl Iterator<Item = PartName> + use<> {
        SHARED.into_iter().chain(self.shares_pools().then_some([PartName::OwnPopulation, PartName::Offer]).into_iter().flatten())
    }

    /// One more part of the running epoch; `None` once all were fetched.
    pub fn next_part(&mut self) -> Option<Part> {
        self.changes.ready.pop_front().or_else(|| {
            let name = self.changes.waiting.pop_first()?;
            Some(self.part(name))
        })
    }

    /// Every part of the state as it is now, in a fixed order.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        let numbers = |len: usize| 0..u32::try_from(len).unwrap_or(u32::MAX);
        let groups = numbers(self.detector.model.groups.len()).map(PartName::Group);
        let agents = numbers(self.agents.numbers()).map(PartName::Agent);
        let own_groups = groups.clone().filter_map(|group| self.own_group(group));
        self.shared_parts().chain(groups).chain(agents).chain(own_groups).map(|name| self.part(name))
    }

    /// Names the state: engines that remember the same have the same digest.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for part in self.parts() {
            hasher.update((part.bytes.len() as u64).to_be_bytes());
            hasher.update(&part.bytes);
        }
        HEXLOWER.encode(&hasher.finalize())
    }

    /// The engine whose parts these are; each once, in any order. Settings are those of now.
    ///
    /// # Errors
    /// When a part is missing, cannot be read, or does not fit the others.
    pub fn restore(config: &Arc<EngineConfig>, shard: Shard, parts: impl IntoIterator<Item = Part>) -> Result<Self, RestoreError> {
        let mut read = Read::default();
        for part in parts {
            read.take(&part)?;
        }
        read.assemble(config, shard)
    }

    /// The agent is about to change: what the running epoch needs of it is written down first.
    pub(super) fn touch(&mut self, agent: AgentSlot) {
        if mark(&mut self.changes.agents, agent.0) {
            self.keep(PartName::Agent(agent.0));
        }
    }

    /// Whether nothing of the agent has changed since the last epoch began, and that epoch has it.
    pub(super) fn is_written(&self, agent: AgentSlot) -> bool {
        let has_changed = self.changes.agents.get(agent.0 as usize).is_some_and(|changed| *changed);
        !has_changed && !self.changes.waiting.contains(&PartName::Agent(agent.0))
    }

    /// The same for a group.
    pub(super) fn touch_group(&mut self, group: Option<GroupIndex>) {
        if let Some(group) = group
            && mark(&mut self.changes.groups, group.0)
        {
            let name = PartName::Group(group.0);
            self.keep(name);
            self.own_group(name).into_iter().for_each(|own| self.keep(own));
        }
    }

    /// The part that changes with a group's, where pools are shared.
    fn own_group(&self, group: PartName) -> Option<PartName> {
        match group {
            PartName::Group(group) if self.shares_pools() => Some(PartName::OwnGroup(group)),
            _ => None,
        }
    }

    fn keep(&mut self, name: PartName) {
        if self.changes.waiting.remove(&name) {
            let part = self.part(name);
            self.changes.ready.push_back(part);
        }
    }

    fn part(&self, name: PartName) -> Part {
        let model = &self.detector.model;
        let own = || model.own.as_ref().expect("parts of shared pools are named only where they are shared");
        let bytes = match name {
            PartName::Shard => written(&self.shard_part()),
            PartName::Names => written(&(&model.tools, &model.texts)),
            PartName::Population => written(&model.population),
            PartName::Calibration => written(&self.detector.calibration),
            PartName::Learning => written(&self.detector.learning),
            PartName::Campaigns => written(&(&self.campaigns, &self.awaiting, self.change_log.declared())),
            PartName::Declared => written(self.declared.memory()),
            PartName::Response => written(&self.response),
            PartName::Group(group) => written(model.group(GroupIndex(group))),
            PartName::Agent(agent) => written(&self.agent_part(AgentSlot(agent))),
            PartName::OwnPopulation => written(&own().population),
            PartName::OwnGroup(group) => written(&own().groups[group as usize]),
            PartName::Offer => written(&self.pooled),
        };
        Part { name, bytes }
    }

    fn shard_part(&self) -> ShardPart {
        // Named one by one: a new member must be put into a part, or be one of those that need none.
        let Self {
            config: _,
            policy_version: _,
            shard: _,
            detector,
            agents,
            groups: _,
            sessions,
            budget,
            campaigns: _,
            declared: _,
            response: _,
            change_log: _,
            awaiting: _,
            stream_ms,
            frozen,
            handles,
            counters,
            changes: _,
            remembered: _,
            away: _,
            pooled: _,
        } = self;
        let number = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        ShardPart {
            agents: number(agents.numbers()),
            baselines: number(detector.model.agents.len()),
            groups: number(detector.model.groups.len()),
            sessions: sessions.numbers(),
            budget: budget.past.clone(),
            stream_ms: *stream_ms,
            frozen: *frozen,
            handles: *handles,
            counters: *counters,
        }
    }

    fn agent_part(&self, slot: AgentSlot) -> AgentWritten<'_> {
        let agent = self.agents.get(slot);
        assert!(!agent.is_away, "who is away has not changed, and what has not changed is not written");
        AgentWritten {
            baselines: agent.baselines.iter().map(|&index| self.detector.model.agent(index)).collect(),
            sessions: agent.open.iter().map(|&open| self.sessions.get(open)).collect(),
            shown: self.change_log.shown(slot),
            agent,
        }
    }
}

/// Notes a change; true if it is the first since the last epoch began.
fn mark(flags: &mut Vec<bool>, number: u32) -> bool {
    let number = number as usize;
    if flags.len() <= number {
        flags.resize(number + 1, false);
    }
    !std::mem::replace(&mut flags[number], true)
}

/// The parts that were read so far.
#[derive(Default)]
struct Read {
    shard: Option<ShardPart>,
    names: Option<(Tools, Texts)>,
    population: Option<Population>,
    calibration: Option<Calibration>,
    learning: Option<Learning>,
    campaigns: Option<(Campaigns, AwaitingVerdict, Declared)>,
    declared: Option<Memory>,
    response: Option<Response>,
    groups: Vec<Option<GroupBaseline>>,
    agents: Vec<Option<AgentRead>>,
    own_population: Option<Population>,
    own_groups: Vec<Option<GroupBaseline>>,
    pooled: Pooled,
}

impl Read {
    fn take(&mut self, part: &Part) -> Result<(), RestoreError> {
        match part.name {
            PartName::Shard => self.shard = Some(read(part)?),
            PartName::Names => self.names = Some(read(part)?),
            PartName::Population => self.population = Some(read(part)?),
            PartName::Calibration => self.calibration = Some(read(part)?),
            PartName::Learning => self.learning = Some(read(part)?),
            PartName::Campaigns => self.campaigns = Some(read(part)?),
            PartName::Declared => self.declared = Some(read(part)?),
            PartName::Response => self.response = Some(read(part)?),
            PartName::Group(group) => put(&mut self.groups, group, read(part)?),
            PartName::Agent(agent) => put(&mut self.agents, agent, read(part)?),
            PartName::OwnPopulation => self.own_population = Some(read(part)?),
            PartName::OwnGroup(group) => put(&mut self.own_groups, group, read(part)?),
            PartName::Offer => self.pooled = read(part)?,
        }
        Ok(())
    }

    fn assemble(self, config: &Arc<EngineConfig>, shard: Shard) -> Result<Engine, RestoreError> {
        let missing = |name| move || RestoreError::Missing { name };
        let ShardPart { agents, baselines, groups, sessions, budget, stream_ms, frozen, handles, counters } =
            self.shard.ok_or_else(missing(PartName::Shard))?;
        let (tools, texts) = self.names.ok_or_else(missing(PartName::Names))?;
        let population = self.population.ok_or_else(missing(PartName::Population))?;
        let calibration = self.calibration.ok_or_else(missing(PartName::Calibration))?;
        let learning = self.learning.ok_or_else(missing(PartName::Learning))?;
        let (campaigns, awaiting, changes) = self.campaigns.ok_or_else(missing(PartName::Campaigns))?;
        let declared = self.declared.ok_or_else(missing(PartName::Declared))?;
        let response = self.response.ok_or_else(missing(PartName::Response))?;
        let own = match self.own_population {
            Some(population) => Some(OwnPools { population, groups: whole(self.own_groups, groups, PartName::OwnGroup)? }),
            None => None,
        };
        let groups = whole(self.groups, groups, PartName::Group)?;
        let mut engine = Engine::new(Arc::clone(config), shard);
        engine.change_log = ChangeLog::restored(changes);
        let mut placed: Vec<Option<AgentBaseline>> = (0..baselines).map(|_| None).collect();
        let (mut known, mut open) = (Vec::new(), Vec::new());
        for (number, read) in (0..).zip(whole(self.agents, agents, PartName::Agent)?) {
            let misfit = || RestoreError::Misfit { name: PartName::Agent(number) };
            let AgentRead { agent, baselines, sessions, shown } = read;
            let has_current = agent.is_nobody() || agent.baselines.contains(&agent.current);
            if agent.baselines.len() != baselines.len() || agent.open.len() != sessions.len() || !has_current {
                return Err(misfit());
            }
            for (&AgentIndex(index), baseline) in agent.baselines.iter().zip(baselines) {
                *placed.get_mut(index as usize).ok_or_else(misfit)? = Some(baseline);
            }
            open.extend(agent.open.iter().copied().zip(sessions));
            if let Some(shown) = shown {
                engine.change_log.restore_shown(AgentSlot(number), shown);
            }
            known.push(agent);
        }
        let misfit = || RestoreError::Misfit { name: PartName::Shard };
        let model = Model::resumed(tools, texts, population, groups, placed);
        fits(&model, &open).then_some(()).ok_or_else(misfit)?;
        engine.groups = model
            .groups
            .iter()
            .zip(0..)
            .map(|(group, number)| (hash::keyed(group.name.as_bytes(), HASH_KEY), GroupIndex(number)))
            .collect();
        engine.agents = Agents::restored(HASH_KEY, known);
        engine.sessions = Sessions::restored(sessions, open, &config.detect.sessions).ok_or_else(misfit)?;
        engine.detector = Detector::resumed(config.detect.clone(), model, calibration, learning, frozen);
        engine.budget = Budget::resumed(config.alarm.budget, shard.partitions, budget);
        engine.campaigns = campaigns;
        engine.awaiting = awaiting;
        engine.declared = Judge::resumed(config.policy.clone(), declared);
        engine.response = response;
        engine.response.plan_anew();
        engine.stream_ms = stream_ms;
        engine.frozen = frozen;
        engine.handles = handles;
        engine.counters = counters;
        if config.pools.share {
            engine.pooled = self.pooled;
        }
        engine.share_pools(own);
        engine.remember_all();
        Ok(engine)
    }
}

/// Whether sessions and parents name what is there, so that nothing is looked up in vain later.
fn fits(model: &Model, open: &[(SessionSlot, Session)]) -> bool {
    let is_agent = |index: AgentIndex| (index.0 as usize) < model.agents.len();
    let is_group = |index: GroupIndex| (index.0 as usize) < model.groups.len();
    model.agents.iter().all(|agent| agent.parent.is_none_or(is_agent))
        && open.iter().all(|(_, session)| is_agent(session.detected.agent) && session.detected.group.is_none_or(is_group))
}

fn put<T>(list: &mut Vec<Option<T>>, number: u32, value: T) {
    let at = number as usize;
    if list.len() <= at {
        list.resize_with(at + 1, || None);
    }
    list[at] = Some(value);
}

/// All of a list that has exactly `count` entries.
fn whole<T>(list: Vec<Option<T>>, count: u32, name: fn(u32) -> PartName) -> Result<Vec<T>, RestoreError> {
    if list.len() > count as usize {
        return Err(RestoreError::Misfit { name: PartName::Shard });
    }
    let mut entries = list.into_iter();
    (0..count).map(|number| entries.next().flatten().ok_or(RestoreError::Missing { name: name(number) })).collect()
}
