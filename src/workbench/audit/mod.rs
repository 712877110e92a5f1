//! The why-trail read back: whether it is whole and untouched, and what it tells.

pub mod story;
#[cfg(test)]
mod tampering;
pub mod verify;
