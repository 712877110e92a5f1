//! The contract in force for an agent, with a copy of what of it is asked at every event, so that an ordinary event reads this and
//! nothing behind it.

use std::sync::Arc;

use smallvec::SmallVec;

use super::contract::Contract;
use super::credentials::{Age, SourceSlot};
use super::inventory::Inventory;
use super::record::AgentStatus;
use super::terms::Terms;

/// A short cut and no state: it begins anew after a restart and with every change of the inventory.
#[derive(Debug, Clone)]
pub(super) struct Binding {
    /// [`Inventory::revision`] on which it rests.
    revision: u64,
    pub contract: Arc<Contract>,
    pub terms: Arc<Terms>,
    pub life: Life,
    held: Option<Held>,
}

/// What was declared about the agent's life.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    pub status: AgentStatus,
    /// Epoch ms.
    pub expires_at: Option<i64>,
}

/// A credential that was found to be the agent's alone.
#[derive(Debug, Clone)]
pub(super) struct Held {
    credential: SmallVec<[u8; 32]>,
    /// When that was found: [`super::Sightings::first_uses`] of the shard itself and of all shards.
    first_uses: [u64; 2],
    pub age: Age,
    pub source: Option<SourceSlot>,
}

impl Binding {
    /// The agent's, where it has a contract.
    pub fn of(agent: &str, inventory: &Inventory) -> Option<Box<Self>> {
        let contract = Arc::clone(inventory.contract(agent)?);
        let (terms, record) = (Arc::clone(&contract.terms), contract.record());
        let life = Life { status: record.status, expires_at: record.expires_at };
        Some(Box::new(Self { revision: inventory.revision(), terms, life, contract, held: None }))
    }

    /// Whether it rests on this revision of the inventory.
    pub fn rests_on(&self, revision: u64) -> bool {
        self.revision == revision
    }

    /// The credential, if it was found to be the agent's alone and nobody began to use one since.
    pub fn held(&self, credential: &str, first_uses: [u64; 2]) -> Option<&Held> {
        self.held.as_ref().filter(|held| held.first_uses == first_uses && *held.credential == *credential.as_bytes())
    }

    /// Notes that the credential is the agent's alone.
    pub fn hold(&mut self, credential: &str, first_uses: [u64; 2], source: Option<SourceSlot>) {
        let age = Age::declared(self.contract.credential(credential));
        self.held = Some(Held { credential: SmallVec::from_slice(credential.as_bytes()), first_uses, age, source });
    }
}
