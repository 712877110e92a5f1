//! How long an attack ran before the session's running p fell below α.

use serde::Serialize;

/// One attack session whose first labelled event is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delay {
    /// Place of the first alarm in the session minus place of the first labelled event; `None` when nothing alarmed.
    pub events: Option<i64>,
    /// The same in seconds of event time, where the session's clock is real.
    pub seconds: Option<f64>,
}

/// Delays over all attack sessions with a labelled event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DelayMeasures {
    /// Attack sessions with a labelled event.
    pub sessions: u64,
    /// Median events from the first labelled event to the alarm, over the sessions found.
    pub median_events: Option<f64>,
    /// Share of all these sessions with the alarm at the first labelled event or before it.
    pub share_at_once: Option<f64>,
    /// Share of all these sessions without alarm.
    pub share_missed: Option<f64>,
    /// Median seconds, over the sessions found whose clock is real.
    pub median_seconds: Option<f64>,
}

impl DelayMeasures {
    /// Summary of `delays`.
    #[must_use]
    pub fn of(delays: &[Delay]) -> Self {
        let share = |count: usize| (!delays.is_empty()).then(|| count as f64 / delays.len() as f64);
        let found: Vec<i64> = delays.iter().filter_map(|delay| delay.events).collect();
        Self {
            sessions: delays.len() as u64,
            median_events: median(found.iter().map(|&events| events as f64).collect()),
            share_at_once: share(found.iter().filter(|&&events| events <= 0).count()),
            share_missed: share(delays.len() - found.len()),
            median_seconds: median(delays.iter().filter_map(|delay| delay.seconds).collect()),
        }
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delay(events: Option<i64>, seconds: Option<f64>) -> Delay {
        Delay { events, seconds }
    }

    #[test]
    fn the_median_counts_found_sessions_and_the_shares_count_all() {
        let delays = [delay(Some(-1), Some(-2.0)), delay(Some(0), None), delay(Some(4), Some(9.0)), delay(None, None)];
        let measures = DelayMeasures::of(&delays);
        assert_eq!(measures.median_events, Some(0.0));
        assert_eq!(measures.share_at_once, Some(0.5));
        assert_eq!(measures.share_missed, Some(0.25));
        assert_eq!(measures.median_seconds, Some(3.5));
    }

    #[test]
    fn without_attacks_there_is_no_delay() {
        assert_eq!(DelayMeasures::of(&[]).share_missed, None);
    }
}
