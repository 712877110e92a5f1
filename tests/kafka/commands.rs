//! Commands that a person runs beside the service, on the topics of a real broker.

use std::path::Path;
use std::process::{Command, Output};

use crate::broker::Broker;
use crate::process::config_file;
use crate::stand::Stand;

/// Runs `gaitkeeper` with `arguments` and the stand's configuration; what it printed and its exit code.
pub fn run(config: &str, arguments: &[&str]) -> (String, i32) {
    let Output { stdout, stderr, status } =
        Command::new(env!("CARGO_BIN_EXE_gaitkeeper")).args(arguments).args(["--config", config]).output().expect("the binary starts");
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    (said, status.code().expect("an exit code"))
}

pub fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a writable folder");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn an_applied_inventory_is_what_the_next_apply_compares_with() {
    let Some(broker) = Broker::shared() else { return };
    let stand = Stand::new(broker, "apply", 2);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config_file(&stand, folder.path());
    let first = write(folder.path(), "first.yaml", "{agent: a, owner: o}\n---\n{agent: b, owner: o}\n");
    let (said, exit) = run(&config, &["inventory", "apply", "--dry-run", &first]);
    assert!(exit == 0 && said.contains("2 records would change; nothing was published"), "{said}");
    let (said, exit) = run(&config, &["inventory", "apply", &first]);
    assert!(exit == 0 && said.contains("2 records published to"), "{said}");
    let second = write(folder.path(), "second.yaml", "{agent: a, owner: o}\n---\n{agent: b, owner: p}\n");
    let (said, exit) = run(&config, &["inventory", "apply", &second]);
    assert!(exit == 0 && said.contains("+ owner: \"p\"") && said.contains("1 records published to"), "{said}");
    let (said, exit) = run(&config, &["inventory", "report"]);
    assert!(exit == 0 && said.contains('p'), "{said}");
}

#[test]
fn a_suspended_agent_is_shown_until_somebody_restores_it() {
    let Some(broker) = Broker::shared() else { return };
    let stand = Stand::new(broker, "agent", 2);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config_file(&stand, folder.path());
    let (said, exit) = run(&config, &["agent", "suspend", "billing-7", "--by", "eve", "--reason", "odd"]);
    assert!(exit == 0 && said.contains("billing-7 is suspended by eve, unconfirmed"), "{said}");
    let (said, _) = run(&config, &["agent", "state"]);
    assert!(said.contains("billing-7  suspended") && said.contains("unconfirmed: odd"), "{said}");
    let (said, exit) = run(&config, &["agent", "restore", "billing-7", "--by", "eve"]);
    assert!(exit == 0 && said.contains("billing-7 is active by eve"), "{said}");
    let (said, _) = run(&config, &["agent", "state", "billing-7"]);
    assert!(said.contains("billing-7  active"), "{said}");
}

#[test]
fn a_missing_topic_is_named_and_no_fault_of_the_configuration() {
    let Some(broker) = Broker::shared() else { return };
    let stand = Stand::without_topics(broker, "bare", 2);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config_file(&stand, folder.path());
    let (said, exit) = run(&config, &["inventory", "report"]);
    let topic = format!("{}agent-inventory", stand.config.kafka.topic_prefix);
    assert!(exit == 3 && said.contains(&format!("cannot read {topic}")), "{exit}: {said}");
}
