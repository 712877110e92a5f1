//! Requests as an agent's desk holds them: open ones as they are, ended ones packed. Each agent may have dozens that ended, and
//! hardly one of them is ever looked at again.

use std::borrow::Cow;
use std::collections::VecDeque;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Requests;
use super::life::{State, Tracked};
use crate::stats::hash;

/// Tells apart what is packed without unpacking it.
const HASH_KEY: u64 = 0x5bd1_e995_9e37_79b9;

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub enum Remembered {
    /// It may still change.
    Open(Box<Tracked>),
    /// It changes no more.
    Ended(Ended),
}

/// A request that ended: what is looked for, and a record of all of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    request_id: u64,
    dedupe_key: u64,
    created_at: i64,
    state: State,
    record: Box<[u8]>,
}

impl From<Tracked> for Remembered {
    fn from(tracked: Tracked) -> Self {
        if tracked.state().is_open() { Self::Open(Box::new(tracked)) } else { Self::Ended(Ended::pack(&tracked)) }
    }
}

impl Ended {
    pub(super) fn pack(tracked: &Tracked) -> Self {
        let question = &tracked.request;
        Self {
            request_id: hashed(&question.request_id),
            dedupe_key: hashed(&question.dedupe_key),
            created_at: question.created_at,
            state: tracked.state(),
            record: postcard::to_allocvec(&tracked.parts()).expect("texts and numbers, into memory").into(),
        }
    }

    fn unpack(&self) -> Tracked {
        Tracked::from_parts(postcard::from_bytes(&self.record).expect("packed by this program in this process"))
    }
}

impl Remembered {
    /// Where it is in its life.
    #[must_use]
    pub fn state(&self) -> State {
        match self {
            Self::Open(tracked) => tracked.state(),
            Self::Ended(ended) => ended.state,
        }
    }

    /// When it was asked, stream time in epoch ms.
    #[must_use]
    pub fn created_at(&self) -> i64 {
        match self {
            Self::Open(tracked) => tracked.request.created_at,
            Self::Ended(ended) => ended.created_at,
        }
    }

    /// All of it.
    #[must_use]
    pub fn tracked(&self) -> Cow<'_, Tracked> {
        match self {
            Self::Open(tracked) => Cow::Borrowed(tracked),
            Self::Ended(ended) => Cow::Owned(ended.unpack()),
        }
    }

    /// To change, while it may.
    pub(super) fn open_mut(&mut self) -> Option<&mut Tracked> {
        match self {
            Self::Open(tracked) => Some(tracked),
            Self::Ended(_) => None,
        }
    }

    pub(super) fn has_id(&self, sought: &Sought<'_>) -> bool {
        match self {
            Self::Open(tracked) => tracked.request.request_id == sought.text,
            Self::Ended(ended) => ended.request_id == sought.hash && ended.unpack().request.request_id == sought.text,
        }
    }

    pub(super) fn has_dedupe_key(&self, sought: &Sought<'_>) -> bool {
        match self {
            Self::Open(tracked) => tracked.request.dedupe_key == sought.text,
            Self::Ended(ended) => ended.dedupe_key == sought.hash && ended.unpack().request.dedupe_key == sought.text,
        }
    }
}

/// An id or key with its hash, which is compared with that of many.
pub(super) struct Sought<'t> {
    text: &'t str,
    hash: u64,
}

impl<'t> From<&'t str> for Sought<'t> {
    fn from(text: &'t str) -> Self {
        Self { text, hash: hashed(text) }
    }
}

fn hashed(text: &str) -> u64 {
    hash::keyed(text.as_bytes(), HASH_KEY)
}

/// In stored state all requests look alike.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Requests")]
struct Stored<'a> {
    tracked: Vec<Cow<'a, Tracked>>,
}

impl Serialize for Requests {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Stored { tracked: self.remembered.iter().map(Remembered::tracked).collect() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Requests {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Stored { tracked } = Stored::deserialize(deserializer)?;
        let remembered: VecDeque<Remembered> = tracked.into_iter().map(|tracked| tracked.into_owned().into()).collect();
        Ok(Self::holding(remembered))
    }
}
