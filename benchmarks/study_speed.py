"""Claim: a study keeps two workers busy, on this machine's processes and on a Dask cluster.

python benchmarks/study_speed.py [data sets]

Every number of workers does the same data sets, after a few that are not timed (imports, compiled kernels). Efficiency
is the time of one worker over twice that of two; on a machine whose two cores share something it stays below 1 for any
program, so that of a plain loop in two processes is measured beside it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

import numpy as np

from common import report
from mixsem.studies import Method, Study, StudyState, read_study, run_study

WARM_UP = 8


def study(n: int) -> Study:
    """Four data sets per replication, of 24 groups each."""
    preset = read_study("mixmg-bsem")
    factors = {"beta": (0.3, 0.4), "reliability": ("high", "low")}
    population = replace(preset.population, loading_variance=0.01)
    methods = (Method("mixmg-bsem", prior_variance=(0.01,)),)
    return Study("speed", population, factors, methods, replications=(n + WARM_UP) // 4)


def seconds(n: int, **options: Any) -> float:
    """Seconds for n data sets once the workers are warm."""
    marks: dict[int, float] = {}

    def look(state: StudyState) -> None:
        marks[state.done] = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        run_study(study(n), folder, progress=look, **options)
    return marks[n + WARM_UP] - marks[WARM_UP]


def on_dask(n: int, workers: int) -> float:
    """The same on a cluster of real worker processes."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        return seconds(n, dask=cluster.scheduler_address)


def plain_loop(_: int) -> float:
    """Work that shares nothing: small factorisations in a loop."""
    matrix = np.eye(20) + 0.1
    for _ in range(60_000):
        matrix = 0.5 * (matrix + np.linalg.inv(np.linalg.inv(matrix)))
    return float(matrix[0, 0])


def of_machine(n: int = 8) -> float:
    """Efficiency of two processes that share nothing."""
    times = {}
    for workers in (1, 2):
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            list(pool.map(plain_loop, range(workers)))
            start = time.perf_counter()
            list(pool.map(plain_loop, range(n)))
            times[workers] = time.perf_counter() - start
    return times[1] / (2 * times[2])


def efficiency(run: Callable[[int], float]) -> tuple[float, float, float]:
    """Seconds with one and two workers, and what the second adds."""
    one, two = run(1), run(2)
    return one, two, one / (2 * two)


def main(n: int = 40) -> bool:
    """Compare one and two workers."""
    machine = of_machine()
    held = True
    for name, run in (
        ("processes", lambda workers: seconds(n, workers=workers)),
        ("Dask workers", lambda workers: on_dask(n, workers)),
    ):
        one, two, share = efficiency(run)
        held &= report(
            f"a study on two {name}",
            passed=share > 0.8 * machine,
            data_sets=n,
            seconds_one=round(one, 2),
            seconds_two=round(two, 2),
            per_hour=round(3600 * n / two),
            efficiency=round(share, 3),
            efficiency_of_a_plain_loop=round(machine, 3),
        )
    return held


if __name__ == "__main__":
    sys.exit(not main(*(int(x) for x in sys.argv[1:2])))
