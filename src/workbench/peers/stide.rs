//! STIDE (Forrest et al. 1996, Warrender et al. 1999): windows of tool calls never seen in training, counted within a locality frame.

use std::collections::HashSet;

use super::trace::{Trace, Traces};

/// Windows over which mismatches are counted.
const LOCALITY_FRAME: usize = 20;

/// The greatest number of unseen windows of `width` within any 20 successive ones, per agent.
pub(super) fn score(traces: &Traces, width: usize) -> Vec<f64> {
    let mut seen: HashSet<(u32, Vec<u32>)> = HashSet::new();
    for trace in traces.training() {
        seen.extend(trace.padded(width - 1).windows(width).map(|window| (trace.agent, window.to_vec())));
    }
    let loudest_frame = |trace: &Trace| {
        let unseen: Vec<bool> =
            trace.padded(width - 1).windows(width).map(|window| !seen.contains(&(trace.agent, window.to_vec()))).collect();
        let frames = unseen.windows(LOCALITY_FRAME.min(unseen.len()));
        frames.map(|frame| frame.iter().filter(|&&unseen| unseen).count()).max().unwrap_or(0) as f64
    };
    traces.sessions.iter().map(loudest_frame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workbench::peers::trace::traces_of;

    #[track_caller]
    fn check(width: usize, test: &[u32], expected: f64) {
        let traces = traces_of(&[&[2, 3, 4], &[2, 3]], &[test]);
        assert!((score(&traces, width)[2] - expected).abs() < 1e-12, "{:?}", score(&traces, width));
    }

    #[test]
    fn what_was_seen_has_no_unseen_window() {
        check(3, &[2, 3, 4], 0.0);
        check(6, &[2, 3], 0.0);
    }

    #[test]
    fn one_new_tool_spoils_every_window_that_holds_it() {
        // START START 2 · START 2 5 · 2 5 3 · 5 3 END
        check(3, &[2, 5, 3], 3.0);
    }

    #[test]
    fn no_more_than_a_frame_counts() {
        check(3, &[5; 60], 20.0);
    }
}
