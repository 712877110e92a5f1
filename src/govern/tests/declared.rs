//! Actions, destinations, peers, environments, delegation.

use super::records::EXAMPLE;
use super::*;
use crate::finding::{Decision, Severity};

#[test]
fn nothing_is_judged_while_the_inventory_is_empty() {
    let judged = judgements(Policy::default(), &Inventory::default(), &Sightings::default(), &[r#""tool":"x","credential_id":"k""#]);
    assert!(judged[0].violations.is_empty() && judged[0].sightings.is_empty());
}

#[test]
fn the_example_forbids_allows_and_leaves_out() {
    let by = |tool: &str| format!(r#""agent_id":"release-assistant","tool":"{tool}""#);
    check(EXAMPLE, &[&by("deploy_production")], &[Kind::ForbiddenAction]);
    check(EXAMPLE, &[&by("read_ci_status")], &[]);
    check(EXAMPLE, &[&by("read_customer")], &[Kind::OutsideContract]);
    check(EXAMPLE, &[r#""agent_id":"release-assistant","action":"session_end""#], &[]);
}

#[test]
fn a_violation_says_what_was_declared_and_by_which_contract() {
    let violation = only_violation(EXAMPLE, &[r#""agent_id":"release-assistant","tool":"deploy_production","tool_server":"ci""#]);
    assert_eq!(violation.title, "release-assistant did ci/deploy_production, which its contract forbids");
    assert_eq!(violation.reasons[0].expected, "none of deploy_production, change_permissions, export_customer_data");
    assert_eq!(violation.reasons[0].actual, "ci/deploy_production");
    assert_eq!((violation.severity, violation.decision), (Severity::Critical, Decision::StepUp));
    assert_eq!((violation.rule.as_str(), violation.contract.map(|version| version.len())), ("forbidden_actions", Some(16)));
}

#[test]
fn only_auto_suspend_suspends() {
    let policy = Policy { auto_suspend: true, ..Policy::default() };
    let judged = judgements(policy, &inventory("agent: a\nforbidden_actions: [x]"), &Sightings::default(), &[r#""tool":"x""#]);
    assert_eq!(judged[0].violations[0].decision, Decision::Suspend);
}

#[test]
fn an_absent_list_is_not_judged_and_an_empty_one_allows_nothing() {
    let event =
        [r#""tool":"x","tool_server":"v","destination":"d","environment":"e","peer_agent_id":"p","credential_id":"k","on_behalf_of":"u""#];
    check("agent: a", &event, &[]);
    check(
        "agent: a\nallowed_actions: []\nsystems: []\ndestinations: []\npeers: []\nenvironments: []\ncredentials: []",
        &event,
        &[
            Kind::OutsideContract,
            Kind::OutsideContract,
            Kind::UnapprovedDestination,
            Kind::UnapprovedPeer,
            Kind::Environment,
            Kind::CredentialUnknown,
        ],
    );
}

#[test]
fn a_task_allows_only_its_own_actions() {
    let contract = "agent: a\nallowed_actions: [read, refund]\ntasks: {lookup: [read]}";
    check(contract, &[r#""tool":"refund","task_type":"lookup""#], &[Kind::OutsideContract]);
    check(contract, &[r#""tool":"read","task_type":"lookup""#], &[]);
    check(contract, &[r#""tool":"refund","task_type":"other""#], &[]);
}

#[test]
fn data_goes_only_where_it_was_declared_to_go() {
    let contract = "agent: a\ndestinations: [\"*.example.com\", 10.0.0.0/8]";
    check(contract, &[r#""tool":"send","destination":"files.evil.io""#], &[Kind::UnapprovedDestination]);
    check(contract, &[r#""tool":"send","destination":"https://files.example.com/x""#], &[]);
    check(contract, &[r#""tool":"send","destination":"11.0.0.1""#], &[Kind::UnapprovedDestination]);
    check(contract, &[r#""tool":"send","destination":"10.9.9.9""#], &[]);
    check(contract, &[r#""tool":"send""#], &[]);
}

#[test]
fn an_agent_instructs_only_its_declared_peers() {
    let contract = "agent: a\npeers: [\"team-*\"]";
    check(contract, &[r#""action":"message","peer_agent_id":"payroll""#], &[Kind::UnapprovedPeer]);
    check(contract, &[r#""action":"message","peer_agent_id":"team-7""#], &[]);
}

#[test]
fn an_agent_acts_only_in_its_environments() {
    check("agent: a\nenvironments: [staging]", &[r#""tool":"x","environment":"prod""#], &[Kind::Environment]);
    check("agent: a\nenvironments: [staging]", &[r#""tool":"x","environment":"staging""#], &[]);
}

#[test]
fn the_principal_s_permissions_apply_not_the_agent_s() {
    let contract =
        "agent: a\nallowed_actions: [read, delete]\ndelegation: {mode: on_behalf_of, principals: {alice: [read, export], bob: []}}";
    check(contract, &[r#""tool":"delete","on_behalf_of":"alice""#], &[Kind::Delegation]);
    check(contract, &[r#""tool":"read","on_behalf_of":"alice""#], &[]);
    check(contract, &[r#""tool":"export","on_behalf_of":"alice""#], &[]);
    check(contract, &[r#""tool":"read","on_behalf_of":"bob""#], &[Kind::Delegation]);
    check(contract, &[r#""tool":"read","on_behalf_of":"mallory""#], &[Kind::Delegation]);
    check(contract, &[r#""tool":"read""#], &[Kind::Delegation]);
    check(contract, &[r#""action":"llm_call""#], &[Kind::OutsideContract]);
}

#[test]
fn an_agent_of_its_own_authority_acts_for_nobody() {
    check("agent: a\ndelegation: own", &[r#""tool":"x","on_behalf_of":"alice""#], &[Kind::Delegation]);
    check("agent: a\ndelegation: own", &[r#""tool":"x""#], &[]);
    check("agent: a\ndelegation: on_behalf_of", &[r#""tool":"x","on_behalf_of":"alice""#], &[]);
}

#[test]
fn what_is_forbidden_stays_so_for_every_principal() {
    let contract = "agent: a\nforbidden_actions: [wipe]\ndelegation: {principals: {alice: [\"*\"]}}";
    check(contract, &[r#""tool":"wipe","on_behalf_of":"alice""#], &[Kind::ForbiddenAction]);
    check(contract, &[r#""tool":"read","on_behalf_of":"alice""#], &[]);
}

#[test]
fn hostile_names_are_cut_and_escaped() {
    let tool = format!("x\\n\\u202e{}", "y".repeat(200));
    let violation = only_violation("agent: a\nallowed_actions: []", &[&format!("\"tool\":\"{tool}\"")]);
    assert!(violation.title.len() < 200 && !violation.title.contains(['\n', '\u{202e}']), "{}", violation.title);
}
