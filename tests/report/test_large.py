"""Results of thousands of groups: a report that stays small, names the uncertain groups, and says where the rest is."""

from __future__ import annotations

import re
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.factors import FactorMoments
from mixsem.report.sections import MOST_ROWS, SOME_NAMED
from mixsem.structural import MixtureFit, StructuralMixture

GROUPS = 20_000
#: The largest report, and the time to make all files: 2 seconds on an idle core, so that this holds on a busy one.
MEGABYTES, SECONDS = 3.0, 60.0


@pytest.fixture(scope="module")
def large() -> MixtureFit:
    """Four clusters of twenty thousand groups, from the partition they were drawn with."""
    rng = np.random.default_rng(1)
    cluster = rng.integers(4, size=GROUPS)
    slope = np.array([0.6, 0.2, -0.2, -0.6])[cluster] + rng.normal(0, 0.08, GROUPS)
    Phi = np.stack([np.ones(GROUPS), slope, slope, np.ones(GROUPS)], axis=1).reshape(-1, 2, 2)
    n = rng.integers(25, 60, size=GROUPS)
    groups = [f"school {g:05d}" for g in range(GROUPS)]
    moments = FactorMoments.from_covariances(Phi, n=n, factors=["x", "y"], groups=groups)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = StructuralMixture("y ~ x", k=4, start=(cluster + 1).tolist()).fit(moments, seed=1)
    assert isinstance(fit, MixtureFit)
    return fit


def test_the_report_of_many_groups_is_small(large: MixtureFit, tmp_path: Path) -> None:
    begin = time.perf_counter()
    files = mx.save_results(large, tmp_path)
    assert time.perf_counter() - begin < SECONDS
    page = files["report.html"].read_text(encoding="utf-8")
    assert len(page.encode()) < MEGABYTES * 1e6
    assert len(pd.read_csv(files["clusters.csv"])) == GROUPS
    assert f"The {MOST_ROWS} least certain of {GROUPS:,} groups; clusters.csv" in page
    rows = re.findall(r'<tr><th scope="row" class="l">(school \d+)</th>', page)
    probability = large.posterior.max(axis=1)
    listed = probability[[int(name.removeprefix("school ")) for name in rows]]
    assert len(set(rows)) == MOST_ROWS and listed.max() <= np.sort(probability)[MOST_ROWS - 1]
    for cluster in range(1, 5):
        more = int((large.clusters == cluster).sum()) - SOME_NAMED
        assert f"and {more:,} more (see clusters.csv)" in page


def test_figures_of_many_groups_are_pictures_without_names(large: MixtureFit) -> None:
    for figure in (mx.plots.clusters(large), mx.plots.posterior(large)):
        labels = [label.get_text() for ax in figure.axes for label in (*ax.get_xticklabels(), *ax.get_yticklabels())]
        assert len(labels) < 40 and not any("school" in label for label in labels)
