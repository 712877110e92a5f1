//! Findings about answers and enforcement: as violations where an action is behind them, so that they live with its session, and
//! by themselves where a record or a clock is.

use super::super::alarm::{Again, OpenFinding};
use super::super::declared::add_reasons;
use super::super::{Engine, Output, identifier, severity};
use super::Desk;
use crate::finding::{Finding, PolicyShown};
use crate::govern::{Draft, Violation};

/// Whose finding without an action, and what shows it.
pub(super) struct Alone<'a> {
    pub agent_id: &'a str,
    pub session_id: Option<&'a str>,
    /// What it is about, for its id and its list of events: a request, a state.
    pub subject: &'a str,
    /// Epoch ms.
    pub at: i64,
}

impl Engine {
    pub(super) fn violation(&self, draft: Draft, contract: Option<&str>) -> Violation {
        draft.judged(contract, false, &self.config.policy)
    }

    /// Opens a finding of its own, or adds to the open one of its kind and session.
    pub(super) fn raise_alone(&mut self, about: &Alone<'_>, draft: Draft) -> Option<Output> {
        let &Alone { agent_id, session_id, subject, at } = about;
        let Violation { kind, severity, decision, title, reasons, normal_if, rule, .. } = self.violation(draft, None);
        let now = self.stream_ms.max(at);
        let policy = PolicyShown { id: "step_up".into(), version: self.policy_version.clone(), rule };
        let desk = self.response.desk_mut(agent_id);
        let risk = severity::risk_of(severity);
        let open = desk.raised.iter_mut().find(|open| open.finding.kind == kind && open.finding.session_id.as_deref() == session_id);
        if let Some(open) = open {
            add_reasons(&mut open.finding.reasons, &reasons);
            let again = Again { event_id: subject, ts: at, severity, risk, decision, p: None, context: None };
            return open.repeat(&again, now).map(|update| Output::Finding(Box::new(update)));
        }
        let finding_id = identifier::of(&[agent_id, kind.as_str(), session_id.unwrap_or(""), subject]);
        let finding = Finding {
            severity,
            risk,
            decision,
            title,
            session_id: session_id.map(str::to_owned),
            reasons,
            normal_if: Some(normal_if),
            events: vec![subject.to_owned()],
            ..Finding::opened(finding_id, kind, agent_id.to_owned(), policy, at, now)
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
}
