//! Agents that have been idle wait in the state topic and come back when they act.

use gaitkeeper::config::Delivery;

use crate::broker::Broker;
use crate::events::PARTITIONS;
use crate::stand::{Stand, wait_until};
use crate::state::{assert_undisturbed, fleet, produce};

/// Every agent leaves that can; the service stops and starts again now and then.
#[track_caller]
fn check(test: &str, delivery: Delivery) {
    let Some(broker) = Broker::shared() else { return };
    let mut stand = Stand::new(broker, test, PARTITIONS);
    stand.config.kafka.snapshot_interval_ms = 1_000;
    stand.config.kafka.resident_megabytes = 0;
    stand.config.kafka.delivery = delivery;
    stand.config.engine.detect.sessions.idle_ms = 60_000;
    let lines = fleet(5, 12_000);
    let mut back = 0;
    for (turns, half) in (0i64..).step_by(3).zip(lines.chunks(6_000)) {
        let serving = stand.serve();
        for (turn, slice) in (turns + 1..).zip(half.chunks(2_000)) {
            produce(&stand, slice);
            wait_until("everything is consumed", || stand.consumed() == turn * 2_000);
            let meters = serving.meters.clone();
            wait_until("agents leave memory", || meters.agents_away.get() > 10);
        }
        back += serving.meters.recall_seconds.get_sample_count();
        assert_eq!(serving.meters.rebuilds.get(), 0);
        serving.stop().expect("a clean end");
    }
    assert!(back > 20, "only {back} came back");
    assert_undisturbed(&stand);
}

#[test]
fn an_agent_that_left_memory_comes_back_as_it_was() {
    check("idle", Delivery::ExactlyOnce);
}

#[test]
fn an_agent_comes_back_also_where_nothing_is_a_transaction() {
    check("idle-plain", Delivery::AtLeastOnce);
}
