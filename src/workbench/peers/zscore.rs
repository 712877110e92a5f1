//! Distances of sizes and durations from what the agent's same tool showed in training: robust (median and MAD) and exponentially
//! weighted.

use std::collections::HashMap;

use super::trace::{Step, Trace, Traces};

/// Added to every spread, so that a constant size does not make the first jitter infinitely odd.
const SPREAD_FLOOR: f64 = 0.05;
/// MAD to standard deviation of a normal distribution.
const MAD_SCALE: f64 = 1.4826;
/// Weight of a new value in the exponentially weighted moments.
const EWMA_WEIGHT: f64 = 0.1;
/// Below this many values of the owner's tool the same tool of the whole fleet is the reference.
const VALUES_MIN: usize = 5;

/// Middle and spread of ln(1+v) per (owner or fleet, tool, metric).
pub(super) struct Reference {
    cells: HashMap<(Option<u32>, u32, usize), (f64, f64)>,
}

impl Reference {
    /// Learns the training sessions; `moments` turns the values of a cell, in order, into middle and spread.
    pub(super) fn learn(traces: &Traces, owner: impl Fn(&Trace) -> u32, moments: fn(&mut [f64]) -> (f64, f64)) -> Self {
        let mut values: HashMap<(Option<u32>, u32, usize), Vec<f64>> = HashMap::new();
        for trace in traces.training() {
            let owner = owner(trace);
            for step in &trace.steps {
                for (metric, size) in step.sizes.iter().enumerate() {
                    if let Some(size) = size {
                        values.entry((Some(owner), step.tool, metric)).or_default().push(*size);
                        values.entry((None, step.tool, metric)).or_default().push(*size);
                    }
                }
            }
        }
        values.retain(|_, values| values.len() >= VALUES_MIN);
        Self { cells: values.into_iter().map(|(key, mut values)| (key, moments(&mut values))).collect() }
    }

    /// The greatest distance among the step's sizes; 0 where nothing is known.
    pub(super) fn distance(&self, owner: u32, step: &Step) -> f64 {
        let mut greatest = 0.0_f64;
        for (metric, size) in step.sizes.iter().enumerate() {
            let cell = self.cells.get(&(Some(owner), step.tool, metric)).or_else(|| self.cells.get(&(None, step.tool, metric)));
            if let (Some(size), Some((middle, spread))) = (size, cell) {
                greatest = greatest.max((size - middle).abs() / (spread + SPREAD_FLOOR));
            }
        }
        greatest
    }
}

/// Median and 1.4826·MAD.
pub(super) fn median_and_mad(values: &mut [f64]) -> (f64, f64) {
    let middle = median(values);
    for value in &mut *values {
        *value = (*value - middle).abs();
    }
    (middle, MAD_SCALE * median(values))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { f64::midpoint(values[half - 1], values[half]) }
}

/// Exponentially weighted mean and standard deviation, λ = 0.1, started at the first value.
fn ewma_moments(values: &mut [f64]) -> (f64, f64) {
    let (mut mean, mut variance) = (values[0], 0.0);
    for &value in &values[1..] {
        let step = value - mean;
        mean += EWMA_WEIGHT * step;
        variance = (1.0 - EWMA_WEIGHT) * (variance + EWMA_WEIGHT * step * step);
    }
    (mean, variance.sqrt())
}

/// Robust z per agent and tool.
pub(super) fn robust(traces: &Traces) -> Vec<f64> {
    greatest_distances(traces, median_and_mad)
}

/// Exponentially weighted z per agent and tool.
pub(super) fn ewma(traces: &Traces) -> Vec<f64> {
    greatest_distances(traces, ewma_moments)
}

fn greatest_distances(traces: &Traces, moments: fn(&mut [f64]) -> (f64, f64)) -> Vec<f64> {
    let reference = Reference::learn(traces, |trace| trace.agent, moments);
    let greatest = |trace: &Trace| trace.steps.iter().map(|step| reference.distance(trace.agent, step)).fold(0.0, f64::max);
    traces.sessions.iter().map(greatest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::peers::trace::traces_of;

    /// Trains on sizes 1 to 5 of tool 2 and scores `size` of tool `tool`.
    #[track_caller]
    fn check(moments: fn(&Traces) -> Vec<f64>, tool: u32, size: f64, expected: f64) {
        let mut traces = traces_of(&[&[2, 2, 2, 2, 2]], &[&[tool]]);
        for (step, value) in traces.sessions[0].steps.iter_mut().zip([1.0, 2.0, 3.0, 4.0, 5.0]) {
            step.sizes[0] = Some(value);
        }
        traces.sessions[1].steps[0].sizes[0] = Some(size);
        let actual = moments(&traces)[1];
        assert!((actual - expected).abs() < 1e-9, "{actual} instead of {expected}");
    }

    #[test]
    fn the_robust_distance_is_in_units_of_the_median_deviation() {
        check(robust, 2, 6.0, 3.0 / (1.4826 + 0.05));
    }

    #[test]
    fn an_unknown_tool_has_no_distance() {
        check(robust, 3, 6.0, 0.0);
    }

    #[test]
    fn the_weighted_distance_remembers_order() {
        let (mean, spread) = ewma_moments(&mut [1.0, 2.0, 3.0, 4.0, 5.0]);
        check(ewma, 2, 6.0, (6.0 - mean) / (spread + 0.05));
        assert!(mean < 3.0 && spread > 0.5, "{mean} {spread}");
    }
}
