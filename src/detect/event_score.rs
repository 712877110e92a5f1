//! One event's readings fused into a joint score and into evidence (DETECTION.md, section 2.2).

use super::channel::{CHANNELS, Channel};
use crate::stats::elementary::{self, Lanes};

/// Numbers in [`Lanes`].
const LANES: usize = 4;
/// Room for all channels.
const PLACES: usize = CHANNELS.next_multiple_of(LANES);

/// A channel's answer for one event. A channel whose field is missing has none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// `ln Q/P` against the misuse alternative.
    pub raw: f64,
    /// Calibrated p.
    pub p: f64,
    /// Evidence.
    pub e: f64,
}

impl Reading {
    /// Loud enough to become a fact that may be pinned.
    #[must_use]
    pub fn is_loud(&self) -> bool {
        self.e > 2.0 && self.raw > 1.0
    }
}

/// All readings of one event and what they give together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventReading {
    /// By channel number.
    pub channels: [Option<Reading>; CHANNELS],
    /// Joint score `J`.
    pub joint: f64,
    /// Calibrated p of `J`.
    pub joint_p: f64,
    /// Weighted mean of evidence, `M`.
    pub mean: f64,
    /// Evidence `E` that enters the session.
    pub evidence: f64,
    /// p of the session after this event, at most 1.
    pub session_p: f64,
}

/// Bonus in `J` of a tool that writes.
const WRITE_BONUS: f64 = 2.0;

/// `J`: weighted sum of `ln e`, and more for a write.
#[must_use]
pub fn joint(channels: &[Option<Reading>; CHANNELS], writes: bool) -> f64 {
    let (mut evidence, mut weights, mut len) = ([1.0; PLACES], [0.0; PLACES], 0);
    for (channel, reading) in present(channels) {
        (evidence[len], weights[len]) = (reading.e, channel.joint_weight());
        len += 1;
    }
    let mut sum = 0.0;
    for (four, weights) in evidence[..len.next_multiple_of(LANES)].as_chunks::<LANES>().0.iter().zip(weights.as_chunks::<LANES>().0) {
        let terms = elementary::ln_lanes(Lanes::from(*four)) * Lanes::from(*weights);
        sum = terms.to_array().into_iter().fold(sum, |sum, term| sum + term);
    }
    if writes { sum + WRITE_BONUS } else { sum }
}

/// `M`: weighted mean of evidence.
#[must_use]
pub fn mean(channels: &[Option<Reading>; CHANNELS]) -> f64 {
    let attributes = present(channels).filter(|(channel, _)| channel.attribute().is_some()).count() as f64;
    let (mut sum, mut weights) = (0.0, 0.0);
    for (channel, reading) in present(channels) {
        let weight = channel.mean_weight(attributes);
        sum += weight * reading.e;
        weights += weight;
    }
    sum / weights
}

/// The channels that answered, in their order.
pub fn present(channels: &[Option<Reading>; CHANNELS]) -> impl Iterator<Item = (Channel, &Reading)> {
    Channel::ALL.into_iter().zip(channels).filter_map(|(channel, reading)| reading.as_ref().map(|reading| (channel, reading)))
}
