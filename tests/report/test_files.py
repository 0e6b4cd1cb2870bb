"""The result files from Python."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import OptionError
from mixsem.report.record import plain
from mixsem.report.reproduce import python_code
from mixsem.structural.select import MixtureSelection

MEASUREMENT = "trust =~ t1 + t2 + t3\nfear =~ f1 + f2 + f3  # half \\ of the items"
STRUCTURAL = "trust ~ fear"


@pytest.fixture(scope="module")
def moments() -> mx.SampleMoments:
    """Six groups whose labels are dates; the regression is .7 in three of them and 0 in the others."""
    covariances = {}
    for g in range(6):
        b = 0.7 * (g < 3)
        Phi = np.array([[b * b + 0.5, b], [b, 1.0]])
        Lambda = np.kron(np.eye(2), np.ones((3, 1)))
        covariances[date(2020, 1, g + 1)] = Lambda @ Phi @ Lambda.T + np.diag([0.5, 0.6, 0.4, 0.3, 0.5, 0.6])
    return mx.SampleMoments.from_covariances(covariances, n=200, items=["t1", "t2", "t3", "f1", "f2", "f3"])


@pytest.fixture(scope="module")
def step1(moments: mx.SampleMoments) -> mx.MeasurementFit:
    return mx.MGCFA(MEASUREMENT, partial=("trust =~ t2",)).fit(moments)


@pytest.fixture(scope="module")
def fits(step1: mx.MeasurementFit) -> MixtureSelection:
    mixture = mx.StructuralMixture(STRUCTURAL, k=(1, 2), residuals="cluster", n_starts=7)
    selection = mixture.fit(mx.factor_moments(step1), seed=4)
    assert isinstance(selection, MixtureSelection)
    return selection


def record_in(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "fit.json").read_text(encoding="utf-8"))
    return record


def test_a_selection(fits: MixtureSelection, step1: mx.MeasurementFit, tmp_path: Path) -> None:
    files = mx.save_results(fits, tmp_path / "out", measurement=step1, seed=4, title="Ängste <1>", source="x.csv")
    assert all(path.is_file() and path.name == name for name, path in files.items()) and len(files) == 6
    assert mx.SampleMoments.load(files["moments.json"]).groups == step1.groups
    record = record_in(tmp_path / "out")
    assert (record["k"], record["title"], record["settings"]["seed"]) == (2, "Ängste <1>", 4)
    assert record["clusters"][0]["group"] == "2020-01-01"
    assert pd.read_csv(files["clusters.csv"])["group"].tolist() == [f"2020-01-0{g}" for g in range(1, 7)]
    assert record["measurement"]["blocks"][0]["items"] == ["t1", "t2", "t3"]
    page = files["report.html"].read_text(encoding="utf-8")
    assert "Ängste &lt;1&gt;" in page and "x.csv" in page and "trust =~ t2" in page


def test_one_fit_without_measurement(fits: MixtureSelection, tmp_path: Path) -> None:
    files = mx.save_results(fits[1], tmp_path)
    assert set(files) == {"report.html", "clusters.csv", "coefficients.csv", "selection.csv", "fit.json"}
    record = record_in(tmp_path)
    assert record["choice"]["rule"] == "only" and record["k"] == 1
    assert record["measurement"] is None and record["settings"]["seed"] is None
    assert len(record["selection"]) == 1


def test_a_number_that_was_not_fitted_writes_nothing(fits: MixtureSelection, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="k=5"):
        mx.save_results(fits, tmp_path / "out", choose=5)
    assert list(tmp_path.iterdir()) == []


def test_the_python_code_repeats_the_fit(
    fits: MixtureSelection, step1: mx.MeasurementFit, moments: mx.SampleMoments
) -> None:
    code = python_code(fits, measurement=step1, seed=4)
    names: dict[str, Any] = {}
    exec(code.replace("data = ...", "data = moments"), {"moments": moments}, names)
    assert [fit.loglik for fit in names["fits"].fits] == [fit.loglik for fit in fits.fits]
    assert [fit.n_params for fit in names["fits"].fits] == [fit.n_params for fit in fits.fits]


def test_no_code_is_better_than_wrong_code(fits: MixtureSelection, step1: mx.MeasurementFit) -> None:
    """What `mmgsem` cannot repeat: random starts without a seed, factors given, options it does not have."""
    assert python_code(fits, measurement=step1, seed=None) == ""
    assert python_code(fits, measurement=None, seed=4) == ""
    loose = mx.StructuralMixture(STRUCTURAL, k=(1, 2), tolerance=1e-4, n_starts=3).fit(mx.factor_moments(step1), seed=4)
    assert isinstance(loose, MixtureSelection)
    assert python_code(loose, measurement=step1, seed=4) == ""


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, np.float64("nan")])
def test_no_number_but_finite_ones(value: float) -> None:
    cleaned = plain({"deep": [{"x": np.array([1.0, value])}, (value,)]})
    assert isinstance(cleaned, Mapping)
    assert cleaned["deep"] == [{"x": [1.0, None]}, [None]]
