//! Findings about answers and enforcement: as violations where an action is behind them, so that they live with its session, and
//! by themselves where a record or a clock is.

use serde_json::Map;

use super::super::alarm::{Again, OpenFinding};
use super::super::{Engine, Output, identifier, severity};
use super::Desk;
use crate::finding::{Activity, Decision, Finding, Kind, PolicyShown, Reason, Severity, techniques};
use crate::govern::Violation;

/// What is known of a finding without an action.
pub(super) struct Draft<'a> {
    pub kind: Kind,
    pub agent_id: &'a str,
    pub session_id: Option<&'a str>,
    /// What it is about, for its id: a request, a state.
    pub subject: &'a str,
    /// The record that shows it once more, for its list of events.
    pub record: &'a str,
    pub at: i64,
    pub title: String,
    pub field: &'static str,
    pub expected: String,
    pub actual: String,
    pub normal_if: String,
    pub rule: String,
}

/// The texts of a broken rule of this module.
pub(super) struct Broken {
    pub kind: Kind,
    pub title: String,
    pub field: &'static str,
    pub expected: String,
    pub actual: String,
    pub normal_if: String,
    pub rule: String,
    pub contract: Option<String>,
}

impl Engine {
    pub(super) fn violation(&self, broken: Broken) -> Violation {
        let Broken { kind, title, field, expected, actual, normal_if, rule, contract } = broken;
        let (severity, decision) = self.verdict(kind);
        let reasons = vec![reason(kind, field, expected, actual)];
        Violation { kind, severity, decision, title, reasons, normal_if, rule, contract, ask: None }
    }

    fn verdict(&self, kind: Kind) -> (Severity, Decision) {
        self.config.policy.verdict(kind, false)
    }

    /// Opens a finding of its own, or adds to the open one of its kind and session.
    pub(super) fn raise_alone(&mut self, draft: Draft<'_>) -> Option<Output> {
        let (worst, decision) = self.verdict(draft.kind);
        let now = self.stream_ms.max(draft.at);
        let version = self.policy_version.clone();
        let desk = self.response.desk_mut(draft.agent_id);
        let risk = severity::risk_of(worst);
        let session_id = draft.session_id.map(str::to_owned);
        let open = desk.raised.iter_mut().find(|open| open.finding.kind == draft.kind && open.finding.session_id == session_id);
        if let Some(open) = open {
            open.finding.reasons.push(reason(draft.kind, draft.field, draft.expected, draft.actual));
            open.finding.reasons.truncate(8);
            let again = Again { event_id: draft.record, ts: draft.at, severity: worst, risk, decision, p: None, context: None };
            return open.repeat(&again, now).map(|update| Output::Finding(Box::new(update)));
        }
        let Draft { kind, agent_id, subject, record, at, title, field, expected, actual, normal_if, rule, .. } = draft;
        let finding = Finding {
            finding_id: identifier::of(&[agent_id, kind.as_str(), session_id.as_deref().unwrap_or(""), subject]),
            activity: Activity::Open,
            kind,
            severity: worst,
            risk,
            decision,
            title,
            agent_id: agent_id.to_owned(),
            agents: Vec::new(),
            agent_version: None,
            session_id,
            task_type: None,
            credential_id: None,
            on_behalf_of: None,
            first_seen: at,
            last_seen: at,
            count: 1,
            detected_at: now,
            score: None,
            p_value: None,
            reasons: vec![reason(kind, field, expected, actual)],
            normal_if: Some(normal_if),
            baseline: None,
            change: None,
            policy: PolicyShown { id: "step_up".into(), version, rule },
            techniques: techniques::of(kind).iter().map(|&id| id.to_owned()).collect(),
            events: vec![record.to_owned()],
            trace_id: None,
        };
        desk.raised.push(OpenFinding::of(finding.clone(), None));
        Some(Output::Finding(Box::new(finding)))
    }
}

impl Desk {
    /// Ends the findings of its own that `is_over` picks.
    pub(super) fn close_raised(&mut self, now: i64, is_over: impl Fn(&Finding) -> bool) -> Vec<Output> {
        let over = self.raised.extract_if(.., |open| is_over(&open.finding));
        over.map(|open| Output::Finding(Box::new(open.close(now)))).collect()
    }

    /// The last time at which one of them was seen, for the oldest of them.
    pub(super) fn quiet_since(&self) -> Option<i64> {
        self.raised.iter().map(|open| open.finding.last_seen).min()
    }
}

fn reason(kind: Kind, field: &str, expected: String, actual: String) -> Reason {
    Reason {
        channel: kind.as_str().to_owned(),
        field: field.to_owned(),
        expected,
        actual,
        pattern: None,
        evidence: None,
        contribution: 1.0,
        detail: Map::new(),
    }
}
