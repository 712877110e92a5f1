//! One event's readings fused into a joint score and into evidence (DETECTION.md, section 2.2).

use super::channel::{CHANNELS, Channel};
use crate::baseline::observation::ones;

/// Room for all channels, four at a time.
pub const PLACES: usize = CHANNELS.next_multiple_of(4);

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

/// The answers of an event's channels, by channel number; where one has none its numbers mean nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Readings {
    /// Channels that answered.
    pub(super) present: u16,
    pub(super) raw: [f64; PLACES],
    pub(super) p: [f64; PLACES],
    pub(super) e: [f64; PLACES],
}

impl Readings {
    /// A channel's answer.
    #[must_use]
    pub fn get(&self, channel: Channel) -> Option<Reading> {
        (self.present >> channel as u16 & 1 == 1).then(|| self.at(channel as usize))
    }

    /// The channels that answered, in their order.
    pub fn present(&self) -> impl Iterator<Item = (Channel, Reading)> + '_ {
        ones(self.present).map(|channel| (Channel::ALL[channel], self.at(channel)))
    }

    /// Channels that are loud, by number.
    #[must_use]
    pub fn loud(&self) -> u16 {
        ones(self.present).filter(|&channel| self.at(channel).is_loud()).fold(0, |mask, channel| mask | 1 << channel)
    }

    fn at(&self, channel: usize) -> Reading {
        Reading { raw: self.raw[channel], p: self.p[channel], e: self.e[channel] }
    }
}

/// All readings of one event and what they give together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventReading {
    /// By channel.
    pub channels: Readings,
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

/// By channel: the weights of `J`.
const JOINT_WEIGHTS: [f64; CHANNELS] = weights(false);
/// By channel: the weights of `M`, but for attributes, which share theirs.
const MEAN_WEIGHTS: [f64; CHANNELS] = weights(true);

const fn weights(of_mean: bool) -> [f64; CHANNELS] {
    let mut weights = [0.0; CHANNELS];
    let mut channel = 0;
    while channel < CHANNELS {
        weights[channel] = if of_mean { Channel::ALL[channel].mean_weight() } else { Channel::ALL[channel].joint_weight() };
        channel += 1;
    }
    weights
}

/// `J`: weighted sum of `ln e`, given by channel number, and more for a write.
#[must_use]
pub fn joint(present: u16, logarithms: &[f64; PLACES], writes: bool) -> f64 {
    let sum = ones(present).fold(0.0, |sum, channel| sum + logarithms[channel] * JOINT_WEIGHTS[channel]);
    if writes { sum + WRITE_BONUS } else { sum }
}

/// `M`: weighted mean of evidence.
#[must_use]
pub fn mean(readings: &Readings) -> f64 {
    let attributes = readings.present & Channel::ATTRIBUTES;
    let shared = Channel::ATTRIBUTES_WEIGHT / f64::from(attributes.count_ones());
    let (mut sum, mut weights) = (0.0, 0.0);
    for channel in ones(readings.present) {
        let weight = if attributes >> channel & 1 == 1 { shared } else { MEAN_WEIGHTS[channel] };
        sum += weight * readings.e[channel];
        weights += weight;
    }
    sum / weights
}
