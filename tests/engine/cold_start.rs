//! A fleet that begins all at once: what is over first are its short sessions, and the others must not look odd for going on.

use gaitkeeper::config::{ColdStart, EngineConfig};
use gaitkeeper::finding::Activity;

use crate::shard::{Step, TestShard};

const TOOLS: [&str; 8] = ["look-up", "read", "compare", "fetch", "summarise", "draft", "check", "answer"];

/// Findings opened and sessions ended while so many agents, each new, work through as much of the same task as their turn gives them.
fn opened(agents: usize) -> (usize, usize) {
    let mut config = EngineConfig::default();
    config.alarm.cold_start = ColdStart::Pool;
    let mut shard = TestShard::with(config);
    let mut number = 0;
    for round in 0..24 {
        for agent in 0..agents {
            // Of eight lengths; who has come to the end begins again.
            let length = agent % TOOLS.len() + 1;
            let at = round % length;
            number += 1;
            let step = Step {
                agent: format!("agent-{agent}"),
                session: format!("{agent}-{}", round / length),
                ts: 1_700_000_000_000 + 30_000 * i64::try_from(round).expect("small") + i64::try_from(agent).expect("small"),
                tool: TOOLS[at].to_owned(),
                target: None,
                bytes_out: 900 + (number * 7919 % 200),
            };
            shard.feed(&step.event(&number.to_string()));
        }
    }
    let opened = shard.findings.iter().filter(|finding| finding.activity == Activity::Open).count();
    (opened, shard.closed().len())
}

#[test]
fn a_large_fleet_that_begins_at_once_raises_no_flood() {
    for agents in [100, 1_000, 5_000] {
        let (opened, sessions) = opened(agents);
        assert!(opened <= sessions / 50, "{agents} agents: {opened} findings of {sessions} sessions");
    }
}
