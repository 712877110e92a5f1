//! An analyst's verdict on a finding (DETECTION.md, sections 3.7 and 3.1): it releases or condemns what waits in quarantine, and lifts
//! what a drift froze. It changes facts, never thresholds.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::alarm::OpenFinding;
use super::{Engine, Output, Verdict};
use crate::baseline::AgentIndex;
use crate::govern::control::{Disposition, FeedbackRecord};

/// Findings of closed sessions that may still get a verdict; the oldest goes first, as in quarantine.
const WAITING_MAX: usize = 4000;

/// Findings whose sessions have closed, and drifts: what may still get a verdict.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AwaitingVerdict {
    closed: VecDeque<(String, u64)>,
    drifts: Vec<(AgentIndex, OpenFinding)>,
}

impl AwaitingVerdict {
    /// The finding's session `handle` is in quarantine.
    pub fn add(&mut self, finding_id: String, handle: u64) {
        self.closed.push_back((finding_id, handle));
        if self.closed.len() > WAITING_MAX {
            self.closed.pop_front();
        }
    }

    /// A drift was found; the agent's baseline waits.
    pub fn add_drift(&mut self, agent: AgentIndex, finding: OpenFinding) {
        self.drifts.push((agent, finding));
    }

    /// Whether a finding of drift of a baseline is open.
    #[must_use]
    pub fn holds_drift(&self, agent: AgentIndex) -> bool {
        self.drifts.iter().any(|(owner, _)| *owner == agent)
    }

    /// Takes out the open findings of drift of a baseline.
    pub fn take_drifts_of(&mut self, agent: AgentIndex) -> impl Iterator<Item = OpenFinding> + use<> {
        let of_agent: Vec<_> = self.drifts.extract_if(.., |(owner, _)| *owner == agent).collect();
        of_agent.into_iter().map(|(_, open)| open)
    }

    /// Takes out every open finding of drift, in the order in which they opened.
    pub fn take_drifts(&mut self) -> impl Iterator<Item = OpenFinding> + use<> {
        std::mem::take(&mut self.drifts).into_iter().map(|(_, open)| open)
    }
}

impl Engine {
    /// Takes a verdict in; a finding that is not known here, or has its verdict, is left alone.
    pub(super) fn feedback(&mut self, record: &FeedbackRecord, outputs: &mut Vec<Output>) {
        let verdict = match record.disposition {
            Disposition::TruePositive => Verdict::Malicious,
            Disposition::FalsePositive => Verdict::Benign,
            Disposition::BenignTruePositive => Verdict::Expected,
        };
        let id = &record.finding_id;
        if let Some(slot) = self.sessions.find(|alarm| alarm.open().iter().any(|open| open.finding.finding_id == *id)) {
            self.touch(self.sessions.get(slot).agent);
            self.sessions.get_mut(slot).alarm.verdict = Some(verdict);
        } else if let Some(at) = self.awaiting.drifts.iter().position(|(_, open)| open.finding.finding_id == *id) {
            let (agent, open) = self.awaiting.drifts.remove(at);
            outputs.push(Output::Finding(Box::new(open.close(self.stream_ms))));
            if verdict != Verdict::Malicious {
                if let Some(owner) = self.agents.owner(agent) {
                    self.touch(owner);
                }
                self.detector.model.agents[agent.0 as usize].accept_drift();
            }
        } else if let Some(&(_, handle)) = self.awaiting.closed.iter().find(|(finding_id, _)| finding_id == id) {
            self.awaiting.closed.retain(|waiting| waiting.1 != handle);
            self.settle(handle, verdict, outputs);
        }
    }

    /// Carries a verdict on the closed session `handle` out; what joined its finding ends with it, unless it was misuse.
    pub(super) fn settle(&mut self, handle: u64, verdict: Verdict, outputs: &mut Vec<Output>) {
        self.give_verdict(handle, verdict);
        if verdict != Verdict::Malicious
            && let Some(open) = self.campaigns.take(handle)
        {
            outputs.push(Output::Finding(Box::new(open.close(self.stream_ms))));
        }
    }
}
