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
    /// Names every member of the record, so that none that is added can be forgotten here.
    pub fn of(record: &'r AuditRecord) -> Self {
        let AuditRecord {
            schema_version,
            partition,
            sequence,
            previous,
            what,
            at,
            agent_id,
            outcome,
            decision,
            policy,
            policy_version,
            score,
            kind,
            severity,
            finding_id,
            request_id,
            state_id,
            event_id,
            session_id,
            tool,
            tool_server,
            by,
            finding_to_state_ms,
            state_to_ack_ms,
            records,
            is_last,
            commitments,
            // Covered by their commitments.
            target: _,
            destination: _,
            amount: _,
            currency: _,
            credential_id: _,
            on_behalf_of: _,
            title: _,
            reasons: _,
            answer: _,
            // Not covered.
            salts: _,
            hash: _,
        } = record;
        Self {
            agent_id,
            at: *at,
            by: by.as_deref(),
            commitments,
            decision: *decision,
            event_id: event_id.as_deref(),
            finding_id: finding_id.as_deref(),
            finding_to_state_ms: *finding_to_state_ms,
            is_last: *is_last,
            kind: *kind,
            outcome,
            partition: *partition,
            policy: policy.as_ref().map(|PolicyShown { id, version, rule }| CoveredPolicy { id, rule, version }),
            policy_version: policy_version.as_deref(),
            previous,
            records: *records,
            request_id: request_id.as_deref(),
            schema_version: *schema_version,
            score: *score,
            sequence: *sequence,
            session_id: session_id.as_deref(),
            severity: *severity,
            state_id: state_id.as_deref(),
            state_to_ack_ms: *state_to_ack_ms,
            tool: tool.as_deref(),
            tool_server: tool_server.as_deref(),
            what: *what,
        }
    }
}
