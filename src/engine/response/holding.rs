//! Of how many agents requests are remembered. What is open is never forgotten, nor is a state that is in force; of the others the
//! agent goes first that was asked longest ago.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Desk, Response};

/// What is remembered of one agent, as far as it takes room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Holding {
    /// A state that is in force, perhaps with requests that ended; the table of states bounds these.
    #[default]
    Uncounted,
    /// Something that may still change.
    Open,
    /// Requests that ended, the newest asked at this time, epoch ms.
    Ended(i64),
}

/// What is remembered of all agents. Follows from the desks, and is no state.
#[derive(Debug, Clone, Default)]
pub struct Holdings {
    open: usize,
    ended: BTreeSet<(i64, Arc<str>)>,
    forgotten: u64,
}

impl Holdings {
    /// Counts a desk as what it is now.
    pub(super) fn count(&mut self, desk: &mut Desk) {
        let now = desk.holds();
        match std::mem::replace(&mut desk.holding, now) {
            Holding::Uncounted => (),
            Holding::Open => self.open -= 1,
            Holding::Ended(at) => {
                self.ended.remove(&(at, Arc::clone(&desk.name)));
            }
        }
        match now {
            Holding::Uncounted => (),
            Holding::Open => self.open += 1,
            Holding::Ended(at) => {
                self.ended.insert((at, Arc::clone(&desk.name)));
            }
        }
    }
}

impl Response {
    /// Whether there is room to ask about an agent when requests of at most so many are remembered; makes it where that can be done.
    pub(super) fn has_room(&mut self, agent: &str, most: usize, ack_within_ms: i64) -> bool {
        self.plan(ack_within_ms);
        if self.desks.get(agent).is_some_and(|desk| desk.holding != Holding::Uncounted) {
            return true;
        }
        while self.holdings.open + self.holdings.ended.len() >= most {
            let Some((_, oldest)) = self.holdings.ended.pop_first() else { return false };
            self.desks.remove(&*oldest);
            self.holdings.forgotten += 1;
        }
        true
    }

    /// Agents whose requests were forgotten since this was asked last.
    pub(in super::super) fn take_forgotten(&mut self) -> u64 {
        std::mem::take(&mut self.holdings.forgotten)
    }
}

impl Desk {
    fn holds(&self) -> Holding {
        if self.requests.has_open() || !self.raised.is_empty() {
            Holding::Open
        } else if self.standing.is_some() {
            Holding::Uncounted
        } else {
            Holding::Ended(self.requests.newest().unwrap_or(i64::MIN))
        }
    }
}
