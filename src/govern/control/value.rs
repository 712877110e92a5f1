//! What control records say (STANDARDS.md, section 8; DESIGN.md, section 10). Members that nobody knows are ignored: other
//! programs write these, and may say more.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;

use super::{ControlError, ControlTopic};
use crate::event::timestamp;
use crate::govern::record::{self, InventoryRecord};
use crate::govern::sightings::Sighting;
use crate::stats::canonical;

/// What a control record says.
#[derive(Debug, Clone, PartialEq)]
pub enum ControlValue {
    /// What is declared of an agent from now on; `None`: nothing any more.
    Inventory(Option<Box<InventoryRecord>>),
    /// Something about agents was changed.
    Change(ChangeRecord),
    /// An analyst's verdict on a finding.
    Feedback(FeedbackRecord),
    /// An answer to a step-up request.
    Answer(Box<Answer>),
    /// What an enforcement point did.
    Ack(EnforcementAck),
    /// Whether an agent may act; `None`: nothing was said.
    State(Option<Box<AgentStateRecord>>),
    /// What another shard saw.
    Sighting(Sighting),
    /// What should have been an answer and cannot be read.
    MalformedAnswer {
        /// Digest of it, by which a repeat is known.
        digest: String,
        /// What is wrong with it.
        why: String,
    },
}

/// What kind of thing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the message")]
pub enum ChangeKind {
    Policy,
    Prompt,
    Model,
    Tools,
    Code,
}

/// A declared change (`agent-changes`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRecord {
    /// The agent it concerns; absent when `scope` says whom.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// Whom it concerns, where that is more than one agent.
    #[serde(default)]
    pub scope: Option<String>,
    /// What was changed.
    pub kind: ChangeKind,
    /// Before.
    #[serde(default)]
    pub from: Option<String>,
    /// After.
    #[serde(default)]
    pub to: Option<String>,
    /// Who approved it; absent: nobody.
    #[serde(default)]
    pub approved_by: Option<String>,
    /// Epoch ms.
    #[serde(deserialize_with = "time")]
    pub at: i64,
}

/// What an analyst made of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the message")]
pub enum Disposition {
    TruePositive,
    FalsePositive,
    BenignTruePositive,
}

/// An analyst's verdict (`agent-feedback`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackRecord {
    /// The finding.
    pub finding_id: String,
    /// The verdict.
    pub disposition: Disposition,
    /// Why, in the operator's own code.
    #[serde(default)]
    pub reason_code: Option<String>,
    /// Who says so.
    #[serde(default)]
    pub by: Option<String>,
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The action may run.
    Approved,
    /// It may not.
    Denied,
    /// Nobody could be asked; the request stays open.
    Error,
}

impl Outcome {
    /// The word in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Error => "error",
        }
    }
}

/// Who answered and how that was proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidedBy {
    /// Issuer of the identity.
    #[serde(default)]
    pub iss: Option<String>,
    /// The identity.
    pub sub: String,
    /// Strength of the authentication.
    #[serde(default)]
    pub acr: Option<String>,
    /// Methods of the authentication.
    #[serde(default)]
    pub amr: Vec<String>,
    /// When it took place, epoch ms.
    #[serde(default, deserialize_with = "optional_time")]
    pub auth_time: Option<i64>,
}

/// An answer to a step-up request (`agent-stepup-responses`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The request.
    pub request_id: String,
    /// What was answered.
    pub outcome: Outcome,
    /// Who answered; absent only with an error.
    #[serde(default)]
    pub decided_by: Option<DecidedBy>,
    /// Epoch ms.
    #[serde(deserialize_with = "time")]
    pub decided_at: i64,
    /// The parameters that were decided on.
    #[serde(default)]
    pub params_hash: Option<String>,
    /// Until when the action may run, epoch ms.
    #[serde(default, deserialize_with = "optional_time")]
    pub valid_until: Option<i64>,
    /// How often it may run.
    #[serde(default = "one")]
    pub max_uses: u32,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Detached signature.
    #[serde(default)]
    pub signature: Option<String>,
    /// Digest of the whole answer as it came, by which a repeat is known.
    #[serde(skip)]
    pub digest: String,
    /// What the signature is over: the canonical form of the answer without it. Only of a signed one.
    #[serde(skip)]
    pub signed: Option<Vec<u8>>,
}

impl Answer {
    /// Reads an answer, and what its signature is over, from the value as it came.
    fn read(mut value: Value) -> Result<Self, serde_json::Error> {
        let mut answer: Self = Self::deserialize(&value)?;
        if answer.request_id.is_empty() {
            return Err(de::Error::custom("`request_id` is empty"));
        }
        answer.digest = canonical::hex_digest(&canonical::bytes(&value));
        if answer.signature.is_some() {
            value.as_object_mut().and_then(|members| members.remove("signature"));
            answer.signed = Some(canonical::bytes(&value));
        }
        Ok(answer)
    }
}

/// What an enforcement point did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the message")]
pub enum EnforcementEffect {
    Held,
    Released,
    Blocked,
    Suspended,
    Restored,
    Failed,
}

impl EnforcementEffect {
    /// The word in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Released => "released",
            Self::Blocked => "blocked",
            Self::Suspended => "suspended",
            Self::Restored => "restored",
            Self::Failed => "failed",
        }
    }
}

/// An acknowledgement (`agent-enforcement-acks`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnforcementAck {
    /// The agent.
    pub agent_id: String,
    /// The request that was enforced.
    #[serde(default)]
    pub request_id: Option<String>,
    /// The state that was enforced.
    #[serde(default)]
    pub state_id: Option<String>,
    /// The enforcement point.
    pub enforced_by: String,
    /// What it did.
    pub effect: EnforcementEffect,
    /// When, epoch ms.
    #[serde(deserialize_with = "time")]
    pub enforced_at: i64,
    /// More, in words.
    #[serde(default)]
    pub detail: Option<String>,
}

/// Whether an agent may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the message")]
pub enum EnforcementState {
    Active,
    StepUpRequired,
    Suspended,
    Revoked,
}

impl EnforcementState {
    /// The word in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::StepUpRequired => "step_up_required",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }
}

/// Whether an enforcement point has done what a state asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the message")]
pub enum Confirmation {
    Unconfirmed,
    Confirmed,
    Failed,
}

impl Confirmation {
    /// The word in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unconfirmed => "unconfirmed",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
        }
    }
}

/// The state of an agent (`agent-state`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStateRecord {
    /// The agent.
    pub agent_id: String,
    /// Whether it may act.
    pub state: EnforcementState,
    /// Names this change of state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_id: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The finding behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding_id: Option<String>,
    /// Who set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_by: Option<String>,
    /// Since when, epoch ms.
    #[serde(default, deserialize_with = "optional_time", skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Until when, epoch ms; absent: until it is changed.
    #[serde(default, deserialize_with = "optional_time", skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<i64>,
    /// Whether it is enforced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
}

impl ControlValue {
    /// Reads the value of a record.
    pub(super) fn read(topic: ControlTopic, value: Option<Value>) -> Result<Self, ControlError> {
        let name = topic.as_str();
        let value = match (topic, value) {
            (ControlTopic::Inventory, None) => return Ok(Self::Inventory(None)),
            (ControlTopic::AgentState, None) => return Ok(Self::State(None)),
            (_, None) => return Err(ControlError::NoValue { topic: name }),
            (_, Some(value)) => value,
        };
        let wrong = |source| ControlError::Value { topic: name, source };
        Ok(match topic {
            ControlTopic::Inventory => Self::Inventory(Some(Box::new(record::from_json(&value).map_err(ControlError::Inventory)?))),
            ControlTopic::Changes => Self::Change(serde_json::from_value(value).map_err(wrong)?),
            ControlTopic::Feedback => Self::Feedback(serde_json::from_value(value).map_err(wrong)?),
            ControlTopic::StepUpResponses => Self::Answer(Box::new(Answer::read(value).map_err(wrong)?)),
            ControlTopic::EnforcementAcks => Self::Ack(serde_json::from_value(value).map_err(wrong)?),
            ControlTopic::AgentState => Self::State(Some(Box::new(serde_json::from_value(value).map_err(wrong)?))),
            ControlTopic::Sightings => Self::Sighting(serde_json::from_value(value).map_err(wrong)?),
        })
    }

    /// The key that the value asks for, where it does.
    pub(super) fn key(&self) -> Option<&str> {
        match self {
            Self::Inventory(record) => record.as_ref().map(|record| &*record.agent),
            Self::Change(change) => change.agent_id.as_deref(),
            Self::Feedback(feedback) => Some(&feedback.finding_id),
            Self::Answer(answer) => Some(&answer.request_id),
            Self::Ack(ack) => Some(&ack.agent_id),
            Self::State(state) => state.as_ref().map(|state| &*state.agent_id),
            Self::Sighting(_) | Self::MalformedAnswer { .. } => None,
        }
    }
}

fn one() -> u32 {
    1
}

/// RFC 3339 or epoch ms.
fn time<'d, D: Deserializer<'d>>(deserializer: D) -> Result<i64, D::Error> {
    struct Time;
    impl de::Visitor<'_> for Time {
        type Value = i64;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an RFC 3339 time or epoch milliseconds")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
            timestamp::from_rfc3339(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
        }

        fn visit_u64<E: de::Error>(self, ms: u64) -> Result<i64, E> {
            let time = i64::try_from(ms).ok().and_then(timestamp::from_epoch_ms);
            time.ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(ms), &self))
        }
    }
    deserializer.deserialize_any(Time)
}

fn optional_time<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    struct Present(#[serde(deserialize_with = "time")] i64);
    Ok(Option::<Present>::deserialize(deserializer)?.map(|Present(ms)| ms))
}
