//! What a shard says, as records for the topics.

use std::sync::Arc;

use rdkafka::message::BorrowedMessage;
use serde::Serialize;

use super::intake;
use super::outbox::Failed;
use super::record::{InputPartition, Record};
use super::shards::Shards;
use super::state::form::StateRecord;
use crate::engine::Output;
use crate::event::DeadLetter;

impl Shards {
    /// Sends the engine's outputs in their order.
    pub(super) fn publish(&mut self, from: InputPartition) -> Result<(), Failed> {
        let mut result = Ok(());
        for output in std::mem::take(&mut self.outputs) {
            match output {
                Output::Score(_) | Output::SessionEnd(_) => (),
                Output::Finding(finding) => {
                    self.assembly.meters.findings.inc();
                    for topic in &self.findings {
                        result = result.and(self.outbox.send(keyed(from, topic, &finding.agent_id, &*finding)));
                    }
                }
                Output::Sighting(sighting) => {
                    result = result.and(self.outbox.send(keyed(from, &self.sightings, &sighting.key(), &*sighting)));
                }
                Output::State(state) => {
                    result = result.and(self.outbox.send(keyed(from, &self.agent_state, &state.agent_id, &*state)));
                }
                Output::Audit(record) => {
                    let meters = &self.assembly.meters;
                    let latencies = [
                        (&meters.finding_to_state_seconds, record.finding_to_state_ms),
                        (&meters.state_to_ack_seconds, record.state_to_ack_ms),
                    ];
                    for (histogram, ms) in latencies.into_iter().filter_map(|(histogram, ms)| Some((histogram, ms?))) {
                        histogram.observe(ms as f64 / 1_000.0);
                    }
                    let key = Some(record.agent_id.as_bytes().to_vec());
                    let (topic, value) = (Arc::clone(&self.audit), Some(record.to_bytes()));
                    result = result.and(self.outbox.send(Record { from, topic, partition: None, key, value, headers: Vec::new() }));
                }
                Output::StepUp(request) => {
                    self.assembly.meters.step_up_requests.inc();
                    result = result.and(self.outbox.send(keyed(from, &self.step_up_requests, &request.agent.id, &*request)));
                }
            }
        }
        result
    }

    /// One record of an input that passes through the ingest stage: a native event keyed by agent, or a dead letter.
    pub(super) fn pass_on(&mut self, from: InputPartition, message: &BorrowedMessage<'_>) -> Result<(), Failed> {
        let meters = &self.assembly.meters;
        let record = match intake::native_event(message) {
            Ok((agent, value)) => {
                meters.ingested.inc();
                let topic = Arc::from(self.assembly.names.events.as_str());
                Record { from, topic, partition: None, key: Some(agent.into_bytes()), value: Some(value.into_bytes()), headers: Vec::new() }
            }
            Err(error) => {
                meters.dead_letters.with_label_values(&[error.reason()]).inc();
                addressed(from, &self.dead_letters, &intake::dead_letter(message, &error))
            }
        };
        self.outbox.send(record)
    }
}

/// A dead letter on its way to `topic`.
pub(super) fn addressed(from: InputPartition, topic: &Arc<str>, letter: &DeadLetter<'_>) -> Record {
    let own = letter.headers.iter().map(|&(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)));
    let ours = letter.reason_headers().map(|(name, value)| (name.to_owned(), Some(value.into_bytes())));
    Record {
        from,
        topic: Arc::clone(topic),
        partition: None,
        key: letter.key.map(<[u8]>::to_vec),
        value: letter.payload.map(<[u8]>::to_vec),
        headers: own.chain(ours).collect(),
    }
}

fn keyed(from: InputPartition, topic: &Arc<str>, key: &str, value: &impl Serialize) -> Record {
    let value = serde_json::to_vec(value).expect("strings as keys and finite numbers always have a JSON form");
    Record { from, topic: Arc::clone(topic), partition: None, key: Some(key.as_bytes().to_vec()), value: Some(value), headers: Vec::new() }
}

/// A record of state goes to the partition of its shard, whatever its key.
pub(super) fn stored(from: InputPartition, topic: &Arc<str>, record: StateRecord) -> Record {
    let StateRecord { key, value } = record;
    let (topic, partition) = (Arc::clone(topic), Some(from.partition));
    Record { from, topic, partition, key: Some(key.into_bytes()), value, headers: Vec::new() }
}
