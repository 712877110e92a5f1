//! A request as it is published: the action that asks, bound to its parameters, and who may decide by when.

use std::borrow::Cow;

use super::super::{identifier, reversibility};
use super::Wish;
use crate::config::StepUp;
use crate::event::{Amount, Event};
use crate::finding::StepUpRequest;
use crate::finding::step_up_request::{
    DecisionRequired, Enforcement, EnforcementMode, EnforcementScope, RequestAction, RequestAgent, RequestPolicy, RequestRisk,
    Reversibility,
};

const SCHEMA_VERSION: u32 = 1;

/// Which asking of the same question this is.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    /// From 1.
    pub number: u32,
    /// Hash of agent, tool, target and parameters.
    pub dedupe_key: String,
    /// The open request that this one replaces.
    pub supersedes: Option<String>,
}

/// Who must decide, and whether the action waits for it.
pub(super) fn strength(wish: &Wish<'_>) -> (DecisionRequired, EnforcementMode) {
    // A broken rule is certain, odd behaviour may be ordinary after all: what can be undone need not wait for it.
    let holds = wish.asking.is_some() || reversibility::of(wish.event, wish.writes) >= Reversibility::ExternallyReversible;
    let (required, mode) = if holds {
        (DecisionRequired::HumanApproval, EnforcementMode::Hold)
    } else {
        (DecisionRequired::Reauthenticate, EnforcementMode::AllowAndWatch)
    };
    (wish.asking.map_or(required, |asking| asking.required), mode)
}

/// The same agent, tool, target and parameters ask the same.
pub(super) fn dedupe_key(event: &Event<'_>) -> String {
    let text = |field: &Option<Cow<'_, str>>| field.as_deref().unwrap_or("").to_owned();
    identifier::of(&[&event.agent_id, &tool(event), &text(&event.target), &text(&event.params_hash)])
}

pub(super) fn build(wish: &Wish<'_>, attempt: Attempt, partition: i32, now: i64, settings: &StepUp) -> StepUpRequest {
    let Wish { event, because, writes, asking } = *wish;
    let Attempt { number, dedupe_key, supersedes } = attempt;
    let owned = |field: &Option<Cow<'_, str>>| field.as_deref().map(str::to_owned);
    let hash = identifier::of(&[because.finding_id, &event.event_id, &number.to_string()]);
    let (decision_required, mode) = strength(wish);
    let limit = asking.and_then(|asking| asking.limit);
    StepUpRequest {
        schema_version: SCHEMA_VERSION,
        request_id: format!("{partition}-{hash}"),
        finding_id: because.finding_id.to_owned(),
        decision_required,
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
            amount: event.amount.as_ref().map(amount),
            currency: owned(&event.currency),
            reversibility: reversibility::of(event, writes),
        },
        params_hash: owned(&event.params_hash),
        params_display: None,
        acr_values: settings.acr_values.clone(),
        max_age: (settings.max_age_ms > 0).then(|| settings.max_age_ms.unsigned_abs() / 1000),
        approvers: settings.approvers.clone(),
        policy: RequestPolicy {
            id: because.policy.id.clone(),
            version: because.policy.version.clone(),
            rule: because.policy.rule.clone(),
            limit: limit.map(|ask| ask.limit.clone()),
            observed_total: limit.map(|ask| ask.observed_total.clone()),
            window: limit.and_then(|ask| ask.window.clone()),
        },
        risk: RequestRisk { score: because.score, severity: because.severity, reasons: because.reasons.to_vec() },
        enforcement: Enforcement { mode, default_on_timeout: "deny".into(), scope: EnforcementScope::Call },
        created_at: now,
        expires_at: now.saturating_add(settings.expires_after_ms),
        dedupe_key,
        attempt: number,
        supersedes,
        signature: None,
    }
}

/// The amount as a message writes it.
pub(in super::super) fn amount(amount: &Amount<'_>) -> String {
    match amount {
        Amount::Exact(amount) => amount.to_string(),
        Amount::Unreadable(text) => text.clone().into_owned(),
    }
}

fn tool(event: &Event<'_>) -> String {
    match (&event.tool_server, &event.tool) {
        (Some(server), Some(tool)) => format!("{server}/{tool}"),
        (None, Some(tool)) => tool.clone().into_owned(),
        (_, None) => event.action.as_str().to_owned(),
    }
}
