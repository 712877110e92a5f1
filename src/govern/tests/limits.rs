//! Amounts: single, summed, split. No amount that should be held may pass.

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::finding::step_up_request::DecisionRequired;

const SINGLE: &str = "agent: a\nlimits: [{action: refund, field: amount, currency: EUR, automatic_up_to: 50, above: human_approval}]";
const DAILY: &str = "agent: a\nlimits: [{action: refund, field: amount, window: 1d, per: on_behalf_of, automatic_up_to: 500}]";

fn refund(amount: &str) -> String {
    format!(r#""tool":"refund","amount":{amount},"currency":"EUR""#)
}

#[test]
fn an_amount_up_to_the_limit_passes_and_above_it_somebody_is_asked() {
    check(SINGLE, &[&refund("50")], &[]);
    check(SINGLE, &[&refund("\"50.00\"")], &[]);
    check(SINGLE, &[&refund("\"50.01\"")], &[Kind::IntentLimit]);
    check(SINGLE, &[&refund("50.000000000000001")], &[Kind::IntentLimit]);
    let ask = only_violation(SINGLE, &[&refund("80")]).ask.unwrap();
    assert_eq!((ask.required, &*ask.limit, &*ask.observed_total, ask.window), (DecisionRequired::HumanApproval, "50 EUR", "80 EUR", None));
}

#[test]
fn a_denied_attempt_asks_too() {
    check(SINGLE, &[r#""tool":"refund","amount":80,"currency":"EUR","status":"denied""#], &[Kind::IntentLimit]);
}

#[test]
fn what_cannot_be_compared_is_above_the_limit() {
    for members in [
        r#""tool":"refund""#,
        r#""tool":"refund","amount":"5 EUR","currency":"EUR""#,
        r#""tool":"refund","amount":-5,"currency":"EUR""#,
        r#""tool":"refund","amount":5,"currency":"USD""#,
        r#""tool":"refund","amount":5"#,
        r#""tool":"refund","amount":1e60,"currency":"EUR""#,
    ] {
        check(SINGLE, &[members], &[Kind::IntentLimit]);
    }
    check(SINGLE, &[r#""tool":"lookup""#], &[]);
}

#[test]
fn what_must_never_be_done_is_forbidden() {
    let never = "agent: a\nallowed_actions: [\"*\"]\nlimits: [{action: change_payout, never: true}]";
    check(never, &[r#""tool":"change_payout""#], &[Kind::ForbiddenAction]);
    check(never, &[r#""tool":"show_payout""#], &[]);
}

#[test]
fn sums_slide_over_stream_time_for_each_principal() {
    let by = |who: &str, day: i64, amount: &str| {
        format!(r#""tool":"refund","amount":{amount},"currency":"EUR","on_behalf_of":"{who}","ts":{}"#, START_MS + day * DAY_MS)
    };
    let (first, second, third) = (by("u", 0, "300"), by("u", 0, "200"), by("u", 0, "0.01"));
    check(DAILY, &[&first, &second], &[]);
    check(DAILY, &[&first, &second, &third], &[Kind::IntentLimit]);
    check(DAILY, &[&first, &second, &by("v", 0, "400")], &[]);
    check(DAILY, &[&first, &second, &by("u", 1, "400")], &[]);
    let ask = only_violation(DAILY, &[&first, &by("u", 0, "250")]).ask.unwrap();
    assert_eq!((&*ask.observed_total, ask.window.as_deref()), ("550", Some("1d")));
}

#[test]
fn denied_amounts_do_not_add_up() {
    let denied = r#""tool":"refund","amount":400,"status":"denied""#;
    let ran = r#""tool":"refund","amount":400"#;
    check(DAILY, &[denied, ran], &[]);
    check(DAILY, &[ran, denied], &[Kind::IntentLimit]);
}

#[test]
fn dating_back_does_not_help() {
    let now = format!(r#""tool":"refund","amount":300,"ts":{}"#, START_MS + 10 * DAY_MS);
    let back = format!(r#""tool":"refund","amount":300,"ts":{START_MS}"#);
    check(DAILY, &[&now, &back], &[Kind::IntentLimit]);
}

#[test]
fn counts_and_records_are_limited_too() {
    let counted = "agent: a\nlimits: [{action: \"send_*\", field: count, window: 1h, automatic_up_to: 2, above: reauthenticate}]";
    check(counted, &[r#""tool":"send_mail""#, r#""tool":"send_fax""#], &[]);
    check(counted, &[r#""tool":"send_mail""#, r#""tool":"send_fax""#, r#""tool":"send_mail""#], &[Kind::IntentLimit]);
    let records = "agent: a\nlimits: [{action: export, field: records, automatic_up_to: 100}]";
    check(records, &[r#""tool":"export","records":100"#], &[]);
    check(records, &[r#""tool":"export","records":101"#], &[Kind::IntentLimit]);
    check(records, &[r#""tool":"export""#], &[Kind::IntentLimit]);
}

#[test]
fn three_amounts_just_under_the_limit_look_split() {
    let (near, far) = (refund("46"), refund("45"));
    check(SINGLE, &[&near, &near], &[]);
    check(SINGLE, &[&near, &near, &near], &[Kind::Structuring]);
    check(SINGLE, &[&near, &near, &far], &[]);
    check(SINGLE, &[&near, &near, &refund("50")], &[Kind::Structuring]);
    check(SINGLE, &[&near, &near, &refund("51")], &[Kind::IntentLimit]);
    let later = format!("{},\"ts\":{}", refund("46"), START_MS + DAY_MS + 1_000);
    check(SINGLE, &[&near, &near, &later], &[]);
    let denied = format!("{},\"status\":\"denied\"", refund("46"));
    check(SINGLE, &[&near, &near, &denied], &[]);
}

#[test]
fn splitting_over_several_agents_for_one_principal_is_seen() {
    let records = SINGLE.to_owned() + "\n---\n" + &SINGLE.replace("agent: a", "agent: b");
    let by = |agent: &str, who: &str| format!(r#"{},"agent_id":"{agent}","on_behalf_of":"{who}""#, refund("48"));
    check(&records, &[&by("a", "u"), &by("b", "u"), &by("a", "u")], &[Kind::Structuring]);
    check(&records, &[&by("a", "u"), &by("b", "v"), &by("a", "u")], &[]);
}

#[test]
fn splitting_over_shards_is_seen() {
    let mut elsewhere = Sightings::default();
    for event_id in ["1", "2", "2"] {
        let (action, principal, agent_id) = ("refund".into(), "u".into(), "z".into());
        elsewhere.insert(
            Sighting::NearLimit { action, principal, event_id: event_id.into(), agent_id, at: START_MS, amount: Decimal::from(49) },
            0,
        );
    }
    let event = format!(r#"{},"on_behalf_of":"u""#, refund("48"));
    let judged = judgements(Policy::default(), &inventory(SINGLE), &elsewhere, &[&event]);
    assert_eq!(judged[0].violations[0].title, "3 amounts of refund for u lie just under 50 EUR");
    assert_eq!(judged[0].violations[0].reasons[0].actual, "48, 49, 49 by a, z");
}

proptest! {
    #[test]
    fn no_order_of_amounts_passes_more_than_the_limit(
        steps in prop::collection::vec((0_i64..30_000, 0_i64..30_000, 0_u32..3, -40_000_i64..0, any::<bool>()), 1..60),
    ) {
        const WINDOW_MS: i64 = 60_000;
        let contract = "agent: a\nlimits: [{action: refund, window: 1m, automatic_up_to: 500}]";
        let mut now = START_MS;
        let mut members = Vec::new();
        let mut expected = Vec::new();
        let mut ran: Vec<(i64, Decimal)> = Vec::new();
        for (step, digits, scale, back, is_denied) in steps {
            // Some events come late: their own time lies before the stream's.
            let is_late = back % 3 == 0;
            if !is_late {
                now += step;
            }
            let amount = Decimal::new(digits, scale);
            let before: Decimal = ran.iter().filter(|(at, _)| *at > now - WINDOW_MS).map(|(_, amount)| *amount).sum();
            expected.push(before + amount > Decimal::from(500));
            if !is_denied {
                ran.push((now, amount));
            }
            let status = if is_denied { "denied" } else { "ok" };
            let ts = if is_late { (now + back).max(START_MS - 100_000) } else { now };
            members.push(format!(r#""ts":{ts},"tool":"refund","amount":"{amount}","status":"{status}""#));
        }
        // The first event must not be late: it sets the stream's time.
        let first = format!(r#""ts":{START_MS},"tool":"other""#);
        let members: Vec<&str> = [first.as_str()].into_iter().chain(members.iter().map(String::as_str)).collect();
        let judged = judgements(Policy::default(), &inventory(contract), &Sightings::default(), &members);
        let held: Vec<bool> = judged[1..].iter().map(|one| one.violations.iter().any(|violation| violation.kind == Kind::IntentLimit)).collect();
        prop_assert_eq!(held, expected);
    }
}
