//! Agents in the order in which they have been idle, found without walking them all.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::agents::{AgentSlot, Agents};

/// Agents by the time of their newest event.
#[derive(Debug, Clone, Default)]
pub(super) struct IdleQueue {
    /// At or before the time of the agent's newest event: an agent that acts stays where it is until it is looked at.
    heap: BinaryHeap<Reverse<(i64, AgentSlot)>>,
    /// By number: whether the agent has its entry. A number that is used again keeps the entry of whoever had it before.
    is_queued: Vec<bool>,
}

impl IdleQueue {
    /// Puts an agent in whose newest event was at `since`, epoch ms; one that is there already stays.
    pub fn push(&mut self, since: i64, agent: AgentSlot) {
        let at = agent.0 as usize;
        if self.is_queued.len() <= at {
            self.is_queued.resize(at + 1, false);
        }
        if !std::mem::replace(&mut self.is_queued[at], true) {
            self.heap.push(Reverse((since, agent)));
        }
    }

    /// Takes out the agent that has been idle longest, of equals the one with the smallest number.
    pub fn pop(&mut self, agents: &Agents) -> Option<AgentSlot> {
        while let Some(Reverse((since, agent))) = self.heap.pop() {
            let newest = agents.get(agent).newest_ts;
            if newest > since {
                self.heap.push(Reverse((newest, agent)));
            } else {
                self.is_queued[agent.0 as usize] = false;
                return Some(agent);
            }
        }
        None
    }
}
