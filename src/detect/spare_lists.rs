//! The lists of sessions that are over, for sessions to come: in the long run a session of ordinary length takes no allocation for them.

use super::session::{OpenSession, Step};
use crate::baseline::{Observation, ToolId};

/// Events for which a session has room where nothing is handed on to it: the first sessions of a fleet are many and short.
const ROOM_MIN: usize = 2;
/// Room for more events than this is given back: a session keeps what it took until it ends, and most are short.
const ROOM_MAX: usize = 16;
/// Sets that are kept; more than a few wait only after many sessions closed at once.
const KEPT_MAX: usize = 64;

/// What a session lists, one entry an event or tool.
#[derive(Debug, Clone)]
pub struct Lists {
    /// Tools and how often.
    pub tools: Vec<(ToolId, u32)>,
    /// The events, as far as they are modelled.
    pub observations: Vec<Observation>,
    /// Their scores.
    pub steps: Vec<Step>,
}

/// Empty lists with room in them. No state: what is in them is gone.
#[derive(Debug, Clone, Default)]
pub struct SpareLists(Vec<Lists>);

impl SpareLists {
    /// Empty lists, with room for more than one event.
    pub fn take(&mut self) -> Lists {
        self.0.pop().unwrap_or_else(|| Lists {
            tools: Vec::with_capacity(ROOM_MIN),
            observations: Vec::with_capacity(ROOM_MIN),
            steps: Vec::with_capacity(ROOM_MIN),
        })
    }

    /// The session is over, and nobody looks at its lists again.
    pub fn keep(&mut self, session: OpenSession) {
        let OpenSession { mut tools, mut observations, mut steps, .. } = session;
        if self.0.len() < KEPT_MAX {
            tools.clear();
            observations.clear();
            steps.clear();
            tools.shrink_to(ROOM_MAX);
            observations.shrink_to(ROOM_MAX);
            steps.shrink_to(ROOM_MAX);
            self.0.push(Lists { tools, observations, steps });
        }
    }
}
