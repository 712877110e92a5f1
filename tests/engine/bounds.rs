//! Memory under hostile streams: ever-new tools, targets and sessions.

use gaitkeeper::baseline::bounds;

use crate::shard::{Step, TestShard};

/// Five events a session, each with a tool, a target or both that were never there before.
fn flood(sessions: u32, new_tools: bool) -> TestShard {
    let mut shard = TestShard::new();
    for session in 0..sessions {
        for call in 0..5 {
            let number = session * 5 + call;
            let step = Step {
                agent: "hostile".into(),
                session: format!("s{session}"),
                ts: i64::from(number) * 1000,
                tool: if new_tools { format!("tool-{number}") } else { format!("tool-{call}") },
                target: Some(format!("target-{number}")),
                bytes_out: u64::from(number) + 1,
            };
            shard.feed(&step.event(&number.to_string()));
        }
    }
    shard.finish();
    shard
}

#[track_caller]
fn check(shard: &TestShard) {
    let agent = &shard.engine.detector().model.agents[0];
    assert!(agent.counts.nodes() <= bounds::NODES_PER_AGENT, "{} nodes", agent.counts.nodes());
    assert!(agent.cells.len() <= bounds::CELLS_PER_AGENT, "{} cells", agent.cells.len());
    assert!(agent.candidates.len() <= bounds::CANDIDATES_PER_AGENT, "{} candidates", agent.candidates.len());
    let values: usize = agent.counts.attributes.values().map(gaitkeeper::stats::count_node::CountNode::distinct).sum();
    assert!(values <= bounds::ATTRIBUTE_HASHES_PER_AGENT, "{values} values");
    assert!(agent.counts.any.iter().all(|node| node.distinct() <= bounds::VALUES_PER_ATTRIBUTE));
    assert!(shard.engine.detector().learning.pins.len() <= bounds::PINS_PER_OWNER);
}

#[test]
fn ever_new_tools_stay_within_the_bounds() {
    check(&flood(3_000, true));
}

#[test]
fn ever_new_targets_stay_within_the_bounds() {
    check(&flood(3_000, false));
}

#[test]
fn what_found_no_room_is_counted() {
    let shard = flood(3_000, true);
    assert!(shard.engine.detector().model.agents[0].not_modelled > 0);
}
