//! Agents that have been idle leave memory for a store that holds their part of the newest snapshot, and come back before they act.
//!
//! Nothing that is said depends on it: an agent comes back to the bit as it left, and whoever is away counts as remembered.

use super::Engine;
use super::agents::{Agent, AgentSlot};
use super::idle_queue::IdleQueue;
use super::part::{Part, PartName, RestoreError};

/// Agents that are looked at at one time, so that no commit waits long for many that cannot leave.
const LOOKED_AT_MAX: usize = 1024;

/// Who is away, and who may be next.
#[derive(Debug, Clone, Default)]
pub(super) struct Away {
    here: IdleQueue,
    agents: usize,
    bytes: usize,
}

impl Away {
    /// The agent is in memory; its newest event was at `since`, epoch ms.
    pub fn note_here(&mut self, since: i64, agent: AgentSlot) {
        self.here.push(since, agent);
    }

    /// The agent with so many bytes is no more.
    pub fn forget(&mut self, agent: &Agent, bytes: usize) {
        if agent.is_away {
            self.agents -= 1;
            self.bytes -= bytes;
        }
    }
}

impl Engine {
    /// Agents whose memory waits in the store.
    #[must_use]
    pub fn agents_away(&self) -> usize {
        self.away.agents
    }

    /// Lets agents leave until the others take at most `most` bytes: those first that have been idle longest. One with an open
    /// session, a verdict to come, or a change since the newest snapshot stays, and so does one whose part `is_stored` denies.
    pub fn send_away(&mut self, most: u64, is_stored: impl Fn(u32) -> bool) {
        let mut staying = Vec::new();
        for _ in 0..LOOKED_AT_MAX {
            if (self.remembered_here() as u64) <= most {
                break;
            }
            let Some(slot) = self.away.here.pop(&self.agents) else { break };
            let agent = self.agents.get(slot);
            if agent.is_nobody() || agent.is_away {
                continue;
            }
            if self.is_at_rest(slot) && is_stored(slot.0) {
                self.away.agents += 1;
                self.away.bytes += self.remembered.bytes(slot);
                self.agents.set_aside(slot, &mut self.detector.model);
            } else {
                staying.push((agent.newest_ts, slot));
            }
        }
        for (newest, slot) in staying {
            self.away.here.push(newest, slot);
        }
    }

    /// The part that is needed before the agent acts, if it is away.
    #[must_use]
    pub fn away(&self, agent_id: &str) -> Option<PartName> {
        if self.away.agents == 0 {
            return None;
        }
        let slot = self.agents.find(agent_id)?;
        self.agents.get(slot).is_away.then_some(PartName::Agent(slot.0))
    }

    /// An agent comes back.
    ///
    /// # Errors
    /// When it is not the part of an agent that is away; nothing has changed then.
    pub fn bring_back(&mut self, part: &Part) -> Result<(), RestoreError> {
        let misfit = RestoreError::Misfit { name: part.name };
        let PartName::Agent(number) = part.name else { return Err(misfit) };
        let slot = AgentSlot(number);
        let (agent, baselines) = part.idle_agent()?;
        let newest = agent.newest_ts;
        if !self.agents.put_back(slot, agent, baselines, &mut self.detector.model) {
            return Err(misfit);
        }
        self.away.agents -= 1;
        self.away.bytes -= self.remembered.bytes(slot);
        self.away.note_here(newest, slot);
        Ok(())
    }

    fn remembered_here(&self) -> usize {
        self.agent_bytes() - self.away.bytes
    }

    fn is_at_rest(&self, slot: AgentSlot) -> bool {
        let agent = self.agents.get(slot);
        let waits = |&baseline| self.detector.learning.holds(baseline) || self.awaiting.holds_drift(baseline);
        agent.open.is_empty() && self.is_written(slot) && !agent.baselines.iter().any(waits)
    }
}
