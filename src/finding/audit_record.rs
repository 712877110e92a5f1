//! One record of the why-trail: what was decided of whom, by which rule, and how it ended. Records of a partition are a chain:
//! each holds the hash of the one before, so that none can be changed, taken out or moved unseen.
//!
//! What names people or their affairs can be struck out afterwards without breaking the chain: the hash covers a salted
//! commitment to each such member in place of the member itself (as SD-JWT, RFC 9901, does it). Redaction removes the member and
//! its salt and leaves the commitment.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::covered::Covered;
use super::{Decision, Kind, PolicyShown, Reason, Severity};
use crate::stats::canonical;

/// Version of the form.
pub const SCHEMA_VERSION: u32 = 1;

/// What a chain begins with in place of the hash of a record before.
pub const BEGINNING: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Members that can be struck out.
pub const REDACTABLE: [&str; 9] =
    ["amount", "answer", "credential_id", "currency", "destination", "on_behalf_of", "reasons", "target", "title"];

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// An action was judged.
    Decision,
    /// A finding opened without an action of its own.
    Finding,
    /// A step-up request was opened or came to its end.
    Request,
    /// An answer came.
    Answer,
    /// The state of an agent was set.
    State,
    /// An enforcement point acknowledged.
    Ack,
    /// An anchor: so many records are behind it.
    Digest,
}

/// An answer as the trail keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerShown {
    /// What was answered.
    pub outcome: String,
    /// Who answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// When, epoch ms.
    pub decided_at: i64,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One record, as published to `agent-audit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditRecord {
    /// Version of this form.
    pub schema_version: u32,
    /// Which chain: the partition of the events.
    pub partition: i32,
    /// Place in the chain, from 1.
    pub sequence: u64,
    /// Hash of the record before; zeros at the beginning.
    pub previous: String,
    /// What it is about.
    pub what: What,
    /// Stream time, or the time of the answer, state or acknowledgement, epoch ms.
    pub at: i64,
    /// The agent; empty for a digest.
    pub agent_id: String,
    /// How it ended: `allowed`, `ran`, `held`, `covered`, the state of a request, the code of a refusal, …
    pub outcome: String,
    /// What should happen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// The policy that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyShown>,
    /// The policy version that the agent named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<String>,
    /// `-log10 p` of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Kind of the finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// How bad it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding_id: Option<String>,
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The change of state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_id: Option<String>,
    /// The event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Its session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Its tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The server of the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_server: Option<String>,
    /// Who enforced, or who set a state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// From the finding to the state, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding_to_state_ms: Option<i64>,
    /// From the state to what the enforcement point did, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_to_ack_ms: Option<i64>,
    /// Records of the chain up to and with this one; a digest's only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Whether nothing follows: the end of a replayed stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_last: Option<bool>,
    /// What is acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Where data goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Money moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// ISO 4217 code of `amount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Which credential was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<String>,
    /// For whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// The finding in a sentence, or a reason given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub reasons: Vec<Reason>,
    /// The answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<AnswerShown>,
    /// Of each member that can be struck out, the hash of its salt, name and value.
    pub commitments: BTreeMap<String, String>,
    /// The salts of those that were not struck out.
    pub salts: BTreeMap<String, String>,
    /// Hash of everything but itself, the salts, and what was committed to.
    pub hash: String,
}

/// What is wrong with a record by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// No JSON object.
    #[error("is not readable: {0}")]
    Unreadable(String),
    /// Other bytes than the canonical form of what they say.
    #[error("is not in its canonical form")]
    NotCanonical,
    /// A member is not what its commitment says.
    #[error("`{0}` is not what was committed to")]
    Member(String),
    /// The hash is another one.
    #[error("does not have the hash that it names")]
    Hash,
}

impl AuditRecord {
    /// An empty record; the trail gives it its place.
    #[must_use]
    pub fn new(what: What, at: i64, agent_id: &str, outcome: impl Into<String>) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            partition: 0,
            sequence: 0,
            previous: String::new(),
            what,
            at,
            agent_id: agent_id.to_owned(),
            outcome: outcome.into(),
            decision: None,
            policy: None,
            policy_version: None,
            score: None,
            kind: None,
            severity: None,
            finding_id: None,
            request_id: None,
            state_id: None,
            event_id: None,
            session_id: None,
            tool: None,
            tool_server: None,
            by: None,
            finding_to_state_ms: None,
            state_to_ack_ms: None,
            records: None,
            is_last: None,
            target: None,
            destination: None,
            amount: None,
            currency: None,
            credential_id: None,
            on_behalf_of: None,
            title: None,
            reasons: Vec::new(),
            answer: None,
            commitments: BTreeMap::new(),
            salts: BTreeMap::new(),
            hash: String::new(),
        }
    }

    /// Gives the record its place behind `previous`, commits to what can be struck out, and hashes it. `salt` gives the salt of a
    /// member.
    ///
    /// # Panics
    /// Never: a record always has a JSON form.
    pub fn seal(&mut self, partition: i32, sequence: u64, previous: &str, salt: impl Fn(&str) -> String) {
        (self.partition, self.sequence, self.previous) = (partition, sequence, previous.to_owned());
        let text = |text: &Option<String>| text.as_deref().map(Value::from);
        let members = [
            ("amount", text(&self.amount)),
            ("answer", self.answer.as_ref().map(as_value)),
            ("credential_id", text(&self.credential_id)),
            ("currency", text(&self.currency)),
            ("destination", text(&self.destination)),
            ("on_behalf_of", text(&self.on_behalf_of)),
            ("reasons", (!self.reasons.is_empty()).then(|| as_value(&self.reasons))),
            ("target", text(&self.target)),
            ("title", text(&self.title)),
        ];
        for (name, member) in members {
            if let Some(member) = member {
                let salt = salt(name);
                self.commitments.insert(name.to_owned(), commitment(&salt, name, &member));
                self.salts.insert(name.to_owned(), salt);
            }
        }
        self.hash = canonical::hash_in_order(&Covered::of(self));
    }

    /// The bytes as they are published.
    ///
    /// # Panics
    /// Never: a record always has a JSON form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::bytes(&as_value(self))
    }
}

/// Checks a published record by itself: form, commitments and hash. Returns it as JSON.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(bytes: &[u8]) -> Result<Value, RecordError> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| RecordError::Unreadable(error.to_string()))?;
    if !value.is_object() {
        return Err(RecordError::Unreadable("no JSON object".into()));
    }
    if canonical::bytes(&value) != bytes {
        return Err(RecordError::NotCanonical);
    }
    let text = |table: &str, name: &str| value.get(table).and_then(|table| table.get(name)).and_then(Value::as_str);
    for name in REDACTABLE {
        let holds = match (value.get(name), text("salts", name), text("commitments", name)) {
            (Some(member), Some(salt), Some(committed)) => commitment(salt, name, member) == committed,
            (None, None, _) => true,
            _ => false,
        };
        if !holds {
            return Err(RecordError::Member(name.to_owned()));
        }
    }
    let salts = value.get("salts").and_then(Value::as_object);
    if let Some(unknown) = salts.into_iter().flatten().map(|(name, _)| name).find(|name| !REDACTABLE.contains(&name.as_str())) {
        return Err(RecordError::Member(unknown.clone()));
    }
    if salts.is_none() || value.get("hash").and_then(Value::as_str) != Some(&*hash_of(&value)) {
        return Err(RecordError::Hash);
    }
    Ok(value)
}

/// Strikes out members of a record; what cannot be struck out stays.
pub fn redact(record: &mut Value, names: &[&str]) {
    for name in names.iter().filter(|name| REDACTABLE.contains(name)) {
        if let Some(members) = record.as_object_mut() {
            members.remove(*name);
            members.get_mut("salts").and_then(Value::as_object_mut).and_then(|salts| salts.remove(*name));
        }
    }
}

fn as_value(member: &impl Serialize) -> Value {
    serde_json::to_value(member).expect("text keys and finite numbers always have a JSON form")
}

fn commitment(salt: &str, name: &str, member: &Value) -> String {
    canonical::params_hash(&serde_json::json!([salt, name, member]))
}

fn hash_of(record: &Value) -> String {
    let mut covered = record.clone();
    take_uncovered(&mut covered);
    canonical::params_hash(&covered)
}

/// Leaves of a record what its hash covers; the members that can be struck out are returned.
fn take_uncovered(record: &mut Value) -> Vec<(&'static str, Value)> {
    let Some(members) = record.as_object_mut() else { return Vec::new() };
    members.remove("hash");
    members.remove("salts");
    REDACTABLE.into_iter().filter_map(|name| Some((name, members.remove(name)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> AuditRecord {
        let mut record = AuditRecord::new(What::Decision, 1_767_225_600_000, "billing-assist-07", "allowed");
        record.on_behalf_of = Some("customer 4821".into());
        record.amount = Some("32.00".into());
        record.score = Some(0.1 + 0.2);
        record.seal(3, 7, BEGINNING, |name| format!("salt of {name}"));
        record
    }

    #[test]
    fn a_sealed_record_is_as_it_says() {
        let record = sealed();
        let value = check(&record.to_bytes()).expect("untouched");
        assert_eq!(serde_json::from_value::<AuditRecord>(value).unwrap(), record);
    }

    /// With every member that there is.
    fn full() -> AuditRecord {
        let text = |text: &str| Some(text.to_owned());
        let answer = AnswerShown { outcome: "approved".into(), decided_by: text("dana"), decided_at: 5, reason: text("ordinary") };
        let mut record = AuditRecord {
            decision: Some(Decision::StepUp),
            policy: Some(PolicyShown { id: "contract".into(), version: "0123".into(), rule: "limits[0]".into() }),
            policy_version: text("7"),
            score: Some(1e-7),
            kind: Some(Kind::IntentLimit),
            severity: Some(Severity::High),
            finding_id: text("f"),
            request_id: text("r"),
            state_id: text("s"),
            event_id: text("e\n\u{e9}"),
            session_id: text("session"),
            tool: text("issue_refund"),
            tool_server: text("billing"),
            by: text("gate"),
            finding_to_state_ms: Some(-3),
            state_to_ack_ms: Some(4),
            records: Some(u64::MAX),
            is_last: Some(true),
            target: text("order"),
            destination: text("bank"),
            currency: text("EUR"),
            credential_id: text("key"),
            title: text("too much"),
            reasons: vec![Reason::of_fact("intent_limit", "amount", "at most 10".into(), "\u{20ac} 20".into())],
            answer: Some(answer),
            ..sealed()
        };
        record.seal(3, 8, BEGINNING, |name| format!("salt of {name}"));
        record
    }

    #[test]
    fn any_changed_byte_is_seen() {
        for bytes in [sealed(), full()].map(|record| record.to_bytes()) {
            assert!(check(&bytes).is_ok(), "{}", String::from_utf8_lossy(&bytes));
            for place in 0..bytes.len() {
                for other in [b'0', b'"', b'}', b' ', bytes[place] ^ 1] {
                    let mut altered = bytes.clone();
                    altered[place] = other;
                    assert!(altered == bytes || check(&altered).is_err(), "{place}: {}", String::from_utf8_lossy(&altered));
                }
            }
        }
    }

    #[test]
    fn what_is_struck_out_leaves_the_hash_as_it_was() {
        let mut value = check(&sealed().to_bytes()).expect("untouched");
        redact(&mut value, &["on_behalf_of", "agent_id"]);
        let redacted = check(&canonical::bytes(&value)).expect("redacted");
        assert!(redacted.get("on_behalf_of").is_none() && redacted.get("agent_id").is_some() && redacted.get("amount").is_some());
    }

    #[test]
    fn what_was_struck_out_cannot_be_filled_in_otherwise() {
        let mut value = check(&sealed().to_bytes()).expect("untouched");
        redact(&mut value, &["on_behalf_of"]);
        value["on_behalf_of"] = "customer 1".into();
        assert_eq!(check(&canonical::bytes(&value)), Err(RecordError::Member("on_behalf_of".into())));
        value["salts"]["on_behalf_of"] = "salt of on_behalf_of".into();
        assert_eq!(check(&canonical::bytes(&value)), Err(RecordError::Member("on_behalf_of".into())));
        value["on_behalf_of"] = "customer 4821".into();
        assert!(check(&canonical::bytes(&value)).is_ok());
    }
}
