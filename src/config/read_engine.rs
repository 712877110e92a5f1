//! What the engine judges by, read and checked.

use std::collections::BTreeMap;

use super::AnswerKeys;
use super::document::Raw;
use super::engine::{
    Alarm, AlarmBudget, Audit, Clock, ColdStart, Detect, EngineConfig, KindVerdict, Memory, Policy, Pools, SessionRules, StepUp,
    Structuring,
};
use super::section::Section;
use crate::finding::{Decision, Kind, Severity, verdict};

const SECOND_MS: i64 = 1_000;
const DAY_MS: i64 = 86_400_000;

/// Keys of `detect.family_shares`, in the order of [`Detect::family_shares`].
pub(super) const FAMILIES: [&str; 6] = ["misuse", "length", "total", "identity", "persistence", "volume"];
pub(super) const CLOCKS: [(&str, Clock); 3] = [("auto", Clock::Auto), ("real", Clock::Real), ("synthetic", Clock::Synthetic)];
pub(super) const COLD_STARTS: [(&str, ColdStart); 3] =
    [("pool", ColdStart::Pool), ("contract", ColdStart::Contract), ("quiet", ColdStart::Quiet)];

const SEVERITIES: [(&str, Severity); 4] =
    [("low", Severity::Low), ("medium", Severity::Medium), ("high", Severity::High), ("critical", Severity::Critical)];
const DECISIONS: [(&str, Decision); 4] =
    [("allow", Decision::Allow), ("alert", Decision::Alert), ("step_up", Decision::StepUp), ("suspend", Decision::Suspend)];

/// The tables that enter the configuration's hash.
pub(super) fn engine(root: &Section<'_>) -> EngineConfig {
    let pools = root.section("pools");
    let config = EngineConfig {
        alarm: alarm(root.section("alarm")),
        pools: Pools { share: pools.flag("share", Pools::default().share) },
        memory: memory(root.section("memory")),
        detect: detect(root.section("detect")),
        step_up: step_up(root.section("step_up")),
        policy: policy(root.section("policy")),
        audit: audit(root.section("audit")),
    };
    pools.finish();
    config
}

fn alarm(table: Section<'_>) -> Alarm {
    let default = Alarm::default();
    let alarm = Alarm {
        budget: budget(table.section("budget"), default.budget),
        cold_start: table.word("cold_start", default.cold_start, &COLD_STARTS),
    };
    table.finish();
    alarm
}

fn budget(table: Section<'_>, default: AlarmBudget) -> AlarmBudget {
    let is_share = |share: f64| 0.0 < share && share < 1.0;
    let is_daily = |alarms: f64| 0.0 < alarms && alarms <= 1e6;
    let per_session = table.optional_number("per_session", is_share, "a share above 0 and below 1");
    let per_day = table.optional_number("per_day", is_daily, "alarms a day, above 0 and at most 1000000");
    let budget = match (per_session, per_day) {
        (None, None) => default,
        (Some(share), None) => AlarmBudget::PerSession(share),
        (None, Some(alarms)) => AlarmBudget::PerDay(alarms),
        (Some(share), Some(alarms)) => {
            let message = format!("`alarm.budget` has per_session = {share} and per_day = {alarms}, expected one of them");
            table.contradiction("per_day", message);
            default
        }
    };
    table.finish();
    budget
}

fn memory(table: Section<'_>) -> Memory {
    let default = Memory::default();
    let memory = Memory {
        agents: table.whole("agents", default.agents, 1..=100_000_000),
        asked: table.whole("asked", default.asked, 1..=1_000_000),
        megabytes: table.whole("megabytes", default.megabytes, 1..=1_000_000),
    };
    table.finish();
    memory
}

fn detect(table: Section<'_>) -> Detect {
    let default = Detect::default();
    let share = |key, default| table.number(key, default, |share| (0.0..=1.0).contains(&share), "a number from 0 to 1");
    let detect = Detect {
        clock: table.word("clock", default.clock, &CLOCKS),
        sessions: sessions(table.section("sessions")),
        group_share_sequence: share("group_share_sequence", default.group_share_sequence),
        group_share_attributes: share("group_share_attributes", default.group_share_attributes),
        joint_weight: share("joint_weight", default.joint_weight),
        end_factor: share("end_factor", default.end_factor),
        identity_cap: table.number(
            "identity_cap",
            default.identity_cap,
            |cap| 0.0 < cap && cap <= 100.0,
            "a number above 0 and at most 100",
        ),
        family_shares: family_shares(table.section("family_shares"), default.family_shares),
        tail_exponents: tail_exponents(table.section("tail_exponents"), default.tail_exponents),
        seal_after_sessions: seal(&table, default.seal_after_sessions),
    };
    table.finish();
    detect
}

/// A count, or `"never"`.
fn seal(table: &Section<'_>, default: Option<u32>) -> Option<u32> {
    let expected = "a whole number from 1 to 4294967295, or \"never\"";
    let read = |raw: &Raw| match raw {
        Raw::Text(word) | Raw::Untyped(word) if word == "never" => Some(None),
        Raw::Whole(sessions) => u32::try_from(*sessions).ok().filter(|sessions| *sessions > 0).map(Some),
        _ => None,
    };
    table.optional("seal_after_sessions", expected, read).unwrap_or(default)
}

fn sessions(table: Section<'_>) -> SessionRules {
    let default = SessionRules::default();
    let rules = SessionRules {
        idle_ms: table.duration("idle", default.idle_ms, SECOND_MS..=30 * DAY_MS),
        events_max: table.whole("events", default.events_max, 2..=1_000_000),
        length_ms: table.duration("length", default.length_ms, SECOND_MS..=90 * DAY_MS),
        open_max: table.whole("open", default.open_max, 1..=100_000),
    };
    if rules.idle_ms > rules.length_ms {
        let [idle, length] = [rules.idle_ms, rules.length_ms].map(super::duration::written);
        table.contradiction("idle", format!("`detect.sessions` has idle = {idle} and length = {length}, expected idle to be the shorter"));
    }
    table.finish();
    rules
}

fn tail_exponents(table: Section<'_>, default: [f64; 6]) -> [f64; 6] {
    let exponents = per_family(&table, default);
    table.finish();
    exponents
}

fn per_family(table: &Section<'_>, default: [f64; 6]) -> [f64; 6] {
    let mut values = default;
    for (value, family) in values.iter_mut().zip(FAMILIES) {
        *value = table.number(family, *value, |value| 0.0 < value && value <= 1.0, "a number above 0 and at most 1");
    }
    values
}

fn family_shares(table: Section<'_>, default: [f64; 6]) -> [f64; 6] {
    let shares = per_family(&table, default);
    let sum: f64 = shares.iter().sum();
    if (sum - 1.0).abs() > 1e-9 {
        table.contradiction(FAMILIES[0], format!("`detect.family_shares` sum to {sum}, expected 1"));
    }
    table.finish();
    shares
}

fn step_up(table: Section<'_>) -> StepUp {
    let default = StepUp::default();
    let step_up = StepUp {
        expires_after_ms: table.duration("expires_after", default.expires_after_ms, SECOND_MS..=30 * DAY_MS),
        approvers: table.texts("approvers", &default.approvers),
        acr_values: table.texts("acr_values", &default.acr_values),
        max_age_ms: table.duration("max_age", default.max_age_ms, 0..=30 * DAY_MS),
        require_signature: table.flag("require_signature", default.require_signature),
        keys: answer_keys(&table),
        open_max: table.whole("open", default.open_max, 1..=1_000),
        ack_within_ms: table.duration("ack_within", default.ack_within_ms, SECOND_MS..=30 * DAY_MS),
    };
    table.finish();
    step_up
}

fn answer_keys(table: &Section<'_>) -> AnswerKeys {
    AnswerKeys::read(table.texts("keys", &[])).unwrap_or_else(|(place, error)| {
        table.contradiction("keys", format!("`step_up.keys[{place}]` {error}"));
        AnswerKeys::default()
    })
}

fn audit(table: Section<'_>) -> Audit {
    let audit = Audit { redaction_key: table.text("redaction_key", "", |_| true, "any text") };
    table.finish();
    audit
}

fn policy(table: Section<'_>) -> Policy {
    let default = Policy::default();
    let auto_suspend = table.flag("auto_suspend", default.auto_suspend);
    let policy = Policy {
        auto_suspend,
        sensitive: table.texts("sensitive", &default.sensitive),
        shadow_grace_ms: table.duration("shadow_grace", default.shadow_grace_ms, 0..=365 * DAY_MS),
        credential_max_age_ms: table.duration("credential_max_age", default.credential_max_age_ms, 60 * SECOND_MS..=3_650 * DAY_MS),
        dormant_after_ms: table.duration("dormant_after", default.dormant_after_ms, 60 * SECOND_MS..=3_650 * DAY_MS),
        structuring: structuring(table.section("structuring"), default.structuring),
        delegation_depth: table.whole("delegation_depth", default.delegation_depth, 1..=64),
        kinds: kinds(table.section("kinds"), auto_suspend),
    };
    table.finish();
    policy
}

/// A table for each kind whose severity or decision is not the default one.
fn kinds(table: Section<'_>, auto_suspend: bool) -> BTreeMap<Kind, KindVerdict> {
    let mut kinds = BTreeMap::new();
    for kind in Kind::ALL.into_iter().filter(|kind| verdict::of(*kind, false, false).is_some()) {
        let inner = table.section(kind.as_str());
        let severity = (!inner.is_absent("severity")).then(|| inner.word("severity", Severity::Low, &SEVERITIES));
        let decision = (!inner.is_absent("decision")).then(|| inner.word("decision", Decision::Allow, &DECISIONS));
        if decision == Some(Decision::Suspend) && !auto_suspend {
            let message = format!("`{}` is suspend, but `policy.auto_suspend` is false", inner.full("decision"));
            inner.contradiction("decision", message);
        }
        inner.finish();
        if severity.is_some() || decision.is_some() {
            kinds.insert(kind, KindVerdict { severity, decision });
        }
    }
    table.finish();
    kinds
}

fn structuring(table: Section<'_>, default: Structuring) -> Structuring {
    let structuring = Structuring {
        amounts: table.whole("amounts", default.amounts, 2..=100),
        above_percent: table.whole("above_percent", default.above_percent, 1..=99),
        window_ms: table.duration("window", default.window_ms, SECOND_MS..=90 * DAY_MS),
    };
    table.finish();
    structuring
}
