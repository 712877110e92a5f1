//! What goes into the trail: each decision about an action, each finding without one, each step of a request, answer, state and
//! acknowledgement.

use super::super::step_up::question::Question;
use super::super::{Engine, EventScore, Output, ScoreState, step_up};
use crate::event::{Event, Status};
use crate::finding::audit_record::{AuditRecord, What};
use crate::finding::{Activity, Decision, Finding, PolicyShown};
use crate::govern::{Recorded, Tables};

impl Engine {
    /// Puts a record at the end of this shard's chain.
    pub(super) fn record(&mut self, record: AuditRecord, outputs: &mut Vec<Output>) {
        let extended = self.response.trail.extend(record, self.shard.partition, &self.config.audit.redaction_key);
        outputs.extend(extended.into_iter().map(|record| Output::Audit(Box::new(record))));
    }

    /// The end of a replayed stream.
    pub(in super::super) fn end_trail(&mut self, outputs: &mut Vec<Output>) {
        let last = self.response.trail.end(self.stream_ms, self.shard.partition, &self.config.audit.redaction_key);
        outputs.extend(last.map(|record| Output::Audit(Box::new(record))));
    }

    /// A finding without an action, if it opens one.
    pub(super) fn keep_finding(&mut self, raised: Option<&Output>, outputs: &mut Vec<Output>) {
        if let Some(Output::Finding(finding)) = raised
            && finding.activity == Activity::Open
        {
            let mut record = AuditRecord::new(What::Finding, finding.detected_at, &finding.agent_id, finding.kind.as_str());
            tell(&mut record, finding);
            self.record(record, outputs);
        }
    }

    /// Puts into the trail what was said since `from`: of `event` where there is one.
    pub(in super::super) fn keep_said(&mut self, from: usize, event: Option<(&Event<'_>, &Tables)>, outputs: &mut Vec<Output>) {
        let at_hand = self.response.at_hand.take();
        let mut records = Vec::new();
        let mut told = None;
        for output in &outputs[from..] {
            match output {
                Output::Finding(finding) if finding.activity == Activity::Open => {
                    let is_of_event = event.is_some_and(|(event, _)| {
                        finding.agent_id == event.agent_id && finding.events.last().is_some_and(|last| *last == event.event_id)
                    });
                    if is_of_event && told.is_none() {
                        told = Some((**finding).clone());
                    } else {
                        let mut record = AuditRecord::new(What::Finding, finding.detected_at, &finding.agent_id, finding.kind.as_str());
                        tell(&mut record, finding);
                        records.push(record);
                    }
                }
                Output::StepUp(request) => {
                    let mut record =
                        AuditRecord::new(What::Request, request.created_at, &request.agent.id, step_up::State::Pending.as_str());
                    describe(&mut record, &Question::from(&**request));
                    records.push(record);
                }
                _ => (),
            }
        }
        if let Some((event, tables)) = event {
            let score = outputs[from..].iter().rev().find_map(|output| match output {
                Output::Score(score) => Some(*score),
                _ => None,
            });
            let record = score.and_then(|score| decided(event, tables, score, told.as_ref(), at_hand.as_ref()));
            records.splice(0..0, record);
        }
        for record in records {
            self.record(record, outputs);
        }
    }
}

/// The record of a decision about an action. What is allowed without any rule that speaks of it leaves none, unless the
/// agent's contract asks for every one.
fn decided(
    event: &Event<'_>,
    tables: &Tables,
    score: EventScore,
    told: Option<&Finding>,
    at_hand: Option<&super::Responded>,
) -> Option<AuditRecord> {
    if score.state == ScoreState::Unscorable {
        return None;
    }
    let Recorded { limit, is_every } = at_hand.map(|at_hand| at_hand.recorded).unwrap_or_default();
    let covered = at_hand.and_then(|at_hand| at_hand.request_id.clone());
    // An action that waits is told what its agent's state says of it too.
    let by_state = match at_hand {
        Some(at_hand) if at_hand.is_stopped => Decision::Suspend,
        Some(at_hand) if at_hand.asks_by_state => Decision::StepUp,
        _ => Decision::Allow,
    };
    let decision = score.decision.max(by_state);
    if decision == Decision::Allow && told.is_none() && limit.is_none() && covered.is_none() && !is_every {
        return None;
    }
    let held = event.status == Some(Status::Denied);
    let is_covered = at_hand.is_some_and(|at_hand| at_hand.is_covered);
    let outcome = match score.decision {
        _ if held => "held",
        _ if is_covered => "covered",
        Decision::Allow => "allowed",
        _ => "ran",
    };
    let mut record = AuditRecord::new(What::Decision, event.ts, &event.agent_id, outcome);
    if let Some(finding) = told {
        tell(&mut record, finding);
    } else if let (Some(contract), Some(limit)) = (tables.inventory.contract(&event.agent_id), limit) {
        record.policy =
            Some(PolicyShown { id: "contract".into(), version: contract.version().to_owned(), rule: format!("limits[{limit}]") });
    }
    let text = |field: &Option<std::borrow::Cow<'_, str>>| field.as_deref().map(str::to_owned);
    record.decision = Some(decision);
    record.score = score.score;
    record.request_id = covered;
    record.event_id = Some(event.event_id.to_string());
    record.session_id = text(&event.session_id);
    record.tool = Some(event.tool.as_deref().unwrap_or(event.action.as_str()).to_owned());
    record.tool_server = text(&event.tool_server);
    record.policy_version = text(&event.policy_version);
    record.target = text(&event.target);
    record.destination = text(&event.destination);
    record.amount = event.amount.as_ref().map(step_up::amount);
    record.currency = text(&event.currency);
    record.credential_id = text(&event.credential_id);
    record.on_behalf_of = text(&event.on_behalf_of);
    Some(record)
}

/// What a finding says.
fn tell(record: &mut AuditRecord, finding: &Finding) {
    record.decision = Some(finding.decision);
    record.kind = Some(finding.kind);
    record.severity = Some(finding.severity);
    record.score = finding.score;
    record.finding_id = Some(finding.finding_id.clone());
    record.policy = Some(finding.policy.clone());
    record.session_id.clone_from(&finding.session_id);
    record.title = Some(finding.title.clone());
    record.reasons.clone_from(&finding.reasons);
    record.credential_id.clone_from(&finding.credential_id);
    record.on_behalf_of.clone_from(&finding.on_behalf_of);
}

/// What a request is about.
pub(super) fn describe(record: &mut AuditRecord, request: &Question) {
    let Question { request_id, finding_id, agent, principal, event_id, action, policy, .. } = request;
    record.request_id = Some(request_id.clone());
    record.finding_id = Some(finding_id.clone());
    record.event_id = Some(event_id.clone());
    record.session_id.clone_from(&agent.session_id);
    record.policy = Some(policy.clone());
    record.tool.clone_from(&action.tool);
    record.tool_server.clone_from(&action.tool_server);
    record.target.clone_from(&action.target);
    record.destination.clone_from(&action.destination);
    record.amount.clone_from(&action.amount);
    record.currency.clone_from(&action.currency);
    record.credential_id.clone_from(&agent.credential_id);
    record.on_behalf_of.clone_from(principal);
}
