//! The inventory: every agent's contract, as the table says it now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;

use crate::config::Problem;
use crate::stats::hash;

use super::contract::Contract;
use super::record::{InventoryRecord, Placed};
use super::terms::TermsPool;

/// Contracts by agent. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    contracts: HashMap<Box<str>, Arc<Contract>, foldhash::fast::FixedState>,
    /// Declared holders of each credential.
    holders: HashMap<String, Vec<Box<str>>, foldhash::fast::FixedState>,
    terms: TermsPool,
    revision: u64,
}

impl Inventory {
    /// Puts a record in force, in place of the agent's former one. Drafts are not in force and take nothing away.
    pub fn insert(&mut self, record: InventoryRecord) {
        if record.draft {
            return;
        }
        self.remove(&record.agent);
        for credential in record.credentials.iter().flatten() {
            self.holders.entry_ref(&*credential.id).or_default().push(record.agent.as_str().into());
        }
        let agent: Box<str> = record.agent.as_str().into();
        let contract = Contract::new(record, &mut self.terms);
        self.revision = hash::keyed(contract.version().as_bytes(), self.revision);
        self.contracts.insert(agent, Arc::new(contract));
    }

    /// Takes an agent's record away (a tombstone).
    pub fn remove(&mut self, agent: &str) {
        let Some(contract) = self.contracts.remove(agent) else { return };
        self.revision = hash::keyed(agent.as_bytes(), self.revision);
        for credential in contract.record().credentials.iter().flatten() {
            if let Some(holders) = self.holders.get_mut(&*credential.id) {
                holders.retain(|holder| **holder != *agent);
            }
        }
    }

    /// The agent's contract.
    #[must_use]
    pub fn contract(&self, agent: &str) -> Option<&Arc<Contract>> {
        self.contracts.get(agent)
    }

    /// The agents to which the credential was given.
    #[must_use]
    pub fn holders(&self, credential: &str) -> &[Box<str>] {
        self.holders.get(credential).map_or(&[], Vec::as_slice)
    }

    /// Another after every change; the same for the same changes in the same order.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether there is no record; then no declared rule is active.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contracts.is_empty()
    }

    /// How many agents have a record.
    #[must_use]
    pub fn len(&self) -> usize {
        self.contracts.len()
    }
}

/// What is wrong between records that are each fine: an agent declared twice, agents that may instruct each other in a circle.
#[must_use]
pub fn between(records: &[Placed]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for Placed { record, place, .. } in records {
        if !seen.insert(record.agent.as_str()) {
            problems.push(Problem { place: place.clone(), message: format!("agent \"{}\" is declared twice", record.agent) });
        }
    }
    problems.extend(circles(records));
    problems
}

/// Circles among named peers. A wildcard is no statement about one agent and makes none.
fn circles(records: &[Placed]) -> Vec<Problem> {
    let peers: BTreeMap<&str, &[String]> =
        records.iter().map(|placed| (&*placed.record.agent, placed.record.peers.as_deref().unwrap_or_default())).collect();
    let mut problems = Vec::new();
    let mut done = BTreeSet::new();
    for Placed { record, place, .. } in records {
        let mut path = Vec::new();
        if let Some(circle) = circle_from(&record.agent, &peers, &mut path, &mut done) {
            problems.push(Problem { place: place.clone(), message: format!("agents may instruct each other in a circle: {circle}") });
        }
    }
    problems
}

/// Depth first with the path in hand. Agents that were walked are `done`: one circle among them is named, not every one.
fn circle_from<'r>(
    start: &'r str,
    peers: &BTreeMap<&'r str, &'r [String]>,
    path: &mut Vec<(&'r str, usize)>,
    done: &mut BTreeSet<&'r str>,
) -> Option<String> {
    if done.contains(start) {
        return None;
    }
    path.push((start, 0));
    while let Some((agent, next)) = path.last_mut() {
        let Some(peer) = peers.get(agent).and_then(|peers| peers.get(*next)) else {
            done.insert(agent);
            path.pop();
            continue;
        };
        *next += 1;
        if let Some(at) = path.iter().position(|(agent, _)| agent == peer) {
            let names: Vec<&str> = path[at..].iter().map(|(agent, _)| *agent).chain([peer.as_str()]).collect();
            done.extend(path.drain(..).map(|(agent, _)| agent));
            return Some(names.join(" → "));
        }
        if !done.contains(peer.as_str()) && peers.contains_key(peer.as_str()) {
            path.push((peer, 0));
        }
    }
    None
}
