"""Checks rankings and proportions measured by gaitkeeper (JSON on standard input) against scikit-learn and scipy.

Prints each disagreement and exits 1 when there is one.
"""

import json
import sys

import numpy as np
from scipy.stats import beta
from sklearn.metrics import average_precision_score, roc_auc_score

TOLERANCE = 1e-9
FALSE_ALARM_PERMILLE = (1, 5, 10, 50)


def found_at(scores, positive, weights, permille):
    """Share of positives strictly above the k-th largest negative, k = floor(f*n0) + 1."""
    repeated = np.repeat(scores[~positive], weights[~positive])
    k = len(repeated) * permille // 1000 + 1
    threshold = np.sort(repeated)[::-1][k - 1]
    hits = weights[positive & (scores > threshold)].sum()
    return hits / weights[positive].sum()


def main():
    ours = json.load(sys.stdin)
    wrong = []

    def compare(what, actual, expected):
        if not abs(actual - expected) <= TOLERANCE:
            wrong.append(f"{what}: {actual} instead of {expected}")

    for number, case in enumerate(ours["rankings"]):
        scores = np.array(case["scores"])
        positive = np.array(case["positive"])
        weights = np.array(case["weights"])
        name = f"ranking {number} of {len(scores)} items"
        compare(f"{name}, ROC-AUC", case["roc_auc"], roc_auc_score(positive, scores, sample_weight=weights))
        compare(
            f"{name}, average precision",
            case["average_precision"],
            average_precision_score(positive, scores, sample_weight=weights),
        )
        for permille, found in zip(FALSE_ALARM_PERMILLE, case["found"]):
            compare(f"{name}, found at {permille} in 1000", found, found_at(scores, positive, weights, permille))
    for case in ours["proportions"]:
        count, of = case["count"], case["of"]
        low = 0.0 if count == 0 else beta.ppf(0.025, count, of - count + 1)
        high = 1.0 if count == of else beta.ppf(0.975, count + 1, of - count)
        compare(f"{count} of {of}, low", case["low"], low)
        compare(f"{count} of {of}, high", case["high"], high)
    for line in wrong:
        print(line)
    checked = len(ours["rankings"]) + len(ours["proportions"])
    print(f"scikit-learn: {checked} cases, {len(wrong)} disagreements")
    if wrong or checked == 0:
        sys.exit(1)


main()
