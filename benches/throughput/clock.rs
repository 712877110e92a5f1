//! Two clocks side by side: CPU time, user and system, of all threads of this process, and wall time.
//!
//! One variant runs at a time, so the CPU time is that of its thread and of whatever threads it starts.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// What some work took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Took {
    /// CPU time of all threads, nanoseconds.
    pub cpu_ns: f64,
    /// Wall time, nanoseconds.
    pub wall_ns: f64,
}

/// Runs `work`; its result is returned so that it cannot be left out.
pub fn measure<T>(work: impl FnOnce() -> T) -> (Took, T) {
    let (cpu_before, wall_before) = (cpu_now_ns(), Instant::now());
    let result = work();
    let took = Took { cpu_ns: cpu_now_ns() - cpu_before, wall_ns: wall_before.elapsed().as_secs_f64() * 1e9 };
    (took, result)
}

fn cpu_now_ns() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}
