//! Groups and population shared with the other shards (`[pools] share`), so that an agent that is new here borrows from those who
//! do the same work elsewhere.
//!
//! Each shard tells what its own agents taught. What the others told is added up before a snapshot begins and is part of it as an
//! offer; it is adopted once that snapshot is complete, so that a restart finds the very sums that were adopted. Both go in steps,
//! so that events need not wait for the whole of it.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::groups::GROUPS_MAX;
use super::part::{Part, PartName, RestoreError, read, written};
use super::{Engine, HASH_KEY};
use crate::baseline::group::GroupBaseline;
use crate::baseline::own_pools::OwnPools;
use crate::baseline::pool::Pool;
use crate::baseline::population::Population;
use crate::baseline::texts::Texts;
use crate::baseline::tools::Tools;

/// Shards whose pools are kept; Kafka clusters have fewer partitions of one topic.
const PEERS_MAX: usize = 4096;
/// A shard that has told nothing for so long, while others have, is no more.
const PEER_KEPT_MS: i64 = 30 * 86_400_000;
/// Values of each attribute of a pool whose texts go with it, for explanations.
const TEXTS_OF_EACH: usize = 8;

/// What the shards have told of their pools, by the shards' names.
#[derive(Debug, Default)]
pub struct Peers {
    by_shard: BTreeMap<String, Peer>,
    newest_ms: i64,
}

#[derive(Debug, Default)]
struct Peer {
    told_ms: i64,
    names: Option<(Tools, Texts)>,
    population: Pool,
    /// By number there, each with its name.
    groups: BTreeMap<u32, (Box<str>, Pool)>,
}

/// The pools of a shard beside what it is judged by.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Pooled {
    offer: Option<Offer>,
    /// Names what was adopted last.
    version: Option<String>,
}

/// What other shards know, added up; what was adopted of it is gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Offer {
    /// Names all of it as it was whole.
    version: String,
    /// The numbers of tools in the pools.
    tools: Tools,
    texts: BTreeMap<u64, Box<str>>,
    population: Option<Pool>,
    groups: BTreeMap<Box<str>, Pool>,
}

/// What the others have told, while it is added up.
#[derive(Debug)]
pub struct Gathering {
    /// Whose pools are still to be added.
    waiting: Vec<String>,
    tools: Tools,
    /// `None` as long as nobody has told anything.
    population: Option<Pool>,
    groups: BTreeMap<Box<str>, Pool>,
}

impl Peers {
    /// Takes in a part that `shard` told at `at`, epoch ms; the newest of a name counts.
    ///
    /// # Errors
    /// When it cannot be read; what was known stays.
    pub fn take(&mut self, shard: &str, at: i64, part: &Part) -> Result<(), RestoreError> {
        if self.by_shard.len() >= PEERS_MAX && !self.by_shard.contains_key(shard) {
            return Ok(());
        }
        let peer = self.by_shard.entry(shard.to_owned()).or_default();
        match part.name {
            PartName::Names => peer.names = Some(read(part)?),
            PartName::OwnPopulation => peer.population = Pool::of_population(&read::<Population>(part)?),
            PartName::OwnGroup(number) if (number as usize) < GROUPS_MAX => {
                let group: GroupBaseline = read(part)?;
                peer.groups.insert(number, (group.name.clone(), Pool::of_group(&group)));
            }
            _ => return Err(RestoreError::Misfit { name: part.name }),
        }
        peer.told_ms = peer.told_ms.max(at);
        self.newest_ms = self.newest_ms.max(at);
        Ok(())
    }

    /// Begins to add up what all but `shard` know.
    #[must_use]
    pub fn gathering(&self, shard: &str) -> Gathering {
        let oldest = self.newest_ms - PEER_KEPT_MS;
        let others = self.by_shard.iter().filter(|(name, peer)| *name != shard && peer.told_ms >= oldest);
        Gathering {
            waiting: others.map(|(name, _)| name.clone()).collect(),
            tools: Tools::new(HASH_KEY),
            population: None,
            groups: BTreeMap::new(),
        }
    }
}

impl Gathering {
    /// Adds what one more shard knows; false once all are in.
    pub fn go_on(&mut self, peers: &Peers) -> bool {
        let Some(shard) = self.waiting.pop() else { return false };
        if let Some(Peer { names: Some((tools, _)), population, groups, .. }) = peers.by_shard.get(&shard) {
            let numbers = self.tools.take_in(tools);
            self.population.get_or_insert_default().add(population, &numbers);
            for (name, pool) in groups.values() {
                self.groups.entry(name.clone()).or_default().add(pool, &numbers);
            }
        }
        true
    }

    /// The whole; `None` where nobody has told anything.
    fn offer(self, peers: &Peers) -> Option<Offer> {
        let Self { waiting: _, tools, population, groups } = self;
        let population = population?;
        let mut texts = BTreeMap::new();
        for value in groups.values().chain([&population]).flat_map(|pool| pool.frequent_values(TEXTS_OF_EACH)) {
            let told = peers.by_shard.values().find_map(|peer| peer.names.as_ref()?.1.get(value));
            if let Some(text) = told {
                texts.insert(value, text.into());
            }
        }
        let mut offer = Offer { version: String::new(), tools, texts, population: Some(population), groups };
        offer.version = HEXLOWER.encode(&Sha256::digest(written(&offer))[..8]);
        Some(offer)
    }
}

impl Engine {
    /// Whether groups and population are shared with other shards.
    #[must_use]
    pub fn shares_pools(&self) -> bool {
        self.detector.model.own.is_some()
    }

    /// Names what was adopted last.
    #[must_use]
    pub fn pool_version(&self) -> Option<&str> {
        self.pooled.version.as_deref()
    }

    /// Makes what the others have told part of the snapshot that begins now.
    pub fn offer_pools(&mut self, gathered: Gathering, peers: &Peers) {
        if self.shares_pools() {
            self.pooled.offer = gathered.offer(peers);
        }
    }

    /// Whether something that was offered waits to be adopted.
    #[must_use]
    pub fn is_offered_pools(&self) -> bool {
        self.pooled.offer.is_some()
    }

    /// Adopts one more pool of what the newest snapshot offers, the population first; true if it did. To be called at a commit
    /// boundary once that snapshot is complete, and at the same place of the input after a restart.
    pub fn adopt_pool(&mut self) -> bool {
        let Some(offer) = &mut self.pooled.offer else { return false };
        let model = &mut self.detector.model;
        let numbers = model.tools.take_in(&offer.tools);
        if let Some(population) = offer.population.take() {
            model.adopt_population(&population, &numbers);
        } else if let Some((name, pool)) = offer.groups.pop_first()
            && let Some(group) = self.group(&name)
        {
            self.touch_group(Some(group));
            self.detector.model.adopt_group(group, &pool, &numbers);
        }
        if let Some(Offer { version, texts, .. }) = self.pooled.offer.take_if(|offer| offer.groups.is_empty()) {
            self.pooled.version = Some(version);
            for (value, text) in texts {
                if !self.detector.model.texts.contains(value) {
                    self.detector.model.texts.keep(value, &text);
                }
            }
        }
        true
    }

    /// Shares, or shares no more, whatever the state was stored under. Where it was not shared before, everything is of this shard.
    pub(super) fn share_pools(&mut self, own: Option<OwnPools>) {
        if !self.config.pools.share {
            return;
        }
        let model = &mut self.detector.model;
        if own.is_none() {
            // The others have heard of none of it.
            self.changes.note_all_groups(model.groups.len());
        }
        model.own = Some(own.unwrap_or_else(|| OwnPools { population: model.population.clone(), groups: model.groups.clone() }));
    }
}
