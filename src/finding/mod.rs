//! What a SOC reads: findings and step-up requests, in native form.

pub mod as_json;
pub mod audit_record;
mod covered;
pub mod decision;
pub mod kind;
pub mod reason;
pub mod step_up_request;
pub mod techniques;
pub mod verdict;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use decision::{Decision, Severity};
pub use kind::Kind;
pub use reason::{BaselineShown, Evidence, EvidenceWord, Pattern, Reason};
pub use step_up_request::StepUpRequest;

/// Where in its life a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Activity {
    /// First publication.
    Open,
    /// More of the same.
    Update,
    /// Nothing more will come.
    Close,
}

/// The policy that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyShown {
    /// Name of the policy.
    pub id: String,
    /// Hash of the configuration in force.
    pub version: String,
    /// The rule that applied.
    pub rule: String,
}

/// A behaviour change with what is known of its cause (DESIGN.md, section 8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// `agent_version`, `policy_version`, `model`, or a kind from `agent-changes`; absent when nothing was declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// After.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// When it was first seen, epoch ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
    /// Events of the agent between the change and this finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_events: Option<u64>,
    /// Time between the change and this finding, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_ms: Option<i64>,
    /// Who approved it, where a record on `agent-changes` says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// `expected-change`, `unapproved-change` or `unexplained-drift`.
    pub class: String,
}

impl Change {
    /// A shift of class `class` with no change behind it.
    #[must_use]
    pub fn unexplained(class: &str) -> Self {
        Self { kind: None, from: None, to: None, at: None, lag_events: None, lag_ms: None, approved_by: None, class: class.into() }
    }
}

/// One finding, as published to `agent-alerts` (DESIGN.md, section 5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Stable for the life of the finding; a hash of agent, kind, session and the first event's id.
    pub finding_id: String,
    /// Where in its life this publication stands.
    pub activity: Activity,
    /// What kind of deviation.
    pub kind: Kind,
    /// How bad.
    pub severity: Severity,
    /// 0 to 100.
    pub risk: u8,
    /// What should happen.
    pub decision: Decision,
    /// One sentence.
    pub title: String,
    /// Who acted.
    pub agent_id: String,
    /// Further agents whose later alarms showed nothing but what this finding showed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<String>,
    /// Release of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<String>,
    /// The session, as the producer named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The kind of work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_type: Option<String>,
    /// Credential used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<String>,
    /// Principal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// Event time of the first event behind the finding, epoch ms.
    pub first_seen: i64,
    /// Event time of the last event behind the finding, epoch ms.
    pub last_seen: i64,
    /// How many events so far.
    pub count: u64,
    /// Stream time of this publication, epoch ms.
    pub detected_at: i64,
    /// `-log10` of the calibrated p-value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Calibrated p-value of the session so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// Expected against actual, most telling first.
    pub reasons: Vec<Reason>,
    /// The smallest change that would have made it ordinary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normal_if: Option<String>,
    /// What it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineShown>,
    /// Drift verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// The rule behind the decision.
    pub policy: PolicyShown,
    /// ATLAS, ATT&CK and OWASP ids.
    pub techniques: Vec<String>,
    /// Ids of the events behind the finding, oldest first.
    pub events: Vec<String>,
    /// Trace of the newest event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

impl Finding {
    /// A finding of `kind` that opens at stream time `detected_at` about what happened at `at`, with no word said yet: low, and
    /// alerted. Whoever opens it says the rest.
    #[must_use]
    pub fn opened(finding_id: String, kind: Kind, agent_id: String, policy: PolicyShown, at: i64, detected_at: i64) -> Self {
        Self {
            finding_id,
            activity: Activity::Open,
            kind,
            severity: Severity::Low,
            risk: 0,
            decision: Decision::Alert,
            title: String::new(),
            agent_id,
            agents: Vec::new(),
            agent_version: None,
            session_id: None,
            task_type: None,
            credential_id: None,
            on_behalf_of: None,
            first_seen: at,
            last_seen: at,
            count: 1,
            detected_at,
            score: None,
            p_value: None,
            reasons: Vec::new(),
            normal_if: None,
            baseline: None,
            change: None,
            policy,
            techniques: techniques::of(kind).iter().map(|&id| id.to_owned()).collect(),
            events: Vec::new(),
            trace_id: None,
        }
    }
}
