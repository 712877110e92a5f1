//! The command on small streams with known answers.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Ordinary sessions of two agents, one a minute; from session 40 on every fifth one ends in a foreign tool with a large upload.
fn stream() -> String {
    let mut lines = String::new();
    for session in 0..80 {
        let misuse = session >= 40 && session % 5 == 0;
        let begin = 1_736_150_400_000_i64 + session * 60_000;
        let agent = session % 2;
        let mut line = |step: i64, tool: &str, bytes: i64, label: u8| {
            let attack = if misuse { "\"upload\"" } else { "null" };
            writeln!(
                lines,
                "{{\"ts\":{},\"agent_id\":\"agent-{agent}\",\"session_id\":\"s{session}\",\"task_type\":\"office\",\"tool\":\"{tool}\",\
                 \"bytes_out\":{bytes},\"label\":{label},\"session_label\":{},\"attack\":{attack}}}",
                begin + step * 1000,
                u8::from(misuse),
            )
            .expect("writing to a string does not fail");
        };
        line(0, "search", 100 + session, 0);
        line(1, "read", 200 + session, 0);
        if misuse {
            line(2, "upload", 9_000_000, 1);
        }
    }
    lines
}

const TRAIN_END: &str = "2025-01-06T08:39:30Z";

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path
}

fn gaitkeeper(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gaitkeeper")).arg("evaluate").args(arguments).output().expect("it runs")
}

#[test]
fn every_mode_and_every_peer_has_its_figures() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = write(folder.path(), "world.jsonl", &stream());
    let json = folder.path().join("out.json");
    let run = gaitkeeper(&[
        file.to_str().expect("UTF-8"),
        "--train-until",
        TRAIN_END,
        "--compare",
        "peers",
        "--draws",
        "50",
        "--json",
        json.to_str().expect("UTF-8"),
    ]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let figures: Value = serde_json::from_slice(&std::fs::read(&json).expect("written")).expect("JSON");
    assert_eq!(figures["counts"]["training_sessions"], 40);
    assert_eq!(figures["counts"]["test_sessions"], 40);
    assert_eq!(figures["counts"]["attack_sessions"], 8);
    let detectors = figures["detectors"].as_array().expect("a list");
    let names: Vec<&str> = detectors.iter().filter_map(|detector| detector["name"].as_str()).collect();
    assert_eq!(names[..4], ["frozen", "live", "triage", "stide-3"]);
    assert_eq!(names.len(), 11);
    for detector in detectors {
        assert_eq!(detector["sessions"]["attacks"], 8, "{detector}");
        if detector["name"] == "markov-1" {
            assert_eq!(detector["sessions"]["roc_auc"]["value"], 1.0, "the foreign tool is the only new transition");
        }
        if detector["name"] == "robust-z" {
            assert_eq!(detector["sessions"]["benign"], 32);
        }
    }
    assert_eq!(figures["differences"].as_array().map(Vec::len), Some(24));
    let table = String::from_utf8(run.stdout).expect("UTF-8");
    assert!(table.contains("80 sessions (40 to learn from, 40 to test, 8 of these with misuse)"), "{table}");
}

#[test]
fn the_description_beside_the_file_says_when_training_ends() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = write(folder.path(), "world.jsonl", &stream());
    write(folder.path(), "world.meta.json", &format!("{{\"train_end_ts\": \"{TRAIN_END}\"}}"));
    let run = gaitkeeper(&[file.to_str().expect("UTF-8"), "--mode", "frozen", "--draws", "10"]);
    assert!(run.status.success());
    assert!(String::from_utf8_lossy(&run.stderr).contains("world.meta.json"));
    assert!(String::from_utf8_lossy(&run.stdout).contains("40 to learn from"));
}

#[test]
fn two_evaluations_write_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = write(folder.path(), "world.jsonl", &stream());
    let once = || gaitkeeper(&[file.to_str().expect("UTF-8"), "--train-until", TRAIN_END, "--compare", "peers", "--json", "-"]).stdout;
    assert_eq!(once(), once());
}

#[test]
fn without_a_training_stretch_everything_is_scored_live() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = write(folder.path(), "world.jsonl", &stream());
    let run = gaitkeeper(&[file.to_str().expect("UTF-8"), "--draws", "10"]);
    assert!(run.status.success());
    assert!(String::from_utf8_lossy(&run.stdout).contains("0 to learn from, 80 to test"));
    let frozen = gaitkeeper(&[file.to_str().expect("UTF-8"), "--mode", "frozen"]);
    assert_eq!(frozen.status.code(), Some(2));
}

#[test]
fn what_is_no_stream_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let empty = write(folder.path(), "empty.jsonl", "");
    assert_eq!(gaitkeeper(&[empty.to_str().expect("UTF-8")]).status.code(), Some(2));
    assert_eq!(gaitkeeper(&["no-such-file.jsonl"]).status.code(), Some(3));
    assert_eq!(gaitkeeper(&[empty.to_str().expect("UTF-8"), "--budget", "7"]).status.code(), Some(2));
}
