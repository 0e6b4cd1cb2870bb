"""Claim: step 1 of the papers' designs takes less than 20 seconds; published: 50.5 and 1.8 minutes on a server.

python benchmarks/bayes_step1.py [--check]

Four factors of five items, 4 chains x (1000 + 1000) draws per factor, default settings. Compilation is measured in
processes of its own: one whose cache of compiled code is empty, and one that finds it filled.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import warnings
from functools import partial

import mixsem as mx
from common import MEASUREMENT, report, spent
from mixsem.simulate import Population, draw_moments, draw_truth

LIMIT = 20.0
RANDOM = draw_truth(Population(kind="multilevel"), seed=1).random
#: The second paper names the non-invariant loadings and unique variances; all factor variances are random.
DESIGNS = {
    "MGBCFA, 48 groups x 200": (
        mx.MGBCFA(MEASUREMENT, prior_variance=0.01),
        Population(n_groups=48, group_size=200, loading_variance=0.01),
        "50.5 minutes (Zhao et al., mean over the design, two Xeon Platinum 8468)",
    ),
    "MLCFA, 96 groups x 25/200": (
        mx.MLCFA(MEASUREMENT, random=RANDOM),
        Population(n_groups=96, group_size=200, small_size=25, small_proportion=0.5, kind="multilevel"),
        "1.8 minutes (Zhao et al., mean over the design, the same machine)",
    ),
    "MLCFA, 96 groups x 25/200, everything random": (
        mx.MLCFA(MEASUREMENT),
        Population(n_groups=96, group_size=200, small_size=25, small_proportion=0.5, kind="multilevel"),
        "not published",
    ),
}
FIRST_USE = "import mixsem.kernels.callback, mixsem.kernels.draws"


def main(check: bool = False) -> bool:
    """Time the designs; with `check`, only that the chains of a small one agree."""
    warnings.simplefilter("ignore")
    if check:
        fit = mx.MLCFA(MEASUREMENT, sampling=mx.Sampling(draws=500, warmup=500)).fit(
            draw_moments(draw_truth(Population(n_groups=24, kind="multilevel"), seed=1), seed=1), seed=1
        )
        worst = mx.diagnostics(fit).frame["rhat"].max()
        return report("Bayesian step 1: chains agree", passed=bool(worst < 1.02), largest_rhat=round(float(worst), 4))
    with tempfile.TemporaryDirectory() as cache:  # empty, so that the first of the processes has to compile
        cold, warm = first_use(cache), first_use(cache)
    held = report("compilation", passed=warm < 0.3 * cold, first_process=round(cold, 1), next_process=round(warm, 1))
    for name, (model, population, published) in DESIGNS.items():
        moments = draw_moments(draw_truth(population, seed=1), seed=1)
        fit, took = spent(partial(model.fit, moments, seed=1))
        frame = mx.diagnostics(fit).frame
        ess = frame[["ess_bulk", "ess_tail"]].min(axis=1)
        held &= report(
            name,
            passed=took["wall"] < LIMIT or "everything" in name,
            wall_seconds=round(took["wall"], 1),
            cpu_seconds=round(took["cpu"], 1),
            loading_compiled_code=round(sum(b.draws.seconds["load"] for b in fit.blocks), 2),
            smallest_ess=round(float(ess.min())),
            smallest_ess_per_second=round(float(ess.min() / (took["wall"] / len(fit.blocks)))),
            largest_rhat=round(float(frame["rhat"].max()), 4),
            divergences=int(sum(b.draws.diverging.sum() for b in fit.blocks)),
            published=published,
            notices=[n.name for n in fit.notices],
        )
    return held


def first_use(cache: str) -> float:
    """Seconds a new process needs to have the compiled posterior ready, imports included."""
    begin = time.perf_counter()
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    subprocess.run([sys.executable, "-W", "ignore", "-c", FIRST_USE], env=environment, check=True)
    return time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(not main("--check" in sys.argv[1:]))
