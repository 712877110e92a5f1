//! Memory in total: beyond a number of agents, or of bytes of what they taught, the agent is forgotten that has been idle longest.
//!
//! Forgotten is what it taught, what waits for a verdict on it, its event ids and the sums of its limits; it begins anew when it
//! comes back. What was asked about it, and whether it may act, is remembered by its name, with a bound of its own.
//!
//! Who leaves follows from the state alone, so that a shard that was put together again forgets the same agents.

use super::agents::AgentSlot;
use super::idle_queue::IdleQueue;
use super::{Engine, Output};
use crate::event::Event;

/// Who has been idle for how long, and what each agent takes.
#[derive(Debug, Clone, Default)]
pub(super) struct Remembered {
    idle: IdleQueue,
    /// By number of the agent.
    bytes: Vec<usize>,
    total: usize,
    forgotten: u64,
}

impl Remembered {
    /// Bytes of what an agent taught.
    pub fn bytes(&self, agent: AgentSlot) -> usize {
        self.bytes.get(agent.0 as usize).copied().unwrap_or(0)
    }

    fn set_bytes(&mut self, agent: AgentSlot, bytes: usize) {
        let at = agent.0 as usize;
        if self.bytes.len() <= at {
            self.bytes.resize(at + 1, 0);
        }
        self.total = self.total - self.bytes[at] + bytes;
        self.bytes[at] = bytes;
    }
}

/// What was forgotten for want of room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Agents with what they taught.
    pub agents: u64,
    /// Agents whose ended requests were forgotten.
    pub asked: u64,
}

impl Engine {
    /// Agents known now.
    #[must_use]
    pub fn known_agents(&self) -> usize {
        self.agents.len()
    }

    /// Bytes of what they taught, by its layout.
    #[must_use]
    pub fn agent_bytes(&self) -> usize {
        self.remembered.total
    }

    /// What was forgotten since this was asked last.
    pub fn take_forgotten(&mut self) -> Forgotten {
        Forgotten { agents: std::mem::take(&mut self.remembered.forgotten), asked: self.response.take_forgotten() }
    }

    /// Makes the agent of an event known, which it is not yet.
    pub(super) fn meet(&mut self, event: &Event<'_>, outputs: &mut Vec<Output>) -> AgentSlot {
        while self.agents.len() >= self.config.memory.agents && self.forget_idlest(None, outputs) {}
        let agent = self.agents.add(&event.agent_id, event.ts, &mut self.detector.model);
        self.remember(agent);
        agent
    }

    /// Forgets agents, but not the one that acts, until the others fit.
    pub(super) fn keep_within_bytes(&mut self, acting: AgentSlot, outputs: &mut Vec<Output>) {
        let most = self.config.memory.megabytes << 20;
        while self.remembered.total as u64 > most && self.forget_idlest(Some(acting), outputs) {}
    }

    /// Notes what an agent takes, after it has learned.
    pub(super) fn weigh(&mut self, agent: AgentSlot) {
        let baselines = &self.agents.get(agent).baselines;
        let bytes = baselines.iter().map(|&baseline| self.detector.model.agent(baseline).bytes()).sum();
        self.remembered.set_bytes(agent, bytes);
    }

    /// Notes what every agent takes, and who is idle: of an engine that was put together again.
    pub(super) fn remember_all(&mut self) {
        let known: Vec<_> = self.agents.iter().map(|(slot, _)| slot).collect();
        for agent in known {
            self.remember(agent);
        }
    }

    fn remember(&mut self, agent: AgentSlot) {
        let newest = self.agents.get(agent).newest_ts;
        self.remembered.idle.push(newest, agent);
        self.away.note_here(newest, agent);
        self.weigh(agent);
    }

    /// Forgets the agent that has been idle longest; false if there is none but `acting`.
    fn forget_idlest(&mut self, acting: Option<AgentSlot>, outputs: &mut Vec<Output>) -> bool {
        let mut idlest = self.remembered.idle.pop(&self.agents);
        if let Some(acting) = acting.filter(|_| idlest == acting) {
            idlest = self.remembered.idle.pop(&self.agents);
            self.remembered.idle.push(self.agents.get(acting).newest_ts, acting);
        }
        if let Some(agent) = idlest {
            self.forget_agent(agent, outputs);
        }
        idlest.is_some()
    }

    fn forget_agent(&mut self, slot: AgentSlot, outputs: &mut Vec<Output>) {
        // Its place in the state must change, or a restart would bring it back.
        self.touch(slot);
        self.away.forget(self.agents.get(slot), self.remembered.bytes(slot));
        for open in self.agents.get(slot).open.clone() {
            self.close(open, outputs);
        }
        for baseline in self.agents.take(slot).baselines {
            let drifts = self.awaiting.take_drifts_of(baseline);
            outputs.extend(drifts.map(|open| Output::Finding(Box::new(open.close(self.stream_ms)))));
            self.detector.learning.forget(baseline);
            self.detector.model.forget_agent(baseline);
        }
        self.change_log.forget(slot);
        self.remembered.set_bytes(slot, 0);
        self.remembered.forgotten += 1;
    }
}
