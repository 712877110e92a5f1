//! Asks for lines of memory before they are needed. What an event touches of its agent is cold in a large fleet, and the waits are
//! what judging costs.

/// Asks for the line of memory at which `what` begins; a hint, which changes nothing.
pub(super) fn prefetch<T>(what: &T) {
    prefetch_after::<0, T>(what);
}

/// Asks for the line so many bytes behind the beginning of `what`.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "nothing safe asks for memory without waiting for it")]
pub(super) fn prefetch_after<const BYTES: usize, T>(what: &T) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: every x86-64 has the instruction; it reads nothing into the program and faults at no address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(what).cast::<i8>().wrapping_add(BYTES)) }
}

/// Elsewhere the hint is not given.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn prefetch_after<const BYTES: usize, T>(_: &T) {}
