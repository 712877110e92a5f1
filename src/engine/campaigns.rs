//! Findings that outlive their session: what they pinned may come again, and an alarm that carries only pinned facts joins the
//! finding that pinned them instead of opening one more (DETECTION.md, section 3.1 c).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::alarm::{Again, OpenFinding};
use crate::detect::{Detector, OpenSession};
use crate::finding::Finding;

/// Findings kept open; the oldest closes first.
const CAMPAIGNS_MAX: usize = 1000;
/// Stream time without a repeat after which a finding closes, ms: as long as quarantine is kept.
const QUIET_MS: i64 = 30 * 24 * 3_600_000;
/// Agents that a finding lists.
const AGENTS_LISTED: usize = 20;

/// The open findings by the closed session that pinned their facts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Campaigns {
    open: BTreeMap<u64, OpenFinding>,
}

impl Campaigns {
    /// Keeps the finding of the closed session `handle` open; returns one to close if there are too many.
    pub fn keep(&mut self, handle: u64, finding: OpenFinding) -> Option<OpenFinding> {
        self.open.insert(handle, finding);
        if self.open.len() > CAMPAIGNS_MAX { self.open.pop_first().map(|(_, oldest)| oldest) } else { None }
    }

    /// Takes out what nothing has joined for long, in the order in which it was kept.
    pub fn quiet(&mut self, now: i64) -> Vec<OpenFinding> {
        self.open.extract_if(.., |_, open| now - open.finding.last_seen >= QUIET_MS).map(|(_, open)| open).collect()
    }

    /// Takes everything out, in the order in which it was kept.
    pub fn take_all(&mut self) -> impl Iterator<Item = OpenFinding> + use<> {
        std::mem::take(&mut self.open).into_values()
    }

    /// Takes out the finding of the closed session `handle`.
    pub fn take(&mut self, handle: u64) -> Option<OpenFinding> {
        self.open.remove(&handle)
    }

    /// The finding of the closed session `handle`.
    #[must_use]
    pub fn get(&self, handle: u64) -> Option<&Finding> {
        self.open.get(&handle).map(|open| &open.finding)
    }

    /// One more event, of `agent`, of the campaign `handle`, at stream time `now`; returns an update if one is worth publishing.
    pub fn repeat(&mut self, handle: u64, agent: &str, again: &Again<'_>, now: i64) -> Option<Finding> {
        let open = self.open.get_mut(&handle)?;
        let Finding { agent_id, agents, .. } = &mut open.finding;
        let is_new = agent_id != agent && agents.iter().all(|listed| listed != agent);
        if is_new && agents.len() < AGENTS_LISTED {
            agents.push(agent.to_owned());
        }
        open.repeat(again, now)
    }

    /// The campaign to which everything loud in `session` belongs so far: each loud fact is pinned, and the finding of the first still
    /// open. `None` if a loud fact is new, or nothing is loud.
    #[must_use]
    pub fn of(&self, session: &OpenSession, detector: &Detector) -> Option<u64> {
        let pins = &detector.learning.pins;
        let owner = session.owner();
        let mut campaign = None;
        for (fact, _) in session.facts().filter(|(_, loud)| *loud) {
            let by = pins.pinned_by(owner, fact)?;
            campaign = campaign.or_else(|| self.open.contains_key(&by).then_some(by));
        }
        campaign
    }
}
