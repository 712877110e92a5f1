//! Whether an answer counts. The checks are made in the order of STANDARDS.md, section 8, and the first that fails names the
//! refusal.

use super::Requests;
use super::life::{Decided, State, Tracked, Transition};
use crate::config::StepUp;
use crate::govern::control::{Answer, Outcome};

/// Why an answer was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Unreadable, an unknown outcome, or no id.
    Malformed,
    /// Nobody asked that.
    UnknownRequest,
    /// A signature is required and missing or wrong.
    BadSignature,
    /// A stricter question took its place.
    Superseded,
    /// Decided or arrived too late.
    Late,
    /// Answered otherwise before.
    Replayed,
    /// Decided on other parameters, or on unknown ones.
    ParamsMismatch,
    /// Decided by the principal, the agent, or somebody who may not.
    NotIndependent,
    /// The decider was not authenticated well enough, or too long ago.
    TooWeak,
}

/// What became of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answered {
    /// It decides.
    Decided(Vec<Transition>),
    /// Nobody could be asked; the request stays pending.
    Undecided,
    /// The same answer again.
    Repeated,
    /// It changes nothing.
    Refused(Refusal),
}

impl Refusal {
    /// The code in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownRequest => "unknown_request",
            Self::BadSignature => "bad_signature",
            Self::Superseded => "superseded",
            Self::Late => "late",
            Self::Replayed => "replayed",
            Self::ParamsMismatch => "params_mismatch",
            Self::NotIndependent => "not_independent",
            Self::TooWeak => "too_weak",
        }
    }
}

impl Requests {
    /// Judges an answer that arrived at `arrived_at` (epoch ms) against the request that it names.
    pub fn answer(&mut self, answer: &Answer, arrived_at: i64, rules: &StepUp) -> Answered {
        let Some(tracked) = self.find(&answer.request_id) else { return Answered::Refused(Refusal::UnknownRequest) };
        if rules.require_signature && !is_signed(answer, rules) {
            return Answered::Refused(Refusal::BadSignature);
        }
        if tracked.decided.as_ref().is_some_and(|decided| decided.digest == answer.digest) {
            return Answered::Repeated;
        }
        let refusal = refusal_by_state(&tracked, answer, arrived_at);
        if refusal.is_none() && answer.outcome == Outcome::Error {
            return Answered::Undecided;
        }
        if let Some(refusal) = refusal.or_else(|| refusal_by_decider(&tracked, answer, rules)) {
            return Answered::Refused(refusal);
        }
        let decided = self.change(&answer.request_id, |pending| decide(pending, answer, arrived_at, rules));
        decided.map_or(Answered::Refused(Refusal::UnknownRequest), Answered::Decided)
    }
}

fn is_signed(answer: &Answer, rules: &StepUp) -> bool {
    let (Some(signature), Some(signed)) = (&answer.signature, &answer.signed) else { return false };
    rules.keys.verify_detached(signature, signed)
}

fn refusal_by_state(tracked: &Tracked, answer: &Answer, arrived_at: i64) -> Option<Refusal> {
    let expires_at = tracked.request.expires_at;
    match tracked.state() {
        State::Superseded => Some(Refusal::Superseded),
        State::Expired => Some(Refusal::Late),
        _ if answer.decided_at >= expires_at || arrived_at >= expires_at => Some(Refusal::Late),
        State::Pending => None,
        State::Approved | State::Denied | State::Consumed | State::Lapsed => Some(Refusal::Replayed),
    }
}

fn refusal_by_decider(tracked: &Tracked, answer: &Answer, rules: &StepUp) -> Option<Refusal> {
    let request = &tracked.request;
    // Of an action whose parameters nobody hashed none can be named; the other fields of the action bind it.
    if answer.params_hash != request.params_hash {
        return Some(Refusal::ParamsMismatch);
    }
    let Some(by) = &answer.decided_by else { return Some(Refusal::NotIndependent) };
    let requesters = [Some(&request.agent.id), request.principal.as_ref(), request.agent.credential_id.as_ref()];
    let is_requester = requesters.into_iter().flatten().any(|requester| *requester == by.sub);
    let may_decide = request.approvers.is_empty() || request.approvers.contains(&by.sub);
    if by.sub.is_empty() || is_requester || !may_decide {
        return Some(Refusal::NotIndependent);
    }
    let is_strong = request.acr_values.is_empty() || by.acr.as_ref().is_some_and(|acr| request.acr_values.contains(acr));
    let is_fresh = rules.max_age_ms == 0
        || by.auth_time.is_some_and(|auth_time| (0..=rules.max_age_ms).contains(&answer.decided_at.saturating_sub(auth_time)));
    (!is_strong || !is_fresh).then_some(Refusal::TooWeak)
}

fn decide(tracked: &mut Tracked, answer: &Answer, arrived_at: i64, rules: &StepUp) -> Vec<Transition> {
    let by = answer.decided_by.as_ref().map_or_else(String::new, |by| by.sub.clone());
    tracked.decided = Some(Decided { digest: answer.digest.clone(), by, at: arrived_at });
    if answer.outcome == Outcome::Denied {
        return vec![tracked.turn(State::Denied)];
    }
    // Without a word on it an approval is good for as long as an unanswered question is.
    let at_most = answer.decided_at.min(arrived_at).saturating_add(rules.expires_after_ms);
    tracked.valid_until = answer.valid_until.unwrap_or(at_most);
    tracked.uses_left = if tracked.ran_before { 0 } else { answer.max_uses };
    let mut transitions = vec![tracked.turn(State::Approved)];
    if tracked.uses_left == 0 {
        transitions.push(tracked.turn(State::Consumed));
    }
    transitions
}
