//! Who instructed whom within one trace: agents in a circle, and too many of them in a row. Agents of one chain live on several
//! shards, so each instruction is a sighting.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::judge::{Asked, Judgement};
use super::sightings::{Sighting, Sightings};
use super::terms::Terms;
use super::violation::{Draft, listed};
use crate::event::limits::shown;
use crate::finding::Kind;

/// Traces remembered; the one that began first is forgotten first.
const TRACES_MAX: usize = 65_536;
/// Instructions remembered of one trace.
const INSTRUCTIONS_MAX: usize = 256;

/// Who was instructed, and by whom.
type Instruction = (Box<str>, Box<str>);

/// Instructions by trace.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Chains {
    by_trace: BTreeMap<Box<str>, BTreeSet<Instruction>>,
    /// In the order in which they began.
    traces: VecDeque<Box<str>>,
}

impl Chains {
    /// Whether this was the first time within the trace that `agent` instructed `peer`.
    pub(super) fn note(&mut self, trace: &str, agent: &str, peer: &str) -> bool {
        if !self.by_trace.contains_key(trace) {
            if self.traces.len() == TRACES_MAX
                && let Some(oldest) = self.traces.pop_front()
            {
                self.by_trace.remove(&oldest);
            }
            self.traces.push_back(trace.into());
        }
        let instructions = self.by_trace.entry(trace.into()).or_default();
        instructions.len() < INSTRUCTIONS_MAX && instructions.insert((peer.into(), agent.into()))
    }

    /// Who instructed `agent` within the trace.
    fn instructors<'c>(&'c self, trace: &str, agent: &str) -> impl Iterator<Item = &'c str> + use<'c> {
        let from = (Box::from(agent), Box::default());
        let agent: Box<str> = agent.into();
        let found = self.by_trace.get(trace).into_iter().flat_map(move |pairs| pairs.range(from.clone()..));
        found.take_while(move |(peer, _)| *peer == agent).map(|(_, by)| &**by)
    }
}

/// An instruction of the agent: whether whom it instructs stands above it in the chain, or too far below its beginning.
pub(super) fn judge(asked: &Asked<'_>, terms: &Terms, own: &mut Sightings, elsewhere: &Sightings, judgement: &mut Judgement) {
    let (Some(trace), Some(peer)) = (asked.event.trace_id.as_deref(), asked.event.peer_agent_id.as_deref()) else { return };
    let agent = &*asked.event.agent_id;
    // Without declared peers nobody said that the agent instructs others at all.
    if terms.peers.is_none() || !asked.ran() || peer == agent {
        return;
    }
    let above = above(agent, |agent| own.chains().instructors(trace, agent).chain(elsewhere.chains().instructors(trace, agent)));
    let mut raise = |draft: Draft| judgement.violations.push(asked.violation(draft));
    let depth_max = asked.policy.delegation_depth as usize;
    // The agent and its peer, and those above the agent.
    let depth = above.last().map_or(2, |(_, between)| between + 3);
    if above.iter().any(|(other, _)| *other == peer) {
        let chain: Vec<&str> = above.iter().rev().map(|(other, _)| *other).chain([agent]).collect();
        raise(Draft {
            kind: Kind::UnapprovedPeer,
            rule: "delegation_loop".into(),
            title: format!("{} instructed {}, by whom it is instructed itself", shown(agent), shown(peer)),
            field: "peer_agent_id",
            expected: format!("an agent other than {}", listed(&chain)),
            actual: shown(peer),
            normal_if: "no agent of the chain instructed one above it".into(),
        });
    } else if depth > depth_max {
        raise(Draft {
            kind: Kind::UnapprovedPeer,
            rule: "delegation_depth".into(),
            title: format!("{} instructed {} as agent number {depth} in a row", shown(agent), shown(peer)),
            field: "peer_agent_id",
            expected: format!("at most {depth_max} agents, each instructed by the one before"),
            actual: depth.to_string(),
            normal_if: format!("the chain ended after {depth_max} agents"),
        });
    }
    if own.note_instruction(trace, agent, peer) {
        judgement.sightings.push(Sighting::Instruction {
            trace_id: trace.to_owned(),
            agent_id: agent.to_owned(),
            peer_agent_id: peer.to_owned(),
            at: asked.now_ms,
        });
    }
}

/// Every agent above `agent`, nearest first, each with the number of agents between them and once, however many ways lead there.
fn above<'c, I: Iterator<Item = &'c str>>(agent: &str, instructors: impl Fn(&str) -> I) -> Vec<(&'c str, usize)> {
    let mut found: Vec<(&str, usize)> = Vec::new();
    let mut level: Vec<&str> = instructors(agent).collect();
    let mut distance = 0;
    while !level.is_empty() && distance <= 64 {
        let mut next = Vec::new();
        for instructor in level {
            if instructor != agent && found.iter().all(|(other, _)| *other != instructor) {
                found.push((instructor, distance));
                next.extend(instructors(instructor));
            }
        }
        level = next;
        distance += 1;
    }
    found
}
