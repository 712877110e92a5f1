//! What several shards know of one group or of the population, added up: sums without a bound, from which a baseline is made that
//! counts no more than one of a single shard could.

use std::hash::Hash;

use serde::{Deserialize, Serialize};

use super::attribute::ATTRIBUTES;
use super::group::{GroupBaseline, SharedCells};
use super::metric::METRICS;
use super::population::{ExpertWeights, Population};
use super::sequence::{Context, Counts, EXPERTS, Nodes, renumbered, with_tool};
use super::tools::{Renumbering, ToolId, UNMODELLED};
use super::volume::{FIRST_WEIGHTS, SharedCell, SharedMetric};
use crate::stats::count_node::{CountNode, Symbol};
use crate::stats::table::Table;

/// Sums over shards.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Pool {
    sequence: Sums<ToolId>,
    attributes: Sums<u64>,
    any: [Sum<u64>; ATTRIBUTES],
    status: Sums<u8>,
    cells: SharedCells,
    metrics: [SharedCell; METRICS],
    metric_weights: [Mean<[f64; 3]>; METRICS],
    events: SharedCell,
    bytes: SharedCell,
    sessions: u64,
    weights: Mean<[f64; EXPERTS]>,
}

type Sums<K> = Table<Sum<K>>;

/// Counts by symbol, in the order of the symbols.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sum<K>(Vec<(K, u32)>);

impl<K> Default for Sum<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// A mean of several weights, each counting for what stands behind it.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Mean<W> {
    sum: W,
    behind: f64,
}

impl<const N: usize> Mean<[f64; N]> {
    fn of(weights: [f64; N], behind: f64) -> Self {
        Self { sum: weights.map(|weight| weight * behind), behind }
    }

    fn add(&mut self, other: &Self) {
        for (sum, other) in self.sum.iter_mut().zip(other.sum) {
            *sum += other;
        }
        self.behind += other.behind;
    }

    fn or(&self, nobody: [f64; N]) -> [f64; N] {
        if self.behind > 0.0 { self.sum.map(|sum| sum / self.behind) } else { nobody }
    }
}

impl<K: Copy + Ord> Sum<K> {
    fn add(&mut self, counts: impl IntoIterator<Item = (K, u32)>) {
        self.0.extend(counts);
        // What is there is in order: the stable sort takes it as one run.
        self.0.sort_by_key(|entry| entry.0);
        self.0.dedup_by(|later, first| {
            let is_same = later.0 == first.0;
            if is_same {
                first.1 = first.1.saturating_add(later.1);
            }
            is_same
        });
    }
}

impl Pool {
    /// What one shard knows of a group.
    #[must_use]
    pub fn of_group(group: &GroupBaseline) -> Self {
        let GroupBaseline { name: _, counts, cells, events, bytes, sessions } = group;
        Self { cells: cells.clone(), events: *events, bytes: *bytes, sessions: *sessions, ..Self::of_counts(counts) }
    }

    /// What one shard knows of the population.
    #[must_use]
    pub fn of_population(population: &Population) -> Self {
        let Population { counts, cells, metrics, events, bytes, weights } = population;
        Self {
            cells: cells.clone(),
            metrics: metrics.map(|metric| metric.cell),
            metric_weights: metrics.map(|metric| Mean::of(metric.weights, metric.cell.within_n)),
            events: *events,
            bytes: *bytes,
            weights: Mean::of(weights.0, events.balanced.n),
            ..Self::of_counts(counts)
        }
    }

    fn of_counts(counts: &Counts) -> Self {
        fn sums<K: Symbol>(nodes: &Nodes<K>) -> Sums<K> {
            let mut sums = Sums::default();
            for (&context, node) in nodes.iter() {
                sums.or_default(context).add(counted(node));
            }
            sums
        }
        fn counted<K: Symbol>(node: &CountNode<K>) -> impl Iterator<Item = (K, u32)> {
            node.iter().map(|(symbol, count)| (symbol, u32::from(count)))
        }
        let Counts { sequence, attributes, any, status } = counts;
        let mut pool = Self { sequence: sums(sequence), attributes: sums(attributes), status: sums(status), ..Self::default() };
        for (sum, node) in pool.any.iter_mut().zip(any) {
            sum.add(counted(node));
        }
        pool
    }

    /// Adds what others know, under other numbers for tools. What has no number here is left out.
    pub fn add(&mut self, other: &Self, numbers: &Renumbering) {
        fn add<K: Copy + Ord + Hash>(
            sums: &mut Sums<K>,
            others: &Sums<K>,
            context: impl Fn(Context) -> Context,
            symbol: impl Fn(K) -> Option<K>,
        ) {
            for (&theirs, sum) in others.iter() {
                sums.or_default(context(theirs)).add(sum.0.iter().filter_map(|&(theirs, count)| Some((symbol(theirs)?, count))));
            }
        }
        let key = |key| with_tool(key, 0, numbers);
        add(
            &mut self.sequence,
            &other.sequence,
            |context| renumbered(context, numbers),
            |tool| Some(numbers.of(tool)).filter(|&tool| tool != UNMODELLED),
        );
        add(&mut self.attributes, &other.attributes, key, Some);
        add(&mut self.status, &other.status, key, Some);
        for (sum, other) in self.any.iter_mut().zip(&other.any) {
            sum.add(other.0.iter().copied());
        }
        for (&theirs, cell) in other.cells.iter() {
            let here = key(theirs);
            // Cells of several tools without a number would be added in no fixed order.
            if here == theirs || here & u64::from(ToolId::MAX) != u64::from(UNMODELLED) {
                self.cells.or_default(here).add(cell);
            }
        }
        for (metric, other) in self.metrics.iter_mut().zip(&other.metrics) {
            metric.add(other);
        }
        for (weights, other) in self.metric_weights.iter_mut().zip(&other.metric_weights) {
            weights.add(other);
        }
        self.events.add(&other.events);
        self.bytes.add(&other.bytes);
        self.sessions += other.sessions;
        self.weights.add(&other.weights);
    }

    /// The group that all of them are.
    #[must_use]
    pub fn group(&self, name: &str) -> GroupBaseline {
        GroupBaseline {
            name: name.into(),
            counts: self.counts(),
            cells: self.bounded_cells(),
            events: self.events.bounded(),
            bytes: self.bytes.bounded(),
            sessions: self.sessions,
        }
    }

    /// The population that all of them are.
    #[must_use]
    pub fn population(&self) -> Population {
        let mut metrics = self.metrics.map(|cell| SharedMetric { cell: cell.bounded(), ..SharedMetric::default() });
        for (metric, weights) in metrics.iter_mut().zip(&self.metric_weights) {
            metric.weights = weights.or(FIRST_WEIGHTS);
        }
        Population {
            counts: self.counts(),
            cells: self.bounded_cells(),
            metrics,
            events: self.events.bounded(),
            bytes: self.bytes.bounded(),
            weights: ExpertWeights(self.weights.or(ExpertWeights::default().0)),
        }
    }

    /// The most frequent values of each attribute, whatever the tool; in no particular order.
    pub fn frequent_values(&self, of_each: usize) -> impl Iterator<Item = u64> {
        self.any.iter().flat_map(move |sum| {
            let mut values = sum.0.clone();
            if values.len() > of_each {
                values.select_nth_unstable_by_key(of_each, |&(value, count)| (u32::MAX - count, value));
                values.truncate(of_each);
            }
            values.into_iter().map(|entry| entry.0)
        })
    }

    fn counts(&self) -> Counts {
        fn nodes<K: Symbol>(sums: &Sums<K>) -> Nodes<K> {
            let mut nodes = Nodes::default();
            for (&context, sum) in sums.iter() {
                *nodes.or_default(context) = CountNode::pooled(sum.0.iter().copied());
            }
            nodes
        }
        Counts {
            sequence: nodes(&self.sequence),
            attributes: nodes(&self.attributes),
            any: std::array::from_fn(|attribute| CountNode::pooled(self.any[attribute].0.iter().copied())),
            status: nodes(&self.status),
        }
    }

    fn bounded_cells(&self) -> SharedCells {
        let mut cells = SharedCells::default();
        for (&key, cell) in self.cells.iter() {
            *cells.or_default(key) = cell.bounded();
        }
        cells
    }
}
