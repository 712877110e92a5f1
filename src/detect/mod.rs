//! Channels, readings, scores: how surprising an event and its session are, given what was known before (DETECTION.md, sections 1 and 2).

pub mod cadence;
pub mod calibration;
pub mod channel;
pub mod detector;

pub mod event_score;
pub mod family;
pub mod gate;
pub mod length;
pub mod novelty;
pub mod observe;
pub mod outcome;
pub mod persistence;
pub mod ratios;
pub mod sequence;
pub mod session;
pub mod spare_lists;
pub mod volume;

pub use calibration::Calibration;
pub use channel::Channel;
pub use detector::{Closed, Detector};
pub use event_score::EventReading;
pub use family::{FAMILIES, Family};
pub use session::OpenSession;
