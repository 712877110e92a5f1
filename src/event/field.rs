//! The fields of the native event: name, form, and what each means. Decoder, writer and schema share this one list.

use super::limits::{EVENT_ID_BYTES_MAX, NAME_BYTES_MAX, PLACE_BYTES_MAX};

/// A field of the native event (DESIGN.md, section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the event")]
pub enum Field {
    EventId,
    Ts,
    AgentId,
    AgentVersion,
    SessionId,
    TaskType,
    Action,
    Tool,
    ToolServer,
    Target,
    Destination,
    BytesIn,
    BytesOut,
    Records,
    DurationMs,
    Status,
    CredentialId,
    CredentialIssuedAt,
    Effect,
    SourceIp,
    OnBehalfOf,
    PeerAgentId,
    PolicyVersion,
    Model,
    Amount,
    Currency,
    ApprovalId,
    ParamsHash,
    TraceId,
    SpanId,
    Environment,
    Sequence,
}

/// What a field may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text of at most `bytes_max` bytes; empty counts as absent.
    Text {
        /// Cap in bytes of UTF-8.
        bytes_max: usize,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// RFC 3339 or integer epoch milliseconds.
    Time,
    /// A whole number of 64 bits.
    Count,
    /// A finite number of milliseconds, not negative.
    Milliseconds,
    /// An IPv4 or IPv6 address.
    Address,
    /// A decimal string or a number.
    Money,
    /// `sha256:` and 64 lower-case hex digits.
    Hash,
    /// That many lower-case hex digits.
    Hex(usize),
}

impl Field {
    /// Every field, in the order in which they are written.
    pub const ALL: [Self; 32] = [
        Self::EventId,
        Self::Ts,
        Self::AgentId,
        Self::AgentVersion,
        Self::SessionId,
        Self::TaskType,
        Self::Action,
        Self::Tool,
        Self::ToolServer,
        Self::Target,
        Self::Destination,
        Self::BytesIn,
        Self::BytesOut,
        Self::Records,
        Self::DurationMs,
        Self::Status,
        Self::CredentialId,
        Self::CredentialIssuedAt,
        Self::Effect,
        Self::SourceIp,
        Self::OnBehalfOf,
        Self::PeerAgentId,
        Self::PolicyVersion,
        Self::Model,
        Self::Amount,
        Self::Currency,
        Self::ApprovalId,
        Self::ParamsHash,
        Self::TraceId,
        Self::SpanId,
        Self::Environment,
        Self::Sequence,
    ];

    /// The field of that name; `None` for what is not part of the native event.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.as_bytes() {
            b"event_id" => Self::EventId,
            b"ts" => Self::Ts,
            b"agent_id" => Self::AgentId,
            b"agent_version" => Self::AgentVersion,
            b"session_id" => Self::SessionId,
            b"task_type" => Self::TaskType,
            b"action" => Self::Action,
            b"tool" => Self::Tool,
            b"tool_server" => Self::ToolServer,
            b"target" => Self::Target,
            b"destination" => Self::Destination,
            b"bytes_in" => Self::BytesIn,
            b"bytes_out" => Self::BytesOut,
            b"records" => Self::Records,
            b"duration_ms" => Self::DurationMs,
            b"status" => Self::Status,
            b"credential_id" => Self::CredentialId,
            b"credential_issued_at" => Self::CredentialIssuedAt,
            b"effect" => Self::Effect,
            b"source_ip" => Self::SourceIp,
            b"on_behalf_of" => Self::OnBehalfOf,
            b"peer_agent_id" => Self::PeerAgentId,
            b"policy_version" => Self::PolicyVersion,
            b"model" => Self::Model,
            b"amount" => Self::Amount,
            b"currency" => Self::Currency,
            b"approval_id" => Self::ApprovalId,
            b"params_hash" => Self::ParamsHash,
            b"trace_id" => Self::TraceId,
            b"span_id" => Self::SpanId,
            b"environment" => Self::Environment,
            b"sequence" => Self::Sequence,
            _ => return None,
        })
    }

    /// The name in the record.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EventId => "event_id",
            Self::Ts => "ts",
            Self::AgentId => "agent_id",
            Self::AgentVersion => "agent_version",
            Self::SessionId => "session_id",
            Self::TaskType => "task_type",
            Self::Action => "action",
            Self::Tool => "tool",
            Self::ToolServer => "tool_server",
            Self::Target => "target",
            Self::Destination => "destination",
            Self::BytesIn => "bytes_in",
            Self::BytesOut => "bytes_out",
            Self::Records => "records",
            Self::DurationMs => "duration_ms",
            Self::Status => "status",
            Self::CredentialId => "credential_id",
            Self::CredentialIssuedAt => "credential_issued_at",
            Self::Effect => "effect",
            Self::SourceIp => "source_ip",
            Self::OnBehalfOf => "on_behalf_of",
            Self::PeerAgentId => "peer_agent_id",
            Self::PolicyVersion => "policy_version",
            Self::Model => "model",
            Self::Amount => "amount",
            Self::Currency => "currency",
            Self::ApprovalId => "approval_id",
            Self::ParamsHash => "params_hash",
            Self::TraceId => "trace_id",
            Self::SpanId => "span_id",
            Self::Environment => "environment",
            Self::Sequence => "sequence",
        }
    }

    /// What the field may hold.
    #[must_use]
    pub fn form(self) -> Form {
        match self {
            Self::EventId => Form::Text { bytes_max: EVENT_ID_BYTES_MAX },
            Self::Target | Self::Destination => Form::Text { bytes_max: PLACE_BYTES_MAX },
            Self::Ts | Self::CredentialIssuedAt => Form::Time,
            Self::Action => Form::Word(&["tool_call", "llm_call", "message", "memory", "auth", "session_end", "other"]),
            Self::Status => Form::Word(&["ok", "error", "denied", "timeout"]),
            Self::Effect => Form::Word(&["read", "write", "destructive"]),
            Self::BytesIn | Self::BytesOut | Self::Records | Self::Sequence => Form::Count,
            Self::DurationMs => Form::Milliseconds,
            Self::SourceIp => Form::Address,
            Self::Amount => Form::Money,
            Self::ParamsHash => Form::Hash,
            Self::TraceId => Form::Hex(32),
            Self::SpanId => Form::Hex(16),
            Self::AgentId
            | Self::AgentVersion
            | Self::SessionId
            | Self::TaskType
            | Self::Tool
            | Self::ToolServer
            | Self::CredentialId
            | Self::OnBehalfOf
            | Self::PeerAgentId
            | Self::PolicyVersion
            | Self::Model
            | Self::Currency
            | Self::ApprovalId
            | Self::Environment => Form::Text { bytes_max: NAME_BYTES_MAX },
        }
    }

    /// One line for the schema.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::EventId => "Unique per agent; derived as <partition>-<offset> when absent",
            Self::Ts => "Event time",
            Self::AgentId => "Who acted; also the record's key",
            Self::AgentVersion => "Release of the agent",
            Self::SessionId => "The run this action belongs to",
            Self::TaskType => "The kind of work; names the agent's group",
            Self::Action => "What was done; a tool without an action means tool_call; session_end closes the session and is not scored",
            Self::Tool => "The tool called; required for tool_call",
            Self::ToolServer => "The server of the tool; a tool's identity is the pair",
            Self::Target => "What is acted on: a path, URI, table",
            Self::Destination => "Where data goes: a host, address, recipient",
            Self::BytesIn => "Bytes received by the agent",
            Self::BytesOut => "Bytes sent by the agent",
            Self::Records => "Items moved",
            Self::DurationMs => "How long it took, milliseconds",
            Self::Status => "How it ended; denied means that it did not run",
            Self::CredentialId => "Which credential was used: an identifier, never the secret",
            Self::CredentialIssuedAt => "When that credential was issued",
            Self::Effect => "What the action does to the world",
            Self::SourceIp => "Where the agent called from",
            Self::OnBehalfOf => "The principal for whom the agent acts",
            Self::PeerAgentId => "The other agent of a message",
            Self::PolicyVersion => "Version of the policy in force at the agent",
            Self::Model => "Model in use",
            Self::Amount => "Money moved; text that is no plain decimal is kept and judged as above every limit",
            Self::Currency => "ISO 4217 code of the amount",
            Self::ApprovalId => "The step-up request that covers this action",
            Self::ParamsHash => "SHA-256 over the canonical (RFC 8785) parameters",
            Self::TraceId => "W3C trace id",
            Self::SpanId => "W3C span id",
            Self::Environment => "Where the agent runs: production, staging, …",
            Self::Sequence => "The producer's counter",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_name() {
        for (index, field) in Field::ALL.into_iter().enumerate() {
            assert_eq!(Field::named(field.name()), Some(field));
            assert_eq!(field as usize, index);
        }
        assert_eq!(Field::named("label"), None);
    }
}
