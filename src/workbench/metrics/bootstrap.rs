//! Intervals by resampling sessions: attacks and benign sessions apart, the same draws for every detector, so that differences are paired.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::ranking::{FIGURES, Measures, Ranking};

/// The middle 95 % of what the draws gave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// 2.5 % of the draws lie below.
    pub low: f64,
    /// 2.5 % of the draws lie above.
    pub high: f64,
}

impl Interval {
    /// Draws in which a figure had no meaning (a rare attack kind not drawn at all) are left out; `None` when none remains.
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.retain(|value| !value.is_nan());
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        // Linear interpolation between order statistics.
        let quantile = |share: f64| {
            let place = share * last as f64;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 ≤ place ≤ last")]
            let below = place as usize;
            let above = (below + 1).min(last);
            values[below] + (place - below as f64) * (values[above] - values[below])
        };
        Some(Self { low: quantile(0.025), high: quantile(0.975) })
    }
}

/// One interval a figure of [`Measures`], in the order of [`Measures::figures`].
pub type Intervals = [Option<Interval>; FIGURES];

/// How often and from which seed sessions are redrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// Number of draws.
    pub draws: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { draws: 1000, seed: 20_250_106 }
    }
}

/// What all draws said of some rankings of the same items.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// Per ranking, per draw.
    measures: Vec<Vec<Measures>>,
}

impl Bootstrap {
    /// Redraws the items, attacks and benign ones apart, and measures every ranking on every draw.
    #[must_use]
    pub fn run(&self, positive: &[bool], rankings: &[&Ranking]) -> Drawn {
        let strata = [true, false].map(|wanted| {
            let members = positive.iter().enumerate().filter(|(_, positive)| **positive == wanted);
            members.map(|(index, _)| index).collect::<Vec<usize>>()
        });
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut measures = vec![Vec::with_capacity(self.draws); rankings.len()];
        let mut weights = vec![0_u16; positive.len()];
        for _ in 0..self.draws {
            weights.fill(0);
            for stratum in &strata {
                for _ in 0..stratum.len() {
                    let drawn = stratum[random.random_range(0..stratum.len())];
                    weights[drawn] = weights[drawn].saturating_add(1);
                }
            }
            for (ranking, measures) in rankings.iter().zip(&mut measures) {
                measures.push(ranking.measures_weighted(&weights));
            }
        }
        Drawn { measures }
    }
}

impl Drawn {
    /// Intervals of ranking `which`.
    #[must_use]
    pub fn intervals(&self, which: usize) -> Intervals {
        let figures: Vec<[f64; FIGURES]> = self.measures[which].iter().map(Measures::figures).collect();
        std::array::from_fn(|figure| Interval::of(figures.iter().map(|figures| figures[figure]).collect()))
    }

    /// Intervals of ranking `a` minus ranking `b`, paired draw by draw.
    #[must_use]
    pub fn differences(&self, a: usize, b: usize) -> Intervals {
        let pairs = self.measures[a].iter().zip(&self.measures[b]);
        let figures: Vec<_> = pairs.map(|(a, b)| (a.figures(), b.figures())).collect();
        std::array::from_fn(|figure| Interval::of(figures.iter().map(|(a, b)| a[figure] - b[figure]).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 40 attacks and 400 benign items whose scores overlap, shifted by `gain` for attacks.
    fn synthetic(gain: f64) -> (Vec<f64>, Vec<bool>) {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let positive: Vec<bool> = (0..440).map(|index| index < 40).collect();
        let scores = positive.iter().map(|&positive| random.random::<f64>() + if positive { gain } else { 0.0 }).collect();
        (scores, positive)
    }

    #[test]
    fn the_interval_holds_the_estimate_and_is_the_same_each_time() {
        let (scores, positive) = synthetic(0.3);
        let ranking = Ranking::new(&scores, &positive);
        let bootstrap = Bootstrap { draws: 200, seed: 1 };
        let first = bootstrap.run(&positive, &[&ranking]).intervals(0);
        let second = bootstrap.run(&positive, &[&ranking]).intervals(0);
        assert_eq!(first, second);
        let auc = first[0].expect("defined");
        assert!(auc.low < ranking.measures().roc_auc && ranking.measures().roc_auc < auc.high);
        assert!((0.02..0.15).contains(&(auc.high - auc.low)), "{auc:?}");
    }

    #[test]
    fn paired_differences_are_narrower_than_the_figures_themselves() {
        let (scores, positive) = synthetic(0.3);
        let (better, _) = synthetic(0.4);
        let rankings = [Ranking::new(&better, &positive), Ranking::new(&scores, &positive)];
        let drawn = Bootstrap { draws: 200, seed: 1 }.run(&positive, &[&rankings[0], &rankings[1]]);
        let difference = drawn.differences(0, 1)[0].expect("defined");
        let figure = drawn.intervals(1)[0].expect("defined");
        assert!(difference.low > 0.0 && difference.high - difference.low < figure.high - figure.low);
    }

    #[test]
    fn without_attacks_there_is_no_interval() {
        let ranking = Ranking::new(&[1.0, 2.0], &[false, false]);
        assert_eq!(Bootstrap::default().run(&[false, false], &[&ranking]).intervals(0), [None; FIGURES]);
    }
}
