//! How long an agent's sessions are and how much they send in all (DETECTION.md, section 1.6).

use serde::{Deserialize, Serialize};

use super::volume::Cell;

/// Length and total of one agent's sessions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionTotals {
    /// `ln(1 + events)`.
    pub events: Cell,
    /// Sessions by number of events, as binned by [`length_bin`].
    pub lengths: Vec<(u16, u16)>,
    /// Number of sessions in `lengths`.
    pub sessions: u32,
    /// `ln(1 + Σ bytes_out)`, of sessions that sent anything.
    pub bytes: Cell,
}

impl SessionTotals {
    /// Number of sessions with at least `events` events.
    #[must_use]
    pub fn at_least(&self, events: u32) -> u32 {
        let bin = length_bin(events);
        self.lengths.iter().filter(|entry| u32::from(entry.0) >= bin).map(|entry| u32::from(entry.1)).sum()
    }

    /// Counts a session of `events` events.
    pub fn count(&mut self, events: u32) {
        #[expect(clippy::cast_possible_truncation, reason = "bins are capped far below 65,535")]
        let bin = length_bin(events) as u16;
        match self.lengths.iter_mut().find(|entry| entry.0 == bin) {
            Some(entry) => entry.1 = entry.1.saturating_add(1),
            None => self.lengths.push((bin, 1)),
        }
        self.sessions = self.lengths.iter().map(|entry| u32::from(entry.1)).sum();
    }

    /// The length that `share` of the sessions do not exceed; `None` without sessions.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<u32> {
        let mut bins = self.lengths.clone();
        bins.sort_unstable();
        let wanted = share * f64::from(self.sessions);
        let mut below = 0.0;
        bins.into_iter().find_map(|(bin, count)| {
            below += f64::from(count);
            (below >= wanted).then_some(u32::from(bin))
        })
    }
}

/// Exact below 64, else `⌊64·2^(r/4)⌋` with `r = round(4·log2(n/64))`.
#[must_use]
pub fn length_bin(events: u32) -> u32 {
    if events < 64 {
        return events;
    }
    let step = (4.0 * (f64::from(events.min(1 << 14)) / 64.0).log2()).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 64 and 16,384")]
    let bin = (64.0 * (step / 4.0).exp2()).floor() as u32;
    bin
}

#[cfg(test)]
mod tests {
    use super::{SessionTotals, length_bin};

    #[test]
    fn lengths_are_exact_below_sixty_four_and_coarse_above() {
        assert_eq!([1, 63, 64, 65, 70, 90, 128, 200, 511].map(length_bin), [1, 63, 64, 64, 76, 90, 128, 215, 512]);
    }

    #[test]
    fn sessions_at_least_as_long_are_counted() {
        let mut totals = SessionTotals::default();
        for events in [3, 3, 4, 12] {
            totals.count(events);
        }
        assert_eq!([1, 4, 5, 13].map(|events| totals.at_least(events)), [4, 2, 1, 0]);
        assert_eq!(totals.quantile(0.5), Some(3));
    }
}
