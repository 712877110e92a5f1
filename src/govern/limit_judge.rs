//! Holds amounts against limits: one by one, summed over windows, and for being split to stay under a limit.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::config::duration;
use crate::event::limits::shown;
use crate::finding::Kind;

use super::agent_state::{Question, Windows};
use super::judge::{Asked, Judgement};
use super::limit::{Limit, Measure, Measured, Per, Rule, Whose, Why};
use super::sightings::{NearLimit, Sighting, Sightings};
use super::terms::{LimitSet, LimitTerm, Limits};
use super::violation::{Ask, Draft};

/// One limit that applies to the event.
struct Applied<'a> {
    /// Its place in the contract.
    index: usize,
    field: Measure,
    currency: Option<&'a str>,
    up_to: Decimal,
    measured: Measured,
}

pub(super) fn judge(
    asked: &Asked<'_>,
    (limits, set): (&Limits, LimitSet),
    windows: &mut Windows,
    own: &mut Sightings,
    elsewhere: &Sightings,
    judgement: &mut Judgement,
) {
    for (index, LimitTerm { limit, question, .. }) in set.of(limits, asked.action) {
        let Rule::UpTo { field, currency, automatic_up_to, above, window_ms, per } = &limit.rule else {
            judgement.violations.push(asked.violation(never(asked, limit, rule_name(index))));
            continue;
        };
        let measured = field.of(asked.event, currency.as_deref());
        let applied = Applied { index, field: *field, currency: currency.as_deref(), up_to: *automatic_up_to, measured };
        let window = window_ms.map(|window_ms| (window_ms, *per));
        let observed = match window {
            None => measured,
            Some((window_ms, per)) => {
                let question = Question { limit: *question, whose: per.whose(asked.event), window_ms };
                summed(&applied, asked, windows, question)
            }
        };
        if !passes(observed, applied.up_to) {
            let mut violation = asked.violation(over(asked, &applied, observed, window));
            violation.ask = Some(Ask {
                required: *above,
                limit: applied.money(applied.up_to),
                observed_total: applied.observed(observed),
                window: window_ms.map(duration::written),
            });
            judgement.violations.push(violation);
        }
        if window.is_none() && asked.ran() {
            judge_splitting(asked, &applied, own, elsewhere, judgement);
        }
    }
}

fn rule_name(index: usize) -> String {
    format!("limits[{index}]")
}

fn passes(observed: Measured, up_to: Decimal) -> bool {
    matches!(observed, Measured::Value(value) if value <= up_to)
}

/// The window with this event in it. Only what ran stays there.
fn summed(applied: &Applied<'_>, asked: &Asked<'_>, windows: &mut Windows, question: Question<'_>) -> Measured {
    let Measured::Value(value) = applied.measured else { return applied.measured };
    let before = if asked.ran() { windows.add(question, asked.now_ms, value) } else { windows.total(question, asked.now_ms) };
    Measured::Value(before.saturating_add(value))
}

impl Applied<'_> {
    fn money(&self, value: Decimal) -> String {
        let unit = match self.field {
            Measure::Amount => self.currency.map_or(String::new(), |currency| format!(" {currency}")),
            other => format!(" {}", other.as_str()),
        };
        format!("{}{unit}", value.normalize())
    }

    fn observed(&self, observed: Measured) -> String {
        match observed {
            Measured::Value(value) => self.money(value),
            Measured::Unknown(Why::Missing) => format!("no {}", self.field.as_str()),
            Measured::Unknown(Why::Unreadable) => "an amount that is no decimal number".into(),
            Measured::Unknown(Why::Negative) => "a negative amount".into(),
            Measured::Unknown(Why::OtherCurrency) => "an amount in another currency, or in none".into(),
        }
    }
}

fn never(asked: &Asked<'_>, limit: &Limit, rule: String) -> Draft {
    let (agent, action) = asked.names();
    Draft {
        kind: Kind::ForbiddenAction,
        rule,
        title: format!("{agent} did {action}, which it must never do"),
        field: "tool",
        expected: format!("never {}", shown(&limit.action)),
        normal_if: format!("{action} were not ruled out for {agent}"),
        actual: action,
    }
}

fn over(asked: &Asked<'_>, applied: &Applied<'_>, observed: Measured, window: Option<(i64, Per)>) -> Draft {
    let (agent, action) = asked.names();
    let limit = applied.money(applied.up_to);
    let observed = applied.observed(observed);
    let per = match window {
        Some((window_ms, per)) => {
            let whose = match per.whose(asked.event) {
                Whose::Agent => asked.agent(),
                Whose::Named("") => format!("no {}", per.as_str()),
                Whose::Named(name) => shown(name),
            };
            format!(" in {} for {whose}", duration::written(window_ms))
        }
        None => String::new(),
    };
    Draft {
        kind: Kind::IntentLimit,
        rule: rule_name(applied.index),
        title: format!("{agent} did {action} with {observed}{per}, more than {limit}"),
        field: applied.field.as_str(),
        expected: format!("at most {limit}{per}"),
        actual: observed,
        normal_if: format!("it were at most {limit}{per}, or approved"),
    }
}

/// Several amounts just under a limit, for one principal, by one agent or several.
fn judge_splitting(asked: &Asked<'_>, applied: &Applied<'_>, own: &mut Sightings, elsewhere: &Sightings, judgement: &mut Judgement) {
    let Measured::Value(amount) = applied.measured else { return };
    let near_share = asked.policy.structuring.above_share();
    let is_near = amount > applied.up_to.saturating_mul(near_share) && amount <= applied.up_to;
    if !is_near || applied.field != Measure::Amount {
        return;
    }
    let event = asked.event;
    // The tool without its server: the same action reached another way is the same action.
    let action = event.tool.as_deref().unwrap_or(event.action.as_str());
    let principal = event.on_behalf_of.as_deref().unwrap_or(&event.agent_id);
    let rules = asked.policy.structuring;
    let since = asked.now_ms.saturating_sub(rules.window_ms);
    let near = NearLimit { at: asked.now_ms, amount, agent_id: (*event.agent_id).into(), event_id: (*event.event_id).into() };
    own.note_near(action, principal, near, since);
    judgement.sightings.push(Sighting::NearLimit {
        action: action.to_owned(),
        principal: principal.to_owned(),
        event_id: event.event_id.to_string(),
        agent_id: event.agent_id.to_string(),
        at: asked.now_ms,
        amount,
    });
    let seen = own.near(action, principal, since).chain(elsewhere.near(action, principal, since));
    let amounts: BTreeMap<(i64, &str, &str), Decimal> =
        seen.map(|near| ((near.at, &*near.agent_id, &*near.event_id), near.amount)).collect();
    if amounts.len() < rules.amounts as usize {
        return;
    }
    let sums: Vec<String> = amounts.values().map(|amount| amount.normalize().to_string()).collect();
    let mut agents: Vec<&str> = amounts.keys().map(|(_, agent, _)| *agent).collect();
    agents.sort_unstable();
    agents.dedup();
    let (limit, window) = (applied.money(applied.up_to), duration::written(rules.window_ms));
    let share = format!("{} % of {limit}", rules.above_percent);
    judgement.violations.push(asked.violation(Draft {
        kind: Kind::Structuring,
        rule: rule_name(applied.index),
        title: format!("{} amounts of {} for {} lie just under {limit}", amounts.len(), shown(action), shown(principal)),
        field: "amount",
        expected: format!("fewer than {} amounts above {share} in {window}", rules.amounts),
        actual: format!("{} by {}", super::violation::listed(&sums), super::violation::listed(&agents)),
        normal_if: format!("one of them were at most {share}"),
    }));
}
