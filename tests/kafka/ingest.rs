//! Inputs that are not keyed by agent pass through the ingest stage: re-keyed once, and scored as if they had come that way.

use gaitkeeper::config::{Input, InputFormat};

use crate::broker::Broker;
use crate::events::PARTITIONS;
use crate::stand::{Stand, wait_until};
use crate::state::{assert_undisturbed, fleet};

#[test]
fn records_without_their_agent_as_key_are_re_keyed_once_and_repeats_are_passed_over() {
    let Some(broker) = Broker::shared() else { return };
    let mut stand = Stand::without_topics(broker, "ingest", PARTITIONS);
    stand.config.inputs = vec![Input { topic: "raw".into(), format: InputFormat::Native, keyed: false }];
    let stand = stand.named_anew();
    stand.keeper().create().expect("the broker answers");
    let lines = fleet(8, 20_000);
    // Spread over the partitions without regard to agents, with every hundredth a second time and one that nobody can read.
    let mut records: Vec<(String, &[u8])> = Vec::new();
    for (number, (_, line)) in lines.iter().enumerate() {
        records.push((format!("{}", number % 17), line));
        if number % 100 == 0 {
            records.push((format!("{}", number % 17), line));
        }
    }
    records.push(("x".into(), b"not json"));
    stand.produce_to(&stand.names.ingested[0], records.iter().map(|(key, line)| (key.as_str(), *line)));
    let passed_on = i64::try_from(lines.len() + lines.len().div_ceil(100)).expect("small");
    let mut taken = 0;
    for _ in 0..2 {
        let serving = stand.serve();
        wait_until("some are scored", || serving.meters.events.get() > 2_000);
        let meters = serving.meters.clone();
        serving.stop().expect("a clean end");
        taken += meters.events.get();
    }
    let serving = stand.serve();
    let scored = || stand.committed(&stand.names.inputs[0]).values().map(Vec::len).sum::<usize>();
    wait_until("everything is passed on", || i64::try_from(scored()).expect("small") >= passed_on);
    wait_until("everything is scored", || i64::try_from(taken + serving.meters.events.get()).expect("small") >= passed_on);
    serving.stop().expect("a clean end");
    for records in stand.committed(&stand.names.inputs[0]).into_values().flatten() {
        let event: serde_json::Value = serde_json::from_slice(&records.value).expect("JSON");
        assert_eq!(event["agent_id"].as_str().map(str::as_bytes), records.key.as_deref());
    }
    assert_eq!(i64::try_from(scored()).expect("small"), passed_on, "nothing is passed on twice");
    assert_eq!(stand.committed(&stand.names.dead_letters).values().map(Vec::len).sum::<usize>(), 1);
    assert_undisturbed(&stand);
}
