"""Claim: method="laplace" gives the factor moments of long Markov chains, at least five times as fast.

python benchmarks/laplace_vs_mcmc.py [--short | --check]

Designs of both papers, four factors of five items. Factor moments are compared with those from 4 chains of 2000 draws
of the No-U-Turn sampler: differences of Phi_g relative to the posterior standard deviation of the factor variance, and
relative to the sampling error that Phi_g would have if the factors were observed. Time is CPU time of one factor, with
4 x (1000 + 1000) draws of the sampler.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np

import mixsem as mx
from common import MEASUREMENT, report, spent
from mixsem.factors.single_indicator import single_indicator_moments
from mixsem.simulate import Population, draw_moments, draw_truth

#: Root mean square difference in posterior standard deviations, and the least ratio of CPU times.
LIMIT, SPEED = 0.06, 5.0
LONG = mx.Sampling(chains=4, warmup=1000, draws=2000, cores=1)
MULTIGROUP, MULTILEVEL = "multigroup", "multilevel"


def design(kind: str, n_groups: int, group_size: int, v: float = 0.0, **options: object) -> tuple[object, Population]:
    """A measurement model and the population it is for."""
    population = Population(
        n_groups=n_groups,
        group_size=group_size,
        loading_variance=v if kind == MULTIGROUP else 0.0,
        kind=kind,
        **options,
    )
    return (mx.MGBCFA(MEASUREMENT, prior_variance=v) if kind == MULTIGROUP else mx.MLCFA(MEASUREMENT)), population


#: In the multilevel population three of five items do not vary over groups: their spreads are near zero.
DESIGNS = {
    "MGBCFA 48 x 200, v = .001": design(MULTIGROUP, 48, 200, 0.001),
    "MGBCFA 48 x 200, v = .01": design(MULTIGROUP, 48, 200, 0.01),
    "MGBCFA 48 x 200, v = .1": design(MULTIGROUP, 48, 200, 0.1),
    "MGBCFA 24 x 50, v = .01": design(MULTIGROUP, 24, 50, 0.01),
    "MGBCFA 24 x 50, v = .01, low reliability": design(MULTIGROUP, 24, 50, 0.01, reliability="low"),
    "MGBCFA 48 x 25, v = .01": design(MULTIGROUP, 48, 25, 0.01),
    "MGBCFA 48 x 25, v = .01, low reliability": design(MULTIGROUP, 48, 25, 0.01, reliability="low"),
    "MLCFA 48 x 200": design(MULTILEVEL, 48, 200),
    "MLCFA 24 x 50": design(MULTILEVEL, 24, 50),
    "MLCFA 24 x 50, low reliability": design(MULTILEVEL, 24, 50, reliability="low"),
    "MLCFA 48 x 25": design(MULTILEVEL, 48, 25),
    "MLCFA 96 x 25/200": design(MULTILEVEL, 96, 200, small_size=25, small_proportion=0.5),
    "MLCFA 96 x 25/200, low reliability": design(
        MULTILEVEL, 96, 200, small_size=25, small_proportion=0.5, reliability="low"
    ),
    "MGBCFA 48 x 10, v = .01": design(MULTIGROUP, 48, 10, 0.01),
    "MGBCFA 48 x 10, v = .01, low reliability": design(MULTIGROUP, 48, 10, 0.01, reliability="low"),
    "MLCFA 48 x 10": design(MULTILEVEL, 48, 10),
}
#: A quarter of the designs, the smallest of both models and the papers' own.
SHORT = ("MLCFA 24 x 50", "MGBCFA 24 x 50, v = .01", "MGBCFA 48 x 200, v = .01")


def fitted(model: object, moments: object, **options: object) -> tuple[object, float]:
    """A fit with other options, and its CPU time."""
    fit, took = spent(lambda: type(model)(**{**vars(model), **options}).fit(moments, seed=1))
    return fit, took["cpu"]


def compare(model: object, population: Population) -> dict[str, object]:
    """Differences of the factor moments and loadings, and CPU times."""
    moments = draw_moments(draw_truth(population, seed=1), seed=1)
    fast, _ = fitted(model, moments, method="laplace")
    slow, _ = fitted(model, moments, sampling=LONG)
    own, reference = single_indicator_moments(fast), single_indicator_moments(slow)
    sd, loadings = [], []
    for a, b in zip(fast.blocks, slow.blocks, strict=True):
        factor = b.posterior.model.entries.index(f"{b.factors[0]}~~{b.factors[0]}")
        draws = [block.posterior.values(block.draws.flat) for block in (a, b)]
        sd.append(draws[1][:, :, factor].std(axis=0))
        free = [
            e for e, name in enumerate(b.posterior.model.entries) if "=~" in name and draws[1][:, :, e].std() > 1e-9
        ]
        means, sds = (np.array([f(d[:, :, free], axis=0) for d in draws]) for f in (np.mean, np.std))
        loadings.append(((means[0] - means[1]) / sds[1], sds[0] / sds[1]))
    difference = own.Phi - reference.Phi
    variance = np.diagonal(difference, axis1=1, axis2=2) / np.array(sd).T
    phi = np.diagonal(reference.Phi, axis1=1, axis2=2)
    sampling = np.sqrt((phi[:, :, None] * phi[:, None, :] + reference.Phi**2) / (moments.n - 1)[:, None, None])
    off = ~np.eye(len(fast.factors), dtype=bool)
    one = type(model)(**{**vars(model), "measurement": MEASUREMENT.splitlines()[0]})
    _, slow_time = fitted(one, moments, sampling=mx.Sampling(cores=1))
    fast_time = min(fitted(one, moments, method="laplace")[1] for _ in range(3))
    named = {g for n in fast.notices if n.name == "ApproximationWarning" for g in n.groups}
    return {
        "variance_rms": rms(variance),
        "variance_max": worst(variance),
        "covariance_rms_of_sampling_error": rms((difference / sampling)[:, off]),
        "covariance_max_of_sampling_error": worst((difference / sampling)[:, off]),
        "reliability_max": worst(own.reliability - reference.reliability),
        "loading_rms": rms(np.concatenate([z.ravel() for z, _ in loadings])),
        "loading_sd_ratio": round(float(np.mean(np.concatenate([r.ravel() for _, r in loadings]))), 3),
        "groups_warned_of": len(named),
        "cpu": round(fast_time, 2),
        "cpu_nuts": round(slow_time, 2),
        "times_faster": round(slow_time / fast_time, 1),
    }


def rms(x: np.ndarray) -> float:
    """Root mean square."""
    return round(float(np.sqrt(np.square(x).mean())), 4)


def worst(x: np.ndarray) -> float:
    """Largest absolute value."""
    return round(float(np.abs(x).max()), 4)


def main(check: bool = False, short: bool = False) -> bool:
    """Compare all designs, the short ones, or to `check` a single small one; speed does not count then."""
    warnings.simplefilter("ignore")
    held = True
    for name in SHORT[:1] if check else SHORT if short else DESIGNS:
        facts = compare(*DESIGNS[name])
        agree = facts["variance_rms"] < LIMIT and facts["loading_rms"] < LIMIT
        held &= report(
            f"laplace against long chains: {name}",
            passed=bool(agree and (check or facts["times_faster"] > SPEED)),
            **facts,
            limit=LIMIT,
        )
    return held


if __name__ == "__main__":
    sys.exit(not main(check="--check" in sys.argv[1:], short="--short" in sys.argv[1:]))
