//! The operator's budget as a threshold: the share of ordinary sessions that may alarm (DETECTION.md, section 2.4).

use serde::{Deserialize, Serialize};

use crate::config::AlarmBudget;

const DAY_MS: f64 = 86_400_000.0;
const HALF_LIFE_MS: f64 = 7.0 * DAY_MS;
/// Until a day of the stream was seen, sessions a day are anybody's guess.
const FIRST_ALPHA: f64 = 0.01;
const ALPHA_MIN: f64 = 1e-4;
const ALPHA_MAX: f64 = 0.05;
/// Sessions among which realised alarms are counted.
const WATCHED_SESSIONS: f64 = 200.0;

/// Turns the budget into a threshold, and watches whether it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    accepted: AlarmBudget,
    partitions: f64,
    /// What was seen so far.
    pub past: Past,
    /// The threshold that would keep the budget lies outside what can be kept.
    pub unreachable: bool,
}

/// The sessions behind the threshold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Past {
    first_ms: Option<i64>,
    last_ms: i64,
    sessions: f64,
    elapsed_ms: f64,
    alarmed: f64,
    watched: f64,
}

impl Budget {
    /// A budget for the whole fleet, of which this shard has its part.
    #[must_use]
    pub fn new(budget: AlarmBudget, partitions: i32) -> Self {
        Self::resumed(budget, partitions, Past::default())
    }

    /// A budget that goes on after what was seen before.
    #[must_use]
    pub fn resumed(budget: AlarmBudget, partitions: i32, past: Past) -> Self {
        let mut resumed = Self { accepted: budget, partitions: f64::from(partitions.max(1)), past, unreachable: false };
        resumed.look();
        resumed
    }

    /// Share of ordinary sessions that may alarm now.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        match self.accepted {
            AlarmBudget::PerSession(alpha) => alpha,
            AlarmBudget::PerDay(_) => self.wanted_alpha().unwrap_or(FIRST_ALPHA).clamp(ALPHA_MIN, ALPHA_MAX),
        }
    }

    /// One session closed at stream time `now_ms`, with or without an alarm.
    pub fn session_closed(&mut self, now_ms: i64, alarmed: bool) {
        let first = *self.past.first_ms.get_or_insert(now_ms);
        let passed = (now_ms - self.past.last_ms.max(first)).max(0) as f64;
        self.past.last_ms = self.past.last_ms.max(now_ms);
        let kept = (-passed / HALF_LIFE_MS).exp2();
        self.past.sessions = self.past.sessions * kept + 1.0;
        let mean_life = HALF_LIFE_MS / std::f64::consts::LN_2;
        self.past.elapsed_ms = self.past.elapsed_ms * kept + mean_life * (1.0 - kept);
        let fade = 1.0 - 1.0 / WATCHED_SESSIONS;
        self.past.watched = self.past.watched * fade + 1.0;
        self.past.alarmed = self.past.alarmed * fade + if alarmed { 1.0 } else { 0.0 };
        self.look();
    }

    /// Far more of the last sessions alarmed than the budget allows: either an attack wave, or work that the baseline does not know.
    #[must_use]
    pub fn is_overrun(&self) -> bool {
        is_far_beyond(self.past.alarmed, self.past.watched, self.alpha())
    }

    fn look(&mut self) {
        self.unreachable = self.wanted_alpha().is_some_and(|alpha| !(ALPHA_MIN..=ALPHA_MAX).contains(&alpha));
    }

    fn wanted_alpha(&self) -> Option<f64> {
        let AlarmBudget::PerDay(alarms) = self.accepted else { return None };
        let seen = self.past.first_ms.map_or(0.0, |first| (self.past.last_ms - first) as f64);
        (seen >= DAY_MS).then(|| alarms / self.partitions / (self.past.sessions / self.past.elapsed_ms * DAY_MS))
    }
}

/// Whether so many alarms among so many sessions are far more than a share of `alpha`.
#[must_use]
pub fn is_far_beyond(alarmed: f64, sessions: f64, alpha: f64) -> bool {
    alarmed >= 6.0 && alarmed > 3.0 * alpha * sessions
}

#[cfg(test)]
mod tests {
    use super::Budget;
    use crate::config::AlarmBudget;

    const HOUR_MS: i64 = 3_600_000;

    /// `per_hour` sessions for `hours`.
    fn after(budget: AlarmBudget, partitions: i32, hours: i64, per_hour: i64) -> Budget {
        let mut running = Budget::new(budget, partitions);
        for session in 0..hours * per_hour {
            running.session_closed(session * HOUR_MS / per_hour, false);
        }
        running
    }

    #[track_caller]
    fn check(budget: &Budget, expected: f64) {
        assert!((budget.alpha() / expected - 1.0).abs() < 0.02, "{} is not {expected}", budget.alpha());
    }

    #[test]
    fn alarms_a_day_become_a_share_of_the_days_sessions() {
        check(&after(AlarmBudget::PerDay(5.0), 1, 72, 40), 5.0 / 960.0);
    }

    #[test]
    fn partitions_share_a_daily_budget() {
        check(&after(AlarmBudget::PerDay(20.0), 4, 72, 40), 5.0 / 960.0);
    }

    #[test]
    fn the_first_day_is_judged_at_one_percent() {
        check(&after(AlarmBudget::PerDay(5.0), 1, 23, 40), 0.01);
    }

    #[test]
    fn a_budget_that_cannot_be_kept_says_so() {
        let few = after(AlarmBudget::PerDay(0.001), 1, 72, 40);
        check(&few, 1e-4);
        assert!(few.unreachable);
        assert!(!after(AlarmBudget::PerDay(5.0), 1, 72, 40).unreachable);
    }

    #[test]
    fn a_run_of_alarms_is_an_overrun() {
        let mut budget = after(AlarmBudget::PerSession(0.01), 1, 10, 20);
        assert!(!budget.is_overrun());
        for _ in 0..10 {
            budget.session_closed(0, true);
        }
        assert!(budget.is_overrun());
    }
}
