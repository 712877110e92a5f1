//! What judging remembers of one agent.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, Serializer};
use smallvec::SmallVec;

use crate::stats::prefetch::prefetch;

use super::binding::Binding;
use super::credentials::Credentials;
use super::inventory::Inventory;
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

/// Serialisable: it is judged state and survives a restart.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "Read")]
pub struct AgentState {
    /// Stream time of the first and of the newest event that was judged, epoch ms.
    seen: Option<(i64, i64)>,
    pub(super) shadow: Shadow,
    pub(super) at_hand: Option<Box<AtHand>>,
}

/// What was said of an agent without a contract.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shadow {
    /// Whether it was named as a shadow agent.
    pub is_named: bool,
    /// Whether that named something sensitive.
    pub is_sensitive: bool,
}

/// What an event asks of an agent with a contract, side by side, so that the waits for these lines of memory are one wait.
#[derive(Debug, Clone, Default)]
#[repr(C, align(64))]
pub(super) struct AtHand {
    pub windows: Windows,
    /// A short cut and no state.
    pub binding: Option<Binding>,
}

/// The windows of an agent's limits, one entry a limit. Most contracts have one with a window, if any.
#[derive(Debug, Clone, Default)]
pub(super) struct Windows(SmallVec<[WindowsOfLimit; 1]>);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "ReadWindows")]
struct WindowsOfLimit {
    limit: u64,
    of_agent: SlidingSum,
    named: Option<Box<Named>>,
}

/// Of limits that are not per agent.
#[derive(Debug, Clone, Default)]
struct Named {
    by_name: BTreeMap<Box<str>, SlidingSum>,
    of_others: SlidingSum,
}

#[derive(Serialize)]
#[serde(rename = "AgentState")]
struct Written<'s> {
    seen: Option<(i64, i64)>,
    is_shadow: bool,
    is_sensitive_shadow: bool,
    windows: &'s [WindowsOfLimit],
}

#[derive(Deserialize)]
struct Read {
    seen: Option<(i64, i64)>,
    is_shadow: bool,
    is_sensitive_shadow: bool,
    windows: Vec<WindowsOfLimit>,
}

#[derive(Serialize)]
#[serde(rename = "Windows")]
struct WrittenWindows<'s> {
    limit: u64,
    of_agent: &'s SlidingSum,
    by_name: &'s BTreeMap<Box<str>, SlidingSum>,
    of_others: &'s SlidingSum,
}

#[derive(Deserialize)]
struct ReadWindows {
    limit: u64,
    of_agent: SlidingSum,
    by_name: BTreeMap<Box<str>, SlidingSum>,
    of_others: SlidingSum,
}

impl AgentState {
    /// Notes an event; the stream time since the first one and since the one before, ms.
    pub(super) fn see(&mut self, now_ms: i64) -> (i64, i64) {
        let (first, last) = self.seen.unwrap_or((now_ms, now_ms));
        self.seen = Some((first, now_ms));
        (now_ms.saturating_sub(first), now_ms.saturating_sub(last))
    }

    /// Asks for what judging the agent's next event will need first: a hint, for when that is some time away.
    pub fn prefetch(&self) {
        if let Some(at_hand) = self.at_hand.as_deref() {
            prefetch(at_hand);
        }
    }

    /// Looks for the agent's contract, unless the one at hand is in force.
    pub(super) fn bind(&mut self, agent: &str, inventory: &Inventory) {
        let is_bound = |at_hand: &AtHand| at_hand.binding.as_ref().is_some_and(|binding| binding.rests_on(inventory.revision()));
        if self.at_hand.as_deref().is_some_and(is_bound) {
            return;
        }
        let binding = Binding::of(agent, inventory);
        if self.at_hand.is_some() || binding.is_some() {
            self.at_hand.get_or_insert_default().binding = binding;
        }
    }
}

impl AtHand {
    /// Asks for what lies behind it: the ends of the windows that are per agent, and the sources of the credential.
    pub fn prefetch_rest(&self, credentials: &Credentials) {
        self.windows.0.iter().for_each(|windows| windows.of_agent.prefetch());
        if let Some(source) = self.binding.as_ref().and_then(|binding| binding.held.as_ref()?.source) {
            credentials.prefetch(source);
        }
    }
}

impl Windows {
    /// The sum in a window so far.
    pub fn total(&mut self, question: Question<'_>, now_ms: i64) -> Decimal {
        let windows = self.0.iter_mut().find(|windows| windows.limit == question.limit);
        windows.map_or(Decimal::ZERO, |windows| windows.total(question, now_ms))
    }

    /// Adds a value to a window; the sum before.
    pub fn add(&mut self, question: Question<'_>, now_ms: i64, value: Decimal) -> Decimal {
        let known = self.0.iter().position(|windows| windows.limit == question.limit);
        let place = known.unwrap_or_else(|| {
            self.0.push(WindowsOfLimit { limit: question.limit, ..WindowsOfLimit::default() });
            self.0.len() - 1
        });
        let windows = &mut self.0[place];
        let before = windows.total(question, now_ms);
        windows.add(question, now_ms, value);
        before
    }
}

impl WindowsOfLimit {
    fn total(&mut self, question: Question<'_>, now_ms: i64) -> Decimal {
        match (question.whose, self.named.as_deref_mut()) {
            (Whose::Agent, _) => self.of_agent.total(now_ms, question.window_ms),
            (Whose::Named(_), None) => Decimal::ZERO,
            (Whose::Named(name), Some(Named { by_name, of_others })) => {
                let own = by_name.get_mut(name).map_or(Decimal::ZERO, |window| window.total(now_ms, question.window_ms));
                own.saturating_add(of_others.total(now_ms, question.window_ms))
            }
        }
    }

    fn add(&mut self, question: Question<'_>, now_ms: i64, value: Decimal) {
        let Whose::Named(name) = question.whose else { return self.of_agent.add(now_ms, value) };
        let Named { by_name, of_others } = &mut **self.named.get_or_insert_default();
        if let Some(window) = by_name.get_mut(name) {
            return window.add(now_ms, value);
        }
        if by_name.len() >= WINDOWS_MAX {
            by_name.retain(|_, window| {
                window.total(now_ms, question.window_ms);
                !window.is_empty()
            });
        }
        if by_name.len() >= WINDOWS_MAX {
            of_others.add(now_ms, value);
        } else {
            by_name.entry(name.into()).or_default().add(now_ms, value);
        }
    }
}

impl Serialize for AgentState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { seen, shadow: Shadow { is_named: is_shadow, is_sensitive: is_sensitive_shadow }, at_hand } = self;
        let windows = at_hand.as_deref().map_or(&[][..], |at_hand| &at_hand.windows.0);
        Written { seen: *seen, is_shadow: *is_shadow, is_sensitive_shadow: *is_sensitive_shadow, windows }.serialize(serializer)
    }
}

impl From<Read> for AgentState {
    fn from(Read { seen, is_shadow, is_sensitive_shadow, windows }: Read) -> Self {
        let shadow = Shadow { is_named: is_shadow, is_sensitive: is_sensitive_shadow };
        let has_windows = !windows.is_empty();
        Self { seen, shadow, at_hand: has_windows.then(|| Box::new(AtHand { windows: Windows(windows.into()), binding: None })) }
    }
}

impl Serialize for WindowsOfLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { limit, of_agent, named } = self;
        let nobody = Named::default();
        let Named { by_name, of_others } = named.as_deref().unwrap_or(&nobody);
        WrittenWindows { limit: *limit, of_agent, by_name, of_others }.serialize(serializer)
    }
}

impl From<ReadWindows> for WindowsOfLimit {
    fn from(ReadWindows { limit, of_agent, by_name, of_others }: ReadWindows) -> Self {
        let has_names = !by_name.is_empty() || !of_others.is_empty();
        Self { limit, of_agent, named: has_names.then(|| Box::new(Named { by_name, of_others })) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_event_asks_for_lies_in_seven_lines() {
        assert_eq!(size_of::<AtHand>(), 7 * 64);
        assert_eq!(size_of::<Windows>(), 64);
        assert!(size_of::<AgentState>() <= 64);
    }

    #[test]
    fn beyond_the_last_window_sums_are_too_large_rather_than_too_small() {
        let mut windows = Windows::default();
        let mut add = |name: &str, now_ms| {
            let question = Question { limit: 1, whose: Whose::Named(name), window_ms: 1_000 };
            windows.add(question, now_ms, Decimal::ONE)
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
