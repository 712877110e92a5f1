//! From scores to alarms: who has enough evidence, which family crossed the threshold, what should happen (DETECTION.md, section 2.4).

use super::explain::{self, Explanation, Told};
use super::findings::Crossed;
use super::loudest::Loudest;
use super::sessions::Session;
use super::severity;
use super::step_up::{Because, Wish};
use super::{Engine, EventScore, Output, ScoreState, SessionSlot, budget, surprise};
use crate::baseline::Observation;
use crate::baseline::agent::Stratum;
use crate::config::ColdStart;
use crate::detect::OpenSession;
use crate::detect::event_score::EventReading;
use crate::detect::family::{FAMILIES, Family};
use crate::event::Event;
use crate::finding::{Decision, EvidenceWord};

/// Sessions of a group from which a new agent may be judged by it.
const GROUP_SESSIONS: u64 = 20;
/// Sessions from which a stratum's calibrator is a base of others.
const BASE_SESSIONS: f64 = 200.0;
/// An event this odd by itself is explained at once, in case its session alarms later.
const EXPLAINED_BELOW: f64 = 0.02;

/// What a session is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Threshold {
    /// p below this alarms.
    pub alpha: f64,
    /// How much of the agent's own history is behind it.
    pub evidence: EvidenceWord,
    /// Whether behaviour of this session may raise anything.
    pub may_alarm: bool,
}

impl Engine {
    /// Judges an event: its score line, and what it raised. `is_asked`: somebody is asked about the event already.
    pub(super) fn judge(
        &mut self,
        event: &Event<'_>,
        observation: &Observation,
        reading: &EventReading,
        slot: SessionSlot,
        is_asked: bool,
    ) -> (EventScore, Vec<Output>) {
        let threshold = self.threshold(&self.sessions.get(slot).detected);
        let p = reading.session_p;
        let loudest = self.explain_if_loudest(event, observation, reading, slot);
        let session = self.sessions.get_mut(slot);
        if let Some(explanation) = loudest {
            session.alarm.loudest = Some(Loudest::new(reading.joint, &explanation));
        }
        let crossing = self.alarming(slot, p, threshold);
        let alarms = !crossing.is_empty();
        let decision = if alarms { severity::decide(p, threshold.alpha, observation.writes) } else { Decision::Allow };
        self.sessions.get_mut(slot).alarm.note(decision);
        let score = EventScore {
            score: Some(surprise(reading.joint_p)),
            session_score: Some(surprise(p)),
            p_value: Some(reading.joint_p),
            state: if threshold.evidence == EvidenceWord::Insufficient { ScoreState::Learning } else { ScoreState::Scored },
            decision,
        };
        if !alarms {
            return (score, Vec::new());
        }
        let crossed = Crossed { p, threshold, decision };
        let mut raised = Vec::new();
        for (family, family_p) in crossing {
            if !self.opens(slot, family) {
                continue;
            }
            let told = Told { detector: &self.detector, session: &self.sessions.get(slot).detected, event, observation, reading };
            let explanation = match (family, &self.sessions.get(slot).alarm.loudest) {
                (Family::Misuse, Some(loudest)) => loudest.explanation(),
                (Family::Misuse, None) => explain::of_event(&told),
                _ => explain::of_family(&told, family, family_p),
            };
            raised.extend(self.raise(slot, explanation, family, &crossed, Some(&event.event_id)));
        }
        raised.extend(self.repeat(&event.event_id, event.ts, slot, &crossed));
        if decision >= Decision::StepUp && !is_asked {
            self.ask(event, observation.writes, slot, &mut raised);
        }
        (score, raised)
    }

    /// Judges the end of a session. What crosses only here is explained by the session's loudest event.
    pub(super) fn judge_end(&mut self, reading: &EventReading, slot: SessionSlot) -> Vec<Output> {
        let threshold = self.threshold(&self.sessions.get(slot).detected);
        let p = reading.session_p;
        let crossing = self.alarming(slot, p, threshold);
        if crossing.is_empty() {
            return Vec::new();
        }
        let decision = severity::decide(p, threshold.alpha, false);
        self.sessions.get_mut(slot).alarm.note(decision);
        let crossed = Crossed { p, threshold, decision };
        let mut raised = Vec::new();
        for (family, family_p) in crossing {
            if !self.opens(slot, family) {
                continue;
            }
            let session = self.sessions.get(slot);
            let explanation = match &session.alarm.loudest {
                Some(loudest) => loudest.explanation(),
                None => explain::of_end(&self.detector, &session.detected, reading, family, family_p, &session.context.event_id),
            };
            raised.extend(self.raise(slot, explanation, family, &crossed, None));
        }
        let Session { context, last_ts, .. } = self.sessions.get(slot);
        let (event_id, ts) = (context.event_id.clone(), *last_ts);
        raised.extend(self.repeat(&event_id, ts, slot, &crossed));
        raised
    }

    /// Whether `family`, now below the threshold, opens a finding: the first time, unless it is misuse that carries nothing but what an
    /// open finding has pinned; that joins it, until something new turns up.
    fn opens(&mut self, slot: SessionSlot, family: Family) -> bool {
        let first = self.sessions.cross(slot, family);
        let session = self.sessions.get_mut(slot);
        if family != Family::Misuse || (!first && session.alarm.joined.is_none()) {
            return first;
        }
        session.alarm.joined = self.campaigns.of(&session.detected, &self.detector);
        session.alarm.joined.is_none()
    }

    /// What a session is held against now.
    pub(super) fn threshold(&self, session: &OpenSession) -> Threshold {
        let alpha = self.budget.alpha();
        let stratum = session.stratum;
        let share = self.config.detect.family_shares[Family::Misuse as usize];
        let calibration = &self.detector.calibration;
        let base = calibration.sessions(Stratum::Mature);
        let leans = matches!(stratum, Stratum::New | Stratum::Young | Stratum::NewVersion) && base >= BASE_SESSIONS;
        let sessions = calibration.sessions(stratum) + if leans { base } else { 0.0 };
        let group_sessions = session.group.map_or(0, |group| self.detector.model.group(group).sessions);
        let alone = stratum == Stratum::New && (group_sessions < GROUP_SESSIONS || self.knows_only_the_short(session, group_sessions));
        let too_few = sessions * alpha * share < 1.0;
        let evidence = if alone || too_few {
            EvidenceWord::Insufficient
        } else if matches!(stratum, Stratum::New | Stratum::Young | Stratum::NewVersion) {
            EvidenceWord::Borrowed
        } else {
            EvidenceWord::Own
        };
        let may_alarm = match self.config.alarm.cold_start {
            ColdStart::Pool => true,
            ColdStart::Contract => !matches!(stratum, Stratum::New | Stratum::Young | Stratum::NewVersion),
            ColdStart::Quiet => stratum != Stratum::New,
        };
        Threshold { alpha, evidence, may_alarm }
    }

    /// Whether more of the group's sessions are open than were ever learned: those that are over are the short ones then, and every
    /// session that merely goes on looks odd beside them. So it is when a whole fleet begins at once.
    fn knows_only_the_short(&self, session: &OpenSession, group_sessions: u64) -> bool {
        session.group.is_some_and(|group| u64::from(self.sessions.open_of(group)) > group_sessions)
    }

    /// The families that alarm, if the session may alarm at all.
    fn alarming(&mut self, slot: SessionSlot, p: f64, threshold: Threshold) -> Vec<(Family, f64)> {
        if p >= threshold.alpha || !self.may_alarm(slot, threshold) {
            return Vec::new();
        }
        self.crossing(slot, threshold).collect()
    }

    /// With too little evidence only what is new to the whole fleet may alarm, once the fleet itself is known.
    fn may_alarm(&mut self, slot: SessionSlot, threshold: Threshold) -> bool {
        let new_to_fleet = self.sessions.get(slot).alarm.loudest.as_ref().is_some_and(|loudest| loudest.new_to_fleet);
        let closed = self.counters.sessions;
        let is_fleet_known = closed as f64 * threshold.alpha >= 1.0 && closed >= self.sessions.len() as u64;
        let is_known = threshold.evidence != EvidenceWord::Insufficient || (new_to_fleet && is_fleet_known);
        let enough = is_known && !self.is_flooded_by_new(slot, threshold.alpha);
        if threshold.may_alarm && !enough {
            self.counters.insufficient += 1;
        }
        threshold.may_alarm && enough
    }

    /// Whether far more of the new agents' open sessions have alarmed than the budget allows, so that this one of them says nothing
    /// either: what they do is not known yet.
    fn is_flooded_by_new(&self, slot: SessionSlot, alpha: f64) -> bool {
        let session = self.sessions.get(slot);
        let (open, alarmed) = self.sessions.of_new_agents();
        session.detected.stratum == Stratum::New && !session.alarm.is_alarmed() && budget::is_far_beyond(alarmed.into(), open.into(), alpha)
    }

    /// The families whose share of the budget is spent, with their p-values; with too little evidence only that of misuse counts.
    fn crossing(&self, slot: SessionSlot, threshold: Threshold) -> impl Iterator<Item = (Family, f64)> + use<> {
        let Threshold { alpha, evidence, .. } = threshold;
        let mut crossing = [None; FAMILIES];
        for (family, present) in Family::ALL.into_iter().zip(self.detector.family_ps(&self.sessions.get(slot).detected)) {
            let counts = evidence != EvidenceWord::Insufficient || family == Family::Misuse;
            crossing[family as usize] = present.filter(|(p, share)| counts && p / share < alpha).map(|(p, _)| (family, p));
        }
        crossing.into_iter().flatten()
    }

    fn explain_if_loudest(
        &self,
        event: &Event<'_>,
        observation: &Observation,
        reading: &EventReading,
        slot: SessionSlot,
    ) -> Option<Explanation> {
        let session = self.sessions.get(slot);
        let is_loudest = session.alarm.loudest.as_ref().is_none_or(|loudest| reading.joint > loudest.joint);
        (reading.joint_p < EXPLAINED_BELOW && is_loudest)
            .then(|| explain::of_event(&Told { detector: &self.detector, session: &session.detected, event, observation, reading }))
    }

    /// Asks about the event, in the name of the session's newest finding, or of the one that it joined.
    fn ask(&mut self, event: &Event<'_>, writes: bool, slot: SessionSlot, outputs: &mut Vec<Output>) {
        let session = self.sessions.get(slot);
        let joined = session.alarm.joined.and_then(|handle| self.campaigns.get(handle));
        let Some(finding) = session.alarm.behaviour().or(joined).cloned() else { return };
        self.ask_once(&Wish { event, because: Because::from(&finding), writes, asking: None }, outputs);
    }
}
