//! Sizes, durations and gaps on a logarithmic scale, on three levels (DETECTION.md, section 1.5): what is predicted for the next value, and how
//! a cell learns from it.

use serde::{Deserialize, Serialize, Serializer};

use super::Metric;
use super::histogram::Histogram;
use super::tools::ToolId;
use crate::stats::moments::Moments;
use crate::stats::student_t::{StudentT, density_of_three};

/// Width of a histogram bin.
const BIN_WIDTH: f64 = 0.35;
/// Values of one agent's cell that enter the balanced part of its parents.
const BALANCED_PER_CELL: f64 = 32.0;
const SHARED_HALVE_ABOVE: f64 = 20_000.0;
const FADE_FROM: f64 = 2000.0;
const VARIANCE_FLOOR: f64 = 0.004;
/// Weights of the three densities before a cell has any history.
pub const YOUNG_WEIGHTS: [f64; 3] = [0.6, 0.3, 0.1];
/// Weights that a metric's cells share at the very start.
pub const FIRST_WEIGHTS: [f64; 3] = [0.5, 0.1, 0.4];

/// Key of a cell: metric, tool, and status for all but gaps.
#[must_use]
pub fn cell_key(metric: Metric, tool: ToolId, status: u8) -> u64 {
    let status = if metric == Metric::Gap { 0 } else { status };
    (metric as u64) << 32 | u64::from(status) << 16 | u64::from(tool)
}

/// What one agent's values of one kind look like.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Stored")]
pub struct Cell {
    /// Count, mean and spread of `ln(1 + value)`, outliers drawn in.
    pub moments: Moments,
    /// Weights of the three densities; set at the first commit.
    pub weights: [f64; 3],
    /// Counts by bin of width 0.35.
    pub histogram: Histogram,
}

/// A cell in stored state.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Cell")]
struct Stored<H = Histogram> {
    moments: Moments,
    weights: [f64; 3],
    histogram: H,
    /// Written for those who read the state; the counts say it.
    histogram_total: u32,
}

impl From<Stored> for Cell {
    fn from(Stored { moments, weights, histogram, .. }: Stored) -> Self {
        Self { moments, weights, histogram }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { moments, weights, histogram } = self;
        Stored { moments: *moments, weights: *weights, histogram, histogram_total: histogram.total() }.serialize(serializer)
    }
}

/// One more value of an agent's cell, for the cells above it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lesson {
    /// Values of the cell, this one included.
    n: f64,
    /// The value, drawn in.
    value: f64,
    /// What it added to the cell's squares.
    increment: f64,
}

/// What a group or the population looks like: every agent's first values count alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SharedCell {
    /// Of the first 32 values of each agent's cell.
    pub balanced: Moments,
    /// Number of values pooled within agents.
    pub within_n: f64,
    /// Their squared deviations from their own agent's mean.
    pub within_squares: f64,
}

/// What all cells of a metric share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SharedMetric {
    /// All keys together.
    pub cell: SharedCell,
    /// Weights that a new cell starts with.
    pub weights: [f64; 3],
}

impl Default for SharedMetric {
    fn default() -> Self {
        Self { cell: SharedCell::default(), weights: FIRST_WEIGHTS }
    }
}

impl Default for Cell {
    fn default() -> Self {
        Self { moments: Moments::default(), weights: FIRST_WEIGHTS, histogram: Histogram::default() }
    }
}

/// Belief about an agent's mean before its own values: `μ`, the spread within an agent `σ²`, and of the agents' means `τ²`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    mean: f64,
    within: f64,
    between: f64,
}

impl Prior {
    /// From the population's cell of the same key, else from the metric as a whole.
    #[must_use]
    pub fn of_population(key: Option<&SharedCell>, metric: &SharedCell) -> Self {
        if let Some(cell) = key
            && cell.balanced.n >= 3.0
        {
            let Moments { n, mean, .. } = cell.balanced;
            let total = cell.balanced.variance();
            let within = (0.01f64).max((cell.within_squares + 2.0 * total.max(0.02)) / (cell.within_n + 2.0));
            let mut between = (0.03 * within).max(total - 0.9 * within).max(within / n);
            if n < 30.0 {
                between += 2.0 / n;
            }
            return Self { mean, within, between };
        }
        if metric.balanced.n >= 3.0 {
            let total = metric.balanced.variance();
            let within = if metric.within_n > 5.0 { (0.02f64).max(metric.within_squares / metric.within_n) } else { (0.05f64).max(total) };
            return Self { mean: metric.balanced.mean, within, between: (0.05 * within).max(total) };
        }
        Self { mean: 5.0, within: 4.0, between: 9.0 }
    }

    /// Narrowed by the group's cell, if it has any value.
    #[must_use]
    pub fn in_group(self, cell: Option<&SharedCell>) -> Self {
        let Some(cell) = cell.filter(|cell| cell.balanced.n > 0.0) else { return self };
        let strength = self.within / self.between;
        let n = cell.balanced.n;
        let counted = n.min(200.0);
        let within = (cell.within_squares + 4.0 * self.within) / (cell.within_n + 4.0);
        let excess = (0.03 * within).max(cell.balanced.variance() - 0.9 * within);
        Self {
            mean: (strength * self.mean + counted * cell.balanced.mean) / (strength + counted),
            within,
            between: (4.0 * self.between + (n / 32.0) * excess) / (4.0 + n / 32.0),
        }
    }

    /// What the agent's next value should look like; `parent` are the moments of the same cell of the agent's version before.
    #[must_use]
    pub fn predict(self, own: Option<&Cell>, parent: Option<Moments>) -> Predictive {
        let Self { mut mean, mut within, between } = self;
        let mut strength = (within / between).clamp(0.1, 20.0);
        let mut df = 4.0;
        if let Some(parent) = parent.filter(|parent| parent.n >= 3.0) {
            let borrowed = (parent.n / 4.0).min(20.0);
            mean = (strength * mean + borrowed * parent.mean) / (strength + borrowed);
            let counted = parent.n.min(50.0);
            within = (4.0 * within + counted * parent.variance()) / (4.0 + counted);
            strength += borrowed;
            df += borrowed;
        }
        let Some(Moments { n, mean: own_mean, squares }) = own.map(|own| own.moments).filter(|moments| moments.n > 0.0) else {
            return Predictive { mean, scale: (within * (1.0 + 1.0 / strength)).sqrt(), df };
        };
        let total = strength + n;
        let shift = if n < 20.0 { strength * n * (own_mean - mean).powi(2) / total } else { 0.0 };
        let variance = ((4.0 * within + squares + shift) / (4.0 + n)).max(VARIANCE_FLOOR);
        Predictive { mean: (strength * mean + n * own_mean) / total, scale: (variance * (1.0 + 1.0 / total)).sqrt(), df: df + n }
    }
}

/// A Student's t for the next value: location `m'`, scale `sc`, degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Predictive {
    /// Location.
    pub mean: f64,
    /// Scale, > 0.
    pub scale: f64,
    /// Degrees of freedom, ≥ 4.
    pub df: f64,
}

impl Predictive {
    /// Distance of `value` in scales.
    #[must_use]
    pub fn standardise(&self, value: f64) -> f64 {
        (value - self.mean) / self.scale
    }
}

/// The three densities of a value and what they give together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Densities {
    /// Student's t; Student's t with wide tails; the cell's own histogram smoothed by both.
    pub parts: [f64; 3],
    /// Weighted sum.
    pub mixture: f64,
}

impl Densities {
    /// The density `P` of `value` under `predictive` and the cell's own history.
    #[must_use]
    pub fn of(value: f64, predictive: &Predictive, own: Option<&Cell>) -> Self {
        Self::with_narrow(StudentT::new(predictive.df).density(predictive.standardise(value)), value, predictive, own)
    }

    /// The same, where `narrow`, Student's t at the standardised value, is known already.
    #[must_use]
    pub fn with_narrow(narrow: f64, value: f64, predictive: &Predictive, own: Option<&Cell>) -> Self {
        let narrow = narrow / predictive.scale;
        let wide_scale = 1.2 * predictive.scale;
        let wide = density_of_three((value - predictive.mean) / wide_scale) / wide_scale;
        let with_history = own.filter(|own| own.histogram.total() > 0);
        let smoothed = with_history.map_or(wide, |Cell { histogram, .. }| {
            let total = f64::from(histogram.total());
            (histogram.mass_around(bin(value)) + (0.8 * narrow + 0.2 * wide) * BIN_WIDTH) / ((total + 1.0) * BIN_WIDTH)
        });
        let weights = with_history.map_or(YOUNG_WEIGHTS, |own| own.weights);
        let parts = [narrow, wide, smoothed];
        Self { parts, mixture: weights.iter().zip(parts).map(|(weight, part)| weight * part).sum() }
    }
}

/// Bin of a value in a cell's histogram.
#[must_use]
pub fn bin(value: f64) -> i16 {
    #[expect(clippy::cast_possible_truncation, reason = "values are logarithms of at most 2^64 or of a capped duration: within ±300")]
    let towards_zero = (value / BIN_WIDTH) as i16;
    towards_zero - i16::from(f64::from(towards_zero) > value / BIN_WIDTH)
}

impl Cell {
    /// Lower edge of the bin that holds the `share` quantile of the histogram; `None` with fewer than 30 values.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let total = self.histogram.total();
        if total < 30 {
            return None;
        }
        let wanted = share * f64::from(total);
        let mut below = 0.0;
        for (bin, count) in self.histogram.entries() {
            let count = f64::from(count);
            if below + count >= wanted {
                return Some((f64::from(bin) + ((wanted - below) / count).clamp(0.0, 1.0)) * BIN_WIDTH);
            }
            below += count;
        }
        None
    }

    /// How often a value in the bin of `value` or a bin beside it was seen.
    #[must_use]
    pub fn count_near(&self, value: f64) -> u64 {
        let centre = bin(value);
        self.histogram.entries().filter(|(bin, _)| bin.abs_diff(centre) <= 1).map(|(_, count)| u64::from(count)).sum()
    }

    /// Learns the weights of the densities and the histogram from `value`; true if the weights are such that others may learn from
    /// them.
    pub fn learn_density(&mut self, value: f64, densities: &Densities, shared: &[f64; 3]) -> bool {
        if self.moments.n == 0.0 {
            self.weights = *shared;
        }
        let mut sum = 0.0;
        for (weight, part) in self.weights.iter_mut().zip(densities.parts) {
            *weight *= part.max(1e-12);
            sum += *weight;
        }
        for (weight, shared) in self.weights.iter_mut().zip(shared.iter()) {
            *weight = 0.995 * (*weight / sum) + 0.005 * shared;
        }
        let is_settled = self.histogram.total() >= 10;
        self.histogram.count(bin(value));
        is_settled
    }

    /// Learns the moments from `value`, drawn in to 3.5 spreads once there are 8 values; what it says is for the cells above.
    pub fn learn_moments(&mut self, value: f64) -> Lesson {
        let Moments { n, mean, .. } = self.moments;
        let value = if n >= 8.0 {
            let reach = 3.5 * self.moments.variance().max(1e-4).sqrt();
            value.clamp(mean - reach, mean + reach)
        } else {
            value
        };
        if n >= FADE_FROM {
            self.moments.fade(1.0 - 1.0 / FADE_FROM);
        }
        let increment = self.moments.learn(value);
        Lesson { n: self.moments.n, value, increment }
    }
}

impl SharedMetric {
    /// Learns from the weights of a settled cell.
    pub fn learn_weights(&mut self, cell: &Cell) {
        for (shared, weight) in self.weights.iter_mut().zip(cell.weights) {
            *shared = 0.999 * *shared + 0.001 * weight;
        }
    }
}

impl SharedCell {
    /// Folds in what another shard has of the same cell, without a bound.
    pub fn add(&mut self, other: &Self) {
        self.balanced.add(&other.balanced);
        self.within_n += other.within_n;
        self.within_squares += other.within_squares;
    }

    /// The same with no more values than a cell counts before old ones fade.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        if self.within_n > SHARED_HALVE_ABOVE {
            self.within_squares *= SHARED_HALVE_ABOVE / self.within_n;
            self.within_n = SHARED_HALVE_ABOVE;
        }
        if self.balanced.n > SHARED_HALVE_ABOVE {
            self.balanced.fade(SHARED_HALVE_ABOVE / self.balanced.n);
        }
        self
    }

    /// One more value of an agent's cell.
    pub fn learn(&mut self, Lesson { n, value, increment }: Lesson) {
        if n > 1.0 {
            if self.within_n > SHARED_HALVE_ABOVE {
                self.within_n *= 0.5;
                self.within_squares *= 0.5;
            }
            self.within_n += 1.0;
            self.within_squares += increment;
        }
        if n <= BALANCED_PER_CELL {
            if self.balanced.n > SHARED_HALVE_ABOVE {
                self.balanced.fade(0.5);
            }
            self.balanced.learn(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Densities, Prior, SharedCell, SharedMetric};

    fn regular(value: f64, times: u32) -> Cell {
        let (mut cell, mut shared) = (Cell::default(), SharedMetric::default());
        for _ in 0..times {
            let predictive = Prior::of_population(None, &SharedCell::default()).predict(Some(&cell), None);
            let densities = Densities::of(value, &predictive, Some(&cell));
            if cell.learn_density(value, &densities, &shared.weights) {
                shared.learn_weights(&cell);
            }
            cell.learn_moments(value);
        }
        cell
    }

    #[test]
    fn a_perfectly_regular_agent_still_has_a_spread() {
        let cell = regular(6.0, 500);
        let predictive = Prior::of_population(None, &SharedCell::default()).predict(Some(&cell), None);
        assert!(predictive.scale > 0.05, "{predictive:?}");
        let (near, far) = (Densities::of(6.0, &predictive, Some(&cell)).mixture, Densities::of(9.0, &predictive, Some(&cell)).mixture);
        assert!(near > 1000.0 * far && far > 0.0, "{near} against {far}");
    }

    #[test]
    fn one_wild_value_is_drawn_in() {
        let mut cell = regular(6.0, 50);
        cell.learn_moments(40.0);
        assert!(cell.moments.mean < 6.01, "{:?}", cell.moments);
    }

    #[test]
    fn a_histogram_halves_and_forgets_single_values() {
        let mut cell = regular(6.0, 3999);
        cell.histogram.count(3);
        assert_eq!(cell.histogram.total(), 4000);
        cell.histogram.count(17);
        assert_eq!((cell.histogram.total(), cell.count_near(1.2)), (2000, 0));
    }

    #[test]
    fn a_cell_is_a_cache_line() {
        assert_eq!(size_of::<Cell>(), 64);
    }

    #[test]
    fn a_stored_cell_is_the_one_that_was_stored() {
        let stored =
            r#"{"moments":{"n":3.0,"mean":1.0,"squares":0.5},"weights":[0.5,0.1,0.4],"histogram":[[-2,1],[2,2]],"histogram_total":3}"#;
        assert_eq!(serde_json::to_string(&serde_json::from_str::<Cell>(stored).unwrap()).unwrap(), stored);
    }

    #[test]
    fn quantiles_need_thirty_values() {
        assert!(regular(6.0, 29).quantile(0.5).is_none());
        let median = regular(6.0, 30).quantile(0.5).unwrap();
        assert!((5.9..6.3).contains(&median), "{median}");
    }

    #[test]
    fn an_agents_later_values_leave_the_balanced_part_alone() {
        let (mut cell, mut parent) = (Cell::default(), SharedCell::default());
        for value in 0..40 {
            parent.learn(cell.learn_moments(f64::from(value)));
        }
        assert!((parent.balanced.n - 32.0).abs() < 1e-12 && (parent.within_n - 39.0).abs() < 1e-12);
    }
}
