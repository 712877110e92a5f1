//! Facts pinned by an alarm (DETECTION.md, section 3.1): a repeated attack never becomes normal by itself. Only a verdict removes a pin.

use serde::{Deserialize, Serialize};

use super::{AgentIndex, Attribute, GroupIndex, ToolId, bounds};

/// Whose fact: the group's, or the agent's where it has no group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Owner {
    /// A group.
    Group(GroupIndex),
    /// An agent without one.
    Agent(AgentIndex),
}

/// What may be pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Fact {
    /// A tool after another.
    Transition(ToolId, ToolId),
    /// A tool that the agent had never used, whatever came before.
    Tool(ToolId),
    /// A value of an attribute, whatever the tool.
    Value(Attribute, u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Pin {
    order: u64,
    /// The closed session that pinned it.
    by: u64,
    /// An analyst said that it was misuse: never evicted.
    malicious: bool,
}

/// The pins of one owner.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OwnersPins(#[serde(with = "crate::stats::sorted")] hashbrown::HashMap<Fact, Pin, foldhash::fast::FixedState>);

/// All pins of a shard.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Pins {
    #[serde(with = "crate::stats::sorted")]
    owners: hashbrown::HashMap<Owner, OwnersPins, foldhash::fast::FixedState>,
    order: u64,
    len: usize,
    /// Pins that were dropped for want of room.
    pub evicted: u64,
}

impl OwnersPins {
    /// Whether `fact` is pinned.
    #[must_use]
    pub fn contains(&self, fact: Fact) -> bool {
        self.0.contains_key(&fact)
    }
}

impl Pins {
    /// What is pinned for `owner`, if anything ever was.
    #[must_use]
    pub fn of(&self, owner: Owner) -> Option<&OwnersPins> {
        self.owners.get(&owner)
    }

    /// The closed session that pinned `fact` for `owner`.
    #[must_use]
    pub fn pinned_by(&self, owner: Owner, fact: Fact) -> Option<u64> {
        self.owners.get(&owner)?.0.get(&fact).map(|pin| pin.by)
    }

    /// Pins a fact in the name of the closed session `by`; true if it was not pinned before.
    pub fn pin(&mut self, owner: Owner, fact: Fact, by: u64) -> bool {
        let OwnersPins(pins) = self.owners.entry(owner).or_default();
        if pins.contains_key(&fact) {
            return false;
        }
        if pins.len() >= bounds::PINS_PER_OWNER {
            let oldest = pins.iter().filter(|entry| !entry.1.malicious).map(|(&fact, pin)| (pin.order, fact)).min();
            if let Some((_, oldest)) = oldest {
                pins.remove(&oldest);
                self.evicted += 1;
                self.len -= 1;
            }
        }
        pins.insert(fact, Pin { order: self.order, by, malicious: false });
        self.order += 1;
        self.len += 1;
        true
    }

    /// A verdict says it was ordinary.
    pub fn unpin(&mut self, owner: Owner, fact: Fact) {
        if let Some(pins) = self.owners.get_mut(&owner)
            && pins.0.remove(&fact).is_some()
        {
            self.len -= 1;
        }
    }

    /// A verdict says it was misuse: the pin becomes permanent.
    pub fn confirm(&mut self, owner: Owner, fact: Fact, by: u64) {
        self.pin(owner, fact, by);
        if let Some(pin) = self.owners.get_mut(&owner).and_then(|pins| pins.0.get_mut(&fact)) {
            pin.malicious = true;
        }
    }

    /// Forgets everything that is pinned for an owner.
    pub fn forget(&mut self, owner: Owner) {
        if let Some(OwnersPins(pins)) = self.owners.remove(&owner) {
            self.len -= pins.len();
        }
    }

    /// Number of pins.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if nothing is pinned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Fact, Owner, Pins};
    use crate::baseline::{AgentIndex, Attribute, GroupIndex, bounds};

    const OWNER: Owner = Owner::Group(GroupIndex(0));

    fn is_pinned(pins: &Pins, fact: Fact) -> bool {
        pins.of(OWNER).is_some_and(|pins| pins.contains(fact))
    }

    #[test]
    fn a_flood_of_pins_spares_what_an_analyst_confirmed() {
        let mut pins = Pins::default();
        pins.confirm(OWNER, Fact::Tool(4), 1);
        for value in 0..bounds::PINS_PER_OWNER as u64 + 10 {
            pins.pin(OWNER, Fact::Value(Attribute::Destination, value), 1);
        }
        assert!(is_pinned(&pins, Fact::Tool(4)));
        assert!(!is_pinned(&pins, Fact::Value(Attribute::Destination, 0)), "the oldest unconfirmed goes first");
        assert_eq!((pins.len(), pins.evicted), (bounds::PINS_PER_OWNER, 11));
    }

    #[test]
    fn a_benign_verdict_removes_the_pin() {
        let mut pins = Pins::default();
        assert!(pins.pin(OWNER, Fact::Transition(4, 6), 1));
        assert!(!pins.pin(OWNER, Fact::Transition(4, 6), 2));
        assert_eq!(pins.pinned_by(OWNER, Fact::Transition(4, 6)), Some(1));
        pins.unpin(OWNER, Fact::Transition(4, 6));
        assert!(pins.is_empty());
    }

    #[test]
    fn an_owner_is_forgotten_with_every_pin() {
        let mut pins = Pins::default();
        let other = Owner::Agent(AgentIndex(0));
        for owner in [OWNER, other] {
            pins.pin(owner, Fact::Tool(4), 1);
            pins.confirm(owner, Fact::Tool(5), 1);
        }
        pins.forget(OWNER);
        pins.forget(OWNER);
        assert_eq!((pins.len(), pins.of(OWNER).is_some(), pins.of(other).is_some()), (2, false, true));
    }
}
