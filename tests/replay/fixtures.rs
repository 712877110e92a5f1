//! Every kind of finding on a small stream: the misuse is found as that kind, its near miss stays quiet.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::slice::from_ref;

use gaitkeeper::config::EngineConfig;
use gaitkeeper::engine::{EventScore, SessionEnd, Shard};
use gaitkeeper::event::Event;
use gaitkeeper::finding::{Finding, Kind, StepUpRequest};
use gaitkeeper::workbench::control_files::ControlFiles;
use gaitkeeper::workbench::expectation::{Expectations, Seen};
use gaitkeeper::workbench::recording::Recording;
use gaitkeeper::workbench::replay::{Plan, Sink, replay};

#[derive(Default)]
struct Findings(Seen);

impl Sink for Findings {
    fn score(&mut self, _: &Event<'_>, _: &EventScore) -> io::Result<()> {
        Ok(())
    }

    fn session_end(&mut self, _: &SessionEnd) -> io::Result<()> {
        Ok(())
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        self.0.note(finding);
        Ok(())
    }

    fn step_up(&mut self, _: &StepUpRequest) -> io::Result<()> {
        Ok(())
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Replays the ordinary stream and `<name>.jsonl` behind it against `<name>.expect.toml`.
#[track_caller]
fn check(name: &str) {
    let files = [folder().join("ordinary.jsonl.zst"), folder().join(format!("{name}.jsonl"))];
    let failures = failures(&files, &[], &folder().join(format!("{name}.expect.toml")));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Replays the files with their control files; says which expectations are not met.
fn failures(files: &[PathBuf], control: &[PathBuf], expect: &Path) -> Vec<String> {
    let text = fs::read_to_string(expect).expect("expectations");
    let expectations = Expectations::read(&text).expect("valid expectations");
    let mut recording = Recording::open(files).expect("streams");
    let control = ControlFiles::read(control).unwrap_or_else(|error| panic!("{error}"));
    let plan = Plan { shard: Shard { partition: 0, partitions: 1 }, learn_until: None, seal_at: None };
    let mut findings = Findings::default();
    let summary = replay(&mut recording, control, &EngineConfig::default(), plan, &mut findings).expect("readable");
    let rejected = summary.rejected.keys().filter(|reason| **reason != "control").count();
    assert_eq!(rejected, 0, "{:?}", summary.rejected);
    let verdicts = expectations.judge(&findings.0).into_iter();
    verdicts.filter_map(|verdict| verdict.failure.map(|failure| format!("{}: {failure}", verdict.name))).collect()
}

#[test]
fn every_declared_and_every_identity_kind_is_found_and_its_near_misses_are_not() {
    let folder = folder().join("declared");
    let declared = Kind::ALL.into_iter().filter(|kind| (Kind::ForbiddenAction..=Kind::CredentialUnknown).contains(kind));
    let mut wrong = Vec::new();
    let mut expected = BTreeSet::new();
    for name in declared.map(Kind::as_str) {
        let beside = |suffix: &str| folder.join(format!("{name}.{suffix}"));
        let control = ["control.yaml", "control.jsonl"].map(beside).into_iter().find(|path| path.exists()).expect("control records");
        expected.extend([beside("jsonl"), beside("expect.toml"), control.clone()]);
        let failed = failures(&[beside("jsonl")], &[control], &beside("expect.toml"));
        wrong.extend(failed.into_iter().map(|failure| format!("{name}: {failure}")));
        // Without the inventory no declared rule is active.
        let text = fs::read_to_string(beside("expect.toml")).expect("expectations");
        assert!(text.contains("near-miss") && text.contains("exactly = 0"), "{name} has no near miss");
        assert!(!failures(&[beside("jsonl")], &[], &beside("expect.toml")).is_empty(), "{name} is met without an inventory");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let found: BTreeSet<PathBuf> = fs::read_dir(&folder).expect("fixtures").map(|entry| entry.expect("readable").path()).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_kind_about_answers_and_enforcement_is_found_and_its_near_miss_is_not() {
    let folder = folder().join("response");
    let mut expected = BTreeSet::new();
    let mut wrong = Vec::new();
    for name in Kind::ALL.into_iter().filter(|kind| kind.is_response()).map(Kind::as_str) {
        let beside = |suffix: &str| folder.join(format!("{name}.{suffix}"));
        let [events, control, expect] = ["jsonl", "control.jsonl", "expect.toml"].map(beside);
        let text = fs::read_to_string(&expect).expect("expectations");
        assert!(text.contains("near-miss") && text.contains("exactly = 0"), "{name} has no near miss");
        let failed = failures(from_ref(&events), from_ref(&control), &expect);
        wrong.extend(failed.into_iter().map(|failure| format!("{name}: {failure}")));
        // Without what was declared, answered and set there is nothing to hold an action against.
        assert!(!failures(from_ref(&events), &[], &expect).is_empty(), "{name} is met without control records");
        expected.extend([events, control, expect]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let found: BTreeSet<PathBuf> = fs::read_dir(&folder).expect("fixtures").map(|entry| entry.expect("readable").path()).collect();
    assert_eq!(found, expected);
}

#[test]
fn unusual_order_is_a_sequence_finding() {
    check("sequence");
}

#[test]
fn a_bulk_transfer_is_a_volume_finding() {
    check("volume");
}

#[test]
fn calls_that_take_far_too_long_are_a_duration_finding() {
    check("duration");
}

#[test]
fn a_loop_is_a_cadence_finding() {
    check("cadence");
}

#[test]
fn a_destination_nobody_used_is_a_novelty_finding() {
    check("novelty");
}

#[test]
fn one_refusal_after_the_other_is_an_outcome_finding() {
    check("outcome");
}

#[test]
fn a_session_far_too_long_is_a_session_finding() {
    check("session");
}

#[test]
fn sizes_that_walk_away_are_a_drift_finding() {
    check("drift_unexplained");
}

#[test]
fn sizes_that_walk_away_after_a_release_are_put_down_to_it() {
    check("drift_attributed");
}

#[test]
fn every_fixture_has_its_expectations_and_its_test() {
    let names = |suffix: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(folder()).expect("fixtures");
        let names = entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"));
        names.filter_map(|name| name.strip_suffix(suffix).map(str::to_owned)).collect()
    };
    let tested = ["cadence", "drift_attributed", "drift_unexplained", "duration", "novelty", "outcome", "sequence", "session", "volume"]
        .map(str::to_owned);
    assert_eq!(names(".jsonl"), BTreeSet::from(tested.clone()));
    assert_eq!(names(".expect.toml"), BTreeSet::from(tested));
}
