//! What time alone does: unanswered requests expire, unused approvals lapse, suspensions that nobody confirms are told, findings
//! that nothing adds to close.

use std::collections::BTreeMap;

use super::super::step_up::Transition;
use super::super::{Engine, Output};
use super::agenda::quiet_at;
use super::raised::Alone;
use crate::event::limits::shown;
use crate::finding::Kind;
use crate::finding::audit_record::{AuditRecord, What};
use crate::govern::Draft;

impl Engine {
    /// Brings requests and states up to `now`, epoch ms: stream time, or the clock of a live service.
    pub(in super::super) fn pass_response_time(&mut self, now: i64, outputs: &mut Vec<Output>) {
        self.response.plan(self.config.step_up.ack_within_ms);
        if now < self.response.due {
            return;
        }
        for agent in self.response.due_at(now) {
            let desk = self.response.desk_mut(&agent);
            let transitions = desk.requests.pass_time(now);
            let overdue =
                desk.standing.as_mut().filter(|standing| standing.due(self.config.step_up.ack_within_ms).is_some_and(|due| now >= due));
            let overdue = overdue.map(|standing| {
                standing.is_overdue = true;
                (standing.record.clone(), standing.since)
            });
            let closed = desk.close_raised(now, |finding| quiet_at(finding).is_some_and(|at| now >= at));
            for transition in transitions {
                self.keep_transition(&agent, &transition, now, outputs);
            }
            outputs.extend(closed);
            if let Some((record, since)) = overdue
                && self.owns(&agent)
            {
                let state_id = record.state_id.unwrap_or_default();
                let within = crate::config::duration::written(self.config.step_up.ack_within_ms);
                let about = Alone { agent_id: &agent, session_id: None, subject: &state_id, at: now };
                let raised = self.raise_alone(
                    &about,
                    Draft {
                        kind: Kind::EnforcementUnconfirmed,
                        rule: "ack_within".into(),
                        title: format!("nobody has confirmed that {} is stopped", shown(&agent)),
                        field: "confirmation",
                        expected: format!("an acknowledgement within {within} of {since}"),
                        actual: "none".into(),
                        normal_if: "an enforcement point had acknowledged the state".into(),
                    },
                );
                self.keep_finding(raised.as_ref(), outputs);
                outputs.extend(raised);
            }
        }
    }

    /// The end of a replayed stream: findings of their own close. Requests and states stay as they are.
    pub(in super::super) fn end_response(&mut self, outputs: &mut Vec<Output>) {
        let now = self.stream_ms;
        let in_order: BTreeMap<_, _> = self.response.desks.iter_mut().collect();
        for desk in in_order.into_values() {
            outputs.extend(desk.close_raised(now, |_| true));
        }
    }

    /// A transition is part of the trail.
    pub(super) fn keep_transition(&mut self, agent: &str, transition: &Transition, at: i64, outputs: &mut Vec<Output>) {
        let mut record = AuditRecord::new(What::Request, at, agent, transition.to.as_str());
        record.request_id = Some(transition.request_id.clone());
        if let Some(tracked) = self.response.desk(agent).and_then(|desk| desk.requests.find(&transition.request_id)) {
            super::trail::describe(&mut record, &tracked.request);
            record.by = tracked.decided.as_ref().map(|decided| decided.by.clone());
        }
        self.record(record, outputs);
    }
}
