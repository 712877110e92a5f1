//! What judging remembers of one agent.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::binding::Binding;
use super::limit::Whose;
use super::window::SlidingSum;

/// Names with a window of their own, a limit. All beyond these share one, which counts for everybody: a sum is too large rather
/// than too small.
const WINDOWS_MAX: usize = 4096;

/// Which window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'e> {
    /// The limit's number in its terms.
    pub limit: u64,
    pub whose: Whose<'e>,
    pub window_ms: i64,
}

/// The windows of one limit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Windows {
    limit: u64,
    of_agent: SlidingSum,
    by_name: BTreeMap<Box<str>, SlidingSum>,
    of_others: SlidingSum,
}

/// Serialisable: it is judged state and survives a restart.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AgentState {
    /// Stream time of the first and of the newest event that was judged, epoch ms.
    seen: Option<(i64, i64)>,
    /// Whether it was named as a shadow agent.
    pub(super) is_shadow: bool,
    /// Whether that named something sensitive.
    pub(super) is_sensitive_shadow: bool,
    /// One entry a limit.
    windows: Vec<Windows>,
    #[serde(skip)]
    pub(super) binding: Option<Box<Binding>>,
}

impl AgentState {
    /// Notes an event; the stream time since the first one and since the one before, ms.
    pub(super) fn see(&mut self, now_ms: i64) -> (i64, i64) {
        let (first, last) = self.seen.unwrap_or((now_ms, now_ms));
        self.seen = Some((first, now_ms));
        (now_ms.saturating_sub(first), now_ms.saturating_sub(last))
    }

    /// The sum in a window so far.
    pub(super) fn total(&mut self, question: Question<'_>, now_ms: i64) -> Decimal {
        let windows = self.windows.iter_mut().find(|windows| windows.limit == question.limit);
        windows.map_or(Decimal::ZERO, |windows| windows.total(question, now_ms))
    }

    /// Adds a value to a window; the sum before.
    pub(super) fn add(&mut self, question: Question<'_>, now_ms: i64, value: Decimal) -> Decimal {
        let known = self.windows.iter().position(|windows| windows.limit == question.limit);
        let place = known.unwrap_or_else(|| {
            self.windows.push(Windows { limit: question.limit, ..Windows::default() });
            self.windows.len() - 1
        });
        let windows = &mut self.windows[place];
        let before = windows.total(question, now_ms);
        windows.add(question, now_ms, value);
        before
    }
}

impl Windows {
    fn total(&mut self, question: Question<'_>, now_ms: i64) -> Decimal {
        match question.whose {
            Whose::Agent => self.of_agent.total(now_ms, question.window_ms),
            Whose::Named(name) => {
                let own = self.by_name.get_mut(name).map_or(Decimal::ZERO, |window| window.total(now_ms, question.window_ms));
                own.saturating_add(self.of_others.total(now_ms, question.window_ms))
            }
        }
    }

    fn add(&mut self, question: Question<'_>, now_ms: i64, value: Decimal) {
        let Whose::Named(name) = question.whose else { return self.of_agent.add(now_ms, value) };
        if let Some(window) = self.by_name.get_mut(name) {
            return window.add(now_ms, value);
        }
        if self.by_name.len() >= WINDOWS_MAX {
            self.by_name.retain(|_, window| {
                window.total(now_ms, question.window_ms);
                !window.is_empty()
            });
        }
        if self.by_name.len() >= WINDOWS_MAX {
            self.of_others.add(now_ms, value);
        } else {
            self.by_name.entry(name.into()).or_default().add(now_ms, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_last_window_sums_are_too_large_rather_than_too_small() {
        let mut state = AgentState::default();
        let mut add = |name: &str, now_ms| {
            let question = Question { limit: 1, whose: Whose::Named(name), window_ms: 1_000 };
            state.add(question, now_ms, Decimal::ONE)
        };
        for number in 0..WINDOWS_MAX {
            assert_eq!(add(&number.to_string(), 0), Decimal::ZERO);
        }
        assert_eq!(add("late", 500), Decimal::ZERO);
        assert_eq!(add("late", 500), Decimal::ONE);
        assert_eq!(add("0", 500), Decimal::from(3), "its own and what nobody else has room for");
        // There is room again; what was spent before there was is not forgotten.
        assert_eq!(add("late", 1_200), Decimal::TWO);
        assert_eq!(add("late", 1_200), Decimal::from(3));
        assert_eq!(add("late", 2_500), Decimal::ZERO);
    }
}
