//! Contracts in a running shard: what a broken rule says, whom it asks, and how its findings live.

use gaitkeeper::config::{ColdStart, EngineConfig};
use gaitkeeper::engine::{Engine, Shard};
use gaitkeeper::finding::step_up_request::{DecisionRequired, EnforcementMode};
use gaitkeeper::finding::{Activity, Decision, Finding, Kind, Severity};

use super::shard::TestShard;

const START_MS: i64 = 1_767_225_600_000;
const REFUNDS: &str = "agent: a
forbidden_actions: [export]
destinations: [\"*.example.com\"]
limits: [{action: refund, field: amount, currency: EUR, automatic_up_to: 50, above: human_approval}]";

/// Events of agent `a` in session `s`, one each ten seconds, each given by its further members.
fn feed(shard: &mut TestShard, events: &[&str]) {
    for members in events {
        let number = shard.decisions.len();
        let ts = START_MS + 10_000 * i64::try_from(number).expect("small");
        shard.feed_line(&format!(r#"{{"event_id":"e{number}","ts":{ts},"agent_id":"a","session_id":"s",{members}}}"#));
    }
}

fn run(config: EngineConfig, yaml: &str, events: &[&str]) -> TestShard {
    let mut shard = TestShard::with(config);
    shard.declare(yaml);
    feed(&mut shard, events);
    shard
}

/// Kind, place in life and count of each publication.
fn lives(findings: &[Finding]) -> Vec<(Kind, Activity, u64)> {
    findings.iter().map(|finding| (finding.kind, finding.activity, finding.count)).collect()
}

#[test]
fn above_a_limit_a_person_is_asked_about_that_very_event() {
    let hash = format!("sha256:{}", "ab".repeat(32));
    let denied = format!(r#""tool":"refund","amount":"80","currency":"EUR","status":"denied","params_hash":"{hash}","on_behalf_of":"u""#);
    let shard = run(EngineConfig::default(), REFUNDS, &[r#""tool":"refund","amount":"50","currency":"EUR""#, &denied]);
    assert_eq!(shard.decisions, [Decision::Allow, Decision::StepUp]);
    let version = shard.tables.inventory.contract("a").expect("declared").version().to_owned();
    let [finding] = &shard.findings[..] else { panic!("{:?}", shard.findings) };
    assert_eq!((finding.kind, finding.severity, finding.decision), (Kind::IntentLimit, Severity::Medium, Decision::StepUp));
    assert_eq!((&*finding.policy.id, &finding.policy.version, &*finding.policy.rule), ("contract", &version, "limits[0]"));
    assert_eq!((&*finding.reasons[0].expected, &*finding.reasons[0].actual), ("at most 50 EUR", "80 EUR"));
    let [request] = &shard.requests[..] else { panic!("{:?}", shard.requests) };
    assert_eq!((&*request.event_id, request.params_hash.as_ref(), &request.finding_id), ("e1", Some(&hash), &finding.finding_id));
    assert_eq!((request.decision_required, request.enforcement.mode), (DecisionRequired::HumanApproval, EnforcementMode::Hold));
    assert_eq!((request.policy.limit.as_deref(), request.policy.observed_total.as_deref()), (Some("50 EUR"), Some("80 EUR")));
    assert_eq!((&request.policy.version, request.principal.as_deref()), (&version, Some("u")));
}

#[test]
fn one_event_asks_once_and_for_its_worst_rule() {
    let both = r#""tool":"refund","amount":"80","currency":"EUR","destination":"evil.test","status":"denied""#;
    let shard = run(EngineConfig::default(), REFUNDS, &[both]);
    let kinds: Vec<Kind> = shard.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [Kind::UnapprovedDestination, Kind::IntentLimit]);
    let rules: Vec<&str> = shard.requests.iter().map(|request| &*request.policy.rule).collect();
    assert_eq!(rules, ["destinations"]);
}

#[test]
fn repeats_join_the_open_finding_and_the_end_of_the_session_closes_it() {
    let (export, other) = (r#""tool":"export","target":"t""#, r#""tool":"refund","amount":"1","currency":"EUR""#);
    let mut shard = run(EngineConfig::default(), REFUNDS, &[export, export, other, other, other, other, export]);
    assert_eq!(lives(&shard.findings), [(Kind::ForbiddenAction, Activity::Open, 1), (Kind::ForbiddenAction, Activity::Update, 3)]);
    feed(&mut shard, &[r#""action":"session_end""#, export]);
    let closed = (Kind::ForbiddenAction, Activity::Close, 3);
    assert_eq!(lives(&shard.findings[2..]), [closed, (Kind::ForbiddenAction, Activity::Open, 1)]);
    assert_ne!(shard.findings[3].finding_id, shard.findings[2].finding_id);
    assert_eq!(shard.findings[1].events, ["e0", "e1", "e6"]);
}

#[test]
fn a_record_holds_from_the_next_event_on_and_its_version_is_named() {
    let call = r#""tool":"refund","amount":"40","currency":"EUR""#;
    let mut shard = run(EngineConfig::default(), REFUNDS, &[call]);
    shard.declare(&REFUNDS.replace("automatic_up_to: 50", "automatic_up_to: 30"));
    feed(&mut shard, &[call]);
    shard.declare(REFUNDS);
    feed(&mut shard, &[call]);
    assert_eq!(shard.decisions, [Decision::Allow, Decision::StepUp, Decision::Allow]);
    assert_ne!(shard.findings[0].policy.version, shard.tables.inventory.contract("a").expect("declared").version());
}

#[test]
fn nobody_is_stopped_unless_the_operator_says_so_and_then_nobody_is_asked() {
    let export = [r#""tool":"export""#];
    let asked = run(EngineConfig::default(), REFUNDS, &export);
    assert_eq!((asked.decisions[0], asked.requests.len()), (Decision::StepUp, 1));
    let mut config = EngineConfig::default();
    config.policy.auto_suspend = true;
    let stopped = run(config, REFUNDS, &export);
    assert_eq!((stopped.decisions[0], stopped.requests.len()), (Decision::Suspend, 0));
    assert_eq!(stopped.findings[0].severity, Severity::Critical);
}

#[test]
fn a_contract_judges_a_cold_agent_unless_new_agents_are_quiet() {
    let raised = |cold_start| {
        let mut config = EngineConfig::default();
        config.alarm.cold_start = cold_start;
        let shard = run(config, REFUNDS, &[r#""tool":"export""#]);
        (shard.findings.len(), shard.engine.counters().quiet)
    };
    assert_eq!([ColdStart::Pool, ColdStart::Contract, ColdStart::Quiet].map(raised), [(1, 0), (1, 0), (0, 1)]);
}

#[test]
fn what_was_summed_survives_a_restart() {
    let daily = "agent: a\nlimits: [{action: refund, field: amount, window: 1d, automatic_up_to: 100}]";
    let half = r#""tool":"refund","amount":"60.5","credential_id":"k","source_ip":"192.0.2.1""#;
    let mut shard = run(EngineConfig::default(), daily, &[half]);
    let parts: Vec<_> = shard.engine.parts().collect();
    let config = std::sync::Arc::new(EngineConfig::default());
    shard.engine = Engine::restore(&config, Shard { partition: 0, partitions: 1 }, parts).expect("its own parts");
    feed(&mut shard, &[half]);
    assert_eq!(shard.decisions, [Decision::Allow, Decision::StepUp]);
    assert_eq!(shard.findings[0].reasons[0].actual, "121");
}

#[test]
fn what_a_late_event_breaks_is_said_and_ended_at_once() {
    let mut shard = run(EngineConfig::default(), REFUNDS, &[r#""tool":"lookup""#, r#""action":"session_end""#]);
    shard.feed_line(&format!(r#"{{"event_id":"late","ts":{},"agent_id":"a","session_id":"s","tool":"export"}}"#, START_MS - 1_000));
    assert_eq!(lives(&shard.findings), [(Kind::ForbiddenAction, Activity::Open, 1), (Kind::ForbiddenAction, Activity::Close, 1)]);
}

#[test]
fn an_agent_without_a_task_type_is_grouped_by_its_declared_role() {
    let groups = |yaml: &str, events: &[&str]| -> Vec<String> {
        let shard = run(EngineConfig::default(), yaml, events);
        shard.engine.detector().model.groups.iter().map(|group| group.name.to_string()).collect()
    };
    assert_eq!(groups("{agent: a, role: reviewer}", &[r#""tool":"read""#]), ["reviewer"]);
    assert_eq!(groups("{agent: a, role: reviewer}", &[r#""tool":"read","task_type":"triage""#]), ["triage"]);
    assert!(groups("{agent: a}", &[r#""tool":"read""#]).is_empty());
}
