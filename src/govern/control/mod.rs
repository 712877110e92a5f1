//! One record of a control table, as it comes over its topic or stands in a `--control` file: what was declared, decided or done
//! about agents, beside the events themselves (DESIGN.md, sections 2 and 6).

mod value;

pub use value::{
    AgentStateRecord, Answer, ChangeKind, ChangeRecord, Confirmation, ControlValue, DecidedBy, Disposition, EnforcementAck,
    EnforcementEffect, EnforcementState, FeedbackRecord, Outcome,
};

use serde_json::Value;

use super::record;
use crate::config::Problem;
use crate::event::limits::shown;
use crate::event::timestamp;
use crate::stats::canonical;

/// The tables, by the default names of their topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControlTopic {
    /// `agent-inventory`, key agent.
    Inventory,
    /// `agent-changes`, key agent.
    Changes,
    /// `agent-feedback`, key finding id.
    Feedback,
    /// `agent-stepup-responses`, key request id.
    StepUpResponses,
    /// `agent-enforcement-acks`, key agent.
    EnforcementAcks,
    /// `agent-state`, key agent.
    AgentState,
    /// `gaitkeeper-sightings`, key internal.
    Sightings,
}

/// A record that cannot be used. It changes nothing; live it goes to the dead letters.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The line or value is not what JSON allows.
    #[error("control record is no JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// The line is JSON of another form.
    #[error("control record has {field} {actual}, expected {expected}")]
    Field {
        /// Which member.
        field: &'static str,
        /// What it is.
        actual: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A value of the wrong form.
    #[error("value of {topic} is not as it should be: {source}")]
    Value {
        /// Name of the table.
        topic: &'static str,
        /// What is wrong, with the member.
        source: serde_json::Error,
    },
    /// An inventory record that says what it should not.
    #[error("inventory record: {}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; "))]
    Inventory(Vec<Problem>),
    /// Nothing, where only a compacted table may say that something is gone.
    #[error("value of {topic} is null, expected a record")]
    NoValue {
        /// Name of the table.
        topic: &'static str,
    },
    /// Key and value speak of different things.
    #[error("key of {topic} is {key:?}, expected {expected:?} as in the value")]
    Key {
        /// Name of the table.
        topic: &'static str,
        /// The key.
        key: String,
        /// What the value names.
        expected: String,
    },
}

/// One record of a control table.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlRecord {
    /// Time of the record, epoch ms; `i64::MIN` for what holds from the beginning.
    pub ts: i64,
    /// As on the topic.
    pub key: String,
    /// What it says.
    pub value: ControlValue,
}

impl ControlTopic {
    /// Every table.
    pub const ALL: [Self; 7] =
        [Self::Inventory, Self::Changes, Self::Feedback, Self::StepUpResponses, Self::EnforcementAcks, Self::AgentState, Self::Sightings];

    /// The default name of its topic.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inventory => "agent-inventory",
            Self::Changes => "agent-changes",
            Self::Feedback => "agent-feedback",
            Self::StepUpResponses => "agent-stepup-responses",
            Self::EnforcementAcks => "agent-enforcement-acks",
            Self::AgentState => "agent-state",
            Self::Sightings => "gaitkeeper-sightings",
        }
    }

    /// The table of that default name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == name)
    }
}

impl ControlRecord {
    /// Reads a line of a `--control` file: `{"topic":"agent-inventory","ts":…,"key":…,"value":{…}}`. `ts` is epoch ms or RFC 3339;
    /// without a key the value's own name of the agent, finding or request is the key.
    ///
    /// # Errors
    /// Names the member, what it is and what was expected.
    pub fn from_line(line: &[u8]) -> Result<Self, ControlError> {
        let mut members = match serde_json::from_slice(line).map_err(ControlError::Json)? {
            Value::Object(members) => members,
            other => return Err(wrong("the form", &other, "an object of topic, ts, key and value")),
        };
        let topic = members.remove("topic").unwrap_or_default();
        let names = "one of agent-inventory, agent-changes, agent-feedback, agent-stepup-responses, agent-enforcement-acks, agent-state, gaitkeeper-sightings";
        let topic = topic.as_str().and_then(ControlTopic::from_name).ok_or_else(|| wrong("topic", &topic, names))?;
        let ts = members.remove("ts").unwrap_or_default();
        let time = match &ts {
            Value::String(text) => timestamp::from_rfc3339(text),
            Value::Number(number) => number.as_i64().and_then(timestamp::from_epoch_ms),
            _ => None,
        };
        let ts = time.ok_or_else(|| wrong("ts", &ts, "an RFC 3339 time or epoch milliseconds"))?;
        let value = ControlValue::read(topic, members.remove("value").filter(|value| !value.is_null()))?;
        let key = match (members.remove("key"), value.key()) {
            (Some(Value::String(key)), _) => key,
            (None | Some(Value::Null), Some(key)) => key.to_owned(),
            (key, _) => return Err(wrong("key", &key.unwrap_or_default(), "text")),
        };
        Self { ts, key, value }.checked()
    }

    /// Reads a record of a topic: its key, and its payload if it has one.
    ///
    /// # Errors
    /// Says what is wrong with the payload.
    pub fn from_payload(topic: ControlTopic, ts: i64, key: &str, payload: Option<&[u8]>) -> Result<Self, ControlError> {
        let value = payload.map(serde_json::from_slice).transpose().map_err(ControlError::Json)?;
        let value = ControlValue::read(topic, value.filter(|value: &Value| !value.is_null()))?;
        Self { ts, key: key.to_owned(), value }.checked()
    }

    /// A record that puts a declared agent in force from the beginning.
    #[must_use]
    pub fn declared(record: record::InventoryRecord) -> Self {
        Self { ts: i64::MIN, key: record.agent.clone(), value: ControlValue::Inventory(Some(Box::new(record))) }
    }

    /// What stands for a record that should have been an answer: it decides nothing, and the shard that it concerns says so. `key`
    /// names the request.
    #[must_use]
    pub fn malformed_answer(ts: i64, key: &str, payload: &[u8], why: &ControlError) -> Self {
        let value = ControlValue::MalformedAnswer { digest: canonical::hex_digest(payload), why: why.to_string() };
        Self { ts, key: key.to_owned(), value }
    }

    /// The same for a line of a `--control` file; `None` when it is no answer at all.
    #[must_use]
    pub fn malformed_answer_line(line: &[u8], why: &ControlError) -> Option<Self> {
        let members: Value = serde_json::from_slice(line).ok()?;
        let is_answer = members.get("topic").and_then(Value::as_str) == Some(ControlTopic::StepUpResponses.as_str());
        let ts = match members.get("ts")? {
            Value::String(text) => timestamp::from_rfc3339(text),
            number => number.as_i64().and_then(timestamp::from_epoch_ms),
        };
        let key = members.get("key").or_else(|| members.get("value")?.get("request_id")).and_then(Value::as_str).unwrap_or_default();
        is_answer.then_some(())?;
        Some(Self::malformed_answer(ts?, key, line, why))
    }

    /// In a compacted table the key decides what a record replaces, so it must be the one that the value is about.
    fn checked(self) -> Result<Self, ControlError> {
        let topic = self.topic();
        let is_compacted = matches!(topic, ControlTopic::Inventory | ControlTopic::AgentState);
        match self.value.key() {
            Some(expected) if is_compacted && expected != self.key => {
                Err(ControlError::Key { topic: topic.as_str(), expected: expected.to_owned(), key: self.key })
            }
            _ => Ok(self),
        }
    }

    /// The table it belongs to.
    #[must_use]
    pub fn topic(&self) -> ControlTopic {
        match &self.value {
            ControlValue::Inventory(_) => ControlTopic::Inventory,
            ControlValue::Change(_) => ControlTopic::Changes,
            ControlValue::Feedback(_) => ControlTopic::Feedback,
            ControlValue::Answer(_) | ControlValue::MalformedAnswer { .. } => ControlTopic::StepUpResponses,
            ControlValue::Ack(_) => ControlTopic::EnforcementAcks,
            ControlValue::State(_) => ControlTopic::AgentState,
            ControlValue::Sighting(_) => ControlTopic::Sightings,
        }
    }
}

fn wrong(field: &'static str, actual: &Value, expected: &'static str) -> ControlError {
    let actual = if actual.is_null() { "missing".to_owned() } else { shown(&actual.to_string()) };
    ControlError::Field { field, actual, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(line: &str, expected: &str) {
        assert_eq!(ControlRecord::from_line(line.as_bytes()).unwrap_err().to_string(), expected, "{line}");
    }

    #[track_caller]
    fn check_read(topic: ControlTopic, key: &str, value: &str) -> ControlValue {
        let line = format!(r#"{{"topic":"{}","ts":1767225600000,"key":"{key}","value":{value}}}"#, topic.as_str());
        let record = ControlRecord::from_line(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!((record.topic(), record.ts, &*record.key), (topic, 1_767_225_600_000, key));
        let from_topic = ControlRecord::from_payload(topic, record.ts, key, Some(value.as_bytes())).unwrap();
        assert_eq!(from_topic, record, "a line says what the topic says");
        record.value
    }

    #[test]
    fn every_table_has_its_record() {
        check_read(ControlTopic::Inventory, "a", r#"{"agent":"a","owner":"o","limits":[{"action":"x","never":true}]}"#);
        check_read(
            ControlTopic::Changes,
            "a",
            r#"{"agent_id":"a","kind":"policy","from":"1","to":"2","approved_by":"eve","at":"2026-01-01T00:00:00Z"}"#,
        );
        check_read(ControlTopic::Feedback, "f", r#"{"finding_id":"f","disposition":"false_positive","reason_code":"r","by":"eve"}"#);
        let answer = check_read(
            ControlTopic::StepUpResponses,
            "0-1",
            r#"{"request_id":"0-1","outcome":"approved","decided_by":{"sub":"eve"},"decided_at":1767225600000,"extra":1}"#,
        );
        assert!(matches!(answer, ControlValue::Answer(answer) if answer.max_uses == 1 && answer.outcome == Outcome::Approved));
        check_read(
            ControlTopic::EnforcementAcks,
            "a",
            r#"{"agent_id":"a","request_id":"0-1","enforced_by":"gate","effect":"blocked","enforced_at":1767225600000}"#,
        );
        check_read(ControlTopic::AgentState, "a", r#"{"agent_id":"a","state":"suspended","state_id":"s","set_by":"eve"}"#);
        check_read(
            ControlTopic::Sightings,
            "credential/k/a",
            r#"{"sighting":"credential_use","credential_id":"k","agent_id":"a","since":1767225600000}"#,
        );
    }

    #[test]
    fn what_is_gone_is_gone_only_from_a_compacted_table() {
        assert_eq!(check_read(ControlTopic::Inventory, "a", "null"), ControlValue::Inventory(None));
        assert_eq!(check_read(ControlTopic::AgentState, "a", "null"), ControlValue::State(None));
        check_refused(r#"{"topic":"agent-feedback","ts":1767225600000,"key":"f"}"#, "value of agent-feedback is null, expected a record");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        check_refused(
            r#"{"topic":"agent-stat","ts":1767225600000,"key":"a","value":{}}"#,
            "control record has topic \"agent-stat\", expected one of agent-inventory, agent-changes, agent-feedback, agent-stepup-responses, agent-enforcement-acks, agent-state, gaitkeeper-sightings",
        );
        check_refused(
            r#"{"topic":"agent-state","key":"a","value":{}}"#,
            "control record has ts missing, expected an RFC 3339 time or epoch milliseconds",
        );
        check_refused(r#"{"topic":"agent-state","ts":1767225600000,"value":null}"#, "control record has key missing, expected text");
        check_refused("[1]", "control record has the form [1], expected an object of topic, ts, key and value");
        check_refused(
            r#"{"topic":"agent-enforcement-acks","ts":1767225600000,"key":"a","value":{"agent_id":"a","enforced_by":"g","effect":"stopped","enforced_at":1767225600000}}"#,
            "value of agent-enforcement-acks is not as it should be: unknown variant `stopped`, expected one of `held`, `released`, `blocked`, `suspended`, `restored`, `failed`",
        );
        check_refused(
            r#"{"topic":"agent-inventory","ts":1767225600000,"key":"a","value":{"agent":"a","status":"gone"}}"#,
            "inventory record: `status` is \"gone\", expected one of active, dormant, scheduled_for_decommission, decommissioned, suspended",
        );
        check_refused(
            r#"{"topic":"agent-inventory","ts":1767225600000,"key":"b","value":{"agent":"a"}}"#,
            "key of agent-inventory is \"b\", expected \"a\" as in the value",
        );
    }
}
