//! The wish to end, shared by every thread of the service.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Asked once, heard by all. Clones share the wish.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    requested_at: Mutex<Option<Instant>>,
    changed: Condvar,
}

impl Stop {
    /// A wish that nobody has yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks every thread to finish, commit and end.
    pub fn request(&self) {
        self.0.requested_at.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
        self.0.changed.notify_all();
    }

    /// Whether the end was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.since().is_some()
    }

    /// How long ago the end was asked for.
    #[must_use]
    pub fn since(&self) -> Option<Duration> {
        self.0.requested_at.lock().unwrap_or_else(PoisonError::into_inner).map(|at| at.elapsed())
    }

    /// Sleeps, but not past the wish to end.
    pub fn sleep(&self, duration: Duration) {
        let requested_at = self.0.requested_at.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.0.changed.wait_timeout_while(requested_at, duration, |requested_at| requested_at.is_none()));
    }
}
