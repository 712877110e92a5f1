//! New facts wait until they were seen in five sessions (DETECTION.md, section 3.3): one odd session teaches nothing.

use serde::{Deserialize, Serialize};

use super::sequence::Context;
use super::{Attribute, ToolId, bounds};

/// Something an agent had never done before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Novelty {
    /// A tool (or the end) after another.
    Transition {
        /// The tool before.
        last: ToolId,
        /// The tool, or END.
        tool: ToolId,
    },
    /// A value of an attribute.
    Value {
        /// Which attribute.
        attribute: Attribute,
        /// Its context.
        context: Context,
        /// Hash of the value.
        value: u64,
    },
}

/// Sessions after which a new fact is learned.
const SESSIONS_TO_LEARN: u8 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    sessions: u8,
    order: u64,
}

/// The waiting facts of one agent, at most [`bounds::CANDIDATES_PER_AGENT`]; the least seen and oldest goes first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Candidates {
    #[serde(with = "crate::stats::sorted")]
    waiting: hashbrown::HashMap<Novelty, Waiting, foldhash::fast::FixedState>,
    order: u64,
}

impl Candidates {
    /// Counts one more session with this fact; true if it may be learned now.
    pub fn see(&mut self, novelty: Novelty) -> bool {
        if self.waiting.len() >= bounds::CANDIDATES_PER_AGENT && !self.waiting.contains_key(&novelty) {
            let rarest = self.waiting.iter().map(|(&novelty, waiting)| (waiting.sessions, waiting.order, novelty)).min();
            if let Some((_, _, novelty)) = rarest {
                self.waiting.remove(&novelty);
            }
        }
        let order = self.order;
        self.order += 1;
        let waiting = self.waiting.entry(novelty).or_insert(Waiting { sessions: 0, order });
        waiting.sessions += 1;
        if waiting.sessions < SESSIONS_TO_LEARN {
            return false;
        }
        self.waiting.remove(&novelty);
        true
    }

    /// Number of facts that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// True if none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Candidates, Novelty};
    use crate::baseline::bounds;

    fn transition(tool: u16) -> Novelty {
        Novelty::Transition { last: 4, tool }
    }

    #[test]
    fn the_fifth_session_teaches() {
        let mut candidates = Candidates::default();
        let taught: Vec<bool> = (0..6).map(|_| candidates.see(transition(6))).collect();
        assert_eq!(taught, [false, false, false, false, true, false]);
    }

    #[test]
    fn a_flood_of_new_facts_stays_bounded_and_spares_what_was_seen_twice() {
        let mut candidates = Candidates::default();
        candidates.see(transition(6));
        candidates.see(transition(6));
        for tool in 0..20_000 {
            candidates.see(Novelty::Transition { last: 8, tool });
        }
        assert_eq!(candidates.len(), bounds::CANDIDATES_PER_AGENT);
        let taught: Vec<bool> = (0..3).map(|_| candidates.see(transition(6))).collect();
        assert_eq!(taught, [false, false, true]);
    }
}
