//! Six ways in which a session may stand out, each a running maximum, so that it can alarm before the session ends (DETECTION.md, section 2.3).

use serde::{Deserialize, Serialize};

use super::persistence::Persistence;
use crate::stats::elementary;

/// A family of session evidence. The letter is that of DETECTION.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Family {
    /// A: events that look like misuse.
    Misuse = 0,
    /// B: more events than usual.
    Length = 1,
    /// C: more bytes sent in all than usual.
    Total = 2,
    /// D: fits the group better than the agent.
    Identity = 3,
    /// E: repeats, or sizes and durations that stay up.
    Persistence = 4,
    /// V: calls that move too much.
    Volume = 5,
}

/// Number of families.
pub const FAMILIES: usize = 6;

impl Family {
    /// All, in the order of their numbers.
    pub const ALL: [Self; FAMILIES] = [Self::Misuse, Self::Length, Self::Total, Self::Identity, Self::Persistence, Self::Volume];

    /// The letter of DETECTION.md.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Self::Misuse => "A",
            Self::Length => "B",
            Self::Total => "C",
            Self::Identity => "D",
            Self::Persistence => "E",
            Self::Volume => "V",
        }
    }
}

/// Where tempering starts: what a family claims down to here is taken as it is.
const TEMPERED_BELOW: f64 = 0.01;

/// A family's p with what `p / share` claims below 1 % raised to `exponent`.
///
/// For a frozen calibration, which holds as long as the work does: when new benign work arrives, length, identity, repetition and volume
/// reach tails that no calibration session has filled and none will fill, and would outrank calls that look like misuse. The result is
/// never below `p`, so it stays a p-value, and whether a session is below 1 % does not change.
#[must_use]
pub fn tempered(p: f64, share: f64, exponent: f64) -> f64 {
    let start = TEMPERED_BELOW * share;
    if p < start && exponent < 1.0 { start * elementary::exp(exponent * elementary::ln(p / start)) } else { p }
}

/// Events over which evidence of misuse and volume fades.
const MEMORY: f64 = 64.0;

/// The running state of all families of one session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Families {
    usual_length: f64,
    events: u32,
    misuse: f64,
    volume: f64,
    identity: f64,
    /// Repeats, and sizes and durations that stay up.
    pub persistence: Persistence,
    maxima: [f64; FAMILIES],
}

impl Families {
    /// A session of an agent whose sessions usually have `usual_length` events.
    #[must_use]
    pub fn new(usual_length: f64) -> Self {
        Self {
            usual_length,
            events: 0,
            misuse: 0.0,
            volume: 0.0,
            identity: 0.0,
            persistence: Persistence::default(),
            maxima: [f64::NEG_INFINITY; FAMILIES],
        }
    }

    /// One event more, END included.
    pub fn step(&mut self) {
        self.events += 1;
    }

    /// Evidence of misuse `E` of the session's end.
    pub fn add_misuse(&mut self, evidence: f64) {
        self.misuse = self.misuse * ((MEMORY - 1.0) / MEMORY) + evidence;
        self.raise(Family::Misuse, elementary::ln(self.misuse / self.span()));
    }

    /// What the event says for the group and against the agent.
    pub fn add_identity(&mut self, ln_ratio: f64) {
        self.identity += ln_ratio;
        self.raise(Family::Identity, self.identity / f64::from(self.events).sqrt());
    }

    /// All of an event that is no identity: its evidence of misuse `E`, its volume ratio, which is 1 without any size, and how much better
    /// misuse explains the session's length and, where it sent anything, its total. What persists was told to `persistence` before.
    pub fn observe(&mut self, evidence: f64, volume: f64, length: f64, total: Option<f64>) {
        const KEPT: f64 = (MEMORY - 1.0) / MEMORY;
        self.misuse = self.misuse * KEPT + evidence;
        self.volume = self.volume * KEPT + volume;
        let (span, persistence) = (self.span(), self.persistence.ratio());
        let sums = [self.misuse / span, self.volume / span + 1e-6];
        let mut levels = [sums[0], sums[1], length, total.unwrap_or(1.0), persistence.unwrap_or(1.0), 1.0, 1.0, 1.0];
        elementary::ln_all(&mut levels);
        self.raise(Family::Misuse, levels[0]);
        self.raise(Family::Volume, levels[1]);
        self.raise(Family::Length, levels[2]);
        if total.is_some() {
            self.raise(Family::Total, levels[3]);
        }
        if persistence.is_some() {
            self.raise(Family::Persistence, levels[4]);
        }
    }

    /// `Σ ln(group / agent)`: how much better the session fits the group.
    #[must_use]
    pub fn identity_level(&self) -> f64 {
        self.identity
    }

    /// Running maxima by family; -∞ where one is absent.
    #[must_use]
    pub fn all_maxima(&self) -> &[f64; FAMILIES] {
        &self.maxima
    }

    /// The families that are present, with their running maxima.
    pub fn maxima(&self) -> impl Iterator<Item = (Family, f64)> + '_ {
        Family::ALL.into_iter().map(|family| (family, self.maxima[family as usize])).filter(|(_, maximum)| maximum.is_finite())
    }

    fn span(&self) -> f64 {
        f64::from(self.events).min(MEMORY).max(self.usual_length)
    }

    fn raise(&mut self, family: Family, value: f64) {
        let maximum = &mut self.maxima[family as usize];
        *maximum = maximum.max(value);
    }
}

#[cfg(test)]
mod tests {
    use super::tempered;

    #[track_caller]
    fn check(p: f64, share: f64, exponent: f64, expected: f64) {
        let actual = tempered(p, share, exponent);
        assert!((actual - expected).abs() < 1e-15, "{actual} is not {expected}");
    }

    #[test]
    fn only_what_lies_below_one_percent_of_the_share_is_tempered() {
        check(0.001, 0.1, 0.5, 0.001);
        check(0.000_01, 0.1, 0.5, 0.001 * 0.1);
        check(0.000_01, 0.1, 1.0, 0.000_01);
    }

    #[test]
    fn a_tempered_p_is_never_smaller_and_keeps_its_order() {
        let tempered: Vec<f64> = (0..200).map(|step| tempered(0.9_f64.powi(step), 0.1, 0.3)).collect();
        assert!(tempered.windows(2).all(|pair| pair[0] > pair[1]));
        assert!(tempered.iter().zip(0..).all(|(&p, step)| p >= 0.9_f64.powi(step)));
    }
}
