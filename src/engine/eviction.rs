//! Memory in total: beyond a number of agents, or of bytes of what they taught, the agent is forgotten that has been idle longest.
//!
//! Forgotten is what it taught, what waits for a verdict on it, its event ids and the sums of its limits; it begins anew when it
//! comes back. What was asked about it, and whether it may act, is remembered by its name, with a bound of its own.
//!
//! Who leaves follows from the state alone, so that a shard that was put together again forgets the same agents.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::agents::AgentSlot;
use super::{Engine, Output};
use crate::event::Event;

/// Who has been idle for how long, and what each agent takes.
#[derive(Debug, Clone, Default)]
pub(super) struct Remembered {
    /// One entry an agent, at or before the time of its newest event.
    idle: BinaryHeap<Reverse<(i64, AgentSlot)>>,
    /// By number of the agent.
    bytes: Vec<usize>,
    total: usize,
    forgotten: u64,
}

impl Remembered {
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
        self.remembered.idle.push(Reverse((self.agents.get(agent).newest_ts, agent)));
        self.weigh(agent);
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
    pub(super) fn weigh_all(&mut self) {
        self.remembered = Remembered::default();
        let known: Vec<_> = self.agents.iter().map(|(slot, agent)| (agent.newest_ts, slot)).collect();
        for &(_, agent) in &known {
            self.weigh(agent);
        }
        self.remembered.idle = known.into_iter().map(Reverse).collect();
    }

    /// Forgets the agent that has been idle longest, of equals the one with the smallest number; false if there is none but `acting`.
    fn forget_idlest(&mut self, acting: Option<AgentSlot>, outputs: &mut Vec<Output>) -> bool {
        let mut kept = None;
        let idlest = loop {
            let Some(Reverse((since, agent))) = self.remembered.idle.pop() else { break None };
            let newest = self.agents.get(agent).newest_ts;
            if newest > since {
                self.remembered.idle.push(Reverse((newest, agent)));
            } else if acting == Some(agent) {
                kept = Some(Reverse((since, agent)));
            } else {
                break Some(agent);
            }
        };
        self.remembered.idle.extend(kept);
        if let Some(agent) = idlest {
            self.forget_agent(agent, outputs);
        }
        idlest.is_some()
    }

    fn forget_agent(&mut self, slot: AgentSlot, outputs: &mut Vec<Output>) {
        // Its place in the state must change, or a restart would bring it back.
        self.touch(slot);
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
