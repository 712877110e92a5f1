//! What an agent did before without breaking a rule that depends on names alone. Most events repeat such a combination of names:
//! these rules then need not be judged again.
//!
//! Only a short cut: with and without it the judgement is the same (a property test says so). Names are compared whole, not by a
//! hash, since whoever chooses a tool's name must not be able to choose one that passes for another.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::contract::Contract;
use super::pattern::ActionName;
use crate::event::Event;

/// Combinations of one agent; a further one starts again with none.
const COMBINATIONS_MAX: usize = 256;
/// Bytes of all their names.
const NAMES_MAX: usize = 64 * 1024;
/// Stands for the length of an absent name.
const ABSENT: u32 = u32::MAX;

/// What one agent was seen to do without breaking a rule on names.
#[derive(Debug, Clone)]
pub(super) struct Clearances {
    /// [`super::Inventory::revision`] on which they rest.
    inventory: u64,
    contract: Arc<Contract>,
    is_delegated: bool,
    combinations: HashTable<Combination>,
    /// Their names, one combination after the other.
    names: Vec<u8>,
    /// The credential that was last found to be the agent's alone.
    held: Option<Held>,
}

/// A credential of one agent, and when that was found: [`super::Sightings::first_uses`] of the shard itself and of all shards.
#[derive(Debug, Clone)]
struct Held {
    credential: Box<str>,
    first_uses: [u64; 2],
}

#[derive(Debug, Clone, Copy)]
struct Combination {
    begin: u32,
    end: u32,
    limits: LimitSet,
}

/// Which limits of a contract speak of an action, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LimitSet(u64);

impl LimitSet {
    /// Of a contract with more limits than bits; each is asked.
    const UNKNOWN: Self = Self(u64::MAX);

    /// The limits that speak of `action`.
    pub fn on(action: ActionName<'_>, contract: &Contract) -> Self {
        if contract.limited.len() >= u64::BITS as usize {
            return Self::UNKNOWN;
        }
        let speaking = contract.limited.iter().enumerate().filter(|(_, actions)| actions.holds(action));
        Self(speaking.fold(0, |set, (place, _)| set | 1 << place))
    }

    /// Whether the contract's limit in that place speaks of `action`, for which the set was made.
    pub fn holds(self, place: usize, contract: &Contract, action: ActionName<'_>) -> bool {
        if self == Self::UNKNOWN { contract.limited[place].holds(action) } else { self.0 >> place & 1 == 1 }
    }
}

impl Clearances {
    /// None yet.
    pub fn new(inventory: u64, contract: Arc<Contract>) -> Self {
        let is_delegated = contract.authority().is_some();
        Self { inventory, contract, is_delegated, combinations: HashTable::new(), names: Vec::new(), held: None }
    }

    /// Whether they rest on this revision of the inventory.
    pub fn rest_on(&self, inventory: u64) -> bool {
        self.inventory == inventory
    }

    /// The agent's contract.
    pub fn contract(&self) -> &Contract {
        &self.contract
    }

    /// The limits on the event's action, if its names were cleared; they are left in `names`.
    pub fn find(&self, event: &Event<'_>, names: &mut Vec<u8>) -> Option<LimitSet> {
        write_names(event, self.is_delegated, names);
        let found = self.combinations.find(hash(names), |known| self.names_of(known) == names.as_slice());
        found.map(|known| known.limits)
    }

    /// Clears the names that [`Clearances::find`] left.
    pub fn insert(&mut self, names: &[u8], limits: LimitSet) {
        if self.combinations.len() == COMBINATIONS_MAX || self.names.len() + names.len() > NAMES_MAX {
            self.combinations.clear();
            self.names.clear();
        }
        let [begin, end] = [self.names.len(), self.names.len() + names.len()].map(u32::try_from);
        // One event's names alone could be longer than all that is kept.
        let (Ok(begin), Ok(end)) = (begin, end) else { return };
        self.names.extend_from_slice(names);
        let Self { combinations, names: all, .. } = self;
        combinations.insert_unique(hash(names), Combination { begin, end, limits }, |known| hash(&all[known.range()]));
    }

    /// Whether the credential was found to be the agent's alone, and nobody began to use one since.
    pub fn is_held(&self, credential: &str, first_uses: [u64; 2]) -> bool {
        self.held.as_ref().is_some_and(|held| held.first_uses == first_uses && *held.credential == *credential)
    }

    /// Notes that the credential is the agent's alone.
    pub fn hold(&mut self, credential: &str, first_uses: [u64; 2]) {
        match &mut self.held {
            Some(held) if *held.credential == *credential => held.first_uses = first_uses,
            _ => self.held = Some(Held { credential: credential.into(), first_uses }),
        }
    }

    fn names_of(&self, known: &Combination) -> &[u8] {
        &self.names[known.range()]
    }
}

impl Combination {
    fn range(self) -> std::ops::Range<usize> {
        self.begin as usize..self.end as usize
    }
}

fn hash(names: &[u8]) -> u64 {
    FixedState::default().hash_one(names)
}

/// Every name that a rule on names looks at, each behind its length. The principal only where delegation was declared: there may
/// be as many as customers.
fn write_names(event: &Event<'_>, is_delegated: bool, names: &mut Vec<u8>) {
    let Event { tool, tool_server, task_type, destination, peer_agent_id, environment, on_behalf_of, .. } = event;
    let word = tool.is_none().then(|| event.action.as_str());
    let principal = on_behalf_of.as_deref().filter(|_| is_delegated);
    names.clear();
    for name in
        [tool, tool_server, task_type, destination, peer_agent_id, environment].map(Option::as_deref).into_iter().chain([word, principal])
    {
        let length = name.map_or(ABSENT, |name| u32::try_from(name.len()).unwrap_or(ABSENT - 1));
        names.extend_from_slice(&length.to_le_bytes());
        names.extend_from_slice(name.unwrap_or_default().as_bytes());
    }
}
