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
    cleared: HashMap<(TermsId, u32), LimitSet, FixedState>,
    /// The names of the event in hand.
    asked: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Combination {
    begin: u32,
    end: u32,
    number: u32,
}

/// The names that [`Clearances::find`] asked about, as far as they are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    hash: u64,
    combination: Option<u32>,
}

impl Clearances {
    /// The limits on the event's action, if its names were cleared under these terms; else what [`Clearances::insert`] needs.
    pub fn find(&mut self, event: &Event<'_>, terms: &Terms) -> Result<LimitSet, Asked> {
        let Self { combinations, names, cleared, asked } = self;
        write_names(event, terms.authority.is_some(), asked);
        let hash = hash(asked);
        let combination = combinations.find(hash, |known| names[known.range()] == **asked).map(|known| known.number);
        combination.and_then(|number| cleared.get(&(terms.id, number)).copied()).ok_or(Asked { hash, combination })
    }

    /// Clears the names that were just asked about.
    pub fn insert(&mut self, asked: Asked, terms: &Terms, limits: LimitSet) {
        if self.combinations.len() >= COMBINATIONS_MAX || self.names.len() >= NAMES_MAX || self.cleared.len() >= CLEARED_MAX {
            let asked = std::mem::take(&mut self.asked);
            *self = Self { asked, ..Self::default() };
            return;
        }
        let Some(number) = asked.combination.or_else(|| self.add(asked.hash)) else { return };
        self.cleared.insert((terms.id, number), limits);
    }

    /// Numbers the names that were just asked about; `None` if they are too long to be kept.
    fn add(&mut self, hash_of_names: u64) -> Option<u32> {
        let Self { combinations, names, asked, .. } = self;
        let [begin, end, number] = [names.len(), names.len() + asked.len(), combinations.len()].map(u32::try_from);
        let new = Combination { begin: begin.ok()?, end: end.ok()?, number: number.ok()? };
        names.extend_from_slice(asked);
        combinations.insert_unique(hash_of_names, new, |known| hash(&names[known.range()]));
        Some(new.number)
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
