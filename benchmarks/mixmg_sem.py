"""Claim: MixMG-SEM from the rows to the clusters takes seconds: 48 to 96 groups, K = 1 to 6, all three steps.

python benchmarks/mixmg_sem.py [--check]

No peer runs beside it: the R package of the method's authors is not on CRAN. What its first step costs in lavaan is
in `step1.py`; step 3 alone is in `step3.py`.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd

import mixsem as mx
from common import MEASUREMENT, STRUCTURAL, median, report, spent
from mixsem.factors.sam import factor_moments
from mixsem.simulate import Population, adjusted_rand_index, draw_frame, draw_truth

#: Groups, people per group, repetitions.
SIZES = ((48, 200, 5), (96, 200, 5), (96, 1000, 3))
#: CPU seconds of all steps for 48 groups, with six numbers of clusters.
LIMIT = 10.0
STARTS, CLUSTERS = 50, range(1, 7)


def steps(data: pd.DataFrame) -> tuple[dict[str, list[float]], mx.MixtureFit]:
    """CPU and wall seconds of reading, the three steps and all together, and the fit with four clusters."""
    items = [name for name in data.columns if name != "group"]
    moments, reading = spent(lambda: mx.SampleMoments.from_frame(data, items, "group"))
    joint, first = spent(lambda: mx.MGCFA(MEASUREMENT).fit(moments))
    factors, second = spent(lambda: factor_moments(joint))
    fits, third = spent(lambda: mx.StructuralMixture(STRUCTURAL, k=CLUSTERS, n_starts=STARTS).fit(factors, seed=1))
    parts = (reading, first, second, third)
    return {key: [part[key] for part in parts] for key in ("cpu", "wall")}, fits[4]


def main(check: bool = False) -> bool:
    """Time each part; the four clusters must be the true ones."""
    warnings.simplefilter("ignore")
    held = True
    for n_groups, size, repeats in SIZES[: 1 if check else None]:
        truth = draw_truth(Population(n_groups=n_groups, group_size=size, n_clusters=4, beta=0.4), seed=1)
        data = draw_frame(truth, seed=1)
        runs = [steps(data) for _ in range(1 if check else repeats + 1)]
        found = adjusted_rand_index(truth.clusters, runs[0][1].clusters)
        timed = [seconds for seconds, _ in runs[1:] or runs]
        middle = {key: np.median([run[key] for run in timed], axis=0).round(4).tolist() for key in ("cpu", "wall")}
        total = [round(sum(run["cpu"]), 4) for run in timed]
        held &= report(
            f"MixMG-SEM: {n_groups} groups of {size}",
            passed=found > 0.9 and (check or n_groups > 48 or median(total) < LIMIT),
            rows=len(data),
            cpu=total,
            wall=[round(sum(run["wall"]), 4) for run in timed],
            cpu_of_parts=dict(zip(("reading", "step 1", "step 2", "step 3"), middle["cpu"], strict=True)),
            adjusted_rand_index=round(found, 3),
            limit=LIMIT,
        )
    return held


if __name__ == "__main__":
    sys.exit(not main("--check" in sys.argv[1:]))
