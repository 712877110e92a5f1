//! The groups of a shard by name: task types and roles.

use super::{Engine, HASH_KEY};
use crate::baseline::GroupIndex;
use crate::stats::hash;

/// Groups that are modelled; agents of further ones are judged by the population.
pub(super) const GROUPS_MAX: usize = 4096;

impl Engine {
    /// The group of that name, made known at first sight; `None` for one that finds no room.
    pub(super) fn group(&mut self, name: &str) -> Option<GroupIndex> {
        let hash = hash::keyed(name.as_bytes(), HASH_KEY);
        if let Some(&group) = self.groups.get(&hash) {
            return Some(group);
        }
        if self.groups.len() >= GROUPS_MAX {
            return None;
        }
        let group = self.detector.model.add_group(name);
        self.groups.insert(hash, group);
        self.touch_group(Some(group));
        Some(group)
    }
}
