"""Claim: time and memory of the three steps grow no faster than the number of groups, up to 20,000 schools of 30.

    python benchmarks/many_groups.py               # 500, 2,000, 5,000 and 20,000 groups
    python benchmarks/many_groups.py --check       # 400 and 1,600 groups, memory and recovery only

Three factors of four items in four clusters. Every size runs in a process of its own, which says its seconds, largest
memory and how well the clusters are recovered; the exponent is that of the growth since the size before.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import warnings
from pathlib import Path

import numpy as np

import mixsem as mx
from common import last_line, report, spent

MEASUREMENT = "F1 =~ y1 + y2 + y3 + y4\nF2 =~ y5 + y6 + y7 + y8\nF3 =~ y9 + y10 + y11 + y12"
STRUCTURAL = "F2 ~ F1\nF3 ~ F1 + F2"
COEFFICIENTS = (
    {"F2 ~ F1": 0.7, "F3 ~ F1": 0.0, "F3 ~ F2": 0.0},
    {"F2 ~ F1": 0.0, "F3 ~ F1": 0.7, "F3 ~ F2": 0.0},
    {"F2 ~ F1": 0.0, "F3 ~ F1": 0.0, "F3 ~ F2": 0.7},
    {"F2 ~ F1": -0.5, "F3 ~ F1": -0.5, "F3 ~ F2": 0.0},
)
SIZES, SHORT = (500, 2_000, 5_000, 20_000), (400, 1_600)

#: Claims: exponent of time and memory, agreement with the true clusters, distance from the true regressions.
EXPONENT, AGREEMENT, DISTANCE = 1.25, 0.85, 0.06


def main() -> bool:
    """Run every size and compare it with the one before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--sizes", type=lambda text: tuple(int(size) for size in text.split(",")))
    parser.add_argument("--rows", action="store_true", help="give rows (pandas) instead of moments")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.rows)))
        return True
    sizes = arguments.sizes or (SHORT if arguments.check else SIZES)
    held, before = [], None
    for size in sizes:
        found = _in_a_process(size, arguments.rows)
        if isinstance(found, str):
            held.append(report(f"many groups: {size}", passed=False, why=found))
            continue
        growth = {} if before is None else _exponents(before, found)
        timely = arguments.check or growth.get("exponent_cpu", 0.0) < EXPONENT
        recovered = found["adjusted_rand_index"] > AGREEMENT and found["distance"] < DISTANCE
        lean = growth.get("exponent_megabytes", 0.0) < EXPONENT
        held.append(report(f"many groups: {size}", passed=timely and recovered and lean, **found, **growth))
        before = found
    return all(held)


def measure(n_groups: int, rows: bool) -> dict[str, object]:
    """Seconds of each step, peak memory and recovery at one size."""
    warnings.simplefilter("ignore")
    population = mx.simulate.OwnPopulation(MEASUREMENT, STRUCTURAL, COEFFICIENTS, n_groups=n_groups, group_size=30)
    truth = mx.simulate.draw_truth(population, seed=1)
    draw = mx.simulate.draw_frame if rows else mx.simulate.draw_moments
    data, group = draw(truth, seed=1), "group" if rows else None
    start = _megabytes()
    step1, first = spent(lambda: mx.MGCFA(MEASUREMENT).fit(data, group))
    step2, second = spent(lambda: mx.factor_moments(step1))
    fit, third = spent(lambda: mx.StructuralMixture(STRUCTURAL, k=4).fit(step2, seed=1))
    peak = _megabytes()
    errors, fourth = spent(lambda: mx.standard_errors(fit))
    steps = {"step1": first, "step2": second, "step3": third, "standard_errors": fourth}
    return {
        "groups": n_groups,
        "data": "rows" if rows else "moments",
        "cpu": {name: round(seconds["cpu"], 2) for name, seconds in steps.items()},
        "wall": {name: round(seconds["wall"], 2) for name, seconds in steps.items()},
        "megabytes": round(peak),
        "megabytes_before": round(start),
        "adjusted_rand_index": round(mx.simulate.adjusted_rand_index(truth.clusters, fit.clusters), 3),
        "distance": round(_distance(fit), 4),
        "largest_error": round(float(np.max(errors.se)), 4),
        "starts_at_best": fit.starts.n_best,
    }


def _distance(fit: mx.MixtureFit) -> float:
    """Largest distance of an estimated regression from the true one, clusters matched to the nearest."""
    true = np.array([[cluster[name.replace("~", " ~ ")] for name in fit.path.names] for cluster in COEFFICIENTS])
    gaps = np.abs(fit.coefficients[:, None] - true).max(axis=2)
    return float(gaps.min(axis=1).max())


def _exponents(before: dict[str, object], now: dict[str, object]) -> dict[str, float]:
    """Powers of the number of groups by which CPU seconds of the three steps, and memory, grew."""
    larger = np.log(now["groups"] / before["groups"])
    cpu = [sum(run["cpu"][step] for step in ("step1", "step2", "step3")) for run in (before, now)]
    return {
        "exponent_cpu": round(float(np.log(cpu[1] / cpu[0]) / larger), 2),
        "exponent_megabytes": round(float(np.log(now["megabytes"] / before["megabytes"]) / larger), 2),
    }


def _in_a_process(size: int, rows: bool) -> dict[str, object] | str:
    """What a process of its own, with one thread for small matrices, says of one size."""
    command = [sys.executable, Path(__file__), "--measure", str(size), *(["--rows"] if rows else [])]
    return last_line(command, timeout=7200, environment={**os.environ, "OPENBLAS_NUM_THREADS": "1"})


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(not main())
