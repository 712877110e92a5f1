//! Step-up requests: which are asked, which merge, which are withheld (STANDARDS.md, section 8).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::identifier;
use super::reversibility;
use crate::config::StepUp;
use crate::event::{Amount, Event};
use crate::finding::step_up_request::{
    DecisionRequired, Enforcement, EnforcementMode, EnforcementScope, RequestAction, RequestAgent, RequestPolicy, RequestRisk,
    Reversibility,
};
use crate::finding::{Finding, StepUpRequest};
use crate::govern::Ask;

/// Open requests of one agent; further ones are withheld.
const OPEN_PER_AGENT: usize = 3;
const SCHEMA_VERSION: u32 = 1;

/// The open requests of one agent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Requests {
    open: VecDeque<(String, i64)>,
}

/// What a declared rule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking<'a> {
    /// Who must decide.
    pub required: DecisionRequired,
    /// The limit that was passed, where the rule is one.
    pub limit: Option<&'a Ask>,
}

/// What became of a wish to ask.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// Ask this.
    New(Box<StepUpRequest>),
    /// The same question is open already.
    Merged,
    /// Too many are open.
    Withheld,
}

impl Requests {
    /// Asks about `event` because of `finding`, at stream time `now`; `asking` where a declared rule is behind it.
    #[expect(clippy::too_many_arguments, reason = "each names one thing that the request needs")]
    pub fn ask(
        &mut self,
        event: &Event<'_>,
        finding: &Finding,
        writes: bool,
        asking: Option<&Asking<'_>>,
        partition: i32,
        now: i64,
        settings: &StepUp,
    ) -> Asked {
        self.open.retain(|(_, expires_at)| *expires_at > now);
        let text = |field: &Option<std::borrow::Cow<'_, str>>| field.as_deref().unwrap_or("").to_owned();
        let dedupe_key = identifier::of(&[&event.agent_id, &tool(event), &text(&event.target), &text(&event.params_hash)]);
        if self.open.iter().any(|(open, _)| *open == dedupe_key) {
            return Asked::Merged;
        }
        if self.open.len() >= OPEN_PER_AGENT {
            return Asked::Withheld;
        }
        let expires_at = now.saturating_add(settings.expires_after_ms);
        self.open.push_back((dedupe_key.clone(), expires_at));
        Asked::New(Box::new(request(event, finding, writes, asking, partition, now, expires_at, dedupe_key, settings)))
    }
}

#[expect(clippy::too_many_arguments, reason = "each names one field of the message")]
fn request(
    event: &Event<'_>,
    finding: &Finding,
    writes: bool,
    asking: Option<&Asking<'_>>,
    partition: i32,
    now: i64,
    expires_at: i64,
    dedupe_key: String,
    settings: &StepUp,
) -> StepUpRequest {
    const FIRST_ATTEMPT: u32 = 1;
    let owned = |field: &Option<std::borrow::Cow<'_, str>>| field.as_deref().map(str::to_owned);
    let hash = identifier::of(&[&finding.finding_id, &event.event_id, &FIRST_ATTEMPT.to_string()]);
    let reversibility = reversibility::of(event, writes);
    // A broken rule is certain, an odd one may be ordinary after all: what can be undone need not wait for it.
    let holds = asking.is_some() || reversibility >= Reversibility::ExternallyReversible;
    let required = if holds { DecisionRequired::HumanApproval } else { DecisionRequired::Reauthenticate };
    let limit = asking.and_then(|asking| asking.limit);
    StepUpRequest {
        schema_version: SCHEMA_VERSION,
        request_id: format!("{partition}-{hash}"),
        finding_id: finding.finding_id.clone(),
        decision_required: asking.map_or(required, |asking| asking.required),
        agent: RequestAgent {
            id: event.agent_id.clone().into_owned(),
            version: owned(&event.agent_version),
            session_id: owned(&event.session_id),
            role: owned(&event.task_type),
            credential_id: owned(&event.credential_id),
        },
        principal: owned(&event.on_behalf_of),
        trace_id: owned(&event.trace_id),
        span_id: owned(&event.span_id),
        event_id: event.event_id.clone().into_owned(),
        action: RequestAction {
            tool: owned(&event.tool),
            tool_server: owned(&event.tool_server),
            target: owned(&event.target),
            destination: owned(&event.destination),
            amount: event.amount.as_ref().map(|amount| match amount {
                Amount::Exact(amount) => amount.to_string(),
                Amount::Unreadable(text) => text.clone().into_owned(),
            }),
            currency: owned(&event.currency),
            reversibility,
        },
        params_hash: owned(&event.params_hash),
        params_display: None,
        acr_values: settings.acr_values.clone(),
        max_age: None,
        approvers: settings.approvers.clone(),
        policy: RequestPolicy {
            id: finding.policy.id.clone(),
            version: finding.policy.version.clone(),
            rule: finding.policy.rule.clone(),
            limit: limit.map(|ask| ask.limit.clone()),
            observed_total: limit.map(|ask| ask.observed_total.clone()),
            window: limit.and_then(|ask| ask.window.clone()),
        },
        risk: RequestRisk { score: finding.score, severity: finding.severity, reasons: finding.reasons.clone() },
        enforcement: Enforcement {
            mode: if holds { EnforcementMode::Hold } else { EnforcementMode::AllowAndWatch },
            default_on_timeout: "deny".into(),
            scope: EnforcementScope::Call,
        },
        created_at: now,
        expires_at,
        dedupe_key,
        attempt: FIRST_ATTEMPT,
        supersedes: None,
        signature: None,
    }
}

fn tool(event: &Event<'_>) -> String {
    match (&event.tool_server, &event.tool) {
        (Some(server), Some(tool)) => format!("{server}/{tool}"),
        (None, Some(tool)) => tool.clone().into_owned(),
        (_, None) => event.action.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Requests};
    use crate::config::StepUp;
    use crate::event::{Action, Event};
    use crate::finding::Finding;

    fn finding() -> Finding {
        serde_json::from_value(serde_json::json!({
            "finding_id": "f", "activity": "open", "kind": "novelty", "severity": "low", "risk": 30, "decision": "step_up", "title": "t",
            "agent_id": "a", "first_seen": 0, "last_seen": 0, "count": 1, "detected_at": 0, "reasons": [],
            "policy": {"id": "behaviour", "version": "v", "rule": "r"}, "techniques": [], "events": ["e"]
        }))
        .unwrap()
    }

    /// Asks about each target in turn at its time; says what became of it.
    #[track_caller]
    fn check(questions: &[(&str, i64)], expected: &str) {
        let mut requests = Requests::default();
        let outcome: String = questions
            .iter()
            .map(|(target, now)| {
                let mut event = Event::bare("e", *now, "a", Action::ToolCall);
                event.tool = Some("send_mail".into());
                event.target = Some((*target).into());
                match requests.ask(&event, &finding(), true, None, 2, *now, &StepUp::default()) {
                    Asked::New(request) => {
                        assert!(request.request_id.starts_with("2-") && request.expires_at == now + 900_000);
                        'n'
                    }
                    Asked::Merged => 'm',
                    Asked::Withheld => 'w',
                }
            })
            .collect();
        assert_eq!(outcome, expected);
    }

    #[test]
    fn the_same_question_is_asked_once() {
        check(&[("x", 0), ("x", 1), ("y", 2)], "nmn");
    }

    #[test]
    fn a_fourth_open_question_is_withheld() {
        check(&[("a", 0), ("b", 0), ("c", 0), ("d", 0)], "nnnw");
    }

    #[test]
    fn an_expired_question_may_be_asked_again() {
        check(&[("a", 0), ("a", 900_000)], "nn");
    }
}
