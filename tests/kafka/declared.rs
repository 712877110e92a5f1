//! What was declared, judged by the running service: a record holds at once, and what crosses agents is seen across partitions.

use gaitkeeper::config::{Input, InputFormat};
use gaitkeeper::govern::ControlTopic;
use serde_json::Value;

use crate::broker::Broker;
use crate::stand::{Stand, wait_until};

/// Stream time of the first event.
const START_MS: i64 = 1_767_225_600_000;
const PARTITIONS: i32 = 4;

fn declare(stand: &Stand, agent: &str, yaml: &str) {
    let (_, topic) = stand.names.tables.iter().find(|(table, _)| *table == ControlTopic::Inventory).expect("inventory is a table");
    stand.produce_to(topic, [(agent, yaml.as_bytes())]);
}

/// The agent's event number `number`, with further members.
fn act(stand: &Stand, agent: &str, number: i64, members: &str) {
    let line = format!(r#"{{"ts":{},"agent_id":"{agent}","event_id":"{agent}-{number}",{members}}}"#, START_MS + 1_000 * number);
    stand.produce([(agent, line.as_bytes())]);
}

/// Committed findings of a kind.
fn findings(stand: &Stand, kind: &str) -> Vec<Value> {
    let committed = stand.committed(&stand.names.outputs[0]);
    let all = committed.into_values().flatten().map(|seen| serde_json::from_slice::<Value>(&seen.value).expect("a finding is JSON"));
    all.filter(|finding| finding["kind"] == kind).collect()
}

#[test]
fn a_contract_that_changes_holds_for_the_next_event_of_the_running_service() {
    let Some(broker) = Broker::shared() else { return };
    let stand = Stand::new(broker, "reload", PARTITIONS);
    declare(&stand, "a", r#"{"agent":"a","allowed_actions":["read","write"]}"#);
    let serving = stand.serve();
    for number in 0..20 {
        act(&stand, "a", number, r#""tool":"write""#);
    }
    wait_until("everything is consumed", || stand.consumed() == 20);
    assert_eq!(findings(&stand, "outside_contract"), Vec::<Value>::new());
    declare(&stand, "a", r#"{"agent":"a","allowed_actions":["read"]}"#);
    // The record needs a moment to travel.
    let mut number = 20;
    while findings(&stand, "outside_contract").is_empty() {
        assert!(number < 80, "the new contract never held");
        act(&stand, "a", number, r#""tool":"write""#);
        number += 1;
        wait_until("everything is consumed", || stand.consumed() == number);
    }
    let raised = findings(&stand, "outside_contract");
    assert_eq!(raised.len(), 1, "{raised:?}");
    let broke = raised[0]["events"][0].as_str().and_then(|event| event.strip_prefix("a-")?.parse::<i64>().ok());
    assert_eq!(broke, Some(number - 1), "the first event behind the change: {raised:?}");
    assert_eq!(raised[0]["reasons"][0]["expected"], "one of read");
    serving.stop().expect("a clean end");
}

/// Both inputs have their partitions 0 and 1; what is said of an event tells which one it came from.
#[test]
fn shards_are_numbered_through_all_inputs() {
    let Some(broker) = Broker::shared() else { return };
    let mut stand = Stand::without_topics(broker, "two-inputs", 2);
    stand.config.inputs.push(Input { topic: "more-events".into(), format: InputFormat::Native, keyed: true });
    let stand = stand.named_anew();
    stand.keeper().create().expect("the broker answers");
    declare(&stand, "a", r#"{"agent":"a","forbidden_actions":["export"]}"#);
    let serving = stand.serve();
    let line = format!(r#"{{"ts":{START_MS},"agent_id":"a","tool":"export"}}"#);
    for input in &stand.names.inputs {
        stand.produce_to(input, [("a", line.as_bytes())]);
    }
    wait_until("both are judged", || findings(&stand, "forbidden_action").len() == 2);
    serving.stop().expect("a clean end");
    let mut events: Vec<String> = findings(&stand, "forbidden_action").iter().map(|found| found["events"][0].to_string()).collect();
    events.sort_unstable();
    let committed = stand.committed(&stand.names.step_up_requests);
    let mut requests: Vec<i32> = committed.values().flatten().map(|seen| shard_of(&seen.value)).collect();
    requests.sort_unstable();
    let own = requests[0];
    assert!((0..2).contains(&own), "{requests:?}");
    assert_eq!(requests, [own, own + 2]);
    assert_eq!(events, [format!("\"{own}-0\""), format!("\"{}-0\"", own + 2)]);
}

/// The shard that a request's id begins with.
fn shard_of(request: &[u8]) -> i32 {
    let request: Value = serde_json::from_slice(request).expect("a request is JSON");
    let id = request["request_id"].as_str().expect("an id");
    id.split_once('-').and_then(|(shard, _)| shard.parse().ok()).expect("a number before the dash")
}

#[test]
fn a_credential_in_the_hands_of_agents_of_two_partitions_is_seen() {
    let Some(broker) = Broker::shared() else { return };
    let stand = Stand::new(broker, "shared", PARTITIONS);
    let agents: Vec<String> = (0..8).map(|number| format!("agent-{number}")).collect();
    for agent in &agents {
        declare(&stand, agent, &format!(r#"{{"agent":"{agent}"}}"#));
    }
    let serving = stand.serve();
    // Everyone with a key of its own, but the last: its key is the first one's.
    let key = |agent: usize| if agent == 7 { 0 } else { agent };
    for number in 0..3 {
        for (place, agent) in agents.iter().enumerate() {
            act(&stand, agent, number, &format!(r#""tool":"read","credential_id":"key-{}""#, key(place)));
        }
    }
    wait_until("everything is consumed", || stand.consumed() == 24);
    let partition_of = |agent: &str| {
        let inputs = stand.committed(&stand.names.inputs[0]);
        inputs
            .into_iter()
            .find(|(_, seen)| seen.iter().any(|seen| seen.key.as_deref() == Some(agent.as_bytes())))
            .map(|(partition, _)| partition)
    };
    assert_ne!(partition_of("agent-0"), partition_of("agent-7"), "the two must live apart for this test to say anything");
    // A sighting needs a moment to travel; the agent that came later acts on.
    let mut number = 3;
    while findings(&stand, "credential_shared").is_empty() {
        assert!(number < 60, "nobody noticed");
        act(&stand, "agent-7", number, r#""tool":"read","credential_id":"key-0""#);
        number += 1;
        wait_until("everything is consumed", || stand.consumed() == 24 + number - 3);
    }
    let raised = findings(&stand, "credential_shared");
    assert!(raised.iter().all(|finding| finding["agent_id"] == "agent-7"), "{raised:?}");
    assert!(raised[0]["reasons"][0]["actual"].as_str().is_some_and(|actual| actual.contains("agent-0")), "{raised:?}");
    serving.stop().expect("a clean end");
}
