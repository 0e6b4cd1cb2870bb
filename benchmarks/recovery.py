"""Claim: with 48 groups of 200 people and regressions of .4, the clusters are found (adjusted Rand index > .9).

python benchmarks/recovery.py [number of data sets]
"""

from __future__ import annotations

import sys
import warnings

import numpy as np

import mixsem as mx
from common import MEASUREMENT, STRUCTURAL, report
from mixsem.simulate import Population, adjusted_rand_index, draw_moments, draw_truth, match_labels

LIMIT = 0.9


def recover(population: Population, seed: int) -> tuple[float, float]:
    """Adjusted Rand index, and root mean squared error of the regressions, of one data set."""
    truth = draw_truth(population, seed=seed)
    fit = mx.mmgsem(MEASUREMENT, STRUCTURAL, draw_moments(truth, seed=seed), k=len(truth.B), n_starts=50, seed=seed)
    found = fit.clusters - 1
    ordered = fit.B[np.argsort(match_labels(found, truth.clusters))]
    error = (ordered - truth.B)[:, fit.path.outcome, fit.path.predictor]
    return adjusted_rand_index(truth.clusters, found), float(np.sqrt((error**2).mean()))


def main(n_data_sets: int = 20) -> bool:
    """Average over data sets, for exactly and for approximately invariant loadings."""
    warnings.simplefilter("ignore")
    held = True
    for v in (0.0, 0.01):
        population = Population(n_groups=48, group_size=200, n_clusters=4, beta=0.4, loading_variance=v)
        results = np.array([recover(population, seed) for seed in range(1, n_data_sets + 1)])
        ari, rmse = results.mean(axis=0)
        held &= report(
            f"recovery: 48 groups of 200, K = 4, beta = .4, loading variance {v}",
            passed=bool(ari > LIMIT),
            data_sets=n_data_sets,
            adjusted_rand_index=round(float(ari), 4),
            smallest=round(float(results[:, 0].min()), 4),
            rmse=round(float(rmse), 4),
            limit=LIMIT,
        )
    return held


if __name__ == "__main__":
    sys.exit(not main(*(int(x) for x in sys.argv[1:2])))
