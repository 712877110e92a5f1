//! Scores of this stream against scores of this stream: one calibrator a channel or family and maturity stratum (DETECTION.md, section 2.1).

use serde::{Deserialize, Serialize};

use super::channel::CHANNELS;
use super::event_score::Reading;
use super::family::{FAMILIES, Family};
use super::session::{Step, StoredScores};
use crate::baseline::agent::Stratum;
use crate::stats::calibrator::{self, Calibrator};
use crate::stats::elementary::{self, Lanes};
use crate::stats::evidence;

/// Strata of channels and joint scores: new, young, all others.
const CHANNEL_STRATA: usize = 3;
/// Stratum that the younger ones lean on.
const CHANNEL_BASE: usize = 2;
const FAMILY_BASE: Stratum = Stratum::Mature;

/// All calibrators of a shard.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Calibration {
    channels: Vec<[Calibrator; CHANNEL_STRATA]>,
    joint: [Calibrator; CHANNEL_STRATA],
    families: Vec<[Calibrator; Stratum::COUNT]>,
}

impl Default for Calibration {
    fn default() -> Self {
        let channel = || std::array::from_fn(|_| Calibrator::new(calibrator::CHANNEL));
        let family = || std::array::from_fn(|_| Calibrator::new(calibrator::FAMILY));
        Self { channels: (0..CHANNELS).map(|_| channel()).collect(), joint: channel(), families: (0..FAMILIES).map(|_| family()).collect() }
    }
}

impl Calibration {
    /// The readings of an event's raw scores, by channel; and beside them `e^raw`, the raw being taken as at most 50.
    #[must_use]
    pub fn read(&self, stratum: Stratum, raws: &[Option<f64>; CHANNELS]) -> ([Option<Reading>; CHANNELS], [f64; CHANNELS]) {
        let (mut readings, mut ratios) = ([None; CHANNELS], [1.0; CHANNELS]);
        let mut present = raws.iter().enumerate().filter_map(|(channel, raw)| raw.map(|raw| (channel, raw)));
        loop {
            // Four at a time: what is not there stays at a raw score of 0.
            let (mut channels, mut four, mut len) = ([0; 4], [0.0; 4], 0);
            for (channel, raw) in present.by_ref().take(4) {
                (channels[len], four[len]) = (channel, raw);
                len += 1;
            }
            if len == 0 {
                return (readings, ratios);
            }
            let of_four = elementary::exp_lanes(Lanes::from(four.map(|raw| raw.min(evidence::RAW_MAX)))).to_array();
            let mut ps = [1.0; 4];
            for place in 0..len {
                let ville = calibrator::ville_of_ratio(four[place], of_four[place], evidence::RAW_MAX);
                ps[place] = ranked(&self.channels[channels[place]], channel_stratum(stratum), four[place], ville);
            }
            let evidence = evidence::bounded_e_values(of_four, ps);
            for place in 0..len {
                ratios[channels[place]] = of_four[place];
                readings[channels[place]] = Some(Reading { raw: four[place], p: ps[place], e: evidence[place] });
            }
        }
    }

    /// Calibrated p of an event's joint score.
    #[must_use]
    pub fn joint(&self, stratum: Stratum, joint: f64) -> f64 {
        let stratum = channel_stratum(stratum);
        self.joint[stratum].p_value(joint, (stratum < CHANNEL_BASE).then(|| &self.joint[CHANNEL_BASE]))
    }

    /// Calibrated p of a family's running maximum.
    #[must_use]
    pub fn family(&self, family: Family, stratum: Stratum, maximum: f64) -> f64 {
        let strata = &self.families[family as usize];
        let base = matches!(stratum, Stratum::New | Stratum::Young | Stratum::NewVersion).then(|| &strata[FAMILY_BASE as usize]);
        strata[stratum as usize].p_value(maximum, base)
    }

    /// Sessions that calibrate a stratum.
    #[must_use]
    pub fn sessions(&self, stratum: Stratum) -> f64 {
        self.families[Family::Misuse as usize][stratum as usize].mass()
    }

    /// Adds a closed session: every event's scores, END's too, and the families' final maxima.
    pub fn add(&mut self, stratum: Stratum, steps: &[Step], end: &StoredScores, maxima: impl Iterator<Item = (Family, f64)>) {
        let channel_stratum = channel_stratum(stratum);
        for scores in steps.iter().map(|step| &step.scores).chain([end]) {
            for (channel, bin) in scores.bins() {
                self.channels[channel as usize][channel_stratum].add(bin, 1.0);
            }
            self.joint[channel_stratum].add(scores.joint, 1.0);
        }
        for (family, maximum) in maxima {
            let calibrator = &mut self.families[family as usize][stratum as usize];
            calibrator.add(calibrator.bin(maximum), 1.0);
            calibrator.rebuild();
        }
        for strata in &mut self.channels {
            strata[channel_stratum].rebuild();
        }
        self.joint[channel_stratum].rebuild();
    }
}

fn channel_stratum(stratum: Stratum) -> usize {
    match stratum {
        Stratum::New => 0,
        Stratum::Young => 1,
        Stratum::Settled | Stratum::Mature | Stratum::NewVersion => CHANNEL_BASE,
    }
}

fn ranked(strata: &[Calibrator; CHANNEL_STRATA], stratum: usize, score: f64, ville: f64) -> f64 {
    let base = (stratum < CHANNEL_BASE).then(|| &strata[CHANNEL_BASE]);
    strata[stratum].p_value_bounded(score, ville, base)
}
