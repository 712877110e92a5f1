//! ROC-AUC, average precision and the share found at a given share of false alarms, from one sort per ranking.
//!
//! The items are sorted once; every figure is then one pass over them with integer weights. A bootstrap draw is nothing but other
//! weights, so a thousand draws over fifteen thousand sessions cost a thousand short passes and no sort.

/// The shares of benign items, in thousandths, at which the share found is reported: 0.1, 0.5, 1 and 5 %.
pub const FALSE_ALARM_PERMILLE: [u64; 4] = [1, 5, 10, 50];

/// What one pass over a ranking gives. Any figure is NaN when positives or negatives are missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measures {
    /// Probability that a positive outranks a negative, ties counted half.
    pub roc_auc: f64,
    /// Σ (change of recall)·precision over the distinct thresholds, as scikit-learn's `average_precision_score`.
    pub average_precision: f64,
    /// Share of positives found at each of [`FALSE_ALARM_PERMILLE`].
    pub found: [f64; 4],
}

/// Number of figures in [`Measures`].
pub const FIGURES: usize = 6;

impl Measures {
    /// What a ranking without positives or without negatives says.
    pub const UNDEFINED: Self = Self { roc_auc: f64::NAN, average_precision: f64::NAN, found: [f64::NAN; 4] };

    /// The figures in a fixed order: ROC-AUC, average precision, the four shares found.
    #[must_use]
    pub fn figures(&self) -> [f64; FIGURES] {
        let [a, b, c, d] = self.found;
        [self.roc_auc, self.average_precision, a, b, c, d]
    }
}

/// Items of a common list, best score first; equal scores form one step.
#[derive(Debug, Clone)]
pub struct Ranking {
    /// Index of the item's weight and whether the item is positive.
    items: Vec<(u32, bool)>,
    /// End of each step in `items`.
    step_ends: Vec<u32>,
    /// Positives and negatives, unweighted.
    totals: (u64, u64),
}

impl Ranking {
    /// Ranks all items of the common list. A NaN score would rank first; scorers never give one.
    ///
    /// # Panics
    /// If the two lists differ in length.
    #[must_use]
    pub fn new(scores: &[f64], positive: &[bool]) -> Self {
        assert_eq!(scores.len(), positive.len(), "one label a score");
        Self::of_subset(scores, positive, |_| true)
    }

    /// Ranks the items whose index `keep` accepts; weights still go by index into the common list.
    #[must_use]
    pub fn of_subset(scores: &[f64], positive: &[bool], keep: impl Fn(usize) -> bool) -> Self {
        let order = (0..scores.len()).filter(|&index| keep(index)).collect();
        Self::sorted(order, scores, positive, |index| index)
    }

    /// Ranks items that are redrawn together with others: item `i` takes the weight of `owners[i]`, as an event that of its session.
    ///
    /// # Panics
    /// If the three lists differ in length.
    #[must_use]
    pub fn of_owned(scores: &[f64], positive: &[bool], owners: &[usize]) -> Self {
        assert!(scores.len() == positive.len() && scores.len() == owners.len(), "one label and one owner a score");
        Self::sorted((0..scores.len()).collect(), scores, positive, |index| owners[index])
    }

    fn sorted(mut order: Vec<usize>, scores: &[f64], positive: &[bool], owner: impl Fn(usize) -> usize) -> Self {
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
        let mut step_ends = Vec::new();
        for (place, pair) in order.windows(2).enumerate() {
            if scores[pair[0]].total_cmp(&scores[pair[1]]).is_ne() {
                step_ends.push(index32(place + 1));
            }
        }
        if !order.is_empty() {
            step_ends.push(index32(order.len()));
        }
        let items: Vec<(u32, bool)> = order.into_iter().map(|index| (index32(owner(index)), positive[index])).collect();
        let positives = items.iter().filter(|item| item.1).count() as u64;
        let totals = (positives, items.len() as u64 - positives);
        Self { items, step_ends, totals }
    }

    /// Positives and negatives in the ranking.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        self.totals
    }

    /// The figures with every item counted once.
    #[must_use]
    pub fn measures(&self) -> Measures {
        self.pass(self.totals, |_| 1)
    }

    /// The figures with each item counted as often as its place in `weights` says.
    #[must_use]
    pub fn measures_weighted(&self, weights: &[u16]) -> Measures {
        let mut totals = (0, 0);
        for &(index, positive) in &self.items {
            let weight = u64::from(weights[index as usize]);
            if positive {
                totals.0 += weight;
            } else {
                totals.1 += weight;
            }
        }
        self.pass(totals, |index| u64::from(weights[index as usize]))
    }

    /// One pass from the best score down. The threshold for a share f of n0 negatives lies strictly above the k-th largest negative,
    /// k = ⌊f·n0⌋+1, so a positive that ties with that negative is not found.
    fn pass(&self, (positives, negatives): (u64, u64), weight: impl Fn(u32) -> u64) -> Measures {
        if positives == 0 || negatives == 0 {
            return Measures::UNDEFINED;
        }
        let limits = FALSE_ALARM_PERMILLE.map(|permille| negatives * permille / 1000 + 1);
        let mut found = [positives; 4];
        let mut open = 0; // the smallest share of false alarms whose threshold still lies ahead
        let (mut hits, mut false_alarms) = (0_u64, 0_u64);
        let (mut doubled_area, mut precision_sum) = (0_u64, 0.0);
        let mut start = 0;
        for &end in &self.step_ends {
            let (mut step_hits, mut step_false) = (0, 0);
            for &(index, positive) in &self.items[start..end as usize] {
                let weight = weight(index);
                if positive {
                    step_hits += weight;
                } else {
                    step_false += weight;
                }
            }
            start = end as usize;
            while open < limits.len() && false_alarms + step_false >= limits[open] {
                found[open] = hits;
                open += 1;
            }
            doubled_area += step_false * (2 * hits + step_hits);
            hits += step_hits;
            false_alarms += step_false;
            if step_hits > 0 {
                precision_sum += step_hits as f64 * hits as f64 / (hits + false_alarms) as f64;
            }
        }
        let positives = positives as f64;
        Measures {
            roc_auc: doubled_area as f64 / (2.0 * positives * negatives as f64),
            average_precision: precision_sum / positives,
            found: found.map(|hits| hits as f64 / positives),
        }
    }
}

fn index32(index: usize) -> u32 {
    u32::try_from(index).expect("fewer than 2^32 items are ranked")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ranks `scores` (positive where `labels` has a 1) and compares ROC-AUC, average precision and the share found at 5 %.
    #[track_caller]
    fn check(scores: &[f64], labels: &[u8], expected: [f64; 3]) {
        let positive: Vec<bool> = labels.iter().map(|&label| label == 1).collect();
        let measures = Ranking::new(scores, &positive).measures();
        let actual = [measures.roc_auc, measures.average_precision, measures.found[3]];
        for (actual, expected) in actual.iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-12, "{actual} instead of {expected} in {measures:?}");
        }
    }

    #[test]
    fn a_perfect_ranking_finds_everything() {
        check(&[4.0, 3.0, 2.0, 1.0], &[1, 1, 0, 0], [1.0, 1.0, 1.0]);
    }

    #[test]
    fn a_reversed_ranking_finds_nothing() {
        check(&[1.0, 2.0, 3.0, 4.0], &[1, 1, 0, 0], [0.0, 5.0 / 12.0, 0.0]);
    }

    #[test]
    fn a_tie_with_the_loudest_benign_item_counts_against_us() {
        check(&[2.0, 2.0, 1.0], &[1, 0, 0], [0.75, 0.5, 0.0]);
    }

    #[test]
    fn constant_scores_are_worth_the_base_rate() {
        check(&[7.0; 5], &[1, 0, 0, 1, 0], [0.5, 0.4, 0.0]);
    }

    #[test]
    fn the_threshold_moves_down_by_one_benign_item_at_each_full_share() {
        // 20 benign items: k is 2 at 5 %, so one benign item may lie above a positive that is found.
        let mut scores: Vec<f64> = (0..20).map(f64::from).collect();
        let mut labels = vec![0; 20];
        scores.extend([18.5, 17.5]);
        labels.extend([1, 1]);
        check(&scores, &labels, [(19.0 + 18.0) / 40.0, 0.5, 0.5]);
    }

    #[test]
    fn one_class_alone_has_no_figures() {
        let measures = Ranking::new(&[1.0, 2.0], &[false, false]).measures();
        assert!(measures.figures().iter().all(|figure| figure.is_nan()));
    }

    #[test]
    fn weights_equal_repetition() {
        let scores = [3.0, 2.0, 2.0, 1.0, 0.5];
        let positive = [true, false, true, false, true];
        let weights = [2_u16, 1, 3, 0, 1];
        let repeat = |at: usize| std::iter::repeat_n(at, usize::from(weights[at]));
        let long: Vec<usize> = (0..scores.len()).flat_map(repeat).collect();
        let long_scores: Vec<f64> = long.iter().map(|&at| scores[at]).collect();
        let long_positive: Vec<bool> = long.iter().map(|&at| positive[at]).collect();
        assert_eq!(Ranking::new(&scores, &positive).measures_weighted(&weights), Ranking::new(&long_scores, &long_positive).measures());
    }
}
