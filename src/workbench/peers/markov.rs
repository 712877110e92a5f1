//! First-order Markov chain with additive smoothing: how unlikely the least likely transition is.

use std::collections::HashMap;

use super::trace::{Trace, Traces};

/// Smoothing mass per symbol.
const PSEUDO_COUNT: f64 = 0.5;

/// Transition counts per owner (an agent, or a group).
pub(super) struct Chain {
    pairs: HashMap<(u32, u32, u32), f64>,
    totals: HashMap<(u32, u32), f64>,
    symbols: f64,
}

impl Chain {
    /// Learns the training sessions, each for the owner that `owner` names.
    pub(super) fn learn(traces: &Traces, owner: impl Fn(&Trace) -> u32) -> Self {
        // Every tool and END can follow; START cannot.
        let symbols = traces.tool_count() as f64 - 1.0;
        let mut chain = Self { pairs: HashMap::new(), totals: HashMap::new(), symbols };
        for trace in traces.training() {
            let owner = owner(trace);
            for pair in trace.padded(1).windows(2) {
                *chain.pairs.entry((owner, pair[0], pair[1])).or_default() += 1.0;
                *chain.totals.entry((owner, pair[0])).or_default() += 1.0;
            }
        }
        chain
    }

    /// −ln((c+.5)/(n+.5·V)) of the transition.
    pub(super) fn surprise(&self, owner: u32, from: u32, to: u32) -> f64 {
        let count = self.pairs.get(&(owner, from, to)).copied().unwrap_or(0.0);
        let total = self.totals.get(&(owner, from)).copied().unwrap_or(0.0);
        -((count + PSEUDO_COUNT) / (total + PSEUDO_COUNT * self.symbols)).ln()
    }
}

/// The least likely transition of each session, per agent.
pub(super) fn score(traces: &Traces) -> Vec<f64> {
    let chain = Chain::learn(traces, |trace| trace.agent);
    let loudest = |trace: &Trace| {
        let padded = trace.padded(1);
        padded.windows(2).map(|pair| chain.surprise(trace.agent, pair[0], pair[1])).fold(0.0, f64::max)
    };
    traces.sessions.iter().map(loudest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::peers::trace::traces_of;

    #[test]
    fn the_least_likely_transition_is_the_score() {
        let traces = traces_of(&[&[2, 3], &[2, 3], &[2]], &[&[2, 3], &[3, 2]]);
        let scores = score(&traces);
        // 9 symbols may follow (8 tools and END): START→2 in 3 of 3, 2→3 in 2 of 3, 3→END in 2 of 2; START→3 never.
        assert!((scores[3] - -((2.5_f64 / 7.5).ln())).abs() < 1e-12, "{scores:?}");
        assert!((scores[4] - -((0.5_f64 / 7.5).ln())).abs() < 1e-12, "{scores:?}");
    }
}
