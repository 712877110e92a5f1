//! A question bound to one exact action: re-authenticate, or a human approves (STANDARDS.md, section 8).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Reason, Severity};

/// What must be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionRequired {
    /// The agent or its principal proves who it is.
    Reauthenticate,
    /// A person approves this action.
    HumanApproval,
}

/// Whether what the action does can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reversibility {
    /// Changes nothing.
    ReadOnly,
    /// Can be undone by the agent's owner.
    Reversible,
    /// Can be undone with somebody else's help.
    ExternallyReversible,
    /// Cannot be undone.
    Irreversible,
}

/// Whether the enforcement point waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnforcementMode {
    /// The action waits for the answer.
    Hold,
    /// The action goes on and is watched.
    AllowAndWatch,
}

/// What the answer covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnforcementScope {
    /// This call.
    Call,
    /// The session.
    Session,
    /// The agent.
    Agent,
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are those of the event")]
pub struct RequestAgent {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<String>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are those of the event")]
pub struct RequestAction {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    pub reversibility: Reversibility,
}

/// The rule that asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct RequestPolicy {
    pub id: String,
    pub version: String,
    pub rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_total: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
}

/// Why it asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are those of the finding")]
pub struct RequestRisk {
    pub score: Option<f64>,
    pub severity: Severity,
    pub reasons: Vec<Reason>,
}

/// What the enforcement point does meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Enforcement {
    /// Whether the action waits.
    pub mode: EnforcementMode,
    /// Always `deny`.
    pub default_on_timeout: String,
    /// What the answer covers.
    pub scope: EnforcementScope,
}

/// One step-up request, as published to `agent-stepup-requests`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepUpRequest {
    /// Version of this form.
    pub schema_version: u32,
    /// Single use: `<event partition>-<hash of finding, event, attempt>`.
    pub request_id: String,
    /// The finding behind it.
    pub finding_id: String,
    /// What must be decided.
    pub decision_required: DecisionRequired,
    /// Who acted.
    pub agent: RequestAgent,
    /// On whose behalf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Trace of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Span of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// The event that asks.
    pub event_id: String,
    /// What was asked for.
    pub action: RequestAction,
    /// Binds the answer to the parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub params_hash: Option<String>,
    /// What a person may see of the parameters, redacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub params_display: Option<String>,
    /// Accepted authentication strengths; empty: not checked.
    pub acr_values: Vec<String>,
    /// Oldest accepted authentication, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u64>,
    /// Who may decide; empty: anyone but the principal and the agent.
    pub approvers: Vec<String>,
    /// The rule that asks.
    pub policy: RequestPolicy,
    /// Why it asks.
    pub risk: RequestRisk,
    /// What the enforcement point does meanwhile.
    pub enforcement: Enforcement,
    /// Stream time, epoch ms.
    pub created_at: i64,
    /// Event time at which it is denied, epoch ms.
    pub expires_at: i64,
    /// Hash of agent, tool, target and parameters; identical questions merge.
    pub dedupe_key: String,
    /// 1 for the first.
    pub attempt: u32,
    /// The request this one replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<String>,
    /// Detached signature, where signatures are configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}
