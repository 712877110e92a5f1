//! Which names were found to break no rule under which terms. Most events repeat such a combination of names: the rules that look
//! at names alone then need not be judged again.
//!
//! Only a short cut: with and without it the judgement is the same (a property test says so). Names are compared whole, not by a
//! hash, since whoever chooses a tool's name must not be able to choose one that passes for another.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};

use super::terms::{LimitSet, TermsId};
use crate::event::Event;

/// Combinations of names, and bytes of all of them; a further one starts again with none.
const COMBINATIONS_MAX: usize = 1 << 16;
const NAMES_MAX: usize = 16 << 20;
/// Pairs of terms and combination.
const CLEARED_MAX: usize = 1 << 19;
/// Stands for the length of an absent name.
const ABSENT: u32 = u32::MAX;

/// What agents of a shard did without breaking a rule on names.
#[derive(Debug, Clone, Default)]
pub(super) struct Clearances {
    combinations: HashTable<Combination>,
    /// Their names, one combination after the other.
    names: Vec<u8>,
    /// By the terms and by where the names begin, which no two combinations share.
    cleared: HashMap<(TermsId, u32), LimitSet, FixedState>,
    /// The names of the event in hand.
    asked: Vec<u8>,
    /// How often it began again with none, after which combinations have other numbers.
    beginning: u32,
}

#[derive(Debug, Clone, Copy)]
struct Combination {
    begin: u32,
    end: u32,
    number: u32,
}

/// Bits of the first limits in a place of [`OwnClearances`].
const LIMITS_HERE: u32 = 1 << 15;
/// As many as the seven lines of an agent have room for.
const PLACES: usize = 56;

/// What was found for one agent, so that its next event finds it beside the agent's other state: a place for each combination that
/// its number leads to, with the limits that speak of it. Of two that share a place the newer is at hand.
#[derive(Debug, Clone)]
pub(super) struct OwnClearances {
    /// [`Clearances::beginning`] to which the numbers belong.
    beginning: u32,
    places: [u32; PLACES],
}

impl Default for OwnClearances {
    fn default() -> Self {
        Self { beginning: 0, places: [0; PLACES] }
    }
}

impl OwnClearances {
    fn get(&self, number: u32) -> Option<LimitSet> {
        let place = self.places[number as usize % PLACES];
        (place / LIMITS_HERE == number + 1).then(|| (place % LIMITS_HERE).into())
    }

    fn put(&mut self, number: u32, limits: LimitSet) {
        if let Some(bits) = limits.below(LIMITS_HERE) {
            self.places[number as usize % PLACES] = (number + 1) * LIMITS_HERE + bits;
        }
    }
}

/// The names that [`Clearances::find`] asked about: not cleared under the terms, perhaps under others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Uncleared {
    hash: u64,
    known: Option<Combination>,
}

impl Clearances {
    /// The limits on the event's action, if its names were cleared under these terms; else what [`Clearances::insert`] needs.
    /// `own` is of the agent, and of no other terms.
    pub fn find(&mut self, event: &Event<'_>, is_delegated: bool, own: &mut OwnClearances, terms: TermsId) -> Result<LimitSet, Uncleared> {
        let Self { combinations, names, cleared, asked, beginning } = self;
        write_names(event, is_delegated, asked);
        let hash = hash(asked);
        let known = combinations.find(hash, |known| names[known.range()] == **asked).copied();
        let Some(combination) = known else { return Err(Uncleared { hash, known }) };
        if own.beginning != *beginning {
            *own = OwnClearances { beginning: *beginning, ..OwnClearances::default() };
        }
        if let Some(limits) = own.get(combination.number) {
            return Ok(limits);
        }
        let limits = *cleared.get(&(terms, combination.begin)).ok_or(Uncleared { hash, known })?;
        own.put(combination.number, limits);
        Ok(limits)
    }

    /// Clears the names that were just asked about.
    pub fn insert(&mut self, uncleared: Uncleared, terms: TermsId, limits: LimitSet) {
        if self.combinations.len() >= COMBINATIONS_MAX || self.names.len() >= NAMES_MAX || self.cleared.len() >= CLEARED_MAX {
            let asked = std::mem::take(&mut self.asked);
            *self = Self { asked, beginning: self.beginning.wrapping_add(1), ..Self::default() };
            return;
        }
        let Some(names) = uncleared.known.or_else(|| self.add(uncleared.hash)) else { return };
        self.cleared.insert((terms, names.begin), limits);
    }

    /// Keeps the names that were just asked about; `None` if they are too long for that.
    fn add(&mut self, hash_of_names: u64) -> Option<Combination> {
        let Self { combinations, names, asked, .. } = self;
        let [begin, end] = [names.len(), names.len() + asked.len()].map(u32::try_from);
        let new = Combination { begin: begin.ok()?, end: end.ok()?, number: u32::try_from(combinations.len()).ok()? };
        names.extend_from_slice(asked);
        combinations.insert_unique(hash_of_names, new, |known| hash(&names[known.range()]));
        Some(new)
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

/// Every name that a rule on names looks at, behind the lengths of all. The principal only where delegation was declared, since there
/// may be as many as customers; and whether it is the agent itself, since the terms are not of one agent.
fn write_names(event: &Event<'_>, is_delegated: bool, names: &mut Vec<u8>) {
    let Event { agent_id, tool, tool_server, task_type, destination, peer_agent_id, environment, on_behalf_of, .. } = event;
    let word = tool.is_none().then(|| event.action.as_str());
    let principal = on_behalf_of.as_deref().filter(|_| is_delegated);
    let [tool, server, task, destination, peer, environment] =
        [tool, tool_server, task_type, destination, peer_agent_id, environment].map(Option::as_deref);
    let given = [tool, server, task, destination, peer, environment, word, principal];
    let lengths = given.map(|name| name.map_or(ABSENT, |name| u32::try_from(name.len()).unwrap_or(ABSENT - 1)).to_le_bytes());
    names.clear();
    names.push(u8::from(principal == Some(&**agent_id)));
    names.extend_from_slice(lengths.as_flattened());
    for name in given.into_iter().flatten() {
        names.extend_from_slice(name.as_bytes());
    }
}
