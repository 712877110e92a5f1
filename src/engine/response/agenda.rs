//! Of which agents time alone changes something, and when: so that the time of an event is held against the few that are due, however
//! many were ever asked about.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Desk, Holding, Holdings, Response};
use crate::finding::{Finding, Kind};

/// Time without a repeat after which a finding of its own closes, ms.
const QUIET_MS: i64 = 30 * 60_000;

/// When which agent is due. Follows from the desks, and is no state.
#[derive(Debug, Clone, Default)]
pub struct Agenda {
    /// Epoch ms and name.
    due: BTreeSet<(i64, Arc<str>)>,
    /// Agents whose desk was touched since.
    stale: Vec<Arc<str>>,
}

impl Response {
    /// Brings the agenda, and the count of what they hold, up to the desks.
    pub(super) fn plan(&mut self, ack_within_ms: i64) {
        let Self { desks, agenda, holdings, due, .. } = self;
        for agent in agenda.stale.drain(..) {
            let Some(desk) = desks.get_mut(&*agent) else { continue };
            desk.is_stale = false;
            holdings.count(desk);
            let planned = desk.due(ack_within_ms);
            let before = std::mem::replace(&mut desk.planned, planned);
            if before != planned {
                if let Some(before) = before {
                    agenda.due.remove(&(before, agent.clone()));
                }
                agenda.due.extend(planned.map(|at| (at, agent)));
            }
        }
        *due = agenda.due.first().map_or(i64::MAX, |(at, _)| *at);
    }

    /// The agents of whom something is due at `now`, epoch ms, in the order of their names.
    pub(super) fn due_at(&self, now: i64) -> BTreeSet<Arc<str>> {
        self.agenda.due.iter().take_while(|(at, _)| *at <= now).map(|(_, agent)| agent.clone()).collect()
    }

    /// After a restart the agenda is made anew.
    pub(in super::super) fn plan_anew(&mut self) {
        (self.agenda, self.holdings) = (Agenda::default(), Holdings::default());
        for (agent, desk) in &mut self.desks {
            (desk.name, desk.planned, desk.is_stale, desk.holding) = (agent.as_ref().into(), None, true, Holding::default());
            self.agenda.stale.push(Arc::clone(&desk.name));
        }
    }

    /// What is remembered of an agent, to change.
    pub(super) fn desk_mut(&mut self, agent: &str) -> &mut Desk {
        if !self.desks.contains_key(agent) {
            self.desks.insert(agent.into(), Desk { name: agent.into(), ..Desk::default() });
        }
        let desk = self.desks.get_mut(agent).expect("just put there");
        if !std::mem::replace(&mut desk.is_stale, true) {
            self.agenda.stale.push(Arc::clone(&desk.name));
        }
        desk
    }
}

/// When a finding that no session holds closes if nothing adds to it, epoch ms. What nobody enforces stays open until somebody does.
pub(super) fn quiet_at(finding: &Finding) -> Option<i64> {
    (finding.kind != Kind::EnforcementUnconfirmed).then(|| finding.last_seen.saturating_add(QUIET_MS))
}

impl Desk {
    /// The earliest time at which time alone changes something, epoch ms.
    fn due(&self, ack_within_ms: i64) -> Option<i64> {
        let standing = self.standing.as_ref().and_then(|standing| standing.due(ack_within_ms));
        let quiet = self.raised.iter().filter_map(|open| quiet_at(&open.finding)).min();
        [self.requests.due(), standing, quiet].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::Response;
    use crate::engine::enforcement::turn;
    use crate::govern::control::{AgentStateRecord, EnforcementState};

    fn suspend(response: &mut Response, agent: &str, since: i64) {
        let record = AgentStateRecord {
            agent_id: agent.into(),
            state: EnforcementState::Suspended,
            state_id: Some(agent.into()),
            reason: None,
            finding_id: None,
            set_by: Some("soc".into()),
            since: Some(since),
            valid_until: None,
            confirmation: None,
        };
        turn(&mut response.desk_mut(agent).standing, agent, Some(&record), since);
    }

    fn due(response: &Response, now: i64) -> Vec<String> {
        response.due_at(now).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_who_is_due_is_looked_at_and_no_longer_than_that() {
        let mut response = Response::default();
        for (agent, since) in [("c", 0), ("a", 5), ("b", 1_000)] {
            suspend(&mut response, agent, since);
        }
        response.plan(10);
        assert_eq!(response.due, 10);
        assert_eq!(due(&response, 9), [""; 0]);
        assert_eq!(due(&response, 15), ["a", "c"]);
        response.desk_mut("c").standing = None;
        response.plan(10);
        assert_eq!((response.due, due(&response, 15)), (15, vec!["a".to_owned()]));
    }

    #[test]
    fn an_agenda_made_anew_is_the_same() {
        let mut response = Response::default();
        suspend(&mut response, "a", 5);
        response.plan(10);
        response.plan_anew();
        response.plan(10);
        assert_eq!((response.due, due(&response, 15)), (15, vec!["a".to_owned()]));
    }
}
