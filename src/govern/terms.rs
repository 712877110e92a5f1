//! What a contract says about names and amounts, made ready for judging. Agents with the same lists share one copy: a fleet of one
//! kind is judged from the same few lines of the cache, and what was found about names for one agent holds for all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use hashbrown::HashMap;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::limit::Limit;
use super::pattern::{ActionName, ActionSet, DestinationSet, NameSet};
use super::record::{Authority, Delegation, InventoryRecord};
use crate::stats::hash;

/// Which terms, or which limits: the same for the same lists, whatever inventory holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TermsId(u128);

/// The lists and limits of a contract.
#[derive(Debug)]
pub(super) struct Terms {
    pub id: TermsId,
    pub allowed: Option<ActionSet>,
    pub forbidden: ActionSet,
    pub systems: Option<NameSet>,
    pub destinations: Option<DestinationSet>,
    pub peers: Option<NameSet>,
    pub environments: Option<NameSet>,
    pub tasks: BTreeMap<String, ActionSet>,
    /// On whose authority the agent acts; `None`: not declared.
    pub authority: Option<Authority>,
    pub principals: Option<BTreeMap<String, ActionSet>>,
    pub limits: Arc<Limits>,
}

/// The limits of a contract, in the order of the record. Terms with the same limits share them too, whatever else they say.
#[derive(Debug)]
pub(super) struct Limits(pub Vec<LimitTerm>);

/// One limit.
#[derive(Debug)]
pub(super) struct LimitTerm {
    pub limit: Limit,
    pub actions: ActionSet,
    /// A number that outlives a reload: the hash of what the limit asks about.
    pub question: u64,
}

impl Terms {
    fn new(id: TermsId, record: &InventoryRecord, limits: Arc<Limits>) -> Self {
        let actions = |names: &[String]| ActionSet::new(names.iter().map(String::as_str));
        let names = |names: &Option<Vec<String>>| names.as_ref().map(|names| NameSet::new(names.iter().map(String::as_str)));
        let by_name = |lists: &BTreeMap<String, Vec<String>>| lists.iter().map(|(name, names)| (name.clone(), actions(names))).collect();
        let principals = record.delegation.as_ref().and_then(|delegation| delegation.principals.as_ref());
        Self {
            id,
            allowed: record.allowed_actions.as_deref().map(actions),
            forbidden: actions(record.forbidden_actions.as_deref().unwrap_or_default()),
            systems: names(&record.systems),
            destinations: record.destinations.as_deref().map(DestinationSet::new),
            peers: names(&record.peers),
            environments: names(&record.environments),
            tasks: by_name(&record.tasks),
            authority: record.delegation.as_ref().map(|delegation| delegation.mode),
            principals: principals.map(by_name),
            limits,
        }
    }
}

impl Limits {
    fn new(limits: &[Limit]) -> Self {
        let term = |limit: &Limit| LimitTerm {
            actions: ActionSet::new([limit.action.as_str()]),
            question: hash::keyed(limit.question().as_bytes(), 0),
            limit: limit.clone(),
        };
        Self(limits.iter().map(term).collect())
    }
}

/// Which limits of some terms speak of an action, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LimitSet(u64);

impl LimitSet {
    /// Of terms with more limits than bits; each is asked.
    const UNKNOWN: Self = Self(u64::MAX);

    /// The limits that speak of `action`.
    pub fn on(action: ActionName<'_>, Limits(limits): &Limits) -> Self {
        if limits.len() >= u64::BITS as usize {
            return Self::UNKNOWN;
        }
        let speaking = limits.iter().enumerate().filter(|(_, limit)| limit.actions.holds(action));
        Self(speaking.fold(0, |set, (place, _)| set | 1 << place))
    }

    /// Those of the limits, each with its place; `action` is the one for which the set was made.
    pub fn of<'t>(self, Limits(limits): &'t Limits, action: ActionName<'t>) -> impl Iterator<Item = (usize, &'t LimitTerm)> {
        let holds = move |place: usize, limit: &LimitTerm| {
            if self == Self::UNKNOWN { limit.actions.holds(action) } else { self.0 >> place & 1 == 1 }
        };
        limits.iter().enumerate().filter(move |(place, limit)| holds(*place, limit))
    }

    /// The place of the first of them.
    pub fn first(self, limits: &Limits, action: ActionName<'_>) -> Option<usize> {
        self.of(limits, action).next().map(|(place, _)| place)
    }

    /// The set as a number below `end`, if it is one.
    pub fn below(self, end: u32) -> Option<u32> {
        u32::try_from(self.0).ok().filter(|bits| *bits < end)
    }
}

impl From<u32> for LimitSet {
    /// The reverse of [`LimitSet::below`].
    fn from(bits: u32) -> Self {
        Self(bits.into())
    }
}

/// The terms in force and the limits in them, each once.
#[derive(Debug, Clone, Default)]
pub(super) struct TermsPool {
    terms: Shared<Terms>,
    limits: Shared<Limits>,
}

impl TermsPool {
    /// The terms of a record.
    pub fn of(&mut self, record: &InventoryRecord) -> Arc<Terms> {
        let Self { terms, limits } = self;
        let id = id_of_terms(record);
        let mut limits = || shared(limits, id_of(&record.limits), || Limits::new(&record.limits));
        shared(terms, id, || Terms::new(id, record, limits()))
    }
}

/// What is the same for the same lists, as long as anybody has it.
type Shared<T> = HashMap<TermsId, Weak<T>, foldhash::fast::FixedState>;

fn shared<T>(known: &mut Shared<T>, id: TermsId, make: impl FnOnce() -> T) -> Arc<T> {
    if let Some(shared) = known.get(&id).and_then(Weak::upgrade) {
        return shared;
    }
    if known.len() == known.capacity() {
        known.retain(|_, shared| shared.strong_count() > 0);
    }
    let new = Arc::new(make());
    known.insert(id, Arc::downgrade(&new));
    new
}

fn id_of_terms(record: &InventoryRecord) -> TermsId {
    #[derive(Serialize)]
    struct Lists<'r> {
        actions: [&'r Option<Vec<String>>; 2],
        surroundings: [&'r Option<Vec<String>>; 4],
        tasks: &'r BTreeMap<String, Vec<String>>,
        delegation: &'r Option<Delegation>,
        limits: &'r [Limit],
    }
    let InventoryRecord {
        allowed_actions, forbidden_actions, systems, destinations, peers, environments, tasks, delegation, limits, ..
    } = record;
    id_of(&Lists {
        actions: [allowed_actions, forbidden_actions],
        surroundings: [systems, destinations, peers, environments],
        tasks,
        delegation,
        limits,
    })
}

/// Half of a SHA-256: nobody finds two lists with one id.
fn id_of(lists: &impl Serialize) -> TermsId {
    let text = serde_json::to_string(lists).expect("lists are made of texts, numbers and maps with text keys");
    let digest = Sha256::digest(text);
    TermsId(digest.iter().take(16).fold(0, |id, byte| id << 8 | u128::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::govern::record;

    fn terms(pool: &mut TermsPool, yaml: &str) -> Arc<Terms> {
        pool.of(&record::parse(yaml).unwrap_or_else(|problems| panic!("{problems:?}"))[0].record)
    }

    #[test]
    fn agents_with_the_same_lists_share_their_terms_and_no_others_do() {
        let mut pool = TermsPool::default();
        let first = terms(&mut pool, "agent: a\nowner: x\nallowed_actions: [read]");
        assert!(Arc::ptr_eq(&first, &terms(&mut pool, "agent: b\nstatus: suspended\nallowed_actions: [read]")));
        for other in [
            "agent: a",
            "agent: a\nallowed_actions: []",
            "agent: a\nallowed_actions: [read, write]",
            "agent: a\nforbidden_actions: [read]",
            "agent: a\nsystems: [read]",
            "agent: a\nallowed_actions: [read]\ndelegation: {mode: own}",
            "agent: a\nallowed_actions: [read]\nlimits: [{action: read, never: true}]",
            "agent: a\nallowed_actions: [read]\ntasks: {t: [read]}",
        ] {
            assert_ne!(first.id, terms(&mut pool, other).id, "{other}");
        }
    }

    #[test]
    fn terms_that_nobody_has_any_more_are_forgotten() {
        let mut pool = TermsPool::default();
        for number in 0..10_000 {
            terms(&mut pool, &format!("agent: a\nallowed_actions: [tool-{number}]"));
        }
        assert!(pool.terms.len() < 100, "{}", pool.terms.len());
    }
}
