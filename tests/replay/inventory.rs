//! `gaitkeeper inventory` and `--control` as their users call them.

use std::fs;
use std::path::Path;

use super::command::gaitkeeper;

const EXAMPLE: &str = include_str!("../../fixtures/inventory/release-assistant.yaml");

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn check_accepts_the_example_and_points_at_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fine = write(folder.path(), "fine.yaml", EXAMPLE);
    let outcome = gaitkeeper(&["inventory", "check", &fine], b"");
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), "1 records are fine, 0 of them drafts\n"), "{}", outcome.stderr);
    let wrong = write(folder.path(), "wrong.yaml", &EXAMPLE.replace("quarterly", "often").replace("change_permissions", "read_ci_status"));
    let outcome = gaitkeeper(&["inventory", "check", &fine, &wrong], b"");
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stderr.contains("wrong.yaml:6:1: `read_ci_status` is both in allowed_actions and in forbidden_actions"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("wrong.yaml:8:1: `review_cycle` is \"often\""), "{}", outcome.stderr);
    let again = write(folder.path(), "again.yaml", EXAMPLE);
    let outcome = gaitkeeper(&["inventory", "check", &fine, &again], b"");
    assert!(outcome.code == Some(1) && outcome.stderr.contains("is declared in"), "{}", outcome.stderr);
}

#[test]
fn a_draft_of_a_stream_once_ratified_finds_nothing_in_that_stream() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stream = folder.path().join("stream.jsonl");
    let stream = stream.to_str().expect("UTF-8");
    let outcome = gaitkeeper(&["generate", "--agents", "4", "--sessions", "20", "--attacks", "none", "--out", stream], b"");
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let drafted = gaitkeeper(&["inventory", "draft", stream], b"");
    assert!(drafted.code == Some(0) && drafted.stdout.contains("draft: true"), "{}", drafted.stderr);
    let ratified = write(folder.path(), "ratified.yaml", &drafted.stdout.replace("draft: true", "owner: somebody"));
    let kinds = |control: &str| {
        let outcome = gaitkeeper(&["replay", stream, "--control", control, "--findings", "-"], b"");
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        outcome.stdout.lines().filter(|line| line.contains("\"kind\":\"outside_contract\"")).count()
    };
    assert_eq!(kinds(&ratified), 0);
    let narrow = write(folder.path(), "narrow.yaml", &drafted.stdout.replace("draft: true", "systems: []"));
    assert!(kinds(&narrow) > 0, "no tool server is allowed");
    let report = gaitkeeper(&["inventory", "report", &ratified, "--stream", stream, "--format", "json"], b"");
    let rows: serde_json::Value = serde_json::from_str(&report.stdout).expect("JSON");
    assert_eq!(rows.as_array().map(Vec::len), Some(4));
    assert!(rows[0]["unused_grants"].as_array().is_some_and(Vec::is_empty), "{}", rows[0]);
}

#[test]
fn control_records_that_cannot_be_used_are_told_and_bad_yaml_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lines = write(folder.path(), "lines.jsonl", "{\"topic\":\"agent-states\"}\n");
    let outcome = gaitkeeper(&["replay", "-", "--control", &lines, "--findings", "-"], b"");
    assert!(outcome.code == Some(0) && outcome.stderr.contains("rejected as control: 1 records"), "{}", outcome.stderr);
    let yaml = write(folder.path(), "bad.yaml", "agent: a\nstatus: gone\n");
    assert_eq!(gaitkeeper(&["replay", "-", "--control", &yaml], b"").code, Some(2));
    assert_eq!(gaitkeeper(&["replay", "-", "--control", "/nonexistent.yaml"], b"").code, Some(3));
}
