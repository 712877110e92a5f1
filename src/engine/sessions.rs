//! Which session an event belongs to, and when a session is over (DETECTION.md, "Sessions").

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use super::agents::AgentSlot;
use super::alarm::SessionAlarm;
use crate::baseline::GroupIndex;
use crate::baseline::agent::Stratum;
use crate::config::SessionRules;
use crate::detect::OpenSession;
use crate::detect::family::Family;
use crate::event::Event;

/// Number of an open session within its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionSlot(pub u32);

/// An open session with what the engine keeps beside the detector's part.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// The detector's part.
    pub detected: OpenSession,
    /// Whose.
    pub agent: AgentSlot,
    /// Hash of the session's id; of the trace id; or 0 for an agent's running stretch.
    pub key: u64,
    /// The id as the producer gave it.
    pub id: Option<Box<str>>,
    /// Event time of the first event, epoch ms.
    pub first_ts: i64,
    /// Largest event time, epoch ms.
    pub last_ts: i64,
    /// When it began, in sessions of the shard.
    pub begun: u64,
    /// Whether its close teaches; not for sessions begun after a freeze.
    pub teaches: bool,
    /// Its newest event, as findings name it.
    pub context: Context,
    /// What it raised so far.
    pub alarm: SessionAlarm,
}

/// What a finding says of the newest event of its session.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the event")]
pub struct Context {
    pub event_id: String,
    pub agent_version: Option<Box<str>>,
    pub task_type: Option<Box<str>>,
    pub credential_id: Option<Box<str>>,
    pub on_behalf_of: Option<Box<str>>,
    pub trace_id: Option<Box<str>>,
}

impl Context {
    /// Takes over what `event` says; what stays the same is not copied again.
    pub fn update(&mut self, event: &Event<'_>) {
        self.event_id.clear();
        self.event_id.push_str(&event.event_id);
        let assign = |kept: &mut Option<Box<str>>, given: Option<&str>| {
            if kept.as_deref() != given {
                *kept = given.map(Into::into);
            }
        };
        assign(&mut self.agent_version, event.agent_version.as_deref());
        assign(&mut self.task_type, event.task_type.as_deref());
        assign(&mut self.credential_id, event.credential_id.as_deref());
        assign(&mut self.on_behalf_of, event.on_behalf_of.as_deref());
        assign(&mut self.trace_id, event.trace_id.as_deref());
    }
}

/// The open sessions of a shard.
#[derive(Debug, Clone, Default)]
pub struct Sessions {
    slots: Vec<Option<Box<Session>>>,
    free: Vec<SessionSlot>,
    /// One entry an open session, at or before the time when it is due.
    due: BinaryHeap<Reverse<(i64, u64, SessionSlot)>>,
    begun: u64,
    /// How many are open of each group, by its number.
    open_of: Vec<u32>,
    /// How many are of new agents.
    of_new: u32,
    /// How many of these have alarmed.
    of_new_alarmed: u32,
}

/// What there is to know of a shard's session numbers beside the open sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    slots: usize,
    free: Vec<SessionSlot>,
    begun: u64,
}

impl Sessions {
    /// What a snapshot needs beside the open sessions.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        Numbers { slots: self.slots.len(), free: self.free.clone(), begun: self.begun }
    }

    /// The open sessions as they were; `None` if a number does not fit.
    #[must_use]
    pub fn restored(numbers: Numbers, open: impl IntoIterator<Item = (SessionSlot, Session)>, rules: &SessionRules) -> Option<Self> {
        let Numbers { slots, free, begun } = numbers;
        let mut sessions = Self { slots: Vec::new(), free, due: BinaryHeap::new(), begun, ..Self::default() };
        for (slot, session) in open {
            let at = slot.0 as usize;
            if at >= slots {
                return None;
            }
            if sessions.slots.len() <= at {
                sessions.slots.resize_with(at + 1, || None);
            }
            sessions.due.push(Reverse((due(&session, rules), session.begun, slot)));
            sessions.count(&session, 1);
            sessions.slots[at] = Some(Box::new(session));
        }
        sessions.slots.resize_with(slots, || None);
        Some(sessions)
    }

    /// Opens a session; the number says when it began.
    ///
    /// # Panics
    /// With 2^32 sessions open.
    pub fn open(&mut self, mut session: Session, rules: &SessionRules) -> SessionSlot {
        self.begun += 1;
        session.begun = self.begun;
        let due = due(&session, rules);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            SessionSlot(u32::try_from(self.slots.len() - 1).expect("fewer open sessions than 2^32"))
        });
        self.due.push(Reverse((due, session.begun, slot)));
        self.count(&session, 1);
        self.slots[slot.0 as usize] = Some(Box::new(session));
        slot
    }

    /// Number of open sessions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// True if none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many are open of a group.
    #[must_use]
    pub fn open_of(&self, group: GroupIndex) -> u32 {
        self.open_of.get(group.0 as usize).copied().unwrap_or(0)
    }

    /// How many are open of new agents, and how many of these have alarmed.
    #[must_use]
    pub fn of_new_agents(&self) -> (u32, u32) {
        (self.of_new, self.of_new_alarmed)
    }

    /// Notes that one more family of a session is below the threshold; true the first time.
    pub fn cross(&mut self, slot: SessionSlot, family: Family) -> bool {
        let session = self.get_mut(slot);
        let begins = !session.alarm.is_alarmed() && is_of_new_agent(session);
        let first = session.alarm.cross(family);
        self.of_new_alarmed += u32::from(begins);
        first
    }

    /// Counts a session that opens (`by` 1) or closes (-1).
    fn count(&mut self, session: &Session, by: i32) {
        let count = |counter: &mut u32| *counter = counter.saturating_add_signed(by);
        if let Some(GroupIndex(group)) = session.detected.group {
            let group = group as usize;
            if self.open_of.len() <= group {
                self.open_of.resize(group + 1, 0);
            }
            count(&mut self.open_of[group]);
        }
        if is_of_new_agent(session) {
            count(&mut self.of_new);
            if session.alarm.is_alarmed() {
                count(&mut self.of_new_alarmed);
            }
        }
    }

    /// An open session.
    ///
    /// # Panics
    /// If it is not open.
    #[must_use]
    pub fn get(&self, slot: SessionSlot) -> &Session {
        self.slots[slot.0 as usize].as_deref().expect("slots are handed out open and forgotten at the close")
    }

    /// An open session, to change.
    ///
    /// # Panics
    /// If it is not open.
    pub fn get_mut(&mut self, slot: SessionSlot) -> &mut Session {
        self.slots[slot.0 as usize].as_deref_mut().expect("slots are handed out open and forgotten at the close")
    }

    /// The first open session whose alarm is as `is_meant` says.
    pub fn find(&self, is_meant: impl Fn(&SessionAlarm) -> bool) -> Option<SessionSlot> {
        let at = self.slots.iter().position(|slot| slot.as_deref().is_some_and(|session| is_meant(&session.alarm)))?;
        u32::try_from(at).ok().map(SessionSlot)
    }

    /// Takes a session out.
    ///
    /// # Panics
    /// If it is not open.
    pub fn take(&mut self, slot: SessionSlot) -> Box<Session> {
        self.free.push(slot);
        let session = self.slots[slot.0 as usize].take().expect("slots are handed out open and forgotten at the close");
        self.count(&session, -1);
        session
    }

    /// The sessions that are over at stream time `now`, in the order of their last events, ties by `id`.
    pub fn due(&mut self, now: i64, rules: &SessionRules, id: impl Fn(&Session) -> (Box<str>, Option<Box<str>>)) -> Vec<SessionSlot> {
        let mut over = Vec::new();
        while let Some(&Reverse((at, begun, slot))) = self.due.peek()
            && at <= now
        {
            self.due.pop();
            // The slot may have been closed, and even used again, since this entry was made.
            let Some(session) = self.slots[slot.0 as usize].as_deref().filter(|session| session.begun == begun) else { continue };
            let really = due(session, rules);
            if really <= now {
                over.push(slot);
            } else {
                self.due.push(Reverse((really, begun, slot)));
            }
        }
        over.sort_by_cached_key(|&slot| (self.get(slot).last_ts, id(self.get(slot))));
        over
    }

    /// Every open session, in the order of their last events, ties by `id`.
    pub fn all(&self, id: impl Fn(&Session) -> (Box<str>, Option<Box<str>>)) -> Vec<SessionSlot> {
        let mut all: Vec<SessionSlot> = (0..self.slots.len())
            .filter(|&at| self.slots[at].is_some())
            .map(|at| SessionSlot(u32::try_from(at).unwrap_or(u32::MAX)))
            .collect();
        all.sort_by_cached_key(|&slot| (self.get(slot).last_ts, id(self.get(slot))));
        all
    }
}

fn is_of_new_agent(session: &Session) -> bool {
    session.detected.stratum == Stratum::New
}

/// When a session is over if nothing more comes.
fn due(session: &Session, rules: &SessionRules) -> i64 {
    (session.last_ts.saturating_add(rules.idle_ms)).min(session.first_ts.saturating_add(rules.length_ms))
}
