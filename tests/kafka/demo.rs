//! The demo ends well, in process and on real brokers.

use crate::broker::Broker;
use crate::process::Process;
use crate::stand::Stand;

#[track_caller]
fn check(arguments: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut demo = Process::start(folder.path(), "demo", &[&["demo", "--seconds", "5"], arguments].concat());
    assert!(demo.wait().success(), "{}", demo.said());
    let said = demo.said();
    let counts = said.lines().find_map(|line| line.split_once(" in, ").filter(|(_, rest)| rest.contains(" scored"))).expect("a summary");
    let (produced, scored) = (counts.0.rsplit(' ').next(), counts.1.split(' ').next());
    assert!(produced.is_some_and(|events| events.contains(',')) && produced == scored, "{said}");
    assert!(!demo.said().contains('\x1b'), "no colours in a file");
}

#[test]
fn the_demo_needs_nothing() {
    check(&[]);
}

#[test]
fn the_demo_runs_on_real_brokers_and_leaves_no_topic_behind() {
    let Some(broker) = Broker::shared() else { return };
    check(&["--brokers", broker.bootstrap()]);
    let stand = Stand::without_topics(broker, "demo", 1);
    let left: Vec<String> = stand.topics().into_iter().filter(|topic| topic.starts_with("gaitkeeper-demo")).collect();
    assert_eq!(left, Vec::<String>::new());
}
