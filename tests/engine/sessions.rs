//! When sessions close, and in which order.

use crate::shard::{Step, TestShard, run};

const MINUTE: i64 = 60_000;

/// `agent session minute`, one event each; a session named `-` has no id.
fn steps(stream: &[(&str, &str, i64)]) -> Vec<Step> {
    stream
        .iter()
        .map(|(agent, session, minute)| Step {
            agent: (*agent).into(),
            session: session.trim_matches('-').into(),
            ts: minute * MINUTE,
            tool: "read".into(),
            target: None,
            bytes_out: 100,
        })
        .collect()
}

#[track_caller]
fn check(stream: &[(&str, &str, i64)], expected: &[&str]) {
    assert_eq!(run(&steps(stream)).closed(), expected);
}

#[test]
fn the_next_session_of_a_serial_agent_closes_the_one_before() {
    check(&[("a", "1", 0), ("a", "1", 1), ("a", "2", 2), ("b", "9", 2), ("a", "3", 3)], &["1", "2", "9", "3"]);
}

#[test]
fn half_an_hour_without_events_closes_a_session_in_the_order_of_last_events() {
    check(&[("b", "9", 0), ("a", "1", 1), ("c", "5", 1), ("d", "7", 40)], &["9", "1", "5", "7"]);
}

#[test]
fn an_agent_that_resumes_sessions_keeps_several_open() {
    // 1 and 2 are resumed after a later one began: from then on the agent is not serial, and 3 stays open beside 4.
    check(
        &[("a", "1", 0), ("a", "2", 1), ("a", "1", 2), ("a", "2", 3), ("a", "3", 4), ("a", "4", 5), ("a", "3", 6)],
        &["1", "2", "1", "2", "4", "3"],
    );
}

#[test]
fn events_without_any_id_are_one_running_stretch() {
    check(&[("a", "-", 0), ("a", "-", 10), ("a", "-", 50)], &["", ""]);
}

#[test]
fn a_session_of_512_events_is_full() {
    let stream: Vec<(&str, &str, i64)> = (0..600).map(|n| ("a", "1", n / 100)).collect();
    check(&stream, &["1", "1"]);
}

#[test]
fn six_hours_end_a_session_that_never_rests() {
    let stream: Vec<(&str, &str, i64)> = (0..40).map(|n| ("a", "1", n * 10)).collect();
    check(&stream, &["1", "1"]);
}

#[test]
fn a_repeated_event_id_is_counted_and_skipped() {
    let step = &steps(&[("a", "1", 0)])[0];
    let mut shard = TestShard::new();
    shard.feed(&step.event("x"));
    shard.feed(&step.event("x"));
    assert_eq!(shard.lines[1], "score 0 0 unscorable");
    assert_eq!((shard.engine.counters().duplicates, shard.engine.counters().scored), (1, 1));
}

#[test]
fn an_event_older_than_its_closed_session_is_scored_and_teaches_nothing() {
    let stream = steps(&[("a", "1", 0), ("a", "1", 9), ("a", "2", 10), ("a", "1", 5)]);
    let shard = run(&stream);
    assert_eq!(shard.closed(), ["1", "2"]);
    assert!(shard.lines[4].starts_with("score ") && !shard.lines[4].ends_with("unscorable"), "{:?}", shard.lines);
    assert_eq!(shard.engine.detector().model.agents[0].events, 3);
}
