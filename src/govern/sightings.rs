//! What crosses agents: who used which credential, and whose amounts were just under a limit. Within a shard it is known at
//! once; between shards it travels over the sightings topic.

use std::collections::{BTreeMap, VecDeque};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::chain::Chains;

/// Agents remembered for one credential.
const AGENTS_MAX: usize = 16;
/// Amounts remembered for one action and principal; findings need a handful.
const AMOUNTS_MAX: usize = 128;
/// Pairs of action and principal before old ones are looked for.
const QUESTIONS_MAX: usize = 65_536;
/// Credentials remembered.
const CREDENTIALS_MAX: usize = 1 << 20;

/// One thing to tell the other shards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "sighting", rename_all = "snake_case")]
pub enum Sighting {
    /// The first use of a credential by an agent.
    CredentialUse {
        /// Identifier of the credential.
        credential_id: String,
        /// Who used it.
        agent_id: String,
        /// Stream time of the first use, epoch ms.
        since: i64,
    },
    /// An amount just under a limit.
    NearLimit {
        /// The action.
        action: String,
        /// For whom.
        principal: String,
        /// The event.
        event_id: String,
        /// Who acted.
        agent_id: String,
        /// Stream time, epoch ms.
        at: i64,
        /// The amount.
        amount: Decimal,
    },
    /// The first time within a trace that one agent instructed another.
    Instruction {
        /// The trace that both work in.
        trace_id: String,
        /// Who instructed.
        agent_id: String,
        /// Whom.
        peer_agent_id: String,
        /// Stream time, epoch ms.
        at: i64,
    },
}

impl Sighting {
    /// The key on the sightings topic: the newest record of a key stands for all of them.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::CredentialUse { credential_id, agent_id, .. } => format!("credential/{credential_id}/{agent_id}"),
            Self::NearLimit { agent_id, event_id, .. } => format!("near/{agent_id}/{event_id}"),
            Self::Instruction { trace_id, agent_id, peer_agent_id, .. } => format!("instruction/{trace_id}/{agent_id}/{peer_agent_id}"),
        }
    }
}

/// An amount just under a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NearLimit {
    /// Stream time, epoch ms.
    pub at: i64,
    /// The amount.
    pub amount: Decimal,
    /// Who acted.
    pub agent_id: Box<str>,
    /// The event.
    pub event_id: Box<str>,
}

/// Sightings, of this shard or of the others.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sightings {
    #[serde(with = "crate::stats::sorted")]
    credentials: hashbrown::HashMap<String, BTreeMap<Box<str>, i64>, foldhash::fast::FixedState>,
    near: BTreeMap<(Box<str>, Box<str>), VecDeque<NearLimit>>,
    chains: Chains,
    #[serde(skip)]
    first_uses: u64,
    /// Uses of credentials beyond what is remembered.
    pub not_modelled: u64,
}

impl Sightings {
    /// Takes in what another shard saw. The same sighting twice changes nothing.
    ///
    /// `until`: amounts of that age are of no use any more, stream time.
    pub fn insert(&mut self, sighting: Sighting, until: i64) {
        match sighting {
            Sighting::CredentialUse { credential_id, agent_id, since } => {
                self.note_use(&credential_id, &agent_id, since);
            }
            Sighting::NearLimit { action, principal, event_id, agent_id, at, amount } => {
                let near = NearLimit { at, amount, agent_id: agent_id.into(), event_id: event_id.into() };
                self.note_near(&action, &principal, near, until);
            }
            Sighting::Instruction { trace_id, agent_id, peer_agent_id, .. } => {
                self.chains.note(&trace_id, &agent_id, &peer_agent_id);
            }
        }
    }

    /// The agents that used a credential, each with the stream time of its first use.
    #[must_use]
    pub fn users(&self, credential: &str) -> Option<&BTreeMap<Box<str>, i64>> {
        self.credentials.get(credential)
    }

    /// Whether this was the agent's first use of the credential.
    pub fn note_use(&mut self, credential: &str, agent: &str, since: i64) -> bool {
        if self.credentials.len() >= CREDENTIALS_MAX && !self.credentials.contains_key(credential) {
            self.not_modelled += 1;
            return false;
        }
        let users = self.credentials.entry_ref(credential).or_default();
        if let Some(first) = users.get_mut(agent) {
            *first = since.min(*first);
            return false;
        }
        self.first_uses += 1;
        if users.len() < AGENTS_MAX {
            users.insert(agent.into(), since);
        }
        true
    }

    /// Grows with every first use of a credential by an agent: as long as it stays, nobody began to share one.
    #[must_use]
    pub fn first_uses(&self) -> u64 {
        self.first_uses
    }

    /// Who instructed whom.
    #[must_use]
    pub fn chains(&self) -> &Chains {
        &self.chains
    }

    /// Whether this was the first time within the trace that `agent` instructed `peer`.
    pub fn note_instruction(&mut self, trace: &str, agent: &str, peer: &str) -> bool {
        self.chains.note(trace, agent, peer)
    }

    /// The amounts just under a limit since `since`, oldest first.
    pub fn near(&self, action: &str, principal: &str, since: i64) -> impl Iterator<Item = &NearLimit> {
        let found = self.near.get(&(Box::from(action), Box::from(principal)));
        found.into_iter().flatten().filter(move |near| near.at > since)
    }

    /// Notes an amount just under a limit and forgets those of the same action and principal up to `until`; the same event
    /// twice changes nothing.
    pub fn note_near(&mut self, action: &str, principal: &str, near: NearLimit, until: i64) {
        if self.near.len() >= QUESTIONS_MAX {
            self.forget_near(until);
        }
        let amounts = self.near.entry((action.into(), principal.into())).or_default();
        if amounts.iter().any(|other| other.event_id == near.event_id && other.agent_id == near.agent_id) {
            return;
        }
        while amounts.len() == AMOUNTS_MAX || amounts.front().is_some_and(|oldest| oldest.at <= until) {
            amounts.pop_front();
        }
        let place = amounts.partition_point(|other| other.at <= near.at);
        amounts.insert(place, near);
    }

    /// Forgets all amounts up to `until`.
    fn forget_near(&mut self, until: i64) {
        self.near.retain(|_, amounts| {
            while amounts.front().is_some_and(|near| near.at <= until) {
                amounts.pop_front();
            }
            !amounts.is_empty()
        });
    }
}
