"""Claim: membership probabilities of the mixture are too close to 0 and 1; the propagated ones are calibrated.

Of the groups whose cluster has a probability of .8, 80% should be in it. Clusters differ little (regressions of .2 or
.3 against 0) and groups are small, so that probabilities are not all 0 or 1; clusters are matched with the true ones.
The event is the same for all methods: is a group in the cluster that the mixture puts it into? ``probability`` is what
a method says of it on average, ``share`` how often it is so, ``mc_error`` the standard error of their difference.
``error`` is the mean distance of probability and share over bins of the probability, ``slope`` the logistic regression
of the truth on the log odds (1 if calibrated, below 1 if overconfident); the Brier and log scores count sharpness too.

python benchmarks/calibration.py [data sets per condition] [file for the reliability data] [processes]
"""

from __future__ import annotations

import json
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax

import mixsem as mx
from common import MEASUREMENT, STRUCTURAL, report
from mixsem.mixtures.indicator_density import indicator_log_densities
from mixsem.mixtures.propagate import PROPAGATION, propagated_posterior
from mixsem.plots.reliability import reliability_data
from mixsem.simulate import Population, Truth, draw_moments, draw_truth, match_labels

CONDITIONS = (
    Population(n_groups=48, group_size=50, n_clusters=2, beta=0.3, reliability="high"),
    Population(n_groups=48, group_size=50, n_clusters=2, beta=0.3, reliability="low"),
    Population(n_groups=48, group_size=100, n_clusters=2, beta=0.2, reliability="high"),
    Population(n_groups=48, group_size=100, n_clusters=2, beta=0.3, reliability="low"),
    Population(n_groups=24, group_size=50, n_clusters=2, beta=0.3, reliability="low"),
    Population(n_groups=24, group_size=100, n_clusters=2, beta=0.3, reliability="high"),
    Population(n_groups=48, group_size=100, n_clusters=2, beta=0.3, reliability="low", proportions=(0.75, 0.25)),
)
#: Seeds below were used to choose among methods and priors; what is reported comes from data not looked at before.
FIRST = 201
#: Mean distance of probability and share that is allowed, besides three standard errors of the share.
LIMIT = 0.03


Sample = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]


def memberships(task: tuple[Population, int]) -> Sample:
    """Probabilities by method, columns in the order of the true clusters; clusters of the mixture and true ones."""
    population, seed = task
    warnings.simplefilter("ignore")
    truth = draw_truth(population, seed=seed)
    fit = mx.mmgsem(MEASUREMENT, STRUCTURAL, draw_moments(truth, seed=seed), k=2, n_starts=30, seed=seed)
    matched = match_labels(fit.clusters - 1, truth.clusters)
    found = {"as is": fit.posterior}
    for method in PROPAGATION:
        found[method] = propagated_posterior(fit, n=100, seed=seed, method=method).probabilities
    put = matched[fit.clusters - 1]
    found = {name: z[:, np.argsort(matched)] for name, z in found.items()}
    return found | known_clusters(fit, truth, seed), put, truth.clusters


def known_clusters(fit: mx.MixtureFit, truth: Truth, seed: int) -> dict[str, np.ndarray]:
    """The same with true regressions and proportions: what is left is how a group's data are weighed."""
    shares = np.bincount(truth.clusters, minlength=2) / len(truth.clusters)
    known = replace(fit, B=truth.B, proportions=shares)
    as_is = indicator_log_densities(known, np.zeros_like(fit.moments.Phi), iterations=1)
    found = {"known, as is": softmax(as_is + np.log(shares), axis=1)}
    for method in ("plug-in", "indicators", "redrawn"):
        found[f"known, {method}"] = propagated_posterior(known, n=100, seed=seed, method=method).probabilities
    return found


def slope(z: np.ndarray, truth: np.ndarray) -> float:
    """Logistic regression of the true cluster on the log odds, without intercept."""
    p = np.clip(z[np.arange(len(truth)), truth], 1e-6, 1 - 1e-6)
    right = np.log(p / (1 - p))
    return float(minimize_scalar(lambda b: np.logaddexp(0, -b * right).mean(), bounds=(0.01, 3), method="bounded").x)


def summarize(z: np.ndarray, put: np.ndarray, truth: np.ndarray, data_sets: int) -> dict[str, float]:
    """Mean probability, share, calibration error, Monte-Carlo error of the share, slope, Brier and log scores."""
    rows = np.arange(len(truth))
    said, right = z[rows, put], put == truth
    bins = reliability_data({"": (said, right)}, bins=10)
    weight = bins["n"] / bins["n"].sum()
    per_set = (right - said).reshape(data_sets, -1).mean(axis=1)
    return {
        "probability": round(float(said.mean()), 3),
        "share": round(float(right.mean()), 3),
        "mc_error": round(float(per_set.std(ddof=1) / np.sqrt(data_sets)), 3),
        "error": round(float((weight * (bins["predicted"] - bins["observed"]).abs()).sum()), 3),
        "slope": round(slope(z, truth), 2),
        "brier": round(float(((said - right) ** 2).mean()), 4),
        "log_score": round(float(-np.log(np.clip(z[rows, truth], 1e-6, 1)).mean()), 3),
    }


def main(data_sets: int = 40, target: str = "", workers: int = 1) -> bool:
    """All conditions, each method; the reliability data of all conditions together go to a file if one is named."""
    held, pooled, records = True, {}, {}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for population in CONDITIONS:
            found = list(pool.map(memberships, [(population, seed) for seed in range(FIRST, FIRST + data_sets)]))
            put, truth = (np.concatenate([sample[i] for sample in found]) for i in (1, 2))
            z = {name: np.concatenate([sample[0][name] for sample in found]) for name in found[0][0]}
            facts = {name: summarize(p, put, truth, data_sets) for name, p in z.items()}
            label = (
                f"G = {population.n_groups}, N = {population.group_size}, beta = {population.beta},"
                f" {population.reliability} reliability"
                f"{'' if population.proportions is None else f', proportions {population.proportions}'}"
            )
            best, naive = facts["integrated"], facts["as is"]
            passed = best["error"] < naive["error"] and best["error"] < LIMIT + 3 * best["mc_error"]
            held &= report(f"calibration: {label}", passed=passed, groups=len(truth), **facts)
            records[label] = facts
            for name, p in z.items():
                pooled.setdefault(name, []).append((p[np.arange(len(truth)), put], put == truth))
    curves = {name: tuple(np.concatenate(c) for c in zip(*parts, strict=True)) for name, parts in pooled.items()}
    if target:
        table = reliability_data(curves, bins=10).round(4).to_dict("records")
        Path(target).write_text(json.dumps({"conditions": records, "reliability": table}, indent=1) + "\n", "utf-8")
    return held


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(not main(*(int(x) for x in arguments[:1]), *arguments[1:2], *(int(x) for x in arguments[2:3])))
