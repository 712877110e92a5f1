//! Scores of this stream against scores of this stream: one calibrator a channel or family and maturity stratum (DETECTION.md, section 2.1).

#![expect(clippy::inline_always, reason = "only what is inlined into a kernel takes on the features of the processor")]

use serde::{Deserialize, Serialize};

use super::channel::CHANNELS;
use super::event_score::{PLACES, Readings};
use super::family::{FAMILIES, Family};
use super::session::{Step, StoredScores};
use crate::baseline::agent::Stratum;
use crate::baseline::observation::ones;
use crate::stats::calibrator::{self, Bin, Calibrator};
use crate::stats::lanes::{self, Four, Kernel};
use crate::stats::{elementary, evidence};

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
    /// The readings of an event's raw scores, by channel number; `present` says which there are.
    #[must_use]
    pub fn read(&self, stratum: Stratum, present: u16, raws: &[f64; PLACES]) -> Measured {
        let stratum = channel_stratum(stratum);
        let Claims { ratios, villes, places } = lanes::run(Claim { present, raws });
        let readings = Readings { present, raw: *raws, p: [1.0; PLACES], e: [1.0; PLACES] };
        let mut measured = Measured { readings, ratios, logarithms: [0.0; PLACES], bins: [0; CHANNELS] };
        for channel in ones(present) {
            let (raw, bin) = (raws[channel], calibrator::cut(places[channel]));
            let ville = if raw > evidence::RAW_MAX { calibrator::ville(raw) } else { villes[channel] };
            let strata = &self.channels[channel];
            let base = (stratum < CHANNEL_BASE).then(|| &strata[CHANNEL_BASE]);
            measured.readings.p[channel] = strata[stratum].p_value_bounded(raw, bin, ville, base);
            measured.bins[channel] = bin;
        }
        lanes::run(Weigh(&mut measured));
        measured
    }

    /// Calibrated p of an event's joint score.
    #[must_use]
    pub fn joint(&self, stratum: Stratum, joint: f64) -> f64 {
        let stratum = channel_stratum(stratum);
        self.joint[stratum].p_value(joint, (stratum < CHANNEL_BASE).then(|| &self.joint[CHANNEL_BASE]))
    }

    /// Calibrated p of each family's running maximum; 1 where the family is absent, its maximum -∞.
    #[must_use]
    pub fn families(&self, stratum: Stratum, maxima: &[f64; FAMILIES]) -> [f64; FAMILIES] {
        let leans = matches!(stratum, Stratum::New | Stratum::Young | Stratum::NewVersion);
        let mut villes = [0.0; FAMILIES.next_multiple_of(4)];
        for (ville, maximum) in villes.iter_mut().zip(maxima) {
            *ville = -maximum.max(0.0);
        }
        elementary::exp_all(&mut villes);
        std::array::from_fn(|family| {
            let (strata, maximum) = (&self.families[family], maxima[family]);
            if !maximum.is_finite() {
                return 1.0;
            }
            let own = &strata[stratum as usize];
            own.p_value_bounded(maximum, own.bin(maximum), villes[family], leans.then(|| &strata[FAMILY_BASE as usize]))
        })
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

/// An event's readings, and what was computed on the way to them, all by channel number.
#[derive(Debug)]
pub struct Measured {
    /// The readings.
    pub readings: Readings,
    /// `e^raw`, the raw being taken as at most 50.
    pub ratios: [f64; PLACES],
    /// `ln e`.
    pub logarithms: [f64; PLACES],
    /// The bins of the raw scores; 0 where there is none.
    pub bins: [Bin; CHANNELS],
}

/// What raw scores claim before they are ranked.
struct Claims {
    ratios: [f64; PLACES],
    villes: [f64; PLACES],
    /// Bins, as [`calibrator::cut`] takes them.
    places: [f64; PLACES],
}

/// Computes [`Claims`].
struct Claim<'a> {
    present: u16,
    raws: &'a [f64; PLACES],
}

impl Kernel for Claim<'_> {
    type Answer = Claims;

    #[inline(always)]
    fn run<F: Four>(self) -> Claims {
        let mut claims = Claims { ratios: [1.0; PLACES], villes: [1.0; PLACES], places: [0.0; PLACES] };
        for four in fours(self.present) {
            let raws = F::load(&self.raws.as_chunks().0[four]);
            let ratios = elementary::exp_of(raws.at_most(F::splat(evidence::RAW_MAX)));
            claims.ratios.as_chunks_mut().0[four] = ratios.store();
            claims.villes.as_chunks_mut().0[four] = calibrator::ville_of_ratio(ratios).store();
            claims.places.as_chunks_mut().0[four] = calibrator::CHANNEL.place(raws).store();
        }
        claims
    }
}

/// Computes evidence and its logarithm from what is claimed and how it ranks.
struct Weigh<'a>(&'a mut Measured);

impl Kernel for Weigh<'_> {
    type Answer = ();

    #[inline(always)]
    fn run<F: Four>(self) {
        let Measured { readings, ratios, logarithms, .. } = self.0;
        for four in fours(readings.present) {
            let (ratios, ps) = (F::load(&ratios.as_chunks().0[four]), F::load(&readings.p.as_chunks().0[four]));
            let e = evidence::bounded_e_values(ratios, ps);
            readings.e.as_chunks_mut().0[four] = e.store();
            logarithms.as_chunks_mut().0[four] = elementary::ln_of(e).store();
        }
    }
}

/// Fours of channels of which any is there.
#[inline(always)]
fn fours(present: u16) -> impl Iterator<Item = usize> {
    (0..PLACES / 4).filter(move |four| present >> (4 * four) & 0b1111 != 0)
}
