//! Shadow, dormant and finished agents; credentials.

use super::*;
use crate::finding::Severity;
use crate::govern::sightings::Sighting;

#[test]
fn an_agent_without_a_record_is_named_once() {
    check("agent: other", &[r#""tool":"x""#], &[Kind::ShadowAgent]);
    check("agent: other", &[r#""tool":"x""#, r#""tool":"x""#], &[]);
    check("agent: a", &[r#""tool":"x""#], &[]);
}

#[test]
fn a_shadow_agent_is_critical_where_it_is_sensitive_even_if_named_before() {
    let policy = || Policy { sensitive: vec!["*payroll*".into()], ..Policy::default() };
    let events = [r#""tool":"x""#, r#""tool":"x","target":"/db/payroll/1""#, r#""tool":"x","target":"/db/payroll/1""#];
    let judged = judgements(policy(), &inventory("agent: other"), &Sightings::default(), &events);
    let severities: Vec<Vec<Severity>> =
        judged.iter().map(|one| one.violations.iter().map(|violation| violation.severity).collect()).collect();
    assert_eq!(severities, [vec![Severity::Medium], vec![Severity::Critical], vec![]]);
}

#[test]
fn a_new_agent_has_the_time_of_grace() {
    let policy = || Policy { shadow_grace_ms: 1_000, ..Policy::default() };
    check_with(policy(), "agent: other", &[r#""tool":"x""#], &[]);
    check_with(policy(), "agent: other", &[r#""tool":"x""#, r#""tool":"x""#], &[Kind::ShadowAgent]);
}

#[test]
fn finished_agents_do_not_act() {
    check("agent: a\nstatus: decommissioned", &[r#""tool":"x""#], &[Kind::DecommissionedAgent]);
    check("agent: a\nstatus: scheduled_for_decommission", &[r#""tool":"x""#], &[]);
    check("agent: a\nexpires_at: 2025-12-31", &[r#""tool":"x""#], &[Kind::DecommissionedAgent]);
    check("agent: a\nexpires_at: 2026-12-31", &[r#""tool":"x""#], &[]);
    check("agent: a\nstatus: dormant", &[r#""tool":"x""#], &[Kind::DormantAgent]);
}

#[test]
fn a_suspended_agent_may_be_denied_but_not_act() {
    check("agent: a\nstatus: suspended", &[r#""tool":"x""#], &[Kind::SuspendedAgentActive]);
    check("agent: a\nstatus: suspended", &[r#""tool":"x","status":"denied""#], &[]);
}

#[test]
fn an_agent_that_wakes_after_a_month_is_dormant() {
    let at = |days: i64| format!(r#""tool":"x","ts":{}"#, START_MS + days * DAY_MS + 1);
    check("agent: a", &[&at(0), &at(31)], &[Kind::DormantAgent]);
    check("agent: a", &[&at(0), &at(30)], &[]);
    check("agent: a", &[&at(0), &at(20), &at(40)], &[]);
}

#[test]
fn a_credential_belongs_to_one_agent() {
    let by = |agent: &str| format!(r#""agent_id":"{agent}","tool":"x","credential_id":"k""#);
    let records = "agent: a\n---\nagent: b";
    check(records, &[&by("a"), &by("b")], &[Kind::CredentialShared]);
    check(records, &[&by("a"), &by("b"), &by("a")], &[]);
    check(records, &[&by("a"), &by("a")], &[]);
    check(records, &[&by("a"), &by("b"), &by("b")], &[Kind::CredentialShared]);
}

#[test]
fn a_credential_seen_in_another_shard_is_shared_too() {
    let mut elsewhere = Sightings::default();
    elsewhere.insert(Sighting::CredentialUse { credential_id: "k".into(), agent_id: "z".into(), since: START_MS - 1 }, 0);
    elsewhere.insert(Sighting::CredentialUse { credential_id: "l".into(), agent_id: "z".into(), since: START_MS + DAY_MS }, 0);
    let judge = |members: &str| judgements(Policy::default(), &inventory("agent: a"), &elsewhere, &[members]).remove(0);
    let earlier = judge(r#""tool":"x","credential_id":"k""#);
    assert_eq!(earlier.violations[0].kind, Kind::CredentialShared);
    assert!(earlier.violations[0].title.contains("also used by z"));
    let sighting = Sighting::CredentialUse { credential_id: "k".into(), agent_id: "a".into(), since: START_MS };
    assert_eq!(earlier.sightings, [sighting]);
    // The other came later: its event revealed it, not ours.
    assert!(judge(r#""tool":"x","credential_id":"l""#).violations.is_empty());
}

#[test]
fn credentials_grow_stale() {
    let issued = |days: i64| format!(r#""tool":"x","credential_id":"k","credential_issued_at":{}"#, START_MS - days * DAY_MS);
    check("agent: a", &[&issued(91)], &[Kind::CredentialStale]);
    check("agent: a", &[&issued(90)], &[]);
    let declared = |more: &str| format!("agent: a\ncredentials: [{{id: k, {more}}}]");
    let plain = [r#""tool":"x","credential_id":"k""#];
    check(&declared("created_at: 2025-09-01"), &plain, &[Kind::CredentialStale]);
    check(&declared("created_at: 2025-09-01, last_rotated_at: 2025-12-01"), &plain, &[]);
    check(&declared("created_at: 2025-12-01, rotation: 30d"), &plain, &[Kind::CredentialStale]);
    check(&declared("created_at: 2025-12-15, rotation: 30d"), &plain, &[]);
    check(&declared("expires_at: 2026-01-01"), &plain, &[Kind::CredentialStale]);
    check(&declared("expires_at: 2026-01-02"), &plain, &[]);
    // The event knows better than the inventory.
    check(&declared("created_at: 2025-01-01"), &[&issued(1)], &[]);
}

#[test]
fn an_agent_uses_only_the_credentials_that_it_was_given() {
    check("agent: a\ncredentials: [{id: k}]", &[r#""tool":"x","credential_id":"l""#], &[Kind::CredentialUnknown]);
    check("agent: a\ncredentials: [{id: k}]", &[r#""tool":"x","credential_id":"k""#], &[]);
}

#[test]
fn a_person_s_credential_is_no_agent_s() {
    let event = [r#""tool":"x","credential_id":"k""#];
    check("agent: a\ncredentials: [{id: k, type: human_password}]", &event, &[Kind::Delegation]);
    check("agent: a\n---\nagent: b\ncredentials: [{id: k, type: personal access token}]", &event, &[Kind::Delegation]);
    check("agent: a\ncredentials: [{id: k, type: workload}]", &event, &[]);
}

#[test]
fn a_credential_from_a_new_network_is_named_once_it_is_known() {
    let from = |address: &str| format!(r#""tool":"x","credential_id":"k","source_ip":"{address}""#);
    let (home, same_net, away) = (from("10.1.1.1"), from("10.1.1.200"), from("203.0.113.9"));
    let known: Vec<&str> = vec![&home; 50];
    check("agent: a", &[known.clone(), vec![&away]].concat(), &[Kind::CredentialNewSource]);
    check("agent: a", &[known.clone(), vec![&same_net]].concat(), &[]);
    check("agent: a", &[known[1..].to_vec(), vec![&away]].concat(), &[]);
    check("agent: a", &[known, vec![&away, &away]].concat(), &[]);
}
