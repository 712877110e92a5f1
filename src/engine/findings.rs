//! Findings of behaviour: opened when a family crosses, repeated while it goes on, and drift that only the long view shows.

use super::agents::AgentSlot;
use super::alarm::{Again, OpenFinding};
use super::explain::{self, Explanation};
use super::judge::Threshold;
use super::sessions::{Session, SessionSlot};
use super::{Engine, Output, change_log, identifier, severity, surprise};
use crate::baseline::agent::Stratum;
use crate::baseline::golden::Drift;
use crate::baseline::sequence::{History, ORDER_0};
use crate::baseline::{AgentIndex, Metric};
use crate::config::AlarmBudget;
use crate::detect::OpenSession;
use crate::detect::family::Family;
use crate::finding::{
    BaselineShown, Change, Decision, EvidenceWord, Finding, Kind, PolicyShown, Reason,
    techniques::{self, Refinement},
};
use crate::govern::control::ChangeRecord;

const POLICY: &str = "behaviour";
/// What follows from a change that is known.
const EXPECTED: &str = "expected-change";
const LOW_RISK: u8 = 25;

/// A session below its threshold, and what follows from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crossed {
    /// p of the session so far.
    pub p: f64,
    /// What the session was held against.
    pub threshold: Threshold,
    /// What should happen.
    pub decision: Decision,
}

impl Engine {
    /// Opens a finding for what crossed, unless one of its kind is open. `event_id` is the event that crossed, where one did.
    pub(super) fn raise(
        &mut self,
        slot: SessionSlot,
        explanation: Explanation,
        family: Family,
        crossed: &Crossed,
        event_id: Option<&str>,
    ) -> Option<Output> {
        if self.sessions.get_mut(slot).alarm.finding_mut(explanation.kind).is_some() {
            return None;
        }
        let mut finding = self.behaviour(slot, explanation, family, crossed);
        if let Some(event_id) = event_id.filter(|event_id| finding.events.last().is_none_or(|last| last != event_id)) {
            finding.events.push(event_id.to_owned());
            finding.count += 1;
        }
        Some(Output::Finding(Box::new(self.sessions.get_mut(slot).alarm.raise(finding, Some(family)))))
    }

    /// One more event of an alarmed session: its open findings go on, and the one that it joined.
    pub(super) fn repeat(&mut self, event_id: &str, ts: i64, slot: SessionSlot, crossed: &Crossed) -> Vec<Output> {
        let Crossed { p, threshold, decision } = *crossed;
        let now = self.stream_ms;
        let worst = severity::severity(p, threshold.alpha);
        let denied = self.sessions.get(slot).detected.denied_before();
        let context = denied.map(|(tool, denials)| explain::of_denials(&self.detector, tool, denials));
        let session = self.sessions.get_mut(slot);
        let severity = if is_expected(&session.detected) { severity::soften(worst) } else { worst };
        let again =
            Again { event_id, ts, severity, risk: severity::risk(p, threshold.alpha), decision, p: Some(p), context: context.as_ref() };
        let agent_id = &self.agents.get(session.agent).id;
        let joined = session.alarm.joined.and_then(|handle| self.campaigns.repeat(handle, agent_id, &again, now));
        let own = session.alarm.behaviour_mut().filter_map(|open| open.repeat(&again, now));
        joined.into_iter().chain(own).map(|finding| Output::Finding(Box::new(finding))).collect()
    }

    /// What the long view says of a session about to close: drift against the frozen reference.
    pub(super) fn watch_drift(&mut self, session: &OpenSession, agent: AgentSlot) -> Vec<Output> {
        let baseline = &mut self.detector.model.agents[session.agent.0 as usize];
        let drifts = baseline.golden.watch(&session.observations);
        baseline.drifting |= !drifts.is_empty();
        let mut raised = Vec::new();
        for drift in drifts {
            let finding = self.drift(session.agent, agent, drift);
            self.awaiting.add_drift(session.agent, OpenFinding::of(finding.clone(), None));
            raised.push(Output::Finding(Box::new(finding)));
        }
        raised
    }

    fn behaviour(&self, slot: SessionSlot, explanation: Explanation, family: Family, crossed: &Crossed) -> Finding {
        let Crossed { p, threshold, decision } = *crossed;
        let session = self.sessions.get(slot);
        let Session { detected, agent, .. } = session;
        let Explanation { kind, title, reasons, normal_if, brand_new, new_destination, event_id, .. } = explanation;
        let is_expected = is_expected(detected);
        let worst = severity::severity(p, threshold.alpha);
        let severity = if is_expected && !brand_new { severity::soften(worst) } else { worst };
        let agent_id = &self.agents.get(*agent).id;
        let change = if is_expected { self.change_log.explaining(*agent, agent_id, self.stream_ms, EXPECTED) } else { None };
        let policy = self.policy(format!("{}; family {}", self.budget_rule(threshold.alpha), family.letter()));
        Finding {
            severity,
            risk: severity::risk(p, threshold.alpha),
            decision,
            title,
            score: Some(surprise(p)),
            p_value: Some(p),
            reasons,
            normal_if,
            baseline: Some(self.shown(detected, threshold.evidence)),
            change,
            techniques: owned(techniques::refined(kind, new_destination.then_some(Refinement::NewDestination))),
            ..self.of_session(slot, kind, event_id, policy, session.last_ts)
        }
    }

    /// A finding about the session, opened by its event `event_id`; `at` is the time of what it is about.
    pub(super) fn of_session(&self, slot: SessionSlot, kind: Kind, event_id: String, policy: PolicyShown, at: i64) -> Finding {
        let Session { context, agent, id, .. } = self.sessions.get(slot);
        let agent_id = self.agents.get(*agent).id.to_string();
        let finding_id = identifier::of(&[&agent_id, kind.as_str(), id.as_deref().unwrap_or(""), &event_id]);
        Finding {
            agent_version: context.agent_version.as_deref().map(str::to_owned),
            session_id: id.as_deref().map(str::to_owned),
            task_type: context.task_type.as_deref().map(str::to_owned),
            credential_id: context.credential_id.as_deref().map(str::to_owned),
            on_behalf_of: context.on_behalf_of.as_deref().map(str::to_owned),
            events: vec![event_id],
            trace_id: context.trace_id.as_deref().map(str::to_owned),
            ..Finding::opened(finding_id, kind, agent_id, policy, at, self.stream_ms)
        }
    }

    fn drift(&self, index: AgentIndex, agent: AgentSlot, drift: Drift) -> Finding {
        let baseline = self.detector.model.agent(index);
        let agent_id = &*self.agents.get(agent).id;
        let explained = self.change_log.explaining(agent, agent_id, self.stream_ms, EXPECTED);
        let kind = if explained.is_some() { Kind::DriftAttributed } else { Kind::DriftUnexplained };
        let change = explained.unwrap_or_else(|| Change::unexplained("unexplained-drift"));
        let field = drift.metric.field();
        let times = format!("×{:.2}", drift.factor);
        let channel = if drift.metric == Metric::Duration { "duration" } else { "volume" };
        let reason = Reason::of_fact(channel, field, "×1.00 of the reference taken after 60 sessions".into(), times.clone());
        Finding {
            title: format!("{field} has drifted to {times} of the agent's frozen reference; its baseline is frozen until a verdict"),
            agent_version: baseline.version.as_deref().map(str::to_owned),
            reasons: vec![reason],
            normal_if: Some(format!("{field} went back to the reference, or the change were declared")),
            ..self.of_agent(agent_id, kind, &[field, &baseline.sessions.to_string()], Some(change), "golden reference")
        }
    }

    /// Takes a declared change in. One that nobody approved is a finding by itself, raised by the shard that knows the agent.
    pub(super) fn declare_change(&mut self, record: &ChangeRecord) -> Option<Output> {
        if !self.change_log.declare(record) || record.approved_by.is_some() {
            return None;
        }
        let agent_id = record.agent_id.as_deref().filter(|agent_id| self.agents.find(agent_id).is_some())?;
        let kind = Kind::DriftAttributed;
        let what = change_log::kind_name(record.kind);
        let change = change_log::declared_change(record, self.stream_ms.max(record.at), "unapproved-change");
        let reason = Reason::of_fact("session", "approved_by", "a change somebody approved".into(), "approved by nobody".into());
        let finding = Finding {
            title: format!("A change of {what} that nobody approved"),
            reasons: vec![reason],
            normal_if: Some("the record named who approved it".into()),
            techniques: owned(techniques::refined(kind, Some(Refinement::UnapprovedChange))),
            ..self.of_agent(agent_id, kind, &[what, &record.at.to_string()], Some(change), "changes are approved")
        };
        Some(Output::Finding(Box::new(finding)))
    }

    /// A finding of a change, about no session and no event.
    fn of_agent(&self, agent_id: &str, kind: Kind, told_apart: &[&str], change: Option<Change>, rule: &str) -> Finding {
        let mut parts = vec![agent_id, kind.as_str()];
        parts.extend(told_apart);
        let policy = self.policy(rule.into());
        let opened = Finding::opened(identifier::of(&parts), kind, agent_id.into(), policy, self.stream_ms, self.stream_ms);
        Finding { risk: LOW_RISK, change, ..opened }
    }

    /// What the session was compared with.
    fn shown(&self, session: &OpenSession, evidence: EvidenceWord) -> BaselineShown {
        let model = &self.detector.model;
        let baseline = model.agent(session.agent);
        let root = History::default().contexts()[ORDER_0];
        let agent_weight = baseline.counts.sequence.get(root).map_or(0.0, crate::stats::count_node::CountNode::own_share);
        let in_group = session
            .group
            .and_then(|group| model.group(group).counts.sequence.get(root))
            .map_or(0.0, crate::stats::count_node::CountNode::own_share);
        let group_weight = (1.0 - agent_weight) * in_group;
        let state = if evidence == EvidenceWord::Insufficient {
            "learning"
        } else if self.budget.is_overrun() {
            "stale"
        } else if baseline.drifting || self.frozen {
            "frozen"
        } else {
            "active"
        };
        BaselineShown {
            agent_weight,
            group_weight,
            population_weight: (1.0 - agent_weight - group_weight).max(0.0),
            events: baseline.events,
            sessions: baseline.sessions.into(),
            age_ms: self.stream_ms - baseline.first_seen,
            version: baseline.version.as_deref().map(str::to_owned),
            pool_version: self.pool_version().map(str::to_owned),
            state: state.into(),
            evidence,
            silent: session.silent().into_iter().map(str::to_owned).collect(),
        }
    }

    fn policy(&self, rule: String) -> PolicyShown {
        PolicyShown { id: POLICY.into(), version: self.policy_version.clone(), rule }
    }

    fn budget_rule(&self, alpha: f64) -> String {
        match self.config.alarm.budget {
            AlarmBudget::PerSession(budget) => format!("budget {budget} per session"),
            AlarmBudget::PerDay(budget) => format!("budget {budget} per day, {alpha:.5} per session"),
        }
    }
}

/// Behaviour of a release that was declared by its version.
fn is_expected(session: &OpenSession) -> bool {
    session.stratum == Stratum::NewVersion
}

fn owned(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}
