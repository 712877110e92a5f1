//! Answers, acknowledgements and states as they come. Each is a transition that is safe to repeat.

use super::super::enforcement::{self, Turn};
use super::super::step_up::{Answered, Refusal};
use super::super::{Engine, Output};
use super::raised::Alone;
use super::{NOBODY, REFUSED_KEPT};
use crate::event::limits::shown;
use crate::finding::Kind;
use crate::finding::audit_record::{AnswerShown, AuditRecord, What};
use crate::govern::Draft;
use crate::govern::control::{AgentStateRecord, Answer, Confirmation, EnforcementAck};

impl Engine {
    /// An answer came at `at`, epoch ms.
    pub(in super::super) fn take_answer(&mut self, answer: &Answer, at: i64, outputs: &mut Vec<Output>) {
        if !self.judges(&answer.request_id) {
            return;
        }
        let owner = self.response.find(&answer.request_id).map(|(agent, _)| agent.to_owned());
        let agent = owner.as_deref().unwrap_or(NOBODY);
        let outcome = match owner {
            Some(_) => {
                let requests = &mut self.response.desk_mut(agent).requests;
                requests.answer(answer, at, &self.config.step_up)
            }
            None => Answered::Refused(Refusal::UnknownRequest),
        };
        match outcome {
            Answered::Repeated => self.response.repeated_answers += 1,
            Answered::Refused(refusal) => {
                let said = format!("{} {} by {}", answer.outcome.as_str(), shown(&answer.request_id), decider(answer));
                self.refuse_answer(agent, &answer.request_id, &answer.digest, refusal, said, Some(shown_of(answer)), at, outputs);
            }
            Answered::Undecided => self.keep_answer(agent, answer, "error", at, outputs),
            Answered::Decided(transitions) => {
                self.keep_answer(agent, answer, answer.outcome.as_str(), at, outputs);
                for transition in &transitions {
                    self.keep_transition(agent, transition, at, outputs);
                }
            }
        }
    }

    /// Something that should have been an answer and cannot be read; `key` is the record's, which names the request.
    pub(in super::super) fn take_malformed_answer(&mut self, key: &str, digest: &str, why: &str, at: i64, outputs: &mut Vec<Output>) {
        if !self.judges(key) {
            return;
        }
        let owner = self.response.find(key).map(|(agent, _)| agent.to_owned());
        let agent = owner.as_deref().unwrap_or(NOBODY);
        self.refuse_answer(agent, key, digest, Refusal::Malformed, shown(why), None, at, outputs);
    }

    #[expect(clippy::too_many_arguments, reason = "each names one thing of the finding and its record")]
    fn refuse_answer(
        &mut self,
        agent: &str,
        request_id: &str,
        digest: &str,
        refusal: Refusal,
        said: String,
        answer: Option<AnswerShown>,
        at: i64,
        outputs: &mut Vec<Output>,
    ) {
        let seen = format!("{} {digest}", refusal.as_str());
        let desk = self.response.desk_mut(agent);
        if desk.refused.contains(&seen) {
            self.response.repeated_answers += 1;
            return;
        }
        if desk.refused.len() == REFUSED_KEPT {
            desk.refused.pop_front();
        }
        desk.refused.push_back(seen);
        let request = desk.requests.find(request_id).map(|tracked| tracked.into_owned().request);
        let session_id = request.as_ref().and_then(|request| request.agent.session_id.clone());
        let code = refusal.as_str();
        let about = Alone { agent_id: agent, session_id: session_id.as_deref(), subject: request_id, at };
        let raised = self.raise_alone(
            &about,
            Draft {
                kind: Kind::AnswerRefused,
                rule: code.to_owned(),
                title: format!("An answer to {} was refused: {code}", shown(request_id)),
                field: code,
                expected: expected(refusal).to_owned(),
                actual: said,
                normal_if: format!("{}: {}", code, expected(refusal)),
            },
        );
        let mut record = AuditRecord::new(What::Answer, at, agent, code);
        if let Some(request) = &request {
            super::trail::describe(&mut record, request);
        }
        record.request_id = Some(request_id.to_owned());
        record.kind = Some(Kind::AnswerRefused);
        record.answer = answer;
        self.record(record, outputs);
        outputs.extend(raised);
    }

    fn keep_answer(&mut self, agent: &str, answer: &Answer, outcome: &str, at: i64, outputs: &mut Vec<Output>) {
        let mut record = AuditRecord::new(What::Answer, at, agent, outcome);
        if let Some((_, tracked)) = self.response.find(&answer.request_id) {
            super::trail::describe(&mut record, &tracked.request);
        }
        record.request_id = Some(answer.request_id.clone());
        record.by = answer.decided_by.as_ref().map(|by| by.sub.clone());
        record.answer = Some(shown_of(answer));
        self.record(record, outputs);
    }

    /// An enforcement point said what it did.
    pub(in super::super) fn take_ack(&mut self, ack: &EnforcementAck, at: i64, outputs: &mut Vec<Output>) {
        let agent = &ack.agent_id;
        let is_owner = self.owns(agent);
        let is_known =
            ack.request_id.as_deref().is_some_and(|id| self.response.desk(agent).is_some_and(|desk| desk.requests.find(id).is_some()));
        // Who acknowledges may name anybody: an agent of whom nothing is known stays so.
        if self.response.desk(agent).is_none() {
            return;
        }
        let confirmed = self.response.desk_mut(agent).standing.as_mut().and_then(|standing| standing.acknowledge(ack));
        if !is_owner || (confirmed.is_none() && !is_known) {
            return;
        }
        let mut record = AuditRecord::new(What::Ack, at, agent, ack.effect.as_str());
        record.request_id.clone_from(&ack.request_id);
        record.state_id.clone_from(&ack.state_id);
        record.by = Some(ack.enforced_by.clone());
        record.title.clone_from(&ack.detail);
        if let Some(confirmed) = &confirmed {
            record.finding_to_state_ms = Some(confirmed.finding_to_state_ms);
            record.state_to_ack_ms = Some(confirmed.state_to_ack_ms);
        }
        self.record(record, outputs);
        let Some(confirmed) = confirmed else { return };
        let Some(standing) = self.response.desk(agent).and_then(|desk| desk.standing.clone()) else { return };
        let state_id = standing.record.state_id.clone().unwrap_or_default();
        if confirmed.confirmation == Confirmation::Failed {
            let about = Alone { agent_id: agent, session_id: None, subject: &state_id, at };
            let raised = self.raise_alone(
                &about,
                Draft {
                    kind: Kind::EnforcementUnconfirmed,
                    rule: "ack_within".into(),
                    title: format!("{} could not enforce the state of {}", shown(&ack.enforced_by), shown(agent)),
                    field: "confirmation",
                    expected: Confirmation::Confirmed.as_str().to_owned(),
                    actual: Confirmation::Failed.as_str().to_owned(),
                    normal_if: "the enforcement point had done it".into(),
                },
            );
            self.keep_finding(raised.as_ref(), outputs);
            outputs.extend(raised);
        } else {
            let closed = self.response.desk_mut(agent).close_raised(at, |finding| finding.kind == Kind::EnforcementUnconfirmed);
            outputs.extend(closed);
        }
        outputs.push(Output::State(Box::new(standing.record)));
    }

    /// The state of an agent was set, or deleted.
    pub(in super::super) fn take_state(&mut self, agent: &str, state: Option<&AgentStateRecord>, at: i64, outputs: &mut Vec<Output>) {
        let is_owner = self.owns(agent);
        let is_known = self.response.desk(agent).is_some();
        if !is_known && state.is_none_or(|state| state.state == crate::govern::control::EnforcementState::Active) {
            return;
        }
        let desk = self.response.desk_mut(agent);
        let turned = enforcement::turn(&mut desk.standing, agent, state, at);
        let in_force = desk.standing.as_ref().map(|standing| standing.record.clone());
        if is_owner {
            match (turned, in_force) {
                (Turn::Set, in_force) => {
                    let closed = self.response.desk_mut(agent).close_raised(at, |finding| finding.kind == Kind::EnforcementUnconfirmed);
                    outputs.extend(closed);
                    if let Some(state) = in_force {
                        self.keep_state(&state, at, state.state.as_str(), outputs);
                    }
                }
                (Turn::Refused, Some(in_force)) => {
                    self.keep_state(state.unwrap_or(&in_force), at, "refused", outputs);
                    // Enforcement points read the topic: what is in force must stand there again.
                    outputs.push(Output::State(Box::new(in_force)));
                }
                (Turn::Same | Turn::Refused, _) => (),
            }
        }
    }

    /// Whether this shard judges answers to a request: its id begins with the partition of its shard, and ids of no existing
    /// partition belong to shard 0.
    fn judges(&self, request_id: &str) -> bool {
        let named = request_id.split_once('-').and_then(|(partition, _)| partition.parse::<i32>().ok());
        let exists = named.filter(|partition| *partition == self.shard.partition || (0..self.shard.partitions).contains(partition));
        exists.map_or(self.shard.partition == 0 || self.shard.partitions == 1, |partition| partition == self.shard.partition)
    }

    /// Whether this shard speaks for an agent: it has seen it act, or there is no other.
    pub(super) fn owns(&self, agent: &str) -> bool {
        self.shard.partitions == 1 || self.agents.find(agent).is_some()
    }
}

fn decider(answer: &Answer) -> String {
    answer.decided_by.as_ref().map_or_else(|| "nobody".to_owned(), |by| shown(&by.sub))
}

fn shown_of(answer: &Answer) -> AnswerShown {
    AnswerShown {
        outcome: answer.outcome.as_str().to_owned(),
        decided_by: answer.decided_by.as_ref().map(|by| by.sub.clone()),
        decided_at: answer.decided_at,
        reason: answer.reason.clone(),
    }
}

/// What a good answer has where a refused one has not.
fn expected(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Malformed => "an answer of the agreed form",
        Refusal::UnknownRequest => "the id of a request that was issued",
        Refusal::BadSignature => "a signature by a trusted key",
        Refusal::Superseded => "an answer to the request that took its place",
        Refusal::Late => "an answer before the request expires",
        Refusal::Replayed => "one answer to a request",
        Refusal::ParamsMismatch => "the parameters of the request",
        Refusal::NotIndependent => "a decider other than principal and agent who may decide",
        Refusal::TooWeak => "a decider authenticated as the request asks",
    }
}
