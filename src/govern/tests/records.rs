//! What a record may say, and where the message points.

use super::*;
use crate::config::{ConfigError, Problem};
use crate::govern::inventory::between;
use crate::govern::record::{AgentStatus, Authority};

/// The example of DESIGN.md, section 7.
pub(super) const EXAMPLE: &str = include_str!("../../../fixtures/inventory/release-assistant.yaml");

fn shown(problems: Vec<Problem>) -> String {
    ConfigError { file: "f".into(), problems }.to_string()
}

#[track_caller]
fn check_refused(yaml: &str, expected: &str) {
    assert_eq!(shown(record::parse(yaml).unwrap_err()), expected, "{yaml}");
}

#[track_caller]
fn check_refused_between(yaml: &str, expected: &str) {
    assert_eq!(shown(between(&record::parse(yaml).unwrap())), expected);
}

#[test]
fn the_example_is_valid_as_it_stands() {
    let records = record::parse(EXAMPLE).unwrap();
    let record = &records[0].record;
    assert_eq!((&*record.agent, record.owner.as_deref(), record.status), ("release-assistant", Some("platform-team"), AgentStatus::Active));
    assert_eq!(record.allowed_actions.as_deref().unwrap().len(), 3);
    assert_eq!(record.review_cycle_ms, Some(92 * DAY_MS));
    assert_eq!(record.destinations, None);
}

proptest::proptest! {
    /// Edges from a lower to a higher agent never close a circle; one edge back along a path does.
    #[test]
    fn a_circle_of_peers_is_refused_and_anything_else_is_not(
        edges in proptest::collection::btree_set((0_usize..8, 0_usize..8), 1..20),
        back in proptest::prelude::any::<proptest::sample::Index>(),
    ) {
        let up: Vec<(usize, usize)> = edges.into_iter().filter(|(from, to)| from < to).collect();
        let yaml = |edges: &[(usize, usize)]| -> String {
            let peers = |agent: usize| -> Vec<String> {
                edges.iter().filter(|(from, _)| *from == agent).map(|(_, to)| format!("a{to}")).collect()
            };
            let documents: Vec<String> = (0..8).map(|agent| format!("agent: a{agent}\npeers: [{}]\n", peers(agent).join(", "))).collect();
            documents.join("---\n")
        };
        proptest::prop_assert!(between(&record::parse(&yaml(&up)).unwrap()).is_empty());
        if !up.is_empty() {
            let (from, to) = up[back.index(up.len())];
            let circle: Vec<(usize, usize)> = up.into_iter().chain([(to, from)]).collect();
            proptest::prop_assert!(!between(&record::parse(&yaml(&circle)).unwrap()).is_empty());
        }
    }

    /// Whatever is allowed and forbidden at once is refused, and nothing else is.
    #[test]
    fn an_action_both_allowed_and_forbidden_is_refused(allowed in proptest::collection::btree_set(0_u8..20, 0..6), forbidden in proptest::collection::btree_set(0_u8..20, 0..6)) {
        let names = |set: &std::collections::BTreeSet<u8>| set.iter().map(|name| format!("t{name}x")).collect::<Vec<_>>().join(", ");
        let yaml = format!("agent: a\nallowed_actions: [{}]\nforbidden_actions: [{}]", names(&allowed), names(&forbidden));
        proptest::prop_assert_eq!(record::parse(&yaml).is_err(), !allowed.is_disjoint(&forbidden));
    }
}

#[test]
fn every_field_is_read_and_the_same_as_json_is_the_same_record() {
    let yaml = r#"
# a comment
agent: 007
owner: o
created_by: c
purpose: "p: q"
role: refunds
status: scheduled_for_decommission
identity_type: x
auth: y
audit_log: required
review_cycle: 30d
reviewed_at: 2026-01-05
expires_at: 2026-06-01T12:00:00Z
allowed_actions: [issue_refund, "pay/*"]
forbidden_actions: []
systems:
  - pay
destinations: ["*.example.com", 10.0.0.0/8, "s3://bucket/*"]
peers: [helper, "team-*"]
environments: [prod]
credentials:
  - {id: key-1, type: api_key, created_at: 1767225600000, last_rotated_at: 2026-01-02T00:00:00Z, expires_at: ~, rotation: 30d}
delegation:
  mode: on_behalf_of
  principals: {alice: [issue_refund], bob: []}
tasks: {refunds: [issue_refund]}
limits:
  - {action: issue_refund, field: amount, currency: EUR, automatic_up_to: 50, above: human_approval}
  - {action: issue_refund, field: amount, window: 1d, per: on_behalf_of, automatic_up_to: 500.50, above: human_approval}
  - {action: change_payout, never: true}
"#;
    let placed = record::parse(yaml).unwrap().remove(0);
    assert_eq!(record::from_json(&placed.value).unwrap(), placed.record, "what is published is what was written");
    let record = placed.record;
    assert_eq!(record.agent, "007");
    assert_eq!(record.credentials.as_ref().unwrap()[0].expires_at, None);
    assert_eq!(record.delegation.as_ref().unwrap().mode, Authority::OnBehalfOf);
    assert_eq!(record.limits.len(), 3);
    let json = serde_json::json!({
        "agent": "007", "owner": "o", "created_by": "c", "purpose": "p: q", "role": "refunds", "status": "scheduled_for_decommission",
        "identity_type": "x", "auth": "y", "audit_log": "required", "review_cycle": "30d", "reviewed_at": 1_767_571_200_000_i64,
        "expires_at": "2026-06-01T12:00:00Z", "allowed_actions": ["issue_refund", "pay/*"], "forbidden_actions": [], "systems": ["pay"],
        "destinations": ["*.example.com", "10.0.0.0/8", "s3://bucket/*"], "peers": ["helper", "team-*"], "environments": ["prod"],
        "credentials": [{"id": "key-1", "type": "api_key", "created_at": 1_767_225_600_000_i64,
            "last_rotated_at": "2026-01-02T00:00:00Z", "expires_at": null, "rotation": "30d"}],
        "delegation": {"mode": "on_behalf_of", "principals": {"alice": ["issue_refund"], "bob": []}},
        "tasks": {"refunds": ["issue_refund"]},
        "limits": [
            {"action": "issue_refund", "field": "amount", "currency": "EUR", "automatic_up_to": 50, "above": "human_approval"},
            {"action": "issue_refund", "field": "amount", "window": "1d", "per": "on_behalf_of", "automatic_up_to": "500.50", "above": "human_approval"},
            {"action": "change_payout", "never": true},
        ],
    });
    assert_eq!(record::from_json(&json).unwrap(), record);
    assert_eq!(record::parse(&json.to_string()).unwrap()[0].record, record, "JSON is YAML");
}

#[test]
fn many_documents_are_many_records() {
    let agents: Vec<String> =
        record::parse("agent: a\n---\n---\nagent: b\n...\n").unwrap().into_iter().map(|placed| placed.record.agent).collect();
    assert_eq!(agents, ["a", "b"]);
}

#[test]
fn mistakes_are_named_with_line_and_column() {
    check_refused("owner: x", "f:1:1: `agent` is missing");
    check_refused("- agent: x", "f:1:1: a record is a list, expected a table");
    check_refused("agent: a\nforbiden_actions: []", "f:2:1: unknown key `forbiden_actions`, did you mean `forbidden_actions`?");
    check_refused(
        "agent: a\nstatus: retired",
        "f:2:1: `status` is \"retired\", expected one of active, dormant, scheduled_for_decommission, decommissioned, suspended",
    );
    check_refused("agent: a\nallowed_actions:", "f:2:1: `allowed_actions` is nothing, expected a list of texts");
    check_refused("agent: a\nallowed_actions: read", "f:2:1: `allowed_actions` is \"read\", expected a list of texts");
    check_refused("agent: a\npeers: [\"a*b\"]", "f:2:1: `peers` has \"a*b\", expected `*` only at the end");
    check_refused(
        "agent: a\ndestinations: [\"10.0.0.0/40\"]",
        "f:2:1: `destinations` has \"10.0.0.0/40\", expected a host, `*.suffix`, `prefix*` or a network such as 10.0.0.0/8",
    );
    check_refused("agent: a\nowner: b\nowner: c", "f:3:1: `owner` is there twice");
    check_refused("agent: a\ncredentials:\n  - {id: k}\n  - {id: k}", "f:4:6: `credentials[1].id` is \"k\", which is there already");
    check_refused("agent: a\ncredentials:\n  - type: k", "f:3:5: `credentials[0].id` is missing");
    check_refused("agent: &x a\nowner: *x", "f:2:8: is an alias, expected the value itself");
    let deep = format!("agent: {}{}", "[".repeat(40), "]".repeat(40));
    check_refused(&deep, "f:1:23: is nested more than 16 deep");
    assert!(shown(record::parse("agent: [a").unwrap_err()).contains("is no YAML"));
}

#[test]
fn contradictions_are_refused_with_their_line() {
    check_refused(
        "agent: a\nallowed_actions: [read, pay]\nforbidden_actions: [pay]",
        "f:3:1: `pay` is both in allowed_actions and in forbidden_actions",
    );
    check_refused(
        "agent: a\nallowed_actions: [pay_out]\nforbidden_actions: [\"pay_*\"]",
        "f:3:1: `pay_out` is both in allowed_actions and in forbidden_actions",
    );
    check_refused("agent: a\nforbidden_actions: [pay]\ntasks: {t: [pay]}", "f:3:1: `pay` is both in tasks.t and in forbidden_actions");
    // A pattern may allow more than is forbidden: the forbidden action is the exception.
    assert!(record::parse("agent: a\nallowed_actions: [\"pay_*\"]\nforbidden_actions: [pay_out]").is_ok());
    check_refused(
        "agent: a\ndelegation: {mode: own, principals: {p: []}}",
        "f:2:25: `delegation` has mode own and principals, expected mode on_behalf_of",
    );
}

#[test]
fn limits_that_say_nothing_or_two_things_are_refused() {
    let limit = |limit: &str| format!("agent: a\nlimits:\n  - {limit}");
    check_refused(&limit("{action: x}"), "f:3:6: `limits[0].automatic_up_to` is missing; or say `never: true`");
    check_refused(&limit("{automatic_up_to: 5}"), "f:3:5: `limits[0].action` is missing");
    check_refused(
        &limit("{action: x, never: true, automatic_up_to: 5}"),
        "f:3:30: `limits[0].automatic_up_to` and `never` are both there, expected one of them",
    );
    check_refused(
        &limit("{action: x, automatic_up_to: -1}"),
        "f:3:17: `limits[0].automatic_up_to` is \"-1\", expected a decimal number, not negative",
    );
    check_refused(
        &limit("{action: x, automatic_up_to: 1e3}"),
        "f:3:17: `limits[0].automatic_up_to` is \"1e3\", expected a decimal number, not negative",
    );
    check_refused(
        &limit("{action: x, automatic_up_to: 5, per: on_behalf_of}"),
        "f:3:6: `limits[0].window` is missing: values of several actions add up over a window",
    );
    check_refused(
        &limit("{action: x, automatic_up_to: 5, field: records, currency: EUR}"),
        "f:3:53: `limits[0].currency` is there, but the field is records",
    );
    check_refused(
        &limit("{action: x, automatic_up_to: 5}\n  - {action: x, automatic_up_to: 6}"),
        "f:4:6: `limits[1].action` limits the same as limits[0]",
    );
}

#[test]
fn circles_and_twins_between_records_are_refused() {
    check_refused_between("agent: a\n---\nagent: a", "f:3:1: agent \"a\" is declared twice");
    check_refused_between(
        "agent: a\npeers: [b]\n---\nagent: b\npeers: [c]\n---\nagent: c\npeers: [x, b]",
        "f:1:1: agents may instruct each other in a circle: b → c → b",
    );
    assert_eq!(
        between(&record::parse("agent: a\npeers: [b, c]\n---\nagent: b\npeers: [c]\n---\nagent: c\npeers: [\"team-*\"]").unwrap()),
        []
    );
}

#[test]
fn the_version_names_what_was_declared() {
    let version = |yaml: &str| inventory(yaml).contract("a").unwrap().version().to_owned();
    assert_eq!(version("agent: a\nowner: x"), version("owner: x\nagent: a  # same"));
    assert_ne!(version("agent: a\nowner: x"), version("agent: a\nowner: y"));
    assert_ne!(version("agent: a"), version("agent: a\npeers: []"));
    assert_eq!(version("agent: a").len(), 16);
}

#[test]
fn drafts_are_not_in_force() {
    assert!(inventory("agent: a\ndraft: true").is_empty());
}
