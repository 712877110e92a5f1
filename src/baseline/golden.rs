//! Slow drift against a frozen reference (DETECTION.md, section 3.1): cells follow the agent, the reference does not.

use serde::{Deserialize, Serialize};

use super::Metric;
use super::Observation;
use super::agent::Cells;
use super::volume::cell_key;
use crate::stats::moments::Moments;

/// Committed sessions of an agent at which the reference freezes.
const REFERENCE_SESSIONS: usize = 60;
/// Values that are kept for one agent until then.
const PENDING_MAX: usize = 6000;
/// Values a cell needs to be part of the reference.
const CELL_VALUES_MIN: f64 = 10.0;
const INDIFFERENCE: f64 = 0.1;
/// Shiryaev-Roberts threshold: a nominal false finding in as many sessions, per agent and metric.
const THRESHOLD: f64 = 1000.0;
/// The metrics that are watched.
const WATCHED: [Metric; 3] = [Metric::BytesOut, Metric::BytesIn, Metric::Duration];

/// One cell as it was when the reference froze.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct FrozenCell {
    key: u64,
    mean: f64,
    spread: f64,
}

/// The key of a cell and one of its values, in twelve bytes: what a young agent gathers is much of what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, f64)", into = "(u64, f64)")]
pub struct Gathered([u32; 3]);

impl From<(u64, f64)> for Gathered {
    fn from((key, value): (u64, f64)) -> Self {
        // Of a key only the metric, above bit 32, lies beyond the lowest 24 bits.
        let key = u32::try_from(key >> 32 << 24 | key & 0x00ff_ffff).unwrap_or(u32::MAX);
        let [upper, lower] = [value.to_bits() >> 32, value.to_bits() & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or(0));
        Self([key, upper, lower])
    }
}

impl From<Gathered> for (u64, f64) {
    fn from(Gathered([key, upper, lower]): Gathered) -> Self {
        let key = u64::from(key >> 24) << 32 | u64::from(key & 0x00ff_ffff);
        (key, f64::from_bits(u64::from(upper) << 32 | u64::from(lower)))
    }
}

/// One metric against its reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    metric: Metric,
    cells: Vec<FrozenCell>,
    mean: f64,
    spread: f64,
    statistic: f64,
}

/// The drift watch of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Golden {
    /// The values of the sessions so far, a list a session; they become the reference.
    Gathering(Vec<Vec<Gathered>>),
    /// The reference stands.
    Watching(Vec<Watch>),
}

impl Default for Golden {
    fn default() -> Self {
        Self::Gathering(Vec::new())
    }
}

/// Drift that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// Of which quantity.
    pub metric: Metric,
    /// How far the session was from the reference, as a factor.
    pub factor: f64,
}

impl Golden {
    /// One more committed session; `cells` are the agent's own after it. Gathers, or freezes the reference.
    pub fn learn(&mut self, session: &[Observation], cells: &Cells) {
        let Self::Gathering(sessions) = self else { return };
        let room = PENDING_MAX.saturating_sub(sessions.iter().map(Vec::len).sum());
        // Agents keep these lists for long: no place is left free.
        let mut kept = Vec::with_capacity(room.min(session.iter().map(|observation| values(observation).count()).sum()));
        kept.extend(session.iter().flat_map(values).map(Gathered::from).take(room));
        sessions.push(kept);
        if sessions.len() >= REFERENCE_SESSIONS {
            let watches = WATCHED.into_iter().filter_map(|metric| Watch::freeze(metric, sessions, cells)).collect();
            *self = Self::Watching(watches);
        }
    }

    /// What a closed session says about drift. The statistic of what was found starts anew.
    pub fn watch(&mut self, session: &[Observation]) -> Vec<Drift> {
        let Self::Watching(watches) = self else { return Vec::new() };
        watches.iter_mut().filter_map(|watch| watch.update(session.iter().flat_map(values))).collect()
    }

    /// Accepts what the agent does now: the reference is gathered anew.
    pub fn restart(&mut self) {
        *self = Self::default();
    }
}

fn values(observation: &Observation) -> impl Iterator<Item = (u64, f64)> + '_ {
    observation
        .values()
        .filter(|(metric, _)| WATCHED.contains(metric))
        .map(|(metric, value)| (cell_key(metric, observation.tool, observation.status_or_ok()), value))
}

impl Watch {
    fn freeze(metric: Metric, sessions: &[Vec<Gathered>], cells: &Cells) -> Option<Self> {
        let mut frozen: Vec<FrozenCell> = cells
            .iter()
            .filter(|(key, cell)| **key >> 32 == metric as u64 && cell.moments.n >= CELL_VALUES_MIN)
            .map(|(&key, cell)| FrozenCell { key, mean: cell.moments.mean, spread: cell.moments.variance().max(0.02).sqrt() })
            .collect();
        frozen.sort_unstable_by_key(|cell| cell.key);
        let mut watch = Self { metric, cells: frozen, mean: 0.0, spread: 0.0, statistic: 0.0 };
        let mut deviations = Moments::default();
        for session in sessions {
            if let Some(deviation) = watch.deviation(session.iter().copied().map(Into::into)) {
                deviations.learn(deviation);
            }
        }
        watch.mean = deviations.mean;
        watch.spread = (deviations.variance().sqrt() * (1.0 + 2.0 / deviations.n.sqrt())).max(0.1);
        (deviations.n >= CELL_VALUES_MIN).then_some(watch)
    }

    /// Mean distance of a session's values from the reference, each drawn in to 2.5 spreads; `None` if none is in it.
    fn deviation(&self, values: impl Iterator<Item = (u64, f64)>) -> Option<f64> {
        let (mut sum, mut n) = (0.0, 0.0);
        for (key, value) in values {
            if let Ok(at) = self.cells.binary_search_by_key(&key, |cell| cell.key) {
                let cell = self.cells[at];
                let reach = 2.5 * cell.spread;
                sum += (value - cell.mean).clamp(-reach, reach);
                n += 1.0;
            }
        }
        (n > 0.0).then(|| sum / n)
    }

    /// One-sided Shiryaev-Roberts for a rise of the mean beyond the indifference.
    fn update(&mut self, values: impl Iterator<Item = (u64, f64)>) -> Option<Drift> {
        let deviation = self.deviation(values)? - self.mean;
        let variance = self.spread * self.spread;
        let ratio = [1.5f64, 3.0, 10.0]
            .map(|factor| {
                let shift = factor.ln();
                let ln_ratio = ((shift - INDIFFERENCE) * deviation - (shift * shift - INDIFFERENCE * INDIFFERENCE) / 2.0) / variance;
                ln_ratio.clamp(-3.0, 3.0).exp()
            })
            .iter()
            .sum::<f64>()
            / 3.0;
        self.statistic = (1.0 + self.statistic) * ratio;
        if self.statistic < THRESHOLD {
            return None;
        }
        self.statistic = 0.0;
        Some(Drift { metric: self.metric, factor: deviation.exp() })
    }
}

#[cfg(test)]
mod tests {
    use super::{Gathered, Golden, REFERENCE_SESSIONS};
    use crate::baseline::agent::Cells;
    use crate::baseline::volume::{Cell, cell_key};
    use crate::baseline::{Metric, Observation};

    /// A session of five calls around `centre`, spread by a fixed pattern.
    fn session(number: usize, centre: f64) -> Vec<Observation> {
        (0..5)
            .map(|call| {
                let mut observation = Observation::new(4, false);
                observation.set_value(Metric::BytesOut, centre + 0.5 * ((number * 7 + call * 3) % 11) as f64 / 5.0 - 0.5);
                observation
            })
            .collect()
    }

    fn watching() -> Golden {
        let (mut golden, mut cell) = (Golden::default(), Cell::default());
        let mut cells = Cells::default();
        for number in 0..REFERENCE_SESSIONS {
            let session = session(number, 8.0);
            for observation in &session {
                cell.learn_moments(observation.value(Metric::BytesOut).unwrap());
            }
            *cells.or_default(cell_key(Metric::BytesOut, 4, 3)) = cell.clone();
            golden.learn(&session, &cells);
        }
        golden
    }

    #[test]
    fn what_is_gathered_comes_back_as_it_was() {
        for (metric, tool, status) in [(Metric::BytesOut, 0, 0), (Metric::BytesIn, 0xffff, 0xff), (Metric::Duration, 7, 3)] {
            for value in [0.1, 44.3, f64::MIN_POSITIVE] {
                let pair = (cell_key(metric, tool, status), value);
                assert_eq!(<(u64, f64)>::from(Gathered::from(pair)), pair);
            }
        }
    }

    #[test]
    fn work_as_before_is_no_drift() {
        let mut golden = watching();
        let found: usize = (0..500).map(|number| golden.watch(&session(number, 8.0)).len()).sum();
        assert_eq!(found, 0);
    }

    #[test]
    fn a_walk_of_five_percent_a_session_is_found_before_a_factor_of_eight() {
        let mut golden = watching();
        let found = (0..60).find(|&number| !golden.watch(&session(number, 8.0 + 1.05f64.ln() * number as f64)).is_empty());
        let factor = 1.05f64.powi(i32::try_from(found.expect("found")).unwrap());
        assert!(factor < 8.0, "{factor}");
    }

    #[test]
    fn an_accepted_change_gathers_a_new_reference() {
        let mut golden = watching();
        golden.restart();
        assert!(golden.watch(&session(0, 30.0)).is_empty());
    }
}
