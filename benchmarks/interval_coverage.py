"""Coverage of the intervals for the clusters' regressions, with and without the correction for step 1.

    python benchmarks/interval_coverage.py [--replications 500] [--groups 48] [--size 100] [--beta 0.4] [--check]

Design of the papers' simulations: K = 2, four factors of five items, equal loadings. Also the size of the test that a
regression is equal over clusters, where it is.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings

import numpy as np

import mixsem as mx
from common import MEASUREMENT, STRUCTURAL, report


def replicate(seed: int, groups: int, size: int, beta: float) -> dict[str, np.ndarray]:
    """Gaps and standard errors of one data set, clusters matched to the true ones."""
    population = mx.simulate.Population(n_groups=groups, n_clusters=2, group_size=size, beta=beta)
    truth = mx.simulate.draw_truth(population, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        moments = mx.simulate.draw_moments(truth, seed=seed)
        fit = mx.mmgsem(MEASUREMENT, STRUCTURAL, moments, k=2, n_starts=20, seed=seed)
        errors = mx.standard_errors(fit)
    true = truth.B[mx.simulate.match_labels(fit.clusters - 1, truth.clusters)]
    true = true[:, [int(f[1]) - 1 for f in _ends(fit.path.names, 0)], [int(f[1]) - 1 for f in _ends(fit.path.names, 1)]]
    difference = np.kron(np.array([[1.0, -1.0]]), np.eye(true.shape[1]))
    spread = np.sqrt(np.einsum("ij,jk,ik->i", difference, errors.vcov, difference))
    return {
        "gap": fit.coefficients - true,
        "se": errors.se,
        "naive": errors.naive_se,
        "true_difference": true[0] - true[1],
        "z": (fit.coefficients[0] - fit.coefficients[1]) / spread,
    }


def _ends(names: tuple[str, ...], side: int) -> list[str]:
    return [name.split("~")[side] for name in names]


def summarise(found: list[dict[str, np.ndarray]]) -> dict[str, float]:
    """Coverage, ratio of standard errors to the Monte-Carlo SD, and size of the equality test."""
    gap, se, naive = (np.stack([f[key] for f in found]) for key in ("gap", "se", "naive"))
    same = np.stack([np.abs(f["true_difference"]) < 1e-12 for f in found])
    z = np.stack([f["z"] for f in found])
    return {
        "replications": len(found),
        "coverage_corrected": float((np.abs(gap) < 1.96 * se).mean()),
        "coverage_naive": float((np.abs(gap) < 1.96 * naive).mean()),
        "monte_carlo_sd": float(np.sqrt((gap**2).mean())),
        "mean_se_corrected": float(np.sqrt((se**2).mean())),
        "mean_se_naive": float(np.sqrt((naive**2).mean())),
        "bias": float(gap.mean()),
        "equality_test_size": float((np.abs(z[same]) > 1.96).mean()) if same.any() else float("nan"),
    }


def main(arguments: list[str] | None = None) -> bool:
    """Run, print one line of JSON, and say whether the corrected intervals cover."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=500)
    parser.add_argument("--groups", type=int, default=48)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--beta", type=float, default=0.4)
    parser.add_argument("--check", action="store_true", help="a small run that must cover")
    options = parser.parse_args([] if arguments is None else arguments)
    count = 25 if options.check else options.replications
    begin, found = time.perf_counter(), []
    for seed in range(count):
        found.append(replicate(seed, options.groups, options.size, options.beta))
    result = summarise(found) | {"seconds": round(time.perf_counter() - begin, 1)}
    # Intervals of one data set depend on one another: the bounds allow for three times the binomial error.
    margin = 3 * np.sqrt(0.95 * 0.05 / count / 4)
    facts = {key: round(value, 4) for key, value in result.items()}
    return report(
        f"coverage of corrected intervals: {options.groups} groups of {options.size}, beta = {options.beta}",
        passed=abs(result["coverage_corrected"] - 0.95) < margin,
        **facts,
        margin=round(margin, 4),
    )


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
