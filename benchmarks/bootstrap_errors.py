"""Claim: bootstrap standard errors of the clusters' regressions are the spread of the estimates over repeated data.

    python benchmarks/bootstrap_errors.py [--replications 60] [--samples 100]

24 groups of 100 people, two clusters, regressions of 0 and .4. The ratio of the mean bootstrap standard error (root
mean square) to the Monte-Carlo standard deviation of the estimates, averaged over eight regressions. Around the
sample, where sampling error is counted twice, it is too large; that is shown, but claimed of the other two alone.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence

import numpy as np

import mixsem as mx
from common import MEASUREMENT, STRUCTURAL, report
from mixsem.simulate import Population, draw_moments, draw_truth, match_labels

POPULATION = Population(n_groups=24, group_size=100, n_clusters=2, beta=0.4)
KINDS = {
    "people around the model": {"kind": "people", "center": "model"},
    "people around the sample": {"kind": "people", "center": "sample"},
    "groups": {"kind": "groups"},
}
#: The ratio may be off 1 by this, besides three Monte-Carlo errors.
LIMIT = 0.1


def replicate(seed: int, samples: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Deviations of the estimates from the truth, and standard errors of every kind, in the truth's clusters."""
    truth = draw_truth(POPULATION, seed=seed)
    fit = mx.mmgsem(MEASUREMENT, STRUCTURAL, draw_moments(truth, seed=seed), k=2, n_starts=20, seed=seed)
    order = np.argsort(match_labels(fit.clusters - 1, truth.clusters))
    true = truth.B[:, fit.path.outcome, fit.path.predictor]
    errors = {name: mx.bootstrap(fit, n=samples, seed=seed, **options).se[order] for name, options in KINDS.items()}
    return fit.coefficients[order] - true, errors


def main(words: Sequence[str] = ()) -> bool:
    """Compare standard errors with what they are of."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=60)
    parser.add_argument("--samples", type=int, default=100)
    chosen = parser.parse_args(list(words))
    warnings.simplefilter("ignore")
    found = [replicate(seed, chosen.samples) for seed in range(1, chosen.replications + 1)]
    spread = np.std([deviation for deviation, _ in found], axis=0, ddof=1)
    error = float(1 / np.sqrt(2 * (chosen.replications - 1) * spread.size))
    held = True
    for name in KINDS:
        typical = np.sqrt(np.nanmean([np.square(errors[name]) for _, errors in found], axis=0))
        ratio = float((typical / spread).mean())
        held &= report(
            f"bootstrap standard errors: {name}",
            passed=name.endswith("sample") or abs(ratio - 1) < LIMIT + 3 * error,
            replications=chosen.replications,
            samples=chosen.samples,
            ratio=round(ratio, 3),
            mc_error=round(error, 3),
        )
    return held


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
