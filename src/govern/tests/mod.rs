//! Every declared and every identity kind: what raises it, and the near miss that does not.

mod clearance;
mod declared;
mod identity;
mod limits;
mod records;

use super::record;
use super::*;
use crate::config::Policy;
use crate::event::{Origin, decode};
use crate::finding::Kind;

const DAY_MS: i64 = 86_400_000;
/// Before it lies enough time for old credentials.
const START_MS: i64 = 1_767_225_600_000;

fn inventory(yaml: &str) -> Inventory {
    let mut inventory = Inventory::default();
    for placed in record::parse(yaml).unwrap_or_else(|problems| panic!("{problems:?}")) {
        inventory.insert(placed.record);
    }
    inventory
}

/// Events of agent `a`, one a second, each given by its further members; `"ts"` and `"agent_id"` may be among them.
fn records(members: &[&str]) -> Vec<String> {
    let record = |(index, members): (usize, &&str)| {
        let ts = START_MS + 1_000 * i64::try_from(index).unwrap();
        let ts = if members.contains("\"ts\"") { String::new() } else { format!("\"ts\":{ts},") };
        let agent = if members.contains("\"agent_id\"") { "" } else { "\"agent_id\":\"a\"," };
        format!("{{{ts}{agent}{members}}}")
    };
    members.iter().enumerate().map(record).collect()
}

/// What the events raise, one list an event.
fn judgements(policy: Policy, inventory: &Inventory, elsewhere: &Sightings, members: &[&str]) -> Vec<Judgement> {
    let mut judge = Judge::new(policy);
    let mut tables = Tables::default();
    (tables.inventory, tables.sightings) = (inventory.clone(), elsewhere.clone());
    let mut states = std::collections::BTreeMap::<String, AgentState>::new();
    let mut now_ms = 0;
    let judged = |record: &String| {
        let event = decode(record.as_bytes(), Origin { partition: 0, offset: 0 }).unwrap_or_else(|error| panic!("{record}: {error}")).event;
        let event = crate::event::Event { event_id: record.clone().into(), ..event };
        now_ms = event.ts.max(now_ms);
        let mut judgement = Judgement::default();
        let state = states.entry(event.agent_id.to_string()).or_default();
        judge.judge(&event, now_ms, state, &tables, &mut judgement);
        judgement
    };
    records(members).iter().map(judged).collect()
}

/// The kinds that the last of the events raises.
#[track_caller]
fn check(yaml: &str, members: &[&str], expected: &[Kind]) {
    check_with(Policy::default(), yaml, members, expected);
}

#[track_caller]
fn check_with(policy: Policy, yaml: &str, members: &[&str], expected: &[Kind]) {
    let judgements = judgements(policy, &inventory(yaml), &Sightings::default(), members);
    let last = judgements.last().unwrap();
    let kinds: Vec<Kind> = last.violations.iter().map(|violation| violation.kind).collect();
    assert_eq!(kinds, expected, "{members:?}: {:#?}", last.violations);
}

/// The one violation of the last event.
#[track_caller]
fn only_violation(yaml: &str, members: &[&str]) -> Violation {
    let last = judgements(Policy::default(), &inventory(yaml), &Sightings::default(), members).pop().unwrap();
    assert_eq!(last.violations.len(), 1, "{:#?}", last.violations);
    last.violations.into_iter().next().unwrap()
}
