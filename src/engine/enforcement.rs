//! Whether an agent may act at all, and whether somebody sees to it. A suspension is unconfirmed until an enforcement point says
//! that it stopped the agent; it ends by a person's decision, never by a timer (DESIGN.md, section 9).

use serde::{Deserialize, Serialize};

use crate::govern::control::{AgentStateRecord, Confirmation, EnforcementAck, EnforcementEffect, EnforcementState};

/// Who sets a state when the program does it by itself.
pub const OURSELVES: &str = "gaitkeeper";

/// The state in which an agent stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// As it stands on the topic.
    #[serde(with = "crate::finding::as_json")]
    pub record: AgentStateRecord,
    /// Since when it is in force, epoch ms.
    pub since: i64,
    /// When the finding behind it was first seen, epoch ms; `since` where a person set it.
    pub found_at: i64,
    /// Whether it was said that nobody confirms it.
    pub is_overdue: bool,
}

/// What a record of the table did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Nothing: it is the one in force.
    Same,
    /// It is in force now.
    Set,
    /// It would let a suspended agent go and names nobody who decided that.
    Refused,
}

/// An acknowledgement that says something new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// What it says of the state in force.
    pub confirmation: Confirmation,
    /// From the finding to the state, ms.
    pub finding_to_state_ms: i64,
    /// From the state to what the enforcement point did, ms.
    pub state_to_ack_ms: i64,
}

impl Standing {
    /// The agent must not act.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        is_stop(self.record.state)
    }

    /// Whether an action at `ts` was one too many.
    #[must_use]
    pub fn forbids(&self, ts: i64) -> bool {
        self.is_stopped() && ts >= self.since
    }

    /// Whether an action at `ts` needs an approval because of the agent's state.
    #[must_use]
    pub fn asks(&self, ts: i64) -> bool {
        let until = self.record.valid_until.unwrap_or(i64::MAX);
        self.record.state == EnforcementState::StepUpRequired && (self.since..=until).contains(&ts)
    }

    /// Until when the state must be confirmed, epoch ms; `None` when it is, when it need not be, or when that was said.
    #[must_use]
    pub fn due(&self, ack_within_ms: i64) -> Option<i64> {
        let waits = self.is_stopped() && self.record.confirmation != Some(Confirmation::Confirmed) && !self.is_overdue;
        waits.then(|| self.since.saturating_add(ack_within_ms))
    }

    /// Takes an acknowledgement; `None` when it concerns another state or says nothing new.
    pub fn acknowledge(&mut self, ack: &EnforcementAck) -> Option<Confirmed> {
        let concerns = match (&ack.state_id, &self.record.state_id) {
            (Some(acked), Some(own)) => acked == own,
            // An enforcement point that names no state speaks of the one in force, unless it acted before.
            (None, _) => ack.request_id.is_none() && ack.enforced_at >= self.since,
            (Some(_), None) => false,
        };
        let confirmation = match (ack.effect, self.record.state) {
            (EnforcementEffect::Suspended | EnforcementEffect::Blocked, EnforcementState::Suspended | EnforcementState::Revoked)
            | (EnforcementEffect::Restored | EnforcementEffect::Released, EnforcementState::Active)
            | (EnforcementEffect::Held, EnforcementState::StepUpRequired) => Confirmation::Confirmed,
            (EnforcementEffect::Failed, _) => Confirmation::Failed,
            _ => return None,
        };
        let is_known = self.record.confirmation == Some(confirmation);
        // What was confirmed may fail later, and a second try may succeed.
        if !concerns || is_known {
            return None;
        }
        self.record.confirmation = Some(confirmation);
        Some(Confirmed {
            confirmation,
            finding_to_state_ms: self.since.saturating_sub(self.found_at),
            state_to_ack_ms: ack.enforced_at.saturating_sub(self.since),
        })
    }
}

/// Holds a record of the table, `None` for a deleted one, against what is in force; `at` is the record's time.
pub fn turn(standing: &mut Option<Standing>, agent: &str, record: Option<&AgentStateRecord>, at: i64) -> Turn {
    let is_stopped = standing.as_ref().is_some_and(Standing::is_stopped);
    let Some(record) = record else {
        if is_stopped {
            return Turn::Refused;
        }
        return if standing.take().is_some() { Turn::Set } else { Turn::Same };
    };
    // What we wrote ourselves comes back, with less or as much as we know of its confirmation.
    let same = |before: &Standing| before.record.state == record.state && before.record.state_id == record.state_id;
    if standing.as_ref().is_some_and(same) {
        return Turn::Same;
    }
    let by_person = record.set_by.as_deref().is_some_and(|by| !by.is_empty() && by != OURSELVES && by != agent);
    if is_stopped && !is_stop(record.state) && !by_person {
        return Turn::Refused;
    }
    let since = record.since.unwrap_or(at);
    *standing = Some(Standing { record: record.clone(), since, found_at: since, is_overdue: false });
    Turn::Set
}

fn is_stop(state: EnforcementState) -> bool {
    matches!(state, EnforcementState::Suspended | EnforcementState::Revoked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(state: EnforcementState, id: &str, by: &str) -> AgentStateRecord {
        AgentStateRecord {
            agent_id: "a".into(),
            state,
            state_id: Some(id.into()),
            reason: None,
            finding_id: None,
            set_by: (!by.is_empty()).then(|| by.to_owned()),
            since: Some(1_000),
            valid_until: Some(2_000),
            confirmation: Some(Confirmation::Unconfirmed),
        }
    }

    fn suspended() -> Option<Standing> {
        let mut standing = None;
        assert_eq!(turn(&mut standing, "a", Some(&record(EnforcementState::Suspended, "s", OURSELVES)), 1_500), Turn::Set);
        standing
    }

    #[test]
    fn the_same_record_again_changes_nothing() {
        let mut standing = suspended();
        let before = standing.clone();
        assert_eq!(turn(&mut standing, "a", Some(&record(EnforcementState::Suspended, "s", OURSELVES)), 9_999), Turn::Same);
        assert_eq!(standing, before);
    }

    #[test]
    fn only_a_person_lets_a_suspended_agent_go() {
        for by in ["", OURSELVES, "a"] {
            let mut standing = suspended();
            assert_eq!(turn(&mut standing, "a", Some(&record(EnforcementState::Active, "r", by)), 3_000), Turn::Refused, "{by}");
            assert!(standing.is_some_and(|standing| standing.is_stopped()), "{by}");
        }
        let mut standing = suspended();
        assert_eq!(turn(&mut standing, "a", None, 3_000), Turn::Refused);
        assert_eq!(turn(&mut standing, "a", Some(&record(EnforcementState::Active, "r", "eve")), 3_000), Turn::Set);
        assert!(!standing.unwrap().is_stopped());
    }

    #[test]
    fn no_timer_ends_a_suspension() {
        let standing = suspended().unwrap();
        assert!(!standing.forbids(999) && standing.forbids(1_000) && standing.forbids(i64::MAX));
    }

    #[test]
    fn a_demand_for_approvals_does_end() {
        let mut standing = None;
        turn(&mut standing, "a", Some(&record(EnforcementState::StepUpRequired, "s", "eve")), 0);
        let standing = standing.unwrap();
        assert_eq!([999, 1_000, 2_000, 2_001].map(|ts| standing.asks(ts)), [false, true, true, false]);
    }

    fn ack(effect: EnforcementEffect, state_id: Option<&str>, enforced_at: i64) -> EnforcementAck {
        EnforcementAck {
            agent_id: "a".into(),
            request_id: None,
            state_id: state_id.map(str::to_owned),
            enforced_by: "gate".into(),
            effect,
            enforced_at,
            detail: None,
        }
    }

    #[track_caller]
    fn check_ack(effect: EnforcementEffect, state_id: Option<&str>, enforced_at: i64, expected: Option<Confirmation>) {
        let mut standing = suspended().unwrap();
        assert_eq!(standing.acknowledge(&ack(effect, state_id, enforced_at)).map(|confirmed| confirmed.confirmation), expected);
    }

    #[test]
    fn an_acknowledgement_counts_for_the_state_that_it_enforces() {
        check_ack(EnforcementEffect::Suspended, Some("s"), 1_200, Some(Confirmation::Confirmed));
        check_ack(EnforcementEffect::Blocked, None, 1_200, Some(Confirmation::Confirmed));
        check_ack(EnforcementEffect::Failed, Some("s"), 1_200, Some(Confirmation::Failed));
        check_ack(EnforcementEffect::Suspended, Some("another"), 1_200, None);
        check_ack(EnforcementEffect::Suspended, None, 999, None);
        check_ack(EnforcementEffect::Restored, Some("s"), 1_200, None);
        check_ack(EnforcementEffect::Held, Some("s"), 1_200, None);
    }

    #[test]
    fn latencies_are_measured_from_the_finding_on() {
        let mut standing = suspended().unwrap();
        standing.found_at = 400;
        let confirmed = standing.acknowledge(&ack(EnforcementEffect::Suspended, Some("s"), 1_250)).unwrap();
        assert_eq!((confirmed.finding_to_state_ms, confirmed.state_to_ack_ms), (600, 250));
        assert_eq!(standing.acknowledge(&ack(EnforcementEffect::Suspended, Some("s"), 1_300)), None, "once");
        assert_eq!(standing.due(60_000), None);
    }
}
