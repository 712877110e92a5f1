//! Verdicts of analysts and declared changes, as their topics bring them.

use gaitkeeper::engine::Output;
use gaitkeeper::finding::{Activity, Finding, Kind};
use gaitkeeper::govern::control::ControlRecord;

use crate::campaigns::{Fleet, MISUSE, opened};

fn control(fleet: &mut Fleet, line: &str) -> Vec<Finding> {
    let record = ControlRecord::from_line(line.as_bytes()).expect("a control record");
    let mut outputs = Vec::new();
    fleet.shard.engine.on_control(&record, &gaitkeeper::govern::Tables::default(), &mut outputs);
    outputs.into_iter().filter_map(|output| if let Output::Finding(finding) = output { Some(*finding) } else { None }).collect()
}

fn verdict(fleet: &mut Fleet, finding: &Finding, disposition: &str) -> Vec<Finding> {
    let id = &finding.finding_id;
    let line = format!(
        r#"{{"topic":"agent-feedback","ts":1767225600000,"key":"{id}","value":{{"finding_id":"{id}","disposition":"{disposition}","by":"eve"}}}}"#
    );
    control(fleet, &line)
}

/// Misuse is found; its session closes and gets the verdict. Returns what the verdict published, and what the same again publishes.
fn judged(disposition: &str) -> (Fleet, Vec<Finding>, Vec<Finding>) {
    let mut fleet = Fleet::trained();
    let found = fleet.session(0, &MISUSE);
    let finding = opened(&found)[0].clone();
    fleet.session(0, &["look-up", "read", "compare", "answer"]);
    let published = verdict(&mut fleet, &finding, disposition);
    let again = fleet.session(0, &MISUSE);
    (fleet, published, again)
}

#[test]
fn a_false_positive_closes_its_finding_and_is_learned() {
    let (fleet, published, again) = judged("false_positive");
    assert!(published.iter().any(|finding| finding.activity == Activity::Close), "{published:?}");
    assert!(fleet.shard.engine.detector().learning.pins.is_empty(), "its facts are free again");
    assert!(opened(&again).iter().all(|finding| finding.kind != Kind::Novelty), "the same again is ordinary: {again:?}");
}

#[test]
fn a_benign_true_positive_is_neither_learned_nor_held_against() {
    let (fleet, published, _) = judged("benign_true_positive");
    assert!(published.iter().any(|finding| finding.activity == Activity::Close), "{published:?}");
    assert!(fleet.shard.engine.detector().learning.pins.is_empty());
}

#[test]
fn a_true_positive_stays_open_and_its_repeats_join() {
    let (fleet, published, again) = judged("true_positive");
    assert!(published.is_empty(), "{published:?}");
    assert!(!fleet.shard.engine.detector().learning.pins.is_empty());
    assert!(again.iter().any(|finding| finding.activity == Activity::Update), "{again:?}");
}

#[test]
fn a_verdict_on_what_nobody_knows_changes_nothing() {
    let mut fleet = Fleet::trained();
    let line = r#"{"topic":"agent-feedback","ts":1767225600000,"key":"f","value":{"finding_id":"f","disposition":"true_positive"}}"#;
    assert!(control(&mut fleet, line).is_empty());
}

#[test]
fn a_change_that_nobody_approved_is_a_finding_once() {
    let mut fleet = Fleet::trained();
    let change = |approved: &str| {
        format!(
            r#"{{"topic":"agent-changes","ts":1000,"key":"agent-1","value":{{"agent_id":"agent-1","kind":"prompt","at":1000{approved}}}}}"#
        )
    };
    let raised = control(&mut fleet, &change(""));
    assert_eq!(raised.iter().map(|finding| finding.kind).collect::<Vec<_>>(), [Kind::DriftAttributed]);
    assert!(control(&mut fleet, &change("")).is_empty(), "the same record again");
    assert!(control(&mut fleet, &change(r#","approved_by":"eve""#)).is_empty());
}
