//! Four cheap signs added up per step: an unlikely transition, an unseen trigram, an odd size, a new target. Per agent it is what a
//! careful engineer writes in a day; pooled by task type it is the strongest cheap rival on new benign work.

use std::collections::HashSet;

use super::markov::Chain;
use super::trace::{Trace, Traces};
use super::zscore::{Reference, median_and_mad};

/// |z| counts up to here. A tool whose sizes never vary gives distances in the hundreds, which would drown the other signs; of the cuts
/// tried (4, 8, none) this is the one with which the peer is strongest on sessions with injected calls.
const DISTANCE_MAX: f64 = 4.0;

/// surprise/4 + unseen trigram/2 + |z|/8 + new target/2, the greatest of the session's steps and its end.
pub(super) fn score(traces: &Traces, owner: fn(&Trace) -> u32) -> Vec<f64> {
    let chain = Chain::learn(traces, owner);
    let sizes = Reference::learn(traces, owner, median_and_mad);
    let mut trigrams: HashSet<(u32, [u32; 3])> = HashSet::new();
    let mut targets: HashSet<(u32, u32)> = HashSet::new();
    for trace in traces.training() {
        let owner = owner(trace);
        trigrams.extend(trace.padded(2).windows(3).map(|window| (owner, [window[0], window[1], window[2]])));
        targets.extend(trace.steps.iter().filter_map(|step| step.target).map(|target| (owner, target)));
    }
    let loudest = |trace: &Trace| {
        let owner = owner(trace);
        let padded = trace.padded(2);
        let per_step = padded.windows(3).enumerate().map(|(at, window)| {
            let mut sum = chain.surprise(owner, window[1], window[2]) / 4.0;
            if !trigrams.contains(&(owner, [window[0], window[1], window[2]])) {
                sum += 0.5;
            }
            // The last window ends in END, which has neither sizes nor a target.
            if let Some(step) = trace.steps.get(at) {
                sum += sizes.distance(owner, step).min(DISTANCE_MAX) / 8.0;
                if step.target.is_some_and(|target| !targets.contains(&(owner, target))) {
                    sum += 0.5;
                }
            }
            sum
        });
        per_step.fold(0.0, f64::max)
    };
    traces.sessions.iter().map(loudest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::peers::trace::traces_of;

    #[test]
    fn a_new_target_adds_a_half() {
        let mut traces = traces_of(&[&[2], &[2]], &[&[2], &[2]]);
        for trace in &mut traces.sessions {
            trace.steps[0].target = Some(0);
        }
        traces.sessions[3].steps[0].target = Some(1);
        let scores = score(&traces, |trace| trace.agent);
        assert!((scores[3] - scores[2] - 0.5).abs() < 1e-12, "{scores:?}");
    }

    #[test]
    fn an_owner_without_history_is_all_new() {
        let mut traces = traces_of(&[&[2]], &[&[2], &[2]]);
        traces.sessions[2].agent = 1;
        let by_agent = score(&traces, |trace| trace.agent);
        let by_group = score(&traces, |trace| trace.group);
        assert!(by_agent[2] > by_agent[1] + 0.5, "{by_agent:?}");
        assert!((by_group[2] - by_group[1]).abs() < 1e-12, "{by_group:?}");
    }
}
