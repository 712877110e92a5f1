//! Ends the process when a call into the client library does not come back.
//!
//! A transactional call can hang for ever when a broker leaves the metadata for seconds. Nothing inside the library ends it, a
//! restart does and recovers exactly, so the service runs under a supervisor.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Stop;

/// No call is given more than ten seconds; three times that is no slow answer.
pub const HANGS_AFTER: Duration = Duration::from_secs(30);

/// The call that a lane is in, if any.
#[derive(Debug, Default)]
pub struct Watch(Mutex<Option<(&'static str, Instant)>>);

impl Watch {
    /// Runs `call` under watch.
    pub fn over<T>(&self, name: &'static str, call: impl FnOnce() -> T) -> T {
        self.set(Some((name, Instant::now())));
        let answer = call();
        self.set(None);
        answer
    }

    fn set(&self, running: Option<(&'static str, Instant)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = running;
    }

    fn hanging(&self, after: Duration) -> Option<&'static str> {
        let running = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.filter(|(_, since)| since.elapsed() > after).map(|(name, _)| name)
    }
}

/// Looks at the watches until `done`; `on_hang` is told the name of the first call that has run longer than `after`.
pub fn guard(watches: &[Arc<Watch>], done: &Stop, after: Duration, on_hang: impl FnOnce(&'static str)) {
    while !done.is_requested() {
        if let Some(name) = watches.iter().find_map(|watch| watch.hanging(after)) {
            on_hang(name);
            return;
        }
        done.sleep(after / 30);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Watches a call of `call_ms` with a limit of 150 ms.
    #[track_caller]
    fn check(call_ms: u64, expected: Option<&str>) {
        let (watch, done) = (Arc::new(Watch::default()), Stop::new());
        let mut hung = None;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                watch.over("commit", || std::thread::sleep(Duration::from_millis(call_ms)));
                done.request();
            });
            guard(&[Arc::clone(&watch)], &done, Duration::from_millis(150), |name| hung = Some(name));
        });
        assert_eq!(hung, expected);
    }

    #[test]
    fn a_call_that_returns_is_left_alone() {
        check(1, None);
    }

    #[test]
    fn a_call_that_hangs_is_named() {
        check(600, Some("commit"));
    }
}
