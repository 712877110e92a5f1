//! What a finding says beside its score: which channels had nothing to go by, and what was denied before it ran.

use gaitkeeper::event::{Action, Event, Status};
use gaitkeeper::finding::Finding;

use crate::campaigns::{Fleet, MISUSE, opened};

#[test]
fn channels_without_their_fields_are_named() {
    let mut fleet = Fleet::trained();
    let found = fleet.session(0, &MISUSE);
    let baseline = opened(&found)[0].baseline.clone().expect("behaviour shows its baseline");
    assert_eq!(baseline.silent, ["duration", "outcome"]);
}

/// The findings of a session of an odd tool with these outcomes.
fn outcomes(statuses: &[Status]) -> Vec<Finding> {
    let mut fleet = Fleet::trained();
    fleet.session(0, &["look-up", "read", "compare", "answer"]);
    let before = fleet.shard.findings.len();
    for (place, status) in statuses.iter().enumerate() {
        let id = format!("odd-{place}");
        let mut event = Event::bare(&id, 3_600_000_000 + i64::try_from(place).unwrap() * 1000, "agent-0", Action::ToolCall);
        event.session_id = Some("odd".into());
        event.task_type = Some("billing".into());
        event.tool = Some("export".into());
        event.target = Some("vault-of-mallory".into());
        event.status = Some(*status);
        fleet.shard.feed(&event);
    }
    fleet.shard.findings[before..].to_vec()
}

#[track_caller]
fn check(statuses: &[Status], expected: bool) {
    let found = outcomes(statuses);
    assert!(!opened(&found).is_empty(), "the odd tool is found");
    let said = found.iter().flat_map(|finding| &finding.reasons).any(|reason| reason.field == "denied_then_ok");
    assert_eq!(said, expected, "{found:?}");
}

#[test]
fn what_ran_after_a_denial_is_said() {
    check(&[Status::Denied, Status::Denied, Status::Ok, Status::Ok], true);
}

#[test]
fn a_denial_that_held_is_not() {
    check(&[Status::Denied, Status::Denied, Status::Denied, Status::Error], false);
    check(&[Status::Ok, Status::Ok, Status::Denied], false);
}
