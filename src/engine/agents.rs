//! The agents of a shard while they act: who is who, which sessions are open, what was seen before.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::event_ids::EventIds;
use super::sessions::SessionSlot;
use crate::baseline::agent::AgentBaseline;
use crate::baseline::{AgentIndex, Model};
use crate::govern::AgentState;
use crate::stats::hash;

/// Closed sessions of an agent that are kept: to recognise a continuation, and to tell whether the agent works serially.
const RECENT_SESSIONS: usize = 50;
/// Versions of an agent with a baseline of their own; further ones share the newest.
const VERSIONS: usize = 8;
/// Committed sessions from which a version may be the next one's parent.
const PARENT_SESSIONS: u32 = 5;

/// Number of an agent within its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AgentSlot(pub u32);

/// A session that was begun, as far as it is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentSession {
    /// Hash of its id.
    pub key: u64,
    /// Its newest event, epoch ms; of an open session not kept up to date.
    pub last_ts: i64,
    /// Whether it went on after a later one had begun.
    pub resumed: bool,
}

/// One agent while it acts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Agent {
    /// Its id.
    pub id: Box<str>,
    /// Its newest event, epoch ms.
    pub newest_ts: i64,
    /// Baseline of the version it last named.
    pub current: AgentIndex,
    /// Open sessions, in the order in which they began.
    pub open: Vec<SessionSlot>,
    /// When the newest session began, in sessions of the shard.
    pub newest_begun: u64,
    /// Every baseline that was made for it, the oldest first.
    pub baselines: Vec<AgentIndex>,
    /// What judging it against its contract remembers.
    pub declared: AgentState,
    /// What it taught is not in memory: of all this only its id, its newest event and the numbers of its baselines are right.
    #[serde(skip)]
    pub is_away: bool,
    versions: Vec<(u64, AgentIndex)>,
    recent: VecDeque<RecentSession>,
    event_ids: EventIds,
}

/// A change of version that an event showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionChange {
    /// The version before.
    pub from: Option<Box<str>>,
    /// The version now.
    pub to: Box<str>,
}

/// All agents of a shard.
#[derive(Debug, Clone)]
pub struct Agents {
    key: u64,
    by_id: hashbrown::HashMap<u64, AgentSlot, foldhash::fast::FixedState>,
    /// By number; a free one has nobody.
    slots: Vec<Agent>,
    free: BTreeSet<AgentSlot>,
}

impl Agents {
    /// None yet; `key` seeds the hash of their ids.
    #[must_use]
    pub fn new(key: u64) -> Self {
        Self { key, by_id: hashbrown::HashMap::default(), slots: Vec::new(), free: BTreeSet::new() }
    }

    /// The agent `id`, if it has acted here.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<AgentSlot> {
        self.by_id.get(&hash::keyed(id.as_bytes(), self.key)).copied()
    }

    /// Makes the agent `id` known at stream time `now`, by the smallest number that is free. It must not be known yet.
    ///
    /// # Panics
    /// With 2^32 agents.
    pub fn add(&mut self, id: &str, now: i64, model: &mut Model) -> AgentSlot {
        let current = add_baseline(model, None, None, now);
        let agent = Agent { id: id.into(), current, baselines: vec![current], ..Agent::nobody() };
        let slot = self.free.pop_first().unwrap_or_else(|| {
            self.slots.push(Agent::nobody());
            AgentSlot(u32::try_from(self.slots.len() - 1).expect("fewer agents than 2^32: each takes more than a byte of memory"))
        });
        self.slots[slot.0 as usize] = agent;
        self.by_id.insert(hash::keyed(id.as_bytes(), self.key), slot);
        slot
    }

    /// Takes an agent out; its number is free.
    pub fn take(&mut self, slot: AgentSlot) -> Agent {
        let agent = std::mem::replace(&mut self.slots[slot.0 as usize], Agent::nobody());
        self.by_id.remove(&hash::keyed(agent.id.as_bytes(), self.key));
        self.free.insert(slot);
        agent
    }

    /// Drops from memory what an agent taught and remembers; who it is stays.
    pub fn set_aside(&mut self, slot: AgentSlot, model: &mut Model) {
        let agent = &mut self.slots[slot.0 as usize];
        let Agent { id, newest_ts, current, baselines, .. } = std::mem::replace(agent, Agent::nobody());
        for &baseline in &baselines {
            model.agents[baseline.0 as usize] = AgentBaseline::default();
        }
        *agent = Agent { id, newest_ts, current, baselines, is_away: true, ..Agent::nobody() };
    }

    /// The reverse; false, and nothing has changed, if no such agent is away there.
    pub fn put_back(&mut self, slot: AgentSlot, agent: Agent, baselines: Vec<AgentBaseline>, model: &mut Model) -> bool {
        let is_same =
            |away: &Agent| away.is_away && away.id == agent.id && away.newest_ts == agent.newest_ts && away.baselines == agent.baselines;
        let Some(away) = self.slots.get_mut(slot.0 as usize).filter(|away| is_same(away)) else { return false };
        for (&AgentIndex(index), baseline) in agent.baselines.iter().zip(baselines) {
            model.agents[index as usize] = baseline;
        }
        *away = agent;
        true
    }

    /// An agent.
    #[must_use]
    pub fn get(&self, slot: AgentSlot) -> &Agent {
        &self.slots[slot.0 as usize]
    }

    /// An agent, to change.
    pub fn get_mut(&mut self, slot: AgentSlot) -> &mut Agent {
        &mut self.slots[slot.0 as usize]
    }

    /// The agents as they were, in the order of their numbers.
    #[must_use]
    pub fn restored(key: u64, slots: Vec<Agent>) -> Self {
        let (free, known): (Vec<_>, Vec<_>) = (0..).map(AgentSlot).zip(&slots).partition(|(_, agent)| agent.is_nobody());
        let by_id = known.into_iter().map(|(slot, agent)| (hash::keyed(agent.id.as_bytes(), key), slot)).collect();
        let free = free.into_iter().map(|(slot, _)| slot).collect();
        Self { key, by_id, slots, free }
    }

    /// Every agent with its number.
    pub fn iter(&self) -> impl Iterator<Item = (AgentSlot, &Agent)> {
        (0..).map(AgentSlot).zip(&self.slots).filter(|(_, agent)| !agent.is_nobody())
    }

    /// Numbers that were given out so far, those that are free again among them.
    #[must_use]
    pub fn numbers(&self) -> usize {
        self.slots.len()
    }

    /// Whose baseline it is. A search, for what is rare.
    #[must_use]
    pub fn owner(&self, baseline: AgentIndex) -> Option<AgentSlot> {
        self.iter().find(|(_, agent)| agent.baselines.contains(&baseline)).map(|(slot, _)| slot)
    }

    /// Number of agents.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

impl Agent {
    /// What stands at a free number.
    fn nobody() -> Self {
        Self {
            id: Box::default(),
            newest_ts: i64::MIN,
            current: AgentIndex(0),
            baselines: Vec::new(),
            open: Vec::new(),
            newest_begun: 0,
            declared: AgentState::default(),
            is_away: false,
            versions: Vec::new(),
            recent: VecDeque::new(),
            event_ids: EventIds::default(),
        }
    }

    /// Whether its number is free: an agent has a name.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        self.id.is_empty()
    }

    /// True if the agent sent this event before; remembers it otherwise.
    pub fn is_repeat(&mut self, event_id: &str, key: u64) -> bool {
        self.event_ids.is_repeat(hash::keyed(event_id.as_bytes(), key))
    }

    /// Moves to the baseline of `version`; says so when that is another than before.
    pub fn turn_to_version(&mut self, version: &str, now: i64, key: u64, model: &mut Model) -> Option<VersionChange> {
        if model.agent(self.current).version.as_deref() == Some(version) {
            return None;
        }
        let from = model.agent(self.current).version.clone();
        let hash = hash::keyed(version.as_bytes(), key);
        let known = self.versions.iter().find(|entry| entry.0 == hash).map(|entry| entry.1);
        let current = match known {
            Some(known) => known,
            None if from.is_none() && model.agent(self.current).sessions == 0 && self.open.is_empty() => {
                // The first version ever named takes the baseline that nothing was learned into.
                model.agents[self.current.0 as usize].version = Some(version.into());
                self.current
            }
            None if self.versions.len() >= VERSIONS => return None,
            None => {
                let parent = (model.agent(self.current).sessions >= PARENT_SESSIONS).then_some(self.current);
                let added = add_baseline(model, Some(version), parent, now);
                self.baselines.push(added);
                added
            }
        };
        if known.is_none() {
            self.versions.push((hash, current));
        }
        let changed = current != self.current;
        self.current = current;
        changed.then(|| VersionChange { from, to: version.into() })
    }

    /// The newest remembered session with this key.
    #[must_use]
    pub fn recent(&self, key: u64) -> Option<RecentSession> {
        self.recent.iter().rev().find(|session| session.key == key).copied()
    }

    /// The key of the session that began last.
    #[must_use]
    pub fn last_begun_key(&self) -> Option<u64> {
        self.recent.back().map(|session| session.key)
    }

    /// Remembers a session that begins.
    pub fn begin(&mut self, key: u64, ts: i64) {
        if self.recent.len() == RECENT_SESSIONS {
            self.recent.pop_front();
        }
        self.recent.push_back(RecentSession { key, last_ts: ts, resumed: false });
    }

    /// Notes that a session went on after a later one had begun.
    pub fn note_resumed(&mut self, key: u64) {
        if let Some(session) = self.recent.iter_mut().rev().find(|session| session.key == key) {
            session.resumed = true;
        }
    }

    /// Notes the newest event of a session that closed.
    pub fn note_closed(&mut self, key: u64, last_ts: i64) {
        if let Some(session) = self.recent.iter_mut().rev().find(|session| session.key == key) {
            session.last_ts = last_ts;
        }
    }

    /// Whether the agent does one session after the other: not once two of its last 50, and more than 2 %, were resumed.
    #[must_use]
    pub fn is_serial(&self) -> bool {
        let resumed = self.recent.iter().filter(|session| session.resumed).count();
        resumed < 2 || resumed * 50 <= self.recent.len()
    }
}

fn add_baseline(model: &mut Model, version: Option<&str>, parent: Option<AgentIndex>, now: i64) -> AgentIndex {
    model.add_agent(AgentBaseline { version: version.map(Into::into), parent, first_seen: now, ..AgentBaseline::default() })
}

#[cfg(test)]
mod tests {
    use super::Agents;
    use crate::baseline::Model;

    fn one() -> (Agents, Model, super::AgentSlot) {
        let (mut agents, mut model) = (Agents::new(1), Model::new(1));
        let slot = agents.add("a", 0, &mut model);
        (agents, model, slot)
    }

    #[test]
    fn an_event_id_is_a_repeat_while_it_is_among_the_last_1024() {
        let (mut agents, _, slot) = one();
        let agent = agents.get_mut(slot);
        assert!(!agent.is_repeat("e", 1) && agent.is_repeat("e", 1));
        for n in 0..1023 {
            agent.is_repeat(&n.to_string(), 1);
        }
        assert!(agent.is_repeat("e", 1));
        agent.is_repeat("one more", 1);
        assert!(!agent.is_repeat("e", 1));
    }

    #[test]
    fn two_resumed_sessions_end_serial_work() {
        let (mut agents, _, slot) = one();
        let agent = agents.get_mut(slot);
        for key in 0..10 {
            agent.begin(key, 0);
        }
        agent.note_resumed(3);
        assert!(agent.is_serial(), "one is no habit");
        agent.note_resumed(4);
        assert!(!agent.is_serial());
        for key in 10..60 {
            agent.begin(key, 0);
        }
        assert!(agent.is_serial(), "forgotten after fifty sessions");
    }

    #[test]
    fn a_version_with_five_sessions_is_the_next_ones_parent() {
        let (mut agents, mut model, slot) = one();
        let agent = agents.get_mut(slot);
        assert_eq!(agent.turn_to_version("1", 0, 1, &mut model), None, "the first version named is no change");
        let first = agent.current;
        model.agents[first.0 as usize].sessions = 5;
        let change = agent.turn_to_version("2", 0, 1, &mut model).unwrap();
        assert_eq!((change.from.as_deref(), &*change.to), (Some("1"), "2"));
        assert_eq!(model.agent(agent.current).parent, Some(first));
        agent.turn_to_version("1", 0, 1, &mut model).unwrap();
        assert_eq!(agent.current, first, "a roll-back finds its own past again");
    }
}
