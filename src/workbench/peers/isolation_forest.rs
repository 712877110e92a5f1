//! Isolation forest (Liu, Ting, Zhou 2008) over one vector a session, one forest for the fleet.

use std::collections::HashMap;

use rand::seq::index;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::trace::{Trace, Traces};

const TREES: usize = 200;
const SAMPLES: usize = 256;
/// The tools used most have a count of their own in the vector.
const TOOLS_MAX: usize = 100;
const SEED: u64 = 1;
/// Euler's constant.
const EULER: f64 = 0.577_215_664_901_532_9;

/// 2^(−mean depth / expected depth): 1 is isolated at once, 0.5 is ordinary.
pub(super) fn score(traces: &Traces) -> Vec<f64> {
    let vectors = vectors(traces);
    let training: Vec<&[f64]> =
        traces.sessions.iter().zip(&vectors).filter(|(trace, _)| trace.training).map(|(_, vector)| vector.as_slice()).collect();
    if training.is_empty() {
        return vec![0.5; vectors.len()];
    }
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let samples = SAMPLES.min(training.len());
    let depth_max = samples.next_power_of_two().ilog2();
    let trees: Vec<Node> = (0..TREES)
        .map(|_| {
            let mut sample: Vec<&[f64]> = index::sample(&mut random, training.len(), samples).iter().map(|at| training[at]).collect();
            Node::grow(&mut sample, depth_max, &mut random)
        })
        .collect();
    let ordinary_depth = expected_depth(samples).max(1.0);
    let isolation = |vector: &Vec<f64>| {
        let depth: f64 = trees.iter().map(|tree| tree.depth_of(vector)).sum();
        (-(depth / TREES as f64) / ordinary_depth).exp2()
    };
    vectors.iter().map(isolation).collect()
}

enum Node {
    Leaf { size: usize },
    Split { feature: usize, at: f64, below: Box<Node>, above: Box<Node> },
}

impl Node {
    fn grow(sample: &mut [&[f64]], depth_left: u32, random: &mut ChaCha8Rng) -> Self {
        let leaf = Self::Leaf { size: sample.len() };
        if sample.len() <= 1 || depth_left == 0 {
            return leaf;
        }
        let range = |feature: usize| {
            sample
                .iter()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), vector| (low.min(vector[feature]), high.max(vector[feature])))
        };
        let varied: Vec<(usize, f64, f64)> = (0..sample[0].len())
            .map(|feature| (feature, range(feature)))
            .filter(|(_, (low, high))| low < high)
            .map(|(feature, (low, high))| (feature, low, high))
            .collect();
        if varied.is_empty() {
            return leaf;
        }
        let (feature, low, high) = varied[random.random_range(0..varied.len())];
        let at = random.random_range(low..high);
        sample.sort_by(|a, b| a[feature].total_cmp(&b[feature]));
        let cut = sample.partition_point(|vector| vector[feature] <= at);
        let (below, above) = sample.split_at_mut(cut);
        Self::Split {
            feature,
            at,
            below: Box::new(Self::grow(below, depth_left - 1, random)),
            above: Box::new(Self::grow(above, depth_left - 1, random)),
        }
    }

    fn depth_of(&self, vector: &[f64]) -> f64 {
        match self {
            Self::Leaf { size } => expected_depth(*size),
            Self::Split { feature, at, below, above } => {
                1.0 + if vector[*feature] <= *at { below.depth_of(vector) } else { above.depth_of(vector) }
            }
        }
    }
}

/// Mean depth of an unsuccessful search in a binary search tree of `size` items.
fn expected_depth(size: usize) -> f64 {
    match size {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let n = size as f64;
            2.0 * ((n - 1.0).ln() + EULER) - 2.0 * (n - 1.0) / n
        }
    }
}

/// Per session: counts of the tools used most, ln(1+n), greatest and total ln bytes, failures, new transitions, new targets. New means not
/// in any *other* training session of the agent, so that the forest meets both values while it grows.
fn vectors(traces: &Traces) -> Vec<Vec<f64>> {
    let mut uses: HashMap<u32, u64> = HashMap::new();
    let mut sessions_with_pair: HashMap<(u32, u32, u32), u32> = HashMap::new();
    let mut sessions_with_target: HashMap<(u32, u32), u32> = HashMap::new();
    for trace in traces.training() {
        for step in &trace.steps {
            *uses.entry(step.tool).or_default() += 1;
        }
        for (from, to) in pairs(trace) {
            *sessions_with_pair.entry((trace.agent, from, to)).or_default() += 1;
        }
        for target in targets(trace) {
            *sessions_with_target.entry((trace.agent, target)).or_default() += 1;
        }
    }
    let mut by_use: Vec<(u32, u64)> = uses.into_iter().collect();
    by_use.sort_by_key(|&(tool, count)| (std::cmp::Reverse(count), tool));
    by_use.truncate(TOOLS_MAX);
    let place: HashMap<u32, usize> = by_use.iter().enumerate().map(|(place, &(tool, _))| (tool, place)).collect();
    let vector = |trace: &Trace| {
        let mut vector = vec![0.0; by_use.len()];
        let (mut greatest, mut total, mut failures) = ([0.0_f64; 3], [0.0; 3], 0.0);
        for step in &trace.steps {
            if let Some(&place) = place.get(&step.tool) {
                vector[place] += 1.0;
            }
            for (metric, size) in step.sizes.iter().enumerate() {
                let size = size.unwrap_or(0.0);
                greatest[metric] = greatest[metric].max(size);
                total[metric] += size;
            }
            failures += f64::from(u8::from(step.failed));
        }
        let own = u32::from(trace.training);
        let elsewhere = |count: Option<&u32>| count.copied().unwrap_or(0) > own;
        let new_pairs = pairs(trace).iter().filter(|&&(from, to)| !elsewhere(sessions_with_pair.get(&(trace.agent, from, to)))).count();
        let new_targets = targets(trace).iter().filter(|&&target| !elsewhere(sessions_with_target.get(&(trace.agent, target)))).count();
        vector.push((trace.steps.len() as f64).ln_1p());
        vector.extend(greatest);
        vector.extend(total);
        vector.extend([failures, new_pairs as f64, new_targets as f64]);
        vector
    };
    traces.sessions.iter().map(vector).collect()
}

/// The different transitions of a session.
fn pairs(trace: &Trace) -> Vec<(u32, u32)> {
    let mut pairs: Vec<(u32, u32)> = trace.padded(1).windows(2).map(|pair| (pair[0], pair[1])).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

/// The different targets of a session.
fn targets(trace: &Trace) -> Vec<u32> {
    let mut targets: Vec<u32> = trace.steps.iter().filter_map(|step| step.target).collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::peers::trace::traces_of;

    #[test]
    fn a_session_of_new_tools_and_great_length_is_isolated_sooner() {
        let ordinary: Vec<Vec<u32>> = (0..60).map(|run| vec![2; 1 + run % 4]).collect();
        let training: Vec<&[u32]> = ordinary.iter().map(Vec::as_slice).collect();
        let traces = traces_of(&training, &[&[2, 2], &[3; 30]]);
        let scores = score(&traces);
        assert!(scores[61] > scores[60] + 0.01, "{} {}", scores[60], scores[61]);
        assert_eq!(scores, score(&traces), "the forest is seeded");
    }

    #[test]
    fn without_training_every_session_is_ordinary() {
        let traces = traces_of(&[], &[&[2], &[3]]);
        assert_eq!(score(&traces), [0.5, 0.5]);
    }
}
