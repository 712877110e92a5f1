//! The control tables move while events are judged; a restore judges each event by what was in force then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use gaitkeeper::engine::{Engine, Shard, Tables};
use gaitkeeper::event::{Origin, decode};
use gaitkeeper::govern::{ControlRecord, ControlTopic};

use crate::broker::Broker;
use crate::events::PARTITIONS;
use crate::stand::{Stand, wait_until};
use crate::state::{fleet, left, produce};

/// Declares every agent to be of one status, in the topic and in tables of our own.
fn declare(stand: &Stand, agents: &BTreeSet<&str>, status: &str) -> Tables {
    let (_, topic) = stand.names.tables.iter().find(|(table, _)| *table == ControlTopic::Inventory).expect("one of the tables");
    let mut tables = Tables::default();
    let mut records = Vec::new();
    for agent in agents {
        let record = format!(
            r#"{{"agent":"{agent}","owner":"platform","identity_type":"workload_identity","auth":"oidc_short_lived_token","status":"{status}"}}"#
        );
        tables.apply(&ControlRecord::from_payload(ControlTopic::Inventory, 0, agent, Some(record.as_bytes())).expect("a valid record"));
        records.push((*agent, record));
    }
    stand.produce_to(topic, records.iter().map(|(agent, record)| (*agent, record.as_bytes())));
    tables
}

#[test]
fn what_is_applied_again_is_judged_by_the_tables_of_then() {
    let Some(broker) = Broker::shared() else { return };
    let mut stand = Stand::new(broker, "tables-of-then", PARTITIONS);
    // Everything is applied again.
    stand.config.kafka.snapshot_interval_ms = 3_600_000;
    let lines = fleet(5, 8_000);
    let agents: BTreeSet<&str> = lines.iter().map(|(agent, _)| agent.as_str()).collect();
    let (before, after) = lines.split_at(4_000);
    let dormant = declare(&stand, &agents, "dormant");
    let serving = stand.serve();
    produce(&stand, before);
    wait_until("the first half is consumed", || stand.consumed() == 4_000);
    let middle = stand.offsets();
    let active = declare(&stand, &agents, "active");
    // In force after a tenth of a second; there is nothing to be seen of it before the next event.
    thread::sleep(Duration::from_secs(3));
    produce(&stand, after);
    wait_until("everything is consumed", || stand.consumed() == 8_000);
    serving.stop().expect("a clean end");

    let lefts = left(&stand);
    assert_eq!(lefts.values().map(|left| left.applied).sum::<u64>(), 8_000);
    for (partition, records) in stand.committed(&stand.names.inputs[0]) {
        let run = |moved: i64| {
            let mut engine = Engine::new(Arc::new(stand.config.engine.clone()), Shard { partition, partitions: PARTITIONS });
            for (offset, record) in (0..).zip(&records) {
                let decoded = decode(&record.value, Origin { partition, offset }).expect("a generated event is valid");
                let tables = if offset < moved { &dormant } else { &active };
                engine.on_event(&decoded.event, tables, &mut Vec::new());
            }
            engine.digest()
        };
        let moved = middle[&partition].unwrap_or(0);
        assert_eq!(lefts[&partition].engine.digest(), run(moved), "partition {partition}");
        assert!(records.is_empty() || lefts[&partition].engine.digest() != run(0), "the tables must matter in partition {partition}");
    }
}
