//! What the agents of a shard take of the memory, as the gauges of the process show it.

use super::meters::Meters;
use crate::engine::{Engine, Forgotten};

/// A shard's share of the gauges; it is taken back when the shard goes.
#[derive(Debug)]
pub struct Occupancy {
    meters: Meters,
    agents: i64,
    bytes: i64,
    away: i64,
}

impl Occupancy {
    /// Of a shard that begins or was restored. Whom it forgot before was counted then.
    #[must_use]
    pub fn of(engine: &mut Engine, meters: &Meters) -> Self {
        engine.take_forgotten();
        let mut occupancy = Self { meters: meters.clone(), agents: 0, bytes: 0, away: 0 };
        occupancy.update(engine);
        occupancy
    }

    /// Shows what it is now.
    pub fn update(&mut self, engine: &mut Engine) {
        self.set([engine.known_agents(), engine.agent_bytes(), engine.agents_away()]);
        let Forgotten { agents, asked } = engine.take_forgotten();
        self.meters.agents_forgotten.inc_by(agents);
        self.meters.asked_forgotten.inc_by(asked);
    }

    fn set(&mut self, now: [usize; 3]) {
        let [agents, bytes, away] = now.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        self.meters.agents.add(agents - self.agents);
        self.meters.agent_bytes.add(bytes - self.bytes);
        self.meters.agents_away.add(away - self.away);
        (self.agents, self.bytes, self.away) = (agents, bytes, away);
    }
}

impl Drop for Occupancy {
    fn drop(&mut self) {
        self.set([0; 3]);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Occupancy;
    use crate::config::EngineConfig;
    use crate::engine::{Engine, Shard, Tables};
    use crate::event::{Action, Event};
    use crate::stream::Meters;

    #[test]
    fn gauges_are_sums_over_the_shards_that_are_owned() {
        let meters = Meters::new();
        let mut config = EngineConfig::default();
        config.memory.agents = 2;
        let mut engine = Engine::new(Arc::new(config), Shard { partition: 0, partitions: 1 });
        let act = |engine: &mut Engine, agent: &str| {
            engine.on_event(&Event::bare("e", 0, agent, Action::ToolCall), &Tables::default(), &mut Vec::new());
        };
        for agent in ["a", "b", "c"] {
            act(&mut engine, agent);
        }
        let mut first = Occupancy::of(&mut engine, &meters);
        let second = Occupancy::of(&mut engine.clone(), &meters);
        assert_eq!((meters.agents.get(), meters.agents_forgotten.get()), (4, 0));
        act(&mut engine, "d");
        first.update(&mut engine);
        assert_eq!((meters.agents.get(), meters.agents_forgotten.get()), (4, 1));
        assert!(meters.agent_bytes.get() > 0);
        drop((first, second));
        assert_eq!((meters.agents.get(), meters.agent_bytes.get()), (0, 0));
    }
}
