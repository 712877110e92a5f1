//! Declared rules in a shard: each event is held against what was declared of its agent, and what it breaks becomes findings with
//! the life of any other, and at most one question.

use super::alarm::Again;
use super::response::Responded;
use super::sessions::SessionSlot;
use super::step_up::{Asking, Because, Wish};
use super::{Engine, Output, severity};
use crate::baseline::agent::Stratum;
use crate::config::ColdStart;
use crate::event::Event;
use crate::finding::step_up_request::DecisionRequired;
use crate::finding::{Decision, Finding, Kind, PolicyShown, Reason};
use crate::govern::{Judgement, Tables, Violation};

/// Reasons that a finding lists.
pub(super) const REASONS_LISTED: usize = 8;

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
        let Judgement { mut violations, sightings, recorded } = judgement;
        let is_quiet = self.config.alarm.cold_start == ColdStart::Quiet && self.sessions.get(slot).detected.stratum == Stratum::New;
        if is_quiet {
            self.counters.quiet += violations.len() as u64;
            violations.clear();
        }
        let mut raised: Vec<Output> = sightings.into_iter().map(|sighting| Output::Sighting(Box::new(sighting))).collect();
        let responded = self.respond(event, tables, &mut violations, &mut raised);
        raised.extend(violations.iter().filter_map(|violation| self.break_rule(event, slot, violation)));
        // Of equals the last is the greatest, and the first shall ask.
        let worst = violations.iter().rev().max_by_key(|violation| (violation.decision, violation.severity));
        let decision = worst.map_or(Decision::Allow, |worst| worst.decision);
        let is_asked = decision >= Decision::StepUp || responded.is_covered || responded.asks_by_state;
        if let Some(worst) = worst {
            self.sessions.get_mut(slot).alarm.note(decision);
            if decision == Decision::Suspend {
                self.suspend(event, worst.kind, slot, &mut raised);
            }
        }
        // What ran beside an approval that was there is told; the question itself was asked and answered.
        let asker = violations.iter().rev().filter(|violation| violation.decision == Decision::StepUp && !violation.kind.is_response());
        match asker.max_by_key(|violation| violation.severity) {
            Some(asker) if decision == Decision::StepUp && responded.request_id.is_none() => {
                self.ask_about_rule(event, writes, slot, asker, &mut raised);
            }
            _ if responded.asks_by_state && decision < Decision::Suspend => self.ask_by_state(event, writes, &mut raised),
            _ => (),
        }
        self.response.note(Responded { recorded, ..responded });
        Declared { decision, asks: is_asked, raised }
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
                risk: severity::risk_of(violation.severity),
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
        let Violation { kind, severity, decision, title, reasons, normal_if, rule, contract, ask: _ } = violation;
        let (id, version) = contract.as_ref().map_or(("policy", &self.policy_version), |version| ("contract", version));
        let policy = PolicyShown { id: id.into(), version: version.clone(), rule: rule.clone() };
        Finding {
            severity: *severity,
            risk: severity::risk_of(*severity),
            decision: *decision,
            title: title.clone(),
            reasons: reasons.clone(),
            normal_if: Some(normal_if.clone()),
            ..self.of_session(slot, *kind, event.event_id.to_string(), policy, event.ts)
        }
    }

    /// Asks about the event in the name of the rule that it breaks.
    fn ask_about_rule(&mut self, event: &Event<'_>, writes: bool, slot: SessionSlot, violation: &Violation, outputs: &mut Vec<Output>) {
        let Some(open) = self.sessions.get_mut(slot).alarm.finding_mut(violation.kind) else { return };
        let finding_id = open.finding.finding_id.clone();
        let required = violation.ask.as_ref().map_or_else(|| required(violation.kind), |ask| ask.required);
        // The question names this event's rule, which need not be the one that opened the finding.
        let policy = PolicyShown { rule: violation.rule.clone(), ..open.finding.policy.clone() };
        let because =
            Because { finding_id: &finding_id, policy: &policy, score: None, severity: violation.severity, reasons: &violation.reasons };
        let asking = Asking { required, limit: violation.ask.as_ref() };
        self.ask_once(&Wish { event, because, writes, asking: Some(asking) }, outputs);
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
pub(super) fn add_reasons(reasons: &mut Vec<Reason>, more: &[Reason]) {
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
