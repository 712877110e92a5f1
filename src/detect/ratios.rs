//! The ratios of one event whose logarithms are scores, gathered so that they are taken four at a time.

use super::channel::{CHANNELS, Channel};
use super::event_score::PLACES;
use super::family::Families;
use crate::baseline::attribute::ATTRIBUTES;
use crate::baseline::metric::METRICS;
use crate::baseline::{Attribute, Metric};
use crate::stats::elementary;

/// Cap on what one quantity says about identity.
const IDENTITY_VALUE_CAP: f64 = 2.0;

// Where the ratios lie: channels first, then raised sizes, raised durations and the loop, then what tells the group from the agent.
const RAISED_SIZES: usize = CHANNELS;
const RAISED_DURATIONS: usize = RAISED_SIZES + 3;
const LOOP: usize = RAISED_DURATIONS + 3;
const IDENTITY: usize = LOOP + 1;
const IDENTITY_VALUES: usize = IDENTITY + 1 + ATTRIBUTES;
const ALL: usize = IDENTITY_VALUES + METRICS;

/// Gathers; what is not there stays at 1, whose logarithm is 0.
#[derive(Debug)]
pub struct Ratios {
    values: [f64; ALL],
    present: u16,
    has_loop: bool,
    raised: [bool; 2],
}

impl Default for Ratios {
    /// Of nothing yet.
    fn default() -> Self {
        Self { values: [1.0; ALL], present: 0, has_loop: false, raised: [false; 2] }
    }
}

impl Ratios {
    /// `Q/P` of a channel.
    pub fn set_channel(&mut self, channel: Channel, ratio: f64) {
        self.values[channel as usize] = ratio;
        self.present |= 1 << channel as u16;
    }

    /// How much better a loop explains the tool.
    pub fn set_loop(&mut self, ratio: f64) {
        self.values[LOOP] = ratio;
        self.has_loop = true;
    }

    /// How much better raised locations explain a size or duration that is watched for that.
    pub fn set_raised(&mut self, metric: Metric, ratios: [f64; 3]) {
        let is_duration = metric == Metric::Duration;
        let first = if is_duration { RAISED_DURATIONS } else { RAISED_SIZES };
        self.values[first..first + 3].copy_from_slice(&ratios);
        self.raised[usize::from(is_duration)] = true;
    }

    /// How much better the group explains the tool than the agent.
    pub fn set_tool_identity(&mut self, ratio: f64) {
        self.values[IDENTITY] = ratio;
    }

    /// The same of an attribute.
    pub fn set_attribute_identity(&mut self, attribute: Attribute, ratio: f64) {
        self.values[IDENTITY + 1 + attribute as usize] = ratio;
    }

    /// The same of a quantity.
    pub fn set_value_identity(&mut self, metric: Metric, ratio: f64) {
        self.values[IDENTITY_VALUES + metric as usize] = ratio;
    }

    /// Takes the logarithms of all.
    #[must_use]
    pub fn logarithms(&mut self) -> Logarithms<'_> {
        elementary::ln_all(&mut self.values);
        Logarithms(self)
    }
}

/// What [`Ratios`] become: in the same places, their logarithms.
#[derive(Debug)]
pub struct Logarithms<'r>(&'r Ratios);

impl Logarithms<'_> {
    /// Raw scores by channel number, and which there are.
    #[must_use]
    pub fn raws(&self) -> (u16, &[f64; PLACES]) {
        (self.0.present, &self.0.values.as_chunks().0[0])
    }

    /// What the event says for the group and against the agent; `cap` is that of the tool and of each attribute.
    #[must_use]
    pub fn identity(&self, cap: f64) -> f64 {
        let (facts, values) = self.0.values[IDENTITY..].split_at(IDENTITY_VALUES - IDENTITY);
        let sum = facts.iter().fold(0.0, |sum, ln_ratio| sum + ln_ratio.clamp(-cap, cap));
        values.iter().fold(sum, |sum, ln_ratio| sum + ln_ratio.clamp(-IDENTITY_VALUE_CAP, IDENTITY_VALUE_CAP))
    }

    /// Tells what persists.
    pub fn feed_persistence(&self, families: &mut Families) {
        let three = |first: usize| [self.0.values[first], self.0.values[first + 1], self.0.values[first + 2]];
        if self.0.has_loop {
            families.persistence.feed_loop(self.0.values[LOOP]);
        }
        for (metric, first) in [(Metric::BytesOut, RAISED_SIZES), (Metric::Duration, RAISED_DURATIONS)] {
            if self.0.raised[usize::from(metric == Metric::Duration)] {
                families.persistence.feed_value(metric, three(first));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, Channel, Metric, Ratios};
    use crate::baseline::Attribute;

    #[test]
    fn all_ratios_fill_fours() {
        assert_eq!(ALL % 4, 0);
    }

    #[test]
    fn what_was_not_set_says_nothing() {
        let mut ratios = Ratios::default();
        let logarithms = ratios.logarithms();
        assert_eq!(logarithms.raws().0, 0);
        assert!(logarithms.identity(3.0).abs() < 1e-300);
    }

    #[test]
    fn every_ratio_has_its_own_place_and_identity_its_caps() {
        let mut ratios = Ratios::default();
        for (channel, step) in Channel::ALL.into_iter().zip(1..) {
            ratios.set_channel(channel, f64::from(step));
        }
        ratios.set_raised(Metric::BytesOut, [0.5; 3]);
        ratios.set_raised(Metric::Duration, [0.5; 3]);
        ratios.set_loop(0.5);
        ratios.set_tool_identity(1e9);
        ratios.set_attribute_identity(Attribute::SourceNet, 1e-9);
        ratios.set_value_identity(Metric::Gap, 1e9);
        ratios.set_value_identity(Metric::BytesOut, 1.5);
        let logarithms = ratios.logarithms();
        let (present, raws) = logarithms.raws();
        assert_eq!(present.count_ones(), 13);
        assert!(raws.iter().zip(1..=13).all(|(raw, step)| (raw - f64::from(step).ln()).abs() < 1e-15));
        assert!((logarithms.identity(3.0) - (3.0 - 3.0 + 2.0 + 1.5f64.ln())).abs() < 1e-12);
    }
}
