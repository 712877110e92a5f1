"""The measures of the protocol, weighted so that a bootstrap draw is a vector of multiplicities.

Session ROC-AUC, average precision, and the share of misuse found at .1, 1 and 5 % of benign sessions, where the threshold lies
strictly above the k-th largest benign score, k = floor(share * benign) + 1: ties count against the detector.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

FALSE_ALARM_SHARES = (0.001, 0.01, 0.05)
MEASURES = ("roc_auc", "pr_auc", *(f"recall_at_{100 * share:g}%" for share in FALSE_ALARM_SHARES))
DRAWS = 1000
SEED = 1


class Ranking:
    """Sessions by falling score; equal scores stand together."""

    def __init__(self, scores: np.ndarray, truth: np.ndarray) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ranked = scores[self._order]
        self._group_ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        self._truth = truth[self._order]

    def measures(self, weights: np.ndarray) -> np.ndarray:
        """The measures in the order of `MEASURES`, each session counted `weights` times."""
        weights = weights[self._order]
        found = np.cumsum(weights * self._truth)[self._group_ends]
        false = np.cumsum(weights * (1 - self._truth))[self._group_ends]
        misuse, benign = found[-1], false[-1]
        newly_found, newly_false = np.diff(found, prepend=0), np.diff(false, prepend=0)
        roc_auc = np.sum(newly_false * (found - newly_found / 2)) / (misuse * benign)
        alarms = found + false
        precision = np.divide(found, alarms, out=np.zeros(len(alarms)), where=alarms > 0)
        pr_auc = np.sum(newly_found * precision) / misuse
        recalls = []
        for share in FALSE_ALARM_SHARES:
            first_barred = np.searchsorted(false, np.floor(share * benign) + 1)
            recalls.append(found[first_barred - 1] / misuse if first_barred else 0.0)
        return np.array([roc_auc, pr_auc, *recalls])


def bootstrap_weights(truth: np.ndarray) -> Iterator[np.ndarray]:
    """`DRAWS` resamples of the sessions, misuse and benign each among themselves; the same ones whenever called."""
    chance = np.random.default_rng(SEED)
    strata = [np.flatnonzero(truth == label) for label in (0, 1)]
    for _ in range(DRAWS):
        weights = np.zeros(len(truth))
        for stratum in strata:
            drawn = chance.integers(len(stratum), size=len(stratum))
            weights[stratum] = np.bincount(drawn, minlength=len(stratum))
        yield weights


def evaluate(scores: dict[str, np.ndarray], truth: np.ndarray, reference: str) -> dict[str, dict[str, dict[str, float]]]:
    """Each measure of each detector with its 95 % interval, and the interval of its difference to `reference`.

    All detectors are measured on the same draws, so the differences are paired.
    """
    rankings = {name: Ranking(values, truth) for name, values in scores.items()}
    points = {name: ranking.measures(np.ones(len(truth))) for name, ranking in rankings.items()}
    draws: dict[str, list[np.ndarray]] = {name: [] for name in scores}
    for weights in bootstrap_weights(truth):
        for name, ranking in rankings.items():
            draws[name].append(ranking.measures(weights))
    stacked = {name: np.array(values) for name, values in draws.items()}
    report: dict[str, dict[str, dict[str, float]]] = {}
    for name in scores:
        low, high = np.quantile(stacked[name], (0.025, 0.975), axis=0)
        row = {}
        for at, measure in enumerate(MEASURES):
            row[measure] = {"value": points[name][at], "low": low[at], "high": high[at]}
            if reference in stacked:
                ahead = np.quantile(stacked[reference][:, at] - stacked[name][:, at], (0.025, 0.975))
                row[measure] |= {"reference_ahead_low": ahead[0], "reference_ahead_high": ahead[1]}
        report[name] = row
    return report
