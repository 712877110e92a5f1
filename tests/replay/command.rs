//! Files in, lines and exit codes out.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a call of the program left behind.
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

pub fn gaitkeeper(args: &[&str], stdin: &[u8]) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gaitkeeper"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut pipe = child.stdin.take().expect("piped");
    let output = std::thread::scope(|scope| {
        // Beside the reading, or both sides wait for each other. A program that refuses its arguments does not read its input.
        scope.spawn(move || drop(pipe.write_all(stdin)));
        child.wait_with_output().expect("the program ends")
    });
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// A folder with a small generated stream in it.
fn stream(options: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("stream.jsonl");
    let mut args = vec!["generate", "--agents", "6", "--sessions", "30", "--out", path.to_str().expect("UTF-8")];
    args.extend(options);
    let outcome = gaitkeeper(&args, b"");
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    (folder, path)
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).expect("written").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn every_event_has_a_line_in_order_and_every_session_one_more() {
    let (folder, path) = stream(&[]);
    let scores = folder.path().join("scores.jsonl");
    let outcome = gaitkeeper(&["replay", path.to_str().expect("UTF-8"), "--scores", scores.to_str().expect("UTF-8")], b"");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""), "{}", outcome.stderr);
    let events = lines(&path);
    let (closed, answers): (Vec<Value>, Vec<Value>) = lines(&scores).into_iter().partition(|line| line.get("session_end").is_some());
    assert_eq!(answers.len(), events.len());
    for (line, event) in answers.iter().zip(&events) {
        for field in ["event_id", "ts", "agent_id", "session_id"] {
            assert_eq!(line[field], event[field], "{line}");
        }
        assert!(["scored", "learning", "unscorable"].contains(&line["state"].as_str().expect("a word")), "{line}");
    }
    for line in &closed {
        assert!(line["session_score"].as_f64().expect("a number") >= 0.0, "{line}");
    }
}

#[test]
fn a_second_run_and_one_without_ground_truth_give_the_same_bytes() {
    let (folder, path) = stream(&["--attack-rate", "0.2", "--learn-sessions", "15"]);
    let plain = folder.path().join("plain.jsonl");
    let mut stripped = Vec::new();
    for mut event in lines(&path) {
        let members = event.as_object_mut().expect("an event");
        for field in ["label", "session_label", "attack"] {
            assert!(members.remove(field).is_some());
        }
        writeln!(stripped, "{event}").expect("memory");
    }
    fs::write(&plain, stripped).expect("written");
    let run = |path: &Path| {
        let [scores, findings, step_ups] = ["s", "f", "u"].map(|name| folder.path().join(name));
        let args: Vec<&str> = [path, &scores, &findings, &step_ups].map(|path| path.to_str().expect("UTF-8")).to_vec();
        let outcome = gaitkeeper(&["replay", args[0], "--scores", args[1], "--findings", args[2], "--step-ups", args[3]], b"");
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        [scores, findings, step_ups].map(|path| fs::read(path).expect("always created"))
    };
    let first = run(&path);
    assert!(first == run(&path), "a second run differs");
    assert!(first == run(&plain), "labels change something");
}

#[test]
fn several_files_compression_and_standard_input_are_one_stream() {
    let (folder, path) = stream(&[]);
    let whole = fs::read(&path).expect("written");
    let cut = whole.len() / 2 + whole[whole.len() / 2..].iter().position(|byte| *byte == b'\n').expect("a line ends") + 1;
    let first = folder.path().join("first");
    fs::write(&first, zstd::encode_all(&whole[..cut], 3).expect("memory")).expect("written");
    let scores = |args: &[&str], stdin: &[u8]| {
        let outcome = gaitkeeper(&[&["replay", "--scores", "-"], args].concat(), stdin);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        outcome.stdout
    };
    let at_once = scores(&[path.to_str().expect("UTF-8")], b"");
    assert!(at_once == scores(&[first.to_str().expect("UTF-8"), "-"], &whole[cut..]));
}

#[test]
fn refused_records_count_as_offsets_have_no_line_and_are_summed_up() {
    let input = concat!(
        "{\"ts\":1700000000000,\"agent_id\":\"a\",\"tool\":\"t\"}\n",
        "not JSON\n",
        "{\"ts\":1700000001000,\"agent_id\":\"a\"}\n",
        "{\"ts\":1700000002000,\"agent_id\":\"a\",\"tool\":\"t\"}\n",
    );
    let outcome = gaitkeeper(&["replay", "-", "--scores", "-", "--partition", "3"], input.as_bytes());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let ids: Vec<String> = outcome
        .stdout
        .lines()
        .filter_map(|line| {
            serde_json::from_str::<Value>(line).expect("JSON").get("event_id").map(|id| id.as_str().expect("text").to_owned())
        })
        .collect();
    assert_eq!(ids, ["3-0", "3-3"]);
    assert!(outcome.stderr.contains("malformed_json: 1 records, first -:2: "), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("missing_field: 1 records, first -:3: "), "{}", outcome.stderr);
}

/// Replays nothing against `expectations`; also returns the `JUnit` report.
fn expect(expectations: &str) -> (Outcome, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [file, junit] = ["expect.toml", "junit.xml"].map(|name| folder.path().join(name));
    fs::write(&file, expectations).expect("written");
    let args = [&file, &junit].map(|path| path.to_str().expect("UTF-8"));
    let outcome = gaitkeeper(&["replay", "-", "--findings", "/dev/null", "--expect", args[0], "--junit", args[1]], b"");
    (outcome, fs::read_to_string(junit).unwrap_or_default())
}

#[test]
fn expectations_decide_the_exit_code() {
    let (met, report) = expect("[[expect]]\nkind = 'volume'\nexactly = 0\n");
    assert_eq!(met.code, Some(0), "{}", met.stderr);
    assert!(report.contains(r#"tests="1" failures="0""#), "{report}");
    let (missed, report) = expect("[[expect]]\nkind = 'volume'\nat_least = 1\n");
    assert_eq!(missed.code, Some(1), "{}", missed.stderr);
    assert!(missed.stderr.contains("FAILED volume: at least 1"), "{}", missed.stderr);
    assert!(report.contains(r#"tests="1" failures="1""#), "{report}");
    let (broken, _) = expect("[[expect]]\nkind = 'volumes'\nat_least = 1\n");
    assert_eq!(broken.code, Some(2), "{}", broken.stderr);
}

/// The exit code of a call, with nothing on standard input.
#[track_caller]
fn check_exit(args: &[&str], code: i32) {
    let outcome = gaitkeeper(args, b"");
    assert_eq!(outcome.code, Some(code), "{args:?}: {}", outcome.stderr);
}

#[test]
fn exit_codes_tell_usage_from_input_and_output() {
    check_exit(&["replay", "-"], 0);
    check_exit(&["replay"], 2);
    check_exit(&["replay", "-", "--learn-until", "yesterday"], 2);
    check_exit(&["replay", "-", "--scores", "-", "--findings", "-"], 2);
    check_exit(&["replay", "-", "--scores", "/dev/null", "--findings", "/dev/null", "--step-ups", "/dev/null"], 0);
    check_exit(&["replay", "/nonexistent.jsonl"], 3);
    check_exit(&["replay", "-", "--scores", "/nonexistent/scores"], 3);
    check_exit(&["replay", "-", "--expect", "/nonexistent/expect.toml"], 3);
}

#[test]
fn an_input_is_never_overwritten() {
    let (_folder, path) = stream(&[]);
    let path = path.to_str().expect("UTF-8");
    let before = fs::read(path).expect("written");
    check_exit(&["replay", path, "--scores", path], 2);
    assert!(before == fs::read(path).expect("still there"));
}

/// A linker may drop a setting that nobody names.
#[test]
fn the_allocator_is_told_to_use_large_pages() {
    let output = Command::new(env!("CARGO_BIN_EXE_gaitkeeper")).arg("--version").env("_RJEM_MALLOC_CONF", "stats_print:true").output();
    let said = String::from_utf8(output.expect("the program starts").stderr).expect("UTF-8");
    assert!(said.contains("Global variable malloc_conf: \"thp:always"), "{said}");
}
