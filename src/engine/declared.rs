//! Declared rules in a shard: each event is held against what was declared of its agent, and what it breaks becomes findings with
//! the life of any other, and at most one question.

use super::alarm::Again;
use super::sessions::{Session, SessionSlot};
use super::step_up::Asking;
use super::{Engine, Output, identifier};
use crate::baseline::agent::Stratum;
use crate::config::ColdStart;
use crate::event::Event;
use crate::finding::step_up_request::DecisionRequired;
use crate::finding::{Activity, Decision, Finding, Kind, PolicyShown, Reason, Severity, techniques};
use crate::govern::{Judgement, Tables, Violation};

/// Reasons that a finding lists.
const REASONS_LISTED: usize = 8;

/// What came of an event's declared rules.
#[derive(Debug)]
pub(super) struct Declared {
    /// The strictest decision.
    pub decision: Decision,
    /// Whether somebody is asked about the event, or its agent must stop: behaviour need not ask again.
    pub asks: bool,
    /// What to say.
    pub raised: Vec<Output>,
}

impl Engine {
    /// Judges an event by what was declared; `writes` says whether its tool changes something.
    pub(super) fn judge_declared(&mut self, event: &Event<'_>, writes: bool, slot: SessionSlot, tables: &Tables) -> Declared {
        let mut judgement = Judgement::default();
        let agent = self.sessions.get(slot).agent;
        self.declared.judge(event, self.stream_ms, &mut self.agents.get_mut(agent).declared, tables, &mut judgement);
        let Judgement { mut violations, sightings } = judgement;
        let is_quiet = self.config.alarm.cold_start == ColdStart::Quiet && self.sessions.get(slot).detected.stratum == Stratum::New;
        if is_quiet {
            self.counters.quiet += violations.len() as u64;
            violations.clear();
        }
        let mut raised: Vec<Output> = sightings.into_iter().map(|sighting| Output::Sighting(Box::new(sighting))).collect();
        raised.extend(violations.iter().filter_map(|violation| self.break_rule(event, slot, violation)));
        // Of equals the last is the greatest, and the first shall ask.
        let Some(worst) = violations.iter().rev().max_by_key(|violation| (violation.decision, violation.severity)) else {
            return Declared { decision: Decision::Allow, asks: false, raised };
        };
        self.sessions.get_mut(slot).alarm.note(worst.decision);
        if worst.decision == Decision::StepUp {
            raised.extend(self.ask_about_rule(event, writes, slot, worst));
        }
        Declared { decision: worst.decision, asks: worst.decision >= Decision::StepUp, raised }
    }

    /// Opens the finding of a broken rule, or adds to the open one of its kind.
    fn break_rule(&mut self, event: &Event<'_>, slot: SessionSlot, violation: &Violation) -> Option<Output> {
        let now = self.stream_ms;
        if let Some(open) = self.sessions.get_mut(slot).alarm.finding_mut(violation.kind) {
            add_reasons(&mut open.finding.reasons, &violation.reasons);
            let again = Again {
                event_id: &event.event_id,
                ts: event.ts,
                severity: violation.severity,
                risk: risk(violation.severity),
                decision: violation.decision,
                p: None,
                context: None,
            };
            return open.repeat(&again, now).map(|update| Output::Finding(Box::new(update)));
        }
        let finding = self.declared_finding(event, slot, violation);
        Some(Output::Finding(Box::new(self.sessions.get_mut(slot).alarm.raise(finding, None))))
    }

    fn declared_finding(&self, event: &Event<'_>, slot: SessionSlot, violation: &Violation) -> Finding {
        let Session { context, id, .. } = self.sessions.get(slot);
        let Violation { kind, severity, decision, title, reasons, normal_if, rule, contract, ask: _ } = violation;
        let agent_id = event.agent_id.to_string();
        let session_id = id.as_deref().map(str::to_owned);
        let event_id = event.event_id.to_string();
        Finding {
            finding_id: identifier::of(&[&agent_id, kind.as_str(), session_id.as_deref().unwrap_or(""), &event_id]),
            activity: Activity::Open,
            kind: *kind,
            severity: *severity,
            risk: risk(*severity),
            decision: *decision,
            title: title.clone(),
            agent_id,
            agents: Vec::new(),
            agent_version: context.agent_version.as_deref().map(str::to_owned),
            session_id,
            task_type: context.task_type.as_deref().map(str::to_owned),
            credential_id: context.credential_id.as_deref().map(str::to_owned),
            on_behalf_of: context.on_behalf_of.as_deref().map(str::to_owned),
            first_seen: event.ts,
            last_seen: event.ts,
            count: 1,
            detected_at: self.stream_ms,
            score: None,
            p_value: None,
            reasons: reasons.clone(),
            normal_if: Some(normal_if.clone()),
            baseline: None,
            change: None,
            policy: match contract {
                Some(version) => PolicyShown { id: "contract".into(), version: version.clone(), rule: rule.clone() },
                None => PolicyShown { id: "policy".into(), version: self.policy_version.clone(), rule: rule.clone() },
            },
            techniques: techniques::of(*kind).iter().map(|&id| id.to_owned()).collect(),
            events: vec![event_id],
            trace_id: context.trace_id.as_deref().map(str::to_owned),
        }
    }

    /// Asks about the event in the name of the rule that it breaks.
    fn ask_about_rule(&mut self, event: &Event<'_>, writes: bool, slot: SessionSlot, violation: &Violation) -> Option<Output> {
        let session = self.sessions.get_mut(slot);
        let agent = session.agent;
        let finding = session.alarm.finding_mut(violation.kind)?.finding.clone();
        let required = violation.ask.as_ref().map_or_else(|| required(violation.kind), |ask| ask.required);
        // The question names this event's rule, which need not be the one that opened the finding.
        let policy = PolicyShown { rule: violation.rule.clone(), ..finding.policy };
        let finding = Finding { policy, severity: violation.severity, reasons: violation.reasons.clone(), ..finding };
        self.ask_once(agent, event, &finding, writes, Some(&Asking { required, limit: violation.ask.as_ref() }))
    }
}

/// 0 to 100; behaviour just at the threshold of a severity has the same.
fn risk(severity: Severity) -> u8 {
    match severity {
        Severity::Low => 25,
        Severity::Medium => 50,
        Severity::High => 75,
        Severity::Critical => 100,
    }
}

/// Whoever holds a credential can prove it by authenticating anew; anything else is for a person to decide.
fn required(kind: Kind) -> DecisionRequired {
    match kind {
        Kind::CredentialShared | Kind::CredentialStale | Kind::CredentialNewSource | Kind::CredentialUnknown => {
            DecisionRequired::Reauthenticate
        }
        _ => DecisionRequired::HumanApproval,
    }
}

/// Adds what the finding does not say yet. Rules have no shares of a score: each counts the same.
fn add_reasons(reasons: &mut Vec<Reason>, more: &[Reason]) {
    for reason in more {
        let is_known = reasons.iter().any(|known| (&known.field, &known.actual) == (&reason.field, &reason.actual));
        if !is_known && reasons.len() < REASONS_LISTED {
            reasons.push(reason.clone());
        }
    }
    let share = 1.0 / reasons.len().max(1) as f64;
    for reason in reasons {
        reason.contribution = share;
    }
}
