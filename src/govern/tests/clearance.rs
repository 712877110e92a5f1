//! The short cut over repeated names never changes a judgement.

use proptest::prelude::*;

use super::*;
use crate::govern::clearance::Clearances;

/// Each narrower than the pools of the events below, in another way.
const RECORDS: [&str; 10] = [
    "agent: a\nallowed_actions: [read, \"crm/*\", message]\npeers: [b]\ndestinations: [\"*.example.com\"]",
    "agent: a\nforbidden_actions: [read]\ntasks: {t: [write]}\nenvironments: [prod]",
    "agent: a\nstatus: suspended\nsystems: [crm]",
    "agent: a\ncredentials: [{id: k, last_rotated_at: 2026-01-01}]",
    "agent: a\ndelegation: {mode: on_behalf_of, principals: {u: [read], v: [\"*\"]}}",
    "agent: a\nlimits: [{action: read, field: records, automatic_up_to: 5}, {action: \"*\", field: count, window: 1m, automatic_up_to: 9}]",
    "agent: b\ncredentials: [{id: k, type: personal token}]",
    "agent: b\nallowed_actions: []",
    // The same terms for two agents, of whom one may name itself as the principal.
    "agent: a\ndelegation: {mode: own}",
    "agent: b\ndelegation: {mode: own}",
];

/// Something that happens between or as an event.
#[derive(Debug, Clone)]
enum Step {
    Declare(usize),
    Withdraw(&'static str),
    SeenElsewhere { credential: &'static str, agent: &'static str },
    Event(String),
}

fn member(name: &'static str, values: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop::sample::select(values).prop_map(move |value| format!(r#""{name}":"{value}""#)))
}

fn event() -> impl Strategy<Value = Step> {
    let names = (
        member("tool", &["read", "write"]),
        member("tool_server", &["crm", "erp"]),
        member("task_type", &["t"]),
        member("destination", &["api.example.com", "evil.test"]),
        member("peer_agent_id", &["b", "c"]),
        member("environment", &["prod", "dev"]),
        member("credential_id", &["k", "l"]),
        member("on_behalf_of", &["u", "v", "a"]),
        member("status", &["denied"]),
        member("trace_id", &["0af7651916cd43dd8448eb211c80319c"]),
    );
    let rest = (prop::sample::select(&["a", "a", "a", "b"][..]), 0_u8..9, prop::bool::weighted(0.1));
    (names, rest).prop_map(
        |((tool, server, task, destination, peer, environment, credential, principal, status, trace), (agent, records, is_word))| {
            let mut members = vec![format!(r#""agent_id":"{agent}","records":{records}"#)];
            // Most events repeat: a member that is drawn too seldom to repeat would test nothing.
            let done = tool.filter(|_| !is_word).or(Some(r#""action":"message""#.to_owned()));
            members
                .extend([done, server, task, destination, peer, environment, credential, principal, status, trace].into_iter().flatten());
            Step::Event(members.join(","))
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0..RECORDS.len()).prop_map(Step::Declare),
        1 => prop::sample::select(&["a", "b"][..]).prop_map(Step::Withdraw),
        1 => (prop::sample::select(&["k", "l"][..]), prop::sample::select(&["a", "b", "c"][..]))
            .prop_map(|(credential, agent)| Step::SeenElsewhere { credential, agent }),
        12 => event(),
    ]
}

/// What the events raise; `forgets` does without the short cut.
fn judged(steps: &[Step], forgets: bool) -> Vec<String> {
    let mut judge = Judge::new(Policy::default());
    let mut tables = Tables::default();
    tables.inventory.insert(record::parse("agent: z").unwrap().remove(0).record);
    let mut states = std::collections::BTreeMap::<String, AgentState>::new();
    let mut judgements = Vec::new();
    let mut now_ms = START_MS;
    for step in steps {
        now_ms += 1_000;
        match step {
            Step::Declare(index) => tables.inventory.insert(record::parse(RECORDS[*index]).unwrap().remove(0).record),
            Step::Withdraw(agent) => tables.inventory.remove(agent),
            Step::SeenElsewhere { credential, agent } => {
                let (credential_id, agent_id) = ((*credential).to_owned(), (*agent).to_owned());
                tables.sightings.insert(Sighting::CredentialUse { credential_id, agent_id, since: START_MS }, 0);
            }
            Step::Event(members) => {
                let line = format!(r#"{{"ts":{now_ms},{members}}}"#);
                let event = decode(line.as_bytes(), Origin { partition: 0, offset: 0 }).unwrap().event;
                let state = states.entry(event.agent_id.to_string()).or_default();
                if forgets {
                    judge.clearances = Clearances::default();
                    state.at_hand.iter_mut().for_each(|at_hand| at_hand.binding = None);
                }
                let mut judgement = Judgement::default();
                judge.judge(&event, now_ms, state, &tables, &mut judgement);
                judgements.push(format!("{judgement:#?}"));
            }
        }
    }
    judgements
}

proptest! {
    #[test]
    fn repeated_names_are_judged_as_new_ones(
        mut steps in prop::collection::vec(step(), 1..60),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        // Events come again, also behind changes of what was declared.
        for index in again {
            steps.push(steps[index.index(steps.len())].clone());
        }
        prop_assert_eq!(judged(&steps, false), judged(&steps, true));
    }
}

#[test]
fn a_name_that_begins_like_another_is_another() {
    let contract = "agent: a\nallowed_actions: [ab]\ntasks: {c: [ab]}";
    check(contract, &[r#""tool":"ab","task_type":"c""#, r#""tool":"a","task_type":"bc""#], &[Kind::OutsideContract]);
}
