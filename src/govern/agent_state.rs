//! What judging remembers of one agent.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::window::SlidingSum;

/// Windows of one limit, by the name of whom they belong to. All beyond these share one: their sum is too large rather than
/// too small.
const WINDOWS_MAX: usize = 4096;
const SHARED: &str = "";

/// Serialisable: it is judged state and survives a restart.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AgentState {
    /// Stream time of the first and of the newest event that was judged, epoch ms.
    seen: Option<(i64, i64)>,
    /// Whether it was named as a shadow agent.
    pub(super) is_shadow: bool,
    /// Whether that named something sensitive.
    pub(super) is_sensitive_shadow: bool,
    /// By the question of the limit, then by whose window it is.
    windows: BTreeMap<Box<str>, BTreeMap<Box<str>, SlidingSum>>,
}

impl AgentState {
    /// Notes an event; the stream time since the first one and since the one before, ms.
    pub(super) fn see(&mut self, now_ms: i64) -> (i64, i64) {
        let (first, last) = self.seen.unwrap_or((now_ms, now_ms));
        self.seen = Some((first, now_ms));
        (now_ms.saturating_sub(first), now_ms.saturating_sub(last))
    }

    /// The sum in a window so far.
    pub(super) fn total(&mut self, question: &str, key: &str, now_ms: i64, window_ms: i64) -> Decimal {
        let Some(windows) = self.windows.get_mut(question) else { return Decimal::ZERO };
        let place = if windows.contains_key(key) || windows.len() < WINDOWS_MAX { key } else { SHARED };
        windows.get_mut(place).map_or(Decimal::ZERO, |window| window.total(now_ms, window_ms))
    }

    /// Adds a value to a window.
    pub(super) fn add(&mut self, question: &str, key: &str, now_ms: i64, window_ms: i64, value: Decimal) {
        if !self.windows.contains_key(question) {
            self.windows.insert(question.into(), BTreeMap::new());
        }
        let Some(windows) = self.windows.get_mut(question) else { return };
        if !windows.contains_key(key) && windows.len() >= WINDOWS_MAX {
            windows.retain(|_, window| {
                window.total(now_ms, window_ms);
                !window.is_empty()
            });
        }
        let is_full = !windows.contains_key(key) && windows.len() >= WINDOWS_MAX;
        let place = if is_full { SHARED } else { key };
        windows.entry(place.into()).or_default().add(now_ms, value);
    }
}
