//! The members of an audit record that its hash covers, in the order of their names: they are written in canonical form straight away. What
//! can be struck out is covered by its commitment, and the hash and the salts are not.

use std::collections::BTreeMap;

use serde::Serialize;

use super::audit_record::{AuditRecord, What};
use super::{Decision, Kind, PolicyShown, Severity};

/// In the order of their names.
#[derive(Serialize)]
pub(super) struct Covered<'r> {
    agent_id: &'r str,
    at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'r str>,
    commitments: &'r BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<Decision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding_id: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding_to_state_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_last: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    outcome: &'r str,
    partition: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<CoveredPolicy<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_version: Option<&'r str>,
    previous: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'r str>,
    schema_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f64>,
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_id: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_to_ack_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_server: Option<&'r str>,
    what: What,
}

/// [`PolicyShown`] in the order of its names.
#[derive(Serialize)]
struct CoveredPolicy<'r> {
    id: &'r str,
    rule: &'r str,
    version: &'r str,
}

impl<'r> Covered<'r> {
    pub fn of(record: &'r AuditRecord) -> Self {
        Self {
            agent_id: &record.agent_id,
            at: record.at,
            by: record.by.as_deref(),
            commitments: &record.commitments,
            decision: record.decision,
            event_id: record.event_id.as_deref(),
            finding_id: record.finding_id.as_deref(),
            finding_to_state_ms: record.finding_to_state_ms,
            is_last: record.is_last,
            kind: record.kind,
            outcome: &record.outcome,
            partition: record.partition,
            policy: record.policy.as_ref().map(|PolicyShown { id, version, rule }| CoveredPolicy { id, rule, version }),
            policy_version: record.policy_version.as_deref(),
            previous: &record.previous,
            records: record.records,
            request_id: record.request_id.as_deref(),
            schema_version: record.schema_version,
            score: record.score,
            sequence: record.sequence,
            session_id: record.session_id.as_deref(),
            severity: record.severity,
            state_id: record.state_id.as_deref(),
            state_to_ack_ms: record.state_to_ack_ms,
            tool: record.tool.as_deref(),
            tool_server: record.tool_server.as_deref(),
            what: record.what,
        }
    }
}
