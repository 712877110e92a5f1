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

/// Each pair instructs the next in one trace; what the last instruction raises.
#[track_caller]
fn check_chain(policy: Policy, pairs: &[(&str, &str)], expected: &[Kind]) {
    let yaml: Vec<String> = ["a", "b", "c", "d", "e"].map(|agent| format!("agent: {agent}\npeers: [\"*\"]")).to_vec();
    let trace = "0123456789abcdef0123456789abcdef";
    let instruct =
        |(agent, peer): &(&str, &str)| format!(r#""agent_id":"{agent}","action":"message","peer_agent_id":"{peer}","trace_id":"{trace}""#);
    let events: Vec<String> = pairs.iter().map(instruct).collect();
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    check_with(policy, &yaml.join("\n---\n"), &events, expected);
}

#[test]
fn agents_do_not_instruct_in_a_circle() {
    check_chain(Policy::default(), &[("a", "b"), ("b", "c"), ("c", "a")], &[Kind::UnapprovedPeer]);
    check_chain(Policy::default(), &[("a", "b"), ("b", "a")], &[Kind::UnapprovedPeer]);
    check_chain(Policy::default(), &[("a", "b"), ("a", "c"), ("b", "c")], &[]);
    check_chain(Policy::default(), &[("a", "a")], &[]);
}

#[test]
fn a_chain_of_instructions_is_not_too_long() {
    let three = || Policy { delegation_depth: 3, ..Policy::default() };
    check_chain(three(), &[("a", "b"), ("b", "c")], &[]);
    check_chain(three(), &[("a", "b"), ("b", "c"), ("c", "d")], &[Kind::UnapprovedPeer]);
    check_chain(three(), &[("a", "b"), ("b", "c"), ("a", "d")], &[]);
    check_chain(Policy { delegation_depth: 1, ..Policy::default() }, &[("a", "b")], &[Kind::UnapprovedPeer]);
}

#[test]
fn a_circle_over_shards_is_seen() {
    let mut elsewhere = Sightings::default();
    let instruction = |agent_id: &str, peer: &str| Sighting::Instruction {
        trace_id: "0123456789abcdef0123456789abcdef".into(),
        agent_id: agent_id.into(),
        peer_agent_id: peer.into(),
        at: START_MS,
    };
    elsewhere.insert(instruction("b", "c"), 0);
    elsewhere.insert(instruction("c", "a"), 0);
    let event = r#""action":"message","peer_agent_id":"b","trace_id":"0123456789abcdef0123456789abcdef""#;
    let judged = judgements(Policy::default(), &inventory("agent: a\npeers: [b]"), &elsewhere, &[event]).remove(0);
    assert_eq!(judged.violations[0].rule, "delegation_loop");
    assert_eq!(judged.violations[0].reasons[0].expected, "an agent other than b, c, a");
    assert_eq!(judged.sightings, [instruction("a", "b")]);
}
