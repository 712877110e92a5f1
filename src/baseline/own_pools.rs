//! What this shard's own agents taught of groups and population, kept beside what they are judged by where shards share that:
//! only the former is told to the others, or what came from them would come back to them as news.

use super::group::GroupBaseline;
use super::model::{GroupIndex, Model};
use super::pool::Pool;
use super::population::Population;
use super::tools::Renumbering;

/// A shard's own part of what all share.
#[derive(Debug, Clone, Default)]
pub struct OwnPools {
    /// Of the population.
    pub population: Population,
    /// Of each group, by number.
    pub groups: Vec<GroupBaseline>,
}

impl Model {
    /// From now on the population is what the other shards know of it, under numbers of their own, and what this one does.
    pub fn adopt_population(&mut self, theirs: &Pool, numbers: &Renumbering) {
        if let Some(own) = &self.own {
            let mut pool = Pool::of_population(&own.population);
            pool.add(theirs, numbers);
            self.population = pool.population();
        }
    }

    /// The same for a group.
    pub fn adopt_group(&mut self, group: GroupIndex, theirs: &Pool, numbers: &Renumbering) {
        if let Some(own) = &self.own {
            let own = &own.groups[group.0 as usize];
            let mut pool = Pool::of_group(own);
            pool.add(theirs, numbers);
            self.groups[group.0 as usize] = pool.group(&own.name);
        }
    }
}
