"""The tables that ship: complete, as described, and made by the script that says so."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pandas as pd

from mixsem.data import (
    SampleMoments,
    as_moments,
    holzinger_swineford_1939,
    political_democracy,
    simulated_survey,
    survey_truth,
)

SCRIPT = Path(__file__).parents[1] / "reference" / "make_survey.py"


def test_the_survey_is_what_its_script_makes() -> None:
    survey, truth = runpy.run_path(str(SCRIPT))["make_survey"]()
    shipped = simulated_survey()
    pd.testing.assert_series_equal(shipped["country"], survey["country"], check_dtype=False)
    assert list(shipped.columns) == list(survey.columns)
    difference = shipped.iloc[:, 1:] - survey.iloc[:, 1:]
    # Another linear algebra library may round a few answers to the neighbouring tenth.
    assert (difference.abs() > 0.05).to_numpy().mean() < 1e-3
    assert shipped.isna().to_numpy().tolist() == survey.isna().to_numpy().tolist()
    assert truth["clusters"] == survey_truth().clusters


def test_the_survey_looks_as_described() -> None:
    survey, truth = simulated_survey(), survey_truth()
    sizes = survey["country"].value_counts()
    assert len(sizes) == 48 and sizes.between(150, 250).all()
    answers = survey.iloc[:, 1:]
    assert answers.shape[1] == 20 and answers.min(axis=None) >= 0 and answers.max(axis=None) <= 10
    assert 0.005 < answers.isna().to_numpy().mean() < 0.015
    assert sorted(truth.clusters) == sorted(sizes.index)
    assert np.bincount(list(truth.clusters.values())).tolist() == [0, 12, 12, 12, 12]
    zeros = {name for values in truth.coefficients.values() for name, b in values.items() if b == 0}
    assert len(truth.coefficients) == 4 and len(zeros) == 4
    assert {b for values in truth.coefficients.values() for b in values.values()} == {0.0, 0.4}


def test_the_clusters_of_the_survey_show_in_its_covariances() -> None:
    """Cluster 2 has no regression of trust on security, cluster 3 none of trust on belonging."""
    truth = survey_truth()
    scales = [f"{factor}{j}" for factor in ("security", "belonging", "trust") for j in range(1, 6)]
    moments = as_moments(simulated_survey(), scales, "country")
    sums = np.kron(np.eye(3), np.ones((1, 5)))
    s = sums @ moments.covariances @ sums.T
    slopes = np.linalg.solve(s[:, :2, :2], s[:, :2, 2:])[:, :, 0]
    clusters = np.array([truth.clusters[str(country)] for country in moments.groups])
    means = np.array([slopes[clusters == k].mean(axis=0) for k in (1, 2, 3, 4)])
    assert means[1, 0] < 0.1 < 0.25 < means[[0, 2, 3], 0].min()
    assert means[2, 1] < 0.1 < 0.25 < means[[0, 1, 3], 1].min()


def test_holzinger_and_swineford() -> None:
    moments = SampleMoments.from_frame(holzinger_swineford_1939(), [f"x{j}" for j in range(1, 10)], "school")
    assert moments.groups == ("Grant-White", "Pasteur") and moments.n.tolist() == [145, 156]
    np.testing.assert_allclose(moments.means[:, 0], [4.930, 4.941], atol=5e-4)  # as published in many tutorials


def test_political_democracy() -> None:
    table = political_democracy()
    assert list(table.columns) == [f"y{j}" for j in range(1, 9)] + ["x1", "x2", "x3"]
    assert not table.isna().any(axis=None)
