//! Holds every event against what was declared. Pure: the same events, tables and stream time give the same violations.
//!
//! Nothing is judged while the inventory is empty. A denied action did not run: it may still break a rule, but adds to no sum.

use serde::{Deserialize, Serialize};

use crate::config::Policy;
use crate::event::limits::shown;
use crate::event::{Action, Event, Status};
use crate::finding::Kind;

use super::agent_state::{AgentState, AtHand, Shadow};
use super::binding::{Binding, Held, Life};
use super::chain;
use super::clearance::Clearances;
use super::contract::Contract;
use super::credentials::Credentials;
use super::limit_judge;
use super::pattern::{ActionName, is_match};
use super::record::{AgentStatus, Authority};
use super::sightings::{Sighting, Sightings};
use super::tables::Tables;
use super::terms::LimitSet;
use super::violation::{Draft, Violation, listed};

/// What came of judging one event.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    /// Broken rules, in a fixed order of kinds.
    pub violations: Vec<Violation>,
    /// What other shards should know.
    pub sightings: Vec<Sighting>,
    /// Whether the action is to be recorded.
    pub recorded: Recorded,
}

/// What of the agent's contract asks for a record of an action.
#[derive(Debug, Clone, Copy, Default)]
pub struct Recorded {
    /// The first limit that speaks of it, by its place in the contract.
    pub limit: Option<usize>,
    /// Whether every action is recorded.
    pub is_every: bool,
}

impl Judgement {
    /// How much was said; it does not change while nothing is found.
    fn told(&self) -> usize {
        self.violations.len() + self.sightings.len()
    }
}

/// Judges the events of one shard against the inventory.
#[derive(Debug, Clone)]
pub struct Judge {
    policy: Policy,
    memory: Memory,
    pub(super) clearances: Clearances,
}

/// What judging remembers beside what it remembers of each agent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Memory {
    credentials: Credentials,
    own: Sightings,
}

/// An event with what judging needs again and again.
pub(super) struct Asked<'a> {
    pub event: &'a Event<'a>,
    pub action: ActionName<'a>,
    /// Stream time, epoch ms.
    pub now_ms: i64,
    pub contract: Option<&'a Contract>,
    pub policy: &'a Policy,
}

impl Asked<'_> {
    /// Whether the action ran.
    pub fn ran(&self) -> bool {
        self.event.status != Some(Status::Denied)
    }

    /// Agent and action as a message may show them; only for messages, since it copies both.
    pub fn names(&self) -> (String, String) {
        (self.agent(), shown(&self.action.to_string()))
    }

    /// The agent's name as a message may show it.
    pub fn agent(&self) -> String {
        shown(&self.event.agent_id)
    }

    pub fn violation(&self, draft: Draft) -> Violation {
        let is_sensitive = draft.kind == Kind::ShadowAgent && self.is_sensitive();
        draft.judged(self.contract.map(Contract::version), is_sensitive, self.policy)
    }

    fn is_sensitive(&self) -> bool {
        let Event { tool, tool_server, target, destination, .. } = self.event;
        let touched = [tool, tool_server, target, destination];
        touched.into_iter().flatten().any(|name| self.policy.sensitive.iter().any(|pattern| is_match(pattern, name)))
    }
}

impl Judge {
    /// A judge who has seen nothing yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self::resumed(policy, Memory::default())
    }

    /// A judge who remembers.
    #[must_use]
    pub fn resumed(policy: Policy, memory: Memory) -> Self {
        Self { policy, memory, clearances: Clearances::default() }
    }

    /// What is to be kept over a restart, beside the state of each agent.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Asks for what judging the agent's next event will need beside what [`AgentState::prefetch`] asked for, once that should be there.
    pub fn prefetch_rest(&self, state: &AgentState) {
        if let Some(at_hand) = state.at_hand.as_deref() {
            at_hand.prefetch_rest(&self.memory.credentials);
        }
    }

    /// Judges an event at stream time `now_ms`, which includes the event's own time; `state` is what is remembered of its agent.
    pub fn judge(&mut self, event: &Event<'_>, now_ms: i64, state: &mut AgentState, tables: &Tables, judgement: &mut Judgement) {
        let Tables { inventory, sightings: elsewhere, .. } = tables;
        judgement.recorded = Recorded::default();
        if inventory.is_empty() || event.action == Action::SessionEnd {
            return;
        }
        let Self { policy, memory: Memory { credentials, own }, clearances } = self;
        state.prefetch();
        let action = ActionName::of(event);
        let seen = state.see(now_ms);
        state.bind(&event.agent_id, inventory);
        let AgentState { shadow, at_hand, .. } = state;
        if let Some(at_hand) = at_hand.as_deref() {
            at_hand.prefetch_rest(credentials);
        }
        let Some(AtHand { windows, binding: Some(binding) }) = at_hand.as_deref_mut() else {
            let asked = Asked { event, action, now_ms, contract: None, policy };
            judge_life(&asked, None, seen, shadow, judgement);
            credentials.judge(&asked, inventory, own, elsewhere, None, judgement);
            return;
        };
        let Binding { contract, terms, terms_id, limits, life, is_delegated, is_recorded, held, cleared, .. } = binding;
        let contract = &**contract;
        let asked = Asked { event, action, now_ms, contract: Some(contract), policy };
        judge_life(&asked, Some(*life), seen, shadow, judgement);
        let set = clearances.find(event, *is_delegated, cleared, *terms_id).unwrap_or_else(|uncleared| {
            let (told, set) = (judgement.told(), LimitSet::on(action, limits));
            judge_actions(&asked, contract, judgement);
            judge_surroundings(&asked, contract, judgement);
            if judgement.told() == told {
                clearances.insert(uncleared, *terms_id, set);
            }
            set
        });
        judgement.recorded = Recorded { limit: set.first(limits, action), is_every: *is_recorded };
        chain::judge(&asked, terms, own, elsewhere, judgement);
        let first_uses = [own.first_uses(), elsewhere.first_uses()];
        let credential = event.credential_id.as_deref();
        let known = held.as_ref().filter(|held| credential.is_some_and(|credential| held.is(credential, first_uses)));
        let told = judgement.told();
        let source = credentials.judge(&asked, inventory, own, elsewhere, known, judgement);
        let to_hold = credential.filter(|id| match known {
            Some(known) => known.source.is_none() && source.is_some(),
            None => judgement.told() == told && own.users(id).is_some(),
        });
        limit_judge::judge(&asked, (limits, set), windows, own, elsewhere, judgement);
        if let Some(credential) = to_hold {
            *held = Some(Held::new(credential, contract, first_uses, source));
        }
    }
}

/// Whether the agent should be there at all.
///
/// `known_ms` and `silent_ms`: stream time since its first event, and since the one before.
fn judge_life(asked: &Asked<'_>, life: Option<Life>, (known_ms, silent_ms): (i64, i64), shadow: &mut Shadow, judgement: &mut Judgement) {
    let mut raise = |draft: Draft| judgement.violations.push(asked.violation(draft));
    let Some(life) = life else {
        let is_over = known_ms >= asked.policy.shadow_grace_ms;
        let is_sensitive = !shadow.is_sensitive && asked.is_sensitive();
        // Once, and once more when it first touches what is sensitive.
        if is_over && (!shadow.is_named || is_sensitive) {
            shadow.is_named = true;
            shadow.is_sensitive |= is_sensitive;
            let touched = if is_sensitive { ", which is sensitive" } else { "" };
            let (agent, action) = asked.names();
            raise(Draft {
                kind: Kind::ShadowAgent,
                rule: "shadow_grace".into(),
                title: format!("{agent} is in no inventory and did {action}{touched}"),
                field: "agent_id",
                expected: "an inventory record".into(),
                actual: "none".into(),
                normal_if: format!("{agent} had an inventory record"),
            });
        }
        return;
    };
    *shadow = Shadow::default();
    let by_status = |kind: Kind, word: &str| {
        let (agent, action) = asked.names();
        Draft {
            kind,
            rule: "status".into(),
            title: format!("{agent} is {word} and did {action}"),
            field: "status",
            expected: "no action".into(),
            actual: action,
            normal_if: format!("the inventory had {agent} as active"),
        }
    };
    match life.status {
        AgentStatus::Decommissioned => raise(by_status(Kind::DecommissionedAgent, "decommissioned")),
        // What was denied shows that the suspension works.
        AgentStatus::Suspended if asked.ran() => raise(by_status(Kind::SuspendedAgentActive, "suspended")),
        AgentStatus::Dormant => raise(by_status(Kind::DormantAgent, "declared dormant")),
        AgentStatus::Active | AgentStatus::ScheduledForDecommission | AgentStatus::Suspended => (),
    }
    if let Some(expires_at) = life.expires_at.get().filter(|expires_at| asked.event.ts >= *expires_at) {
        let (agent, action) = asked.names();
        raise(Draft {
            kind: Kind::DecommissionedAgent,
            rule: "expires_at".into(),
            title: format!("{agent} was to end and did {action}"),
            field: "ts",
            expected: format!("before {expires_at}"),
            actual: asked.event.ts.to_string(),
            normal_if: format!("the inventory let {agent} live longer"),
        });
    }
    if silent_ms > asked.policy.dormant_after_ms {
        let [silent, after] = [silent_ms, asked.policy.dormant_after_ms].map(days);
        raise(Draft {
            kind: Kind::DormantAgent,
            rule: "dormant_after".into(),
            title: format!("{} acts again after {silent} of silence", asked.agent()),
            field: "ts",
            expected: format!("an event at least every {after}"),
            actual: format!("the first after {silent}"),
            normal_if: "the agent had been at work in between".into(),
        });
    }
}

fn days(ms: i64) -> String {
    format!("{} days", ms / 86_400_000)
}

/// Forbidden, allowed, and on whose authority.
fn judge_actions(asked: &Asked<'_>, contract: &Contract, judgement: &mut Judgement) {
    let (record, terms) = (contract.record(), &contract.terms);
    let mut raise = |draft: Draft| judgement.violations.push(asked.violation(draft));
    if terms.forbidden.holds(asked.action) {
        let (agent, action) = asked.names();
        raise(Draft {
            kind: Kind::ForbiddenAction,
            rule: "forbidden_actions".into(),
            title: format!("{agent} did {action}, which its contract forbids"),
            field: "tool",
            expected: format!("none of {}", listed(record.forbidden_actions.as_deref().unwrap_or_default())),
            actual: action.clone(),
            normal_if: format!("{action} were not forbidden to {agent}"),
        });
        return;
    }
    let principal = asked.event.on_behalf_of.as_deref();
    let grants = match (terms.authority, principal) {
        (Some(Authority::Own), Some(principal)) if principal != asked.event.agent_id => {
            let (principal, agent) = (shown(principal), asked.agent());
            raise(Draft {
                kind: Kind::Delegation,
                rule: "delegation".into(),
                title: format!("{agent} acts for {principal}, but is declared to act on its own authority"),
                field: "on_behalf_of",
                expected: "nobody".into(),
                actual: principal,
                normal_if: "the event named no principal".into(),
            });
            None
        }
        (Some(Authority::OnBehalfOf), None) if asked.event.tool.is_some() => {
            let (agent, action) = asked.names();
            raise(Draft {
                kind: Kind::Delegation,
                rule: "delegation".into(),
                title: format!("{agent} did {action} for nobody, but is declared to act for a principal"),
                field: "on_behalf_of",
                expected: "a principal".into(),
                actual: "none".into(),
                normal_if: "the event named a principal who may do it".into(),
            });
            None
        }
        (Some(Authority::OnBehalfOf), Some(principal)) => terms.principals.as_ref().map(|lists| (principal, lists)),
        _ => None,
    };
    if let Some((principal, lists)) = grants {
        // The principal's permissions apply, not the agent's.
        if lists.get(principal).is_some_and(|grant| grant.holds(asked.action)) {
            return judge_task(asked, contract, judgement);
        }
        let declared = record.delegation.iter().flat_map(|delegation| &delegation.principals);
        let expected = match declared.into_iter().find_map(|lists| lists.get(principal)) {
            Some(names) => listed(names),
            None => "a declared principal".into(),
        };
        let (principal, (agent, action)) = (shown(principal), asked.names());
        raise(Draft {
            kind: Kind::Delegation,
            rule: "delegation.principals".into(),
            title: format!("{agent} did {action} for {principal}, who may not do it"),
            field: "on_behalf_of",
            expected,
            actual: format!("{action} for {principal}"),
            normal_if: format!("{principal} were allowed {action}"),
        });
        return;
    }
    if terms.allowed.as_ref().is_some_and(|allowed| !allowed.holds(asked.action)) {
        let (agent, action) = asked.names();
        raise(Draft {
            kind: Kind::OutsideContract,
            rule: "allowed_actions".into(),
            title: format!("{agent} did {action}, which its contract does not name"),
            field: "tool",
            expected: format!("one of {}", listed(record.allowed_actions.as_deref().unwrap_or_default())),
            actual: action.clone(),
            normal_if: format!("{action} were among the allowed actions"),
        });
        return;
    }
    judge_task(asked, contract, judgement);
}

/// What the task at hand allows.
fn judge_task(asked: &Asked<'_>, contract: &Contract, judgement: &mut Judgement) {
    let Some(task) = asked.event.task_type.as_deref() else { return };
    let Some(allowed) = contract.terms.tasks.get(task) else { return };
    if allowed.holds(asked.action) {
        return;
    }
    let (agent, action) = asked.names();
    let names = contract.record().tasks.get(task).map(Vec::as_slice).unwrap_or_default();
    judgement.violations.push(asked.violation(Draft {
        kind: Kind::OutsideContract,
        rule: format!("tasks.{}", shown(task)),
        title: format!("{agent} did {action}, which is no part of its task {}", shown(task)),
        field: "tool",
        expected: format!("one of {}", listed(names)),
        actual: action.clone(),
        normal_if: format!("{action} were among the actions of the task"),
    }));
}

/// Systems, destinations, peers and environments.
fn judge_surroundings(asked: &Asked<'_>, contract: &Contract, judgement: &mut Judgement) {
    let (record, terms) = (contract.record(), &contract.terms);
    let mut check =
        |kind, field: &'static str, rule: &str, value: Option<&str>, holds: &dyn Fn(&str) -> bool, names: Option<&[String]>, what: &str| {
            let (Some(value), Some(names)) = (value, names) else { return };
            if holds(value) {
                return;
            }
            let value = shown(value);
            judgement.violations.push(asked.violation(Draft {
                kind,
                rule: rule.into(),
                title: format!("{} {what} {value}, which its contract does not name", asked.agent()),
                field,
                expected: format!("one of {}", listed(names)),
                normal_if: format!("{value} were among the declared {rule}"),
                actual: value,
            }));
        };
    let event = asked.event;
    let named = |set: &Option<super::pattern::NameSet>, value: &str| set.as_ref().is_none_or(|set| set.holds(value));
    check(
        Kind::OutsideContract,
        "tool_server",
        "systems",
        event.tool_server.as_deref(),
        &|value| named(&terms.systems, value),
        record.systems.as_deref(),
        "touched",
    );
    check(
        Kind::UnapprovedDestination,
        "destination",
        "destinations",
        event.destination.as_deref(),
        &|value| terms.destinations.as_ref().is_none_or(|set| set.holds(value)),
        record.destinations.as_deref(),
        "sent data to",
    );
    check(
        Kind::UnapprovedPeer,
        "peer_agent_id",
        "peers",
        event.peer_agent_id.as_deref(),
        &|value| named(&terms.peers, value),
        record.peers.as_deref(),
        "instructed",
    );
    check(
        Kind::Environment,
        "environment",
        "environments",
        event.environment.as_deref(),
        &|value| named(&terms.environments, value),
        record.environments.as_deref(),
        "acted in",
    );
}
