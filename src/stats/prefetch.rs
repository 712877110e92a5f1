//! Asks for lines of memory before they are needed. What an event touches of its agent is cold in a large fleet, and the waits are
//! what scoring and judging cost.

/// Bytes that come from memory together.
const LINE: usize = 64;

/// Asks for the lines of memory in which `what` lies; a hint, which changes nothing and reads nothing.
#[inline]
pub fn prefetch<T>(what: *const T) {
    for at in (0..size_of::<T>()).step_by(LINE) {
        ask(what.cast::<i8>().wrapping_add(at));
    }
    if size_of::<T>() > align_of::<T>() {
        ask(what.cast::<i8>().wrapping_add(size_of::<T>() - 1));
    }
}

#[inline]
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "nothing safe asks for memory without waiting for it")]
fn ask(line: *const i8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: every x86-64 has the instruction; it reads nothing into the program and faults at no address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(line) }
}

/// Elsewhere the hint is not given.
#[cfg(not(target_arch = "x86_64"))]
fn ask(_: *const i8) {}
