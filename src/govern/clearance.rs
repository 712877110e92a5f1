//! Which names were found to break no rule under which terms. Most events repeat such a combination of names: the rules that look
//! at names alone then need not be judged again.
//!
//! Only a short cut: with and without it the judgement is the same (a property test says so). Names are compared whole, not by a
//! hash, since whoever chooses a tool's name must not be able to choose one that passes for another.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};

use super::terms::{LimitSet, Terms, TermsId};
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
}

#[derive(Debug, Clone, Copy)]
struct Combination {
    begin: u32,
    end: u32,
}

/// The names that [`Clearances::find`] asked about: not cleared under the terms, perhaps under others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Uncleared {
    hash: u64,
    known: Option<Combination>,
}

impl Clearances {
    /// The limits on the event's action, if its names were cleared under these terms; else what [`Clearances::insert`] needs.
    pub fn find(&mut self, event: &Event<'_>, terms: &Terms) -> Result<LimitSet, Uncleared> {
        let Self { combinations, names, cleared, asked } = self;
        write_names(event, terms.authority.is_some(), asked);
        let hash = hash(asked);
        let known = combinations.find(hash, |known| names[known.range()] == **asked).copied();
        known.and_then(|known| cleared.get(&(terms.id, known.begin)).copied()).ok_or(Uncleared { hash, known })
    }

    /// Clears the names that were just asked about.
    pub fn insert(&mut self, uncleared: Uncleared, terms: &Terms, limits: LimitSet) {
        if self.combinations.len() >= COMBINATIONS_MAX || self.names.len() >= NAMES_MAX || self.cleared.len() >= CLEARED_MAX {
            let asked = std::mem::take(&mut self.asked);
            *self = Self { asked, ..Self::default() };
            return;
        }
        let Some(names) = uncleared.known.or_else(|| self.add(uncleared.hash)) else { return };
        self.cleared.insert((terms.id, names.begin), limits);
    }

    /// Keeps the names that were just asked about; `None` if they are too long for that.
    fn add(&mut self, hash_of_names: u64) -> Option<Combination> {
        let Self { combinations, names, asked, .. } = self;
        let [begin, end] = [names.len(), names.len() + asked.len()].map(u32::try_from);
        let new = Combination { begin: begin.ok()?, end: end.ok()? };
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

/// Every name that a rule on names looks at, each behind its length. The principal only where delegation was declared, since there
/// may be as many as customers; and whether it is the agent itself, since the terms are not of one agent.
fn write_names(event: &Event<'_>, is_delegated: bool, names: &mut Vec<u8>) {
    let Event { agent_id, tool, tool_server, task_type, destination, peer_agent_id, environment, on_behalf_of, .. } = event;
    let word = tool.is_none().then(|| event.action.as_str());
    let principal = on_behalf_of.as_deref().filter(|_| is_delegated);
    names.clear();
    names.push(u8::from(principal == Some(&**agent_id)));
    for name in
        [tool, tool_server, task_type, destination, peer_agent_id, environment].map(Option::as_deref).into_iter().chain([word, principal])
    {
        let length = name.map_or(ABSENT, |name| u32::try_from(name.len()).unwrap_or(ABSENT - 1));
        names.extend_from_slice(&length.to_le_bytes());
        names.extend_from_slice(name.unwrap_or_default().as_bytes());
    }
}
