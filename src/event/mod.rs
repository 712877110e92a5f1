//! The native event: one action of one agent, as it came over Kafka. Decoding lives in the modules beside this one.

pub mod admission;
pub mod amount;
pub mod dead_letter;
pub mod decode_error;
pub mod field;
mod json;
pub mod limits;
pub mod native;
pub mod schema;
pub mod timestamp;
mod write;

use std::borrow::Cow;
use std::net::IpAddr;

pub use amount::Amount;
pub use dead_letter::{DeadLetter, Source};
pub use decode_error::DecodeError;
pub use native::{Decoded, Origin, decode};

/// What an agent did. `session_end` closes the session and is not scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A call of `tool`.
    ToolCall,
    /// A call of a model.
    LlmCall,
    /// A message to another agent.
    Message,
    /// A read or write of the agent's own memory.
    Memory,
    /// An authentication.
    Auth,
    /// The session is over.
    SessionEnd,
    /// Anything else.
    Other,
}

impl Action {
    /// The value of that word in the native event.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "tool_call" => Self::ToolCall,
            "llm_call" => Self::LlmCall,
            "message" => Self::Message,
            "memory" => Self::Memory,
            "auth" => Self::Auth,
            "session_end" => Self::SessionEnd,
            "other" => Self::Other,
            _ => return None,
        })
    }

    /// The word in the native event.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToolCall => "tool_call",
            Self::LlmCall => "llm_call",
            Self::Message => "message",
            Self::Memory => "memory",
            Self::Auth => "auth",
            Self::SessionEnd => "session_end",
            Self::Other => "other",
        }
    }
}

/// How the action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// It worked.
    Ok,
    /// It failed.
    Error,
    /// It was refused and did not run.
    Denied,
    /// It took too long.
    Timeout,
}

impl Status {
    /// The value of that word in the native event.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "ok" => Self::Ok,
            "error" => Self::Error,
            "denied" => Self::Denied,
            "timeout" => Self::Timeout,
            _ => return None,
        })
    }

    /// The word in the native event.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Denied => "denied",
            Self::Timeout => "timeout",
        }
    }
}

/// What the action does to the world, where the producer says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Changes something.
    Write,
    /// Changes something that cannot be undone.
    Destructive,
}

impl Effect {
    /// The value of that word in the native event.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "read" => Self::Read,
            "write" => Self::Write,
            "destructive" => Self::Destructive,
            _ => return None,
        })
    }

    /// The word in the native event.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
        }
    }
}

/// One action of one agent. Absent is not zero: an absent field adds no evidence.
///
/// Ground truth (`label`, `session_label`, `attack`) is deliberately not here, so detection cannot read it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    /// Unique per agent; derived as `<partition>-<offset>` when the producer gave none.
    pub event_id: Cow<'a, str>,
    /// Event time, epoch milliseconds.
    pub ts: i64,
    /// Who acted.
    pub agent_id: Cow<'a, str>,
    /// Release of the agent.
    pub agent_version: Option<Cow<'a, str>>,
    /// The run this action belongs to.
    pub session_id: Option<Cow<'a, str>>,
    /// The kind of work; names the agent's group.
    pub task_type: Option<Cow<'a, str>>,
    /// What was done.
    pub action: Action,
    /// The tool called; always there for `tool_call`.
    pub tool: Option<Cow<'a, str>>,
    /// The server of the tool; identity is the pair.
    pub tool_server: Option<Cow<'a, str>>,
    /// What is acted on.
    pub target: Option<Cow<'a, str>>,
    /// Where data goes.
    pub destination: Option<Cow<'a, str>>,
    /// Bytes received by the agent.
    pub bytes_in: Option<u64>,
    /// Bytes sent by the agent.
    pub bytes_out: Option<u64>,
    /// Items moved.
    pub records: Option<u64>,
    /// How long it took, milliseconds, finite and not negative.
    pub duration_ms: Option<f64>,
    /// How it ended.
    pub status: Option<Status>,
    /// Which credential was used; an identifier, never the secret.
    pub credential_id: Option<Cow<'a, str>>,
    /// When that credential was issued, epoch milliseconds.
    pub credential_issued_at: Option<i64>,
    /// What the action does to the world.
    pub effect: Option<Effect>,
    /// Where the agent called from.
    pub source_ip: Option<IpAddr>,
    /// The principal for whom the agent acts.
    pub on_behalf_of: Option<Cow<'a, str>>,
    /// The other agent of a message.
    pub peer_agent_id: Option<Cow<'a, str>>,
    /// Version of the policy in force at the agent.
    pub policy_version: Option<Cow<'a, str>>,
    /// Model in use.
    pub model: Option<Cow<'a, str>>,
    /// Money moved.
    pub amount: Option<Amount<'a>>,
    /// ISO 4217 code of `amount`.
    pub currency: Option<Cow<'a, str>>,
    /// The step-up request that covers this action.
    pub approval_id: Option<Cow<'a, str>>,
    /// `sha256:` and 64 hex digits over the canonical parameters.
    pub params_hash: Option<Cow<'a, str>>,
    /// 32 lower-case hex digits.
    pub trace_id: Option<Cow<'a, str>>,
    /// 16 lower-case hex digits.
    pub span_id: Option<Cow<'a, str>>,
    /// Where the agent runs (production, staging, …).
    pub environment: Option<Cow<'a, str>>,
    /// The producer's counter.
    pub sequence: Option<u64>,
}

impl<'a> Event<'a> {
    /// An event with nothing but what every event has.
    #[must_use]
    pub fn bare(event_id: &'a str, ts: i64, agent_id: &'a str, action: Action) -> Self {
        Self {
            event_id: Cow::Borrowed(event_id),
            ts,
            agent_id: Cow::Borrowed(agent_id),
            agent_version: None,
            session_id: None,
            task_type: None,
            action,
            tool: None,
            tool_server: None,
            target: None,
            destination: None,
            bytes_in: None,
            bytes_out: None,
            records: None,
            duration_ms: None,
            status: None,
            credential_id: None,
            credential_issued_at: None,
            effect: None,
            source_ip: None,
            on_behalf_of: None,
            peer_agent_id: None,
            policy_version: None,
            model: None,
            amount: None,
            currency: None,
            approval_id: None,
            params_hash: None,
            trace_id: None,
            span_id: None,
            environment: None,
            sequence: None,
        }
    }

    /// The same event, holding its own text.
    #[must_use]
    pub fn into_owned(self) -> Event<'static> {
        let owned = |text: Option<Cow<'a, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        Event {
            event_id: Cow::Owned(self.event_id.into_owned()),
            ts: self.ts,
            agent_id: Cow::Owned(self.agent_id.into_owned()),
            agent_version: owned(self.agent_version),
            session_id: owned(self.session_id),
            task_type: owned(self.task_type),
            action: self.action,
            tool: owned(self.tool),
            tool_server: owned(self.tool_server),
            target: owned(self.target),
            destination: owned(self.destination),
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            records: self.records,
            duration_ms: self.duration_ms,
            status: self.status,
            credential_id: owned(self.credential_id),
            credential_issued_at: self.credential_issued_at,
            effect: self.effect,
            source_ip: self.source_ip,
            on_behalf_of: owned(self.on_behalf_of),
            peer_agent_id: owned(self.peer_agent_id),
            policy_version: owned(self.policy_version),
            model: owned(self.model),
            amount: self.amount.map(Amount::into_owned),
            currency: owned(self.currency),
            approval_id: owned(self.approval_id),
            params_hash: owned(self.params_hash),
            trace_id: owned(self.trace_id),
            span_id: owned(self.span_id),
            environment: owned(self.environment),
            sequence: self.sequence,
        }
    }
}
