"""Claim: calls that the pages time take no longer than they say.

    python benchmarks/calls.py [CALL ...] [--check]

Each is made once untimed, then three times, alone; data are simulated in the sizes that the pages name. The limit is
in CPU seconds.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

import mixsem as mx
from common import MEASUREMENT, STRUCTURAL, median, report, spent
from mixsem.kernels.plain_posterior import log_posterior
from mixsem.kernels.posterior import density
from mixsem.simulate import Population, draw_moments, draw_truth
from sem_cases import draw_groups, even_model

RUNS = 3
#: Evaluations of which one is timed, and samples of a bootstrap.
MANY, SAMPLES = 200, 20


@dataclass(frozen=True)
class Call:
    """What is called, how many of it one call makes, and the most CPU seconds of one."""

    title: str
    page: str
    prepare: Callable[[], Callable[[], object]]
    limit: float
    of: int = 1


@cache
def mixture(n_groups: int) -> tuple[mx.SampleMoments, mx.MixtureFit]:
    moments = draw_moments(draw_truth(Population(n_groups=n_groups, n_clusters=4, beta=0.4), seed=1), seed=1)
    return moments, mx.mmgsem(MEASUREMENT, STRUCTURAL, moments, k=4, seed=1)


def bootstrap(kind: str) -> Callable[[], object]:
    fit = mixture(48)[1]
    return lambda: mx.bootstrap(fit, n=SAMPLES, kind=kind, seed=1)


def memberships() -> Callable[[], object]:
    fit = mixture(63)[1]
    return lambda: mx.propagated_posterior(fit, seed=1)


@cache
def survey() -> pd.DataFrame:
    """The size of an international survey: 63 countries, 45,234 people, 11 items, loadings that differ."""
    return draw_groups(63, 718, 11, 2, spread=0.1, seed=63)


def levels(estimator: str) -> Callable[[], object]:
    return lambda: mx.invariance_test(even_model(11, 2), survey(), "group", estimator=estimator)


def search() -> Callable[[], object]:
    test = mx.invariance_test(even_model(11, 2), survey(), "group")
    return lambda: mx.find_noninvariance(test, max_steps=5)


def robust() -> Callable[[], object]:
    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(20_000), 50)
    x = rng.normal(size=cluster.size)
    y = x + rng.normal(size=20_000)[cluster] + rng.normal(size=cluster.size)
    data = pd.DataFrame({"y": y, "x": x, "cluster": cluster})
    return lambda: mx.cluster_robust("y ~ x", data, cluster="cluster")


def joint_block() -> Callable[[], object]:
    moments = mixture(48)[0]
    model = mx.MGBCFA(MEASUREMENT, prior_variance=0.01, blocks="joint", method="laplace")
    return lambda: model.fit(moments, seed=1)


def posterior(plain: bool) -> Callable[[], object]:
    """The log posterior of one factor in 48 groups; compiled code gives its gradient too."""
    moments = mixture(48)[0]
    sampling = mx.Sampling(chains=2, warmup=100, draws=100, cores=1)
    fit = mx.MGBCFA(MEASUREMENT.splitlines()[0], prior_variance=0.01, sampling=sampling).fit(moments, seed=1)
    block = fit.blocks[0]
    problem, x = block.posterior.problem, block.draws.flat[0]
    gradient = np.empty(x.size)
    one = (lambda: log_posterior(problem, x)) if plain else (lambda: density(problem, x, gradient))
    return lambda: [one() for _ in range(MANY)]


INFERENCE, INVARIANCE = "methods/cluster-inference.md", "tutorial-invariance.md"
CALLS = {
    "bootstrap-groups": Call(
        "bootstrap of groups, a sample: 48 groups, four clusters",
        INFERENCE,
        lambda: bootstrap("groups"),
        0.1,
        SAMPLES,
    ),
    "bootstrap-people": Call(
        "bootstrap of people, a sample: the same, with step 1", INFERENCE, lambda: bootstrap("people"), 0.6, SAMPLES
    ),
    "memberships": Call("memberships with all uncertainty, 63 groups", INFERENCE, memberships, 1.0),
    "invariance": Call("four levels of invariance: 63 groups, 11 items", INVARIANCE, lambda: levels("ML"), 8.0),
    "invariance-mlr": Call("the same, robust (MLR)", INVARIANCE, lambda: levels("MLR"), 34.0),
    "search": Call("search for loadings that differ, five steps", INVARIANCE, search, 22.0),
    "robust": Call("CR2: 20,000 clusters of 50 rows", "methods/mixed-marginal.md", robust, 4.0),
    "joint-block": Call("fast method, a block of 20 items, 48 groups", "methods/laplace.md", joint_block, 24.0),
    "compiled": Call("log posterior with gradient, 48 groups", "dependencies.md", lambda: posterior(False), 1e-3, MANY),
    "plain": Call("log posterior by its plain twin", "dependencies.md", lambda: posterior(True), 1e-1, MANY),
}


def main(words: Sequence[str] = ()) -> bool:
    """Time the calls that are named, or all; with `--check` they only have to work."""
    warnings.simplefilter("ignore")
    check = "--check" in words
    names = [word for word in words if not word.startswith("--")] or list(CALLS)
    held = True
    for name in names:
        call = CALLS[name]
        run = call.prepare()
        first = spent(run)[1]
        runs = [first] if check else [spent(run)[1] for _ in range(RUNS)]
        cpu, wall = ([seconds[key] / call.of for seconds in runs] for key in ("cpu", "wall"))
        held &= report(
            f"calls: {name}",
            passed=check or median(cpu) < call.limit,
            title=call.title,
            page=call.page,
            cpu=[float(f"{value:.4g}") for value in cpu],
            wall=[float(f"{value:.4g}") for value in wall],
            limit=call.limit,
        )
    return held


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
