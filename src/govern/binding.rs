//! The contract in force for an agent, with a copy of what of it is asked at every event, so that an ordinary event reads this and
//! nothing behind it.

use std::sync::Arc;

use smallvec::SmallVec;

use super::clearance::OwnClearances;
use super::contract::Contract;
use super::credentials::{Age, SourceSlot};
use super::inventory::Inventory;
use super::record::AgentStatus;
use super::terms::{Limits, Terms, TermsId};

/// A short cut and no state: it begins anew after a restart and with every change of the inventory.
#[derive(Debug, Clone)]
#[repr(C)]
pub(super) struct Binding {
    /// [`Inventory::revision`] on which it rests.
    revision: u64,
    pub contract: Arc<Contract>,
    /// Of the contract, as are the next two: reached from here, the contract itself need not be read, which is a line of memory of each agent.
    pub terms: Arc<Terms>,
    pub limits: Arc<Limits>,
    pub terms_id: TermsId,
    pub life: Life,
    /// Whether an authority was declared.
    pub is_delegated: bool,
    /// Whether every action is to be recorded.
    pub is_recorded: bool,
    pub held: Option<Held>,
    /// What of [`super::clearance::Clearances`] was found for the agent.
    pub cleared: OwnClearances,
}

/// What was declared about the agent's life.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    /// Epoch ms.
    pub expires_at: Given,
    pub status: AgentStatus,
}

/// A time or a duration in ms, if one was given, in the room of the number: no record says the smallest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given(i64);

/// A credential that was found to be the agent's alone.
#[derive(Debug, Clone)]
pub(super) struct Held {
    credential: SmallVec<[u8; 24]>,
    /// When that was found: [`super::Sightings::first_uses`] of the shard itself and of all shards.
    first_uses: [u64; 2],
    pub age: Age,
    pub source: Option<SourceSlot>,
}

impl Given {
    const NOT: i64 = i64::MIN;

    pub fn get(self) -> Option<i64> {
        (self.0 != Self::NOT).then_some(self.0)
    }
}

impl From<Option<i64>> for Given {
    fn from(given: Option<i64>) -> Self {
        Self(given.unwrap_or(Self::NOT))
    }
}

impl Binding {
    /// The agent's, where it has a contract.
    pub fn of(agent: &str, inventory: &Inventory) -> Option<Self> {
        let contract = Arc::clone(inventory.contract(agent)?);
        let (terms, record) = (Arc::clone(&contract.terms), contract.record());
        Some(Self {
            revision: inventory.revision(),
            limits: Arc::clone(&terms.limits),
            life: Life { status: record.status, expires_at: record.expires_at.into() },
            is_delegated: terms.authority.is_some(),
            terms_id: terms.id,
            terms,
            is_recorded: record.audit_log.as_deref() == Some("required"),
            held: None,
            cleared: OwnClearances::default(),
            contract,
        })
    }

    /// Whether it rests on this revision of the inventory.
    pub fn rests_on(&self, revision: u64) -> bool {
        self.revision == revision
    }
}

impl Held {
    /// Notes that a credential is the agent's alone.
    pub fn new(credential: &str, contract: &Contract, first_uses: [u64; 2], source: Option<SourceSlot>) -> Self {
        let age = Age::declared(contract.credential(credential));
        Self { credential: SmallVec::from_slice(credential.as_bytes()), first_uses, age, source }
    }

    /// Whether it is that credential, and nobody began to use one since.
    pub fn is(&self, credential: &str, first_uses: [u64; 2]) -> bool {
        self.first_uses == first_uses && *self.credential == *credential.as_bytes()
    }
}
