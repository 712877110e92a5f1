//! What attribute values are called. Scores need only their hashes; explanations name the usual ones.

use serde::{Deserialize, Serialize};

/// Texts that are kept; past that, explanations count values without naming them.
const TEXTS_MAX: usize = 65_536;

/// Texts by hash.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Texts {
    #[serde(with = "crate::stats::sorted")]
    texts: hashbrown::HashMap<u64, Box<str>, foldhash::fast::FixedState>,
}

impl Texts {
    /// The text of a value, if it is kept.
    #[must_use]
    pub fn get(&self, value: u64) -> Option<&str> {
        self.texts.get(&value).map(AsRef::as_ref)
    }

    /// Whether the text of a value is kept.
    #[must_use]
    pub fn contains(&self, value: u64) -> bool {
        self.texts.contains_key(&value)
    }

    /// Keeps the text of a value, if there is room.
    pub fn keep(&mut self, value: u64, text: &str) {
        if self.texts.len() < TEXTS_MAX {
            self.texts.insert(value, text.into());
        }
    }
}
