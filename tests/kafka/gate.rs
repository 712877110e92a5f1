//! The enforcement points of `fixtures/enforcement`, in Rust and in Python: an action runs when it may and not otherwise, and what
//! was done is known afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use serde_json::{Value, json};

use crate::broker::Broker;
use crate::stepup::{AGENT, Office, PRINCIPAL, refund};

#[path = "../../fixtures/enforcement/gate.rs"]
#[expect(dead_code, reason = "the test calls what `main` calls")]
mod example;

/// An enforcement point: what it says of an action that it may hold for so many seconds.
type Attend<'g> = &'g (dyn Fn(&Office, &Value, u32) -> String + Sync);

fn said(is_allowed: bool, request: Option<String>) -> String {
    let word = if is_allowed { "allowed" } else { "denied" };
    request.map_or_else(|| word.to_owned(), |request| format!("{word} {request}"))
}

fn in_rust(office: &Office, event: &Value, seconds: u32) -> String {
    let kafka = &office.stand.config.kafka;
    let gate = example::Gate::connect(&kafka.brokers, &kafka.topic_prefix).expect("the broker answers");
    let (mut has_run, within) = (false, std::time::Duration::from_secs(seconds.into()));
    let (is_allowed, request) = gate.run(event, within, || has_run = true).expect("the broker answers");
    assert_eq!(has_run, is_allowed, "what is denied does not run");
    said(is_allowed, request)
}

/// The interpreter that `.ci/run` sets up, if it has what the gate stands on.
fn python() -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    let python = target.join("venv/bin/python");
    let imports = Command::new(&python).args(["-c", "import confluent_kafka"]).output();
    imports.is_ok_and(|output| output.status.success()).then_some(python)
}

fn in_python(python: &Path, office: &Office, event: &Value, seconds: u32) -> String {
    let gate = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/enforcement/gate.py");
    let kafka = &office.stand.config.kafka;
    let mut command = Command::new(python);
    command.arg("-B").arg(gate).args([&kafka.brokers, &kafka.topic_prefix, &seconds.to_string(), &event.to_string()]);
    let output = command.output().expect("the interpreter starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words: Vec<&str> = text.split_whitespace().collect();
    let (has_run, words) =
        words.split_first().filter(|(first, _)| **first == "running").map_or((false, &words[..]), |(_, rest)| (true, rest));
    assert_eq!(output.status.success(), has_run, "{text}{}", String::from_utf8_lossy(&output.stderr));
    words.join(" ")
}

#[track_caller]
fn check(mut office: Office, attend: Attend<'_>) {
    assert_eq!(attend(&office, &refund("small", 1, "10"), 120), "allowed", "what needs nobody's leave runs");
    office.audited(&json!({"what": "decision", "event_id": "small", "outcome": "allowed"}));

    let waiting = |event: &str, order: u32, seconds: u32, meanwhile: &dyn Fn(&str)| {
        let event_id = format!("{event}-ask");
        let event = refund(event, order, "80");
        thread::scope(|scope| {
            let attending = scope.spawn(|| attend(&office, &event, seconds));
            let request = office.wait_for(&office.stand.names.step_up_requests, &json!({"event_id": event_id}));
            let id = request["request_id"].as_str().expect("an id").to_owned();
            meanwhile(&id);
            (attending.join().expect("the gate does not panic"), id)
        })
    };
    let (told, id) = waiting("approved", 2, 120, &|id| drop(office.tell(&["stepup", "answer", id, "approved", "--by", "eve"], 0, "")));
    assert_eq!(told, format!("allowed {id}"));
    office.audited(&json!({"what": "decision", "event_id": "approved", "outcome": "covered", "request_id": id}));
    office.audited(&json!({"what": "request", "request_id": id, "outcome": "consumed"}));
    office.audited(&json!({"what": "ack", "request_id": id, "outcome": "released"}));

    let (told, id) = waiting("refused", 3, 120, &|id| drop(office.tell(&["stepup", "answer", id, "denied", "--by", "eve"], 0, "")));
    assert_eq!(told, format!("denied {id}"));
    office.audited(&json!({"what": "ack", "request_id": id, "outcome": "blocked"}));

    // An answer that does not count lets nothing through: nobody else answers, and time runs out.
    let (told, id) = waiting("own", 4, 10, &|id| drop(office.tell(&["stepup", "answer", id, "approved", "--by", PRINCIPAL], 0, "")));
    assert_eq!(told, format!("denied {id}"));
    office.audited(&json!({"what": "answer", "request_id": id, "outcome": "not_independent"}));

    office.tell(&["agent", "suspend", AGENT, "--by", "eve"], 0, "is suspended");
    office.audited(&json!({"what": "state", "outcome": "suspended"}));
    assert_eq!(attend(&office, &refund("stopped", 5, "10"), 120), "denied", "a suspended agent does nothing");
    let ran = office.all(&office.stand.names.inputs[0]).iter().filter(|event| event["status"] == "ok").count();
    assert_eq!(ran, 2);
    office.close();
}

#[test]
fn an_enforcement_point_in_rust_holds_an_action_until_it_is_allowed() {
    let Some(broker) = Broker::shared() else { return };
    check(Office::open(broker, "gate-rust", ""), &in_rust);
}

#[test]
fn an_enforcement_point_in_python_holds_an_action_until_it_is_allowed() {
    let Some(broker) = Broker::shared() else { return };
    let Some(python) = python() else {
        eprintln!("skipped: no Python with confluent-kafka in the target folder's venv; .ci/run makes one");
        return;
    };
    check(Office::open(broker, "gate-python", ""), &|office, event, seconds| in_python(&python, office, event, seconds));
}
