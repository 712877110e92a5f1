//! Puts one attack into an ordinary session and nothing else, so that a detector's miss has one cause.

use std::ops::Range;
use std::sync::Arc;

use rand::{Rng, RngExt};

use super::attack::{Attack, Change};
use super::draw;
use super::run::{Call, REFUND_LIMIT_CENTS, Run};
use super::world::{REFUND_TOOL, World};
use crate::event::Status;

impl Attack {
    /// The session with the attack in it, as the `nth` session of the attack (from 0). `None` when it does not apply: too
    /// short to reorder, no refunds in this kind of work, no other kind of work.
    pub fn plant<R: Rng>(&self, world: &World, run: &Run, nth: u32, rng: &mut R) -> Option<Run> {
        let mut calls = run.calls.clone();
        let onset = rng.random_range(0..calls.len());
        let agent = run.agent;
        let applied = match self.change {
            Change::Volume { factor, all } => {
                let factor = between(factor, rng);
                let touched = touched(&calls, onset, all);
                multiply(&mut calls[touched], factor, 1.0)
            }
            Change::Duration { factor, all } => {
                let factor = between(factor, rng);
                let touched = touched(&calls, onset, all);
                multiply(&mut calls[touched], 1.0, factor)
            }
            Change::Drip { factor, .. } => {
                let sessions = i32::try_from(nth).map_or(i32::MAX, |nth| nth.saturating_add(1));
                multiply(&mut calls, factor.powi(sessions), 1.0)
            }
            Change::Reorder => reorder(&mut calls, rng),
            Change::UnseenTool => {
                let tool = format!("debug_shell_{}", rng.random_range(0..1000)).into();
                let template = calls[onset].clone();
                insert(&mut calls, onset + 1, Call { tool, ..template })
            }
            Change::OtherTaskTool => insert_foreign_tool(world, agent, &mut calls, onset, rng),
            Change::NewDestination => redirect(&mut calls, onset, rng),
            Change::OtherTaskTarget => act_on_foreign_target(world, agent, &mut calls[onset], rng),
            Change::OtherTaskIdentity => swap(world, agent, &mut calls, false, rng),
            Change::SameTaskIdentity => swap(world, agent, &mut calls, true, rng),
            Change::Burst { calls: (least, most) } => {
                let count = rng.random_range(least..=most);
                repeat(&mut calls, onset, count, rng)
            }
            Change::Extra(count) => repeat_elsewhere(&mut calls, &run.calls, count, rng),
            Change::Mimicry => mimic(world, agent, &mut calls, rng),
            Change::Probe(count) => probe(&mut calls, &run.calls, onset, count, rng),
            Change::RefundSplit => split_refund(world, agent, &mut calls, onset, rng),
        };
        applied.then_some(Run { agent, calls, attack: Some(self.name) })
    }
}

fn between<R: Rng>((least, most): (f64, f64), rng: &mut R) -> f64 {
    if least < most { draw::log_uniform(rng, least, most) } else { least }
}

fn touched(calls: &[Call], onset: usize, all: bool) -> Range<usize> {
    if all { 0..calls.len() } else { onset..onset + 1 }
}

fn multiply(calls: &mut [Call], bytes: f64, duration: f64) -> bool {
    for call in calls {
        call.bytes_out = draw::whole((call.bytes_out as f64 * bytes).round());
        call.duration_ms = (call.duration_ms * duration * 10.0).round() / 10.0;
        call.planted = true;
    }
    true
}

fn insert(calls: &mut Vec<Call>, place: usize, call: Call) -> bool {
    calls.insert(place, Call { planted: true, ..call });
    true
}

fn redirect<R: Rng>(calls: &mut [Call], onset: usize, rng: &mut R) -> bool {
    let sending: Vec<usize> = (0..calls.len()).filter(|&index| calls[index].destination.is_some()).collect();
    let index = draw::one_of(rng, &sending).copied().unwrap_or(onset);
    calls[index].destination = Some(format!("drop-{:06x}.example", rng.random_range(0..0x0100_0000)).into());
    calls[index].planted = true;
    true
}

/// The call at `onset` again and again, faster than anyone works.
fn repeat<R: Rng>(calls: &mut Vec<Call>, onset: usize, count: usize, rng: &mut R) -> bool {
    let repeated = calls[onset].clone();
    for _ in 0..count {
        let gap_ms = rng.random_range(20..200);
        insert(calls, onset + 1, Call { gap_ms, ..repeated.clone() });
    }
    true
}

fn repeat_elsewhere<R: Rng>(calls: &mut Vec<Call>, ordinary: &[Call], count: usize, rng: &mut R) -> bool {
    for _ in 0..count {
        let copied = ordinary[rng.random_range(0..ordinary.len())].clone();
        let place = rng.random_range(0..=calls.len());
        insert(calls, place, copied);
    }
    true
}

fn probe<R: Rng>(calls: &mut Vec<Call>, ordinary: &[Call], onset: usize, count: usize, rng: &mut R) -> bool {
    for attempt in 0..count {
        let template = ordinary[rng.random_range(0..ordinary.len())].clone();
        insert(calls, onset + 1 + attempt, Call { status: Status::Denied, bytes_in: template.bytes_in.map(|_| 0), ..template });
    }
    true
}

/// Shuffles until the order of tools is another one; the first change is the onset.
fn reorder<R: Rng>(calls: &mut [Call], rng: &mut R) -> bool {
    /// Below this many calls an order hardly exists.
    const CALLS_MIN: usize = 4;
    let tools: Vec<Arc<str>> = calls.iter().map(|call| call.tool.clone()).collect();
    if calls.len() < CALLS_MIN || tools.iter().all(|tool| *tool == tools[0]) {
        return false;
    }
    let first = loop {
        draw::shuffle(rng, calls);
        if let Some(first) = (0..calls.len()).find(|&index| calls[index].tool != tools[index]) {
            break first;
        }
    };
    for call in &mut calls[first..] {
        call.planted = true;
    }
    true
}

/// Agents of the same kind of work, or of the others.
fn colleagues(world: &World, agent: usize, same_task: bool) -> Vec<usize> {
    let task_type = world.agents[agent].task_type;
    (0..world.agents.len()).filter(|&other| other != agent && (world.agents[other].task_type == task_type) == same_task).collect()
}

fn swap<R: Rng>(world: &World, agent: usize, calls: &mut Vec<Call>, same_task: bool, rng: &mut R) -> bool {
    let candidates = colleagues(world, agent, same_task);
    let Some(&impostor) = draw::one_of(rng, &candidates) else { return false };
    let principal = calls[0].on_behalf_of.clone();
    *calls = world.run(impostor, rng).calls;
    for call in calls {
        call.on_behalf_of.clone_from(&principal);
        call.planted = true;
    }
    true
}

/// A call by an agent of another kind of work, with a tool that this agent's kind does not use.
fn foreign_call<R: Rng>(world: &World, agent: usize, rng: &mut R) -> Option<Call> {
    let own: Vec<usize> = world.task_of(agent).steps.iter().map(|step| step.tool).collect();
    let mut foreign = Vec::new();
    for other in colleagues(world, agent, false) {
        for (index, step) in world.task_of(other).steps.iter().enumerate() {
            if !own.contains(&step.tool) {
                foreign.push((other, index));
            }
        }
    }
    draw::one_of(rng, &foreign).map(|&(other, step)| world.call(other, step, rng))
}

fn insert_foreign_tool<R: Rng>(world: &World, agent: usize, calls: &mut Vec<Call>, onset: usize, rng: &mut R) -> bool {
    let Some(mut call) = foreign_call(world, agent, rng) else { return false };
    call.on_behalf_of.clone_from(&calls[onset].on_behalf_of);
    insert(calls, onset + 1, call)
}

fn act_on_foreign_target<R: Rng>(world: &World, agent: usize, call: &mut Call, rng: &mut R) -> bool {
    let Some(foreign) = foreign_call(world, agent, rng) else { return false };
    call.target = foreign.target;
    call.planted = true;
    true
}

/// Draws as many calls as the session has, each by the agent's own usage and none with a view to the one before.
fn mimic<R: Rng>(world: &World, agent: usize, calls: &mut [Call], rng: &mut R) -> bool {
    /// Enough ordinary sessions for their calls to show the usual shares.
    const SESSIONS: usize = 20;
    let usual: Vec<Call> = (0..SESSIONS).flat_map(|_| world.run(agent, rng).calls).collect();
    let principal = calls[0].on_behalf_of.clone();
    for call in calls {
        *call = usual[rng.random_range(0..usual.len())].clone();
        call.on_behalf_of.clone_from(&principal);
        call.planted = true;
    }
    true
}

fn split_refund<R: Rng>(world: &World, agent: usize, calls: &mut Vec<Call>, onset: usize, rng: &mut R) -> bool {
    let Some(step) = world.task_of(agent).steps.iter().position(|step| step.tool == REFUND_TOOL) else { return false };
    let principal = calls[onset].on_behalf_of.clone();
    for part in 0..rng.random_range(3..=6) {
        let mut refund = world.call(agent, step, rng);
        refund.on_behalf_of.clone_from(&principal);
        refund.status = Status::Ok;
        refund.amount_cents = Some(rng.random_range(REFUND_LIMIT_CENTS * 91 / 100..=REFUND_LIMIT_CENTS));
        insert(calls, onset + 1 + part, refund);
    }
    true
}
