"""The result files from Python."""

from __future__ import annotations

import html
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
from mixsem.report.names import RESULT_FILES
from mixsem.report.record import plain
from mixsem.report.reproduce import python_code, settings_in_words
from mixsem.structural.choice import choose_clusters
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
    files = mx.save_results(fits, tmp_path / "out", measurement=step1, title="Ängste <1>", source="x.csv")
    assert all(path.is_file() and path.name == name for name, path in files.items()) and len(files) == 6
    assert mx.SampleMoments.load(files["moments.json"]).groups == step1.groups
    record = record_in(tmp_path / "out")
    assert (record["k"], record["title"], record["settings"]["seed"]) == (2, "Ängste <1>", 4)
    assert record["clusters"][0]["group"] == "2020-01-01"
    assert pd.read_csv(files["clusters.csv"])["group"].tolist() == [f"2020-01-0{g}" for g in range(1, 7)]
    assert record["measurement"]["blocks"][0]["items"] == ["t1", "t2", "t3"]
    page = files["report.html"].read_text(encoding="utf-8")
    assert "Ängste &lt;1&gt;" in page and "x.csv" in page and "trust =~ t2" in page


def test_one_fit_of_given_covariances(tmp_path: Path) -> None:
    Phi = [[[1.0, 0.2], [0.2, 1.0]]] * 3
    given = mx.FactorMoments.from_covariances(Phi, n=[90] * 3, factors=["fear", "trust"], groups="abc")
    files = mx.save_results(mx.StructuralMixture(STRUCTURAL, k=1).fit(given), tmp_path)
    assert set(files) == {"report.html", "clusters.csv", "coefficients.csv", "selection.csv", "fit.json"}
    record = record_in(tmp_path)
    assert record["choice"]["rule"] == "only" and record["k"] == 1
    assert record["measurement"] is None and record["settings"]["seed"] is None
    assert len(record["selection"]) == 1
    page = files["report.html"].read_text(encoding="utf-8")
    assert "<dt>Random starts</dt><dd>none: one cluster needs none</dd>" in page


def test_step_1_is_remembered_by_the_fit(step1: mx.MeasurementFit, moments: mx.SampleMoments, tmp_path: Path) -> None:
    """What `mmgsem` returns is enough for everything that the three steps by hand give."""
    whole = mx.mmgsem(MEASUREMENT, STRUCTURAL, moments, k=(1, 2), partial=("trust =~ t2",), n_starts=7, seed=4)
    files = mx.save_results(whole, tmp_path / "whole")
    assert set(files) == set(RESULT_FILES)
    page = files["report.html"].read_text(encoding="utf-8")
    assert 'id="measurement"' in page and 'id="reproduce"' in page
    given = mx.save_results(whole, tmp_path / "given", measurement=step1)
    assert given["fit.json"].read_bytes() == files["fit.json"].read_bytes()
    assert given["report.html"].read_bytes() == files["report.html"].read_bytes()


def test_a_measurement_model_that_is_given_wins(
    fits: MixtureSelection, moments: mx.SampleMoments, tmp_path: Path
) -> None:
    other = mx.MGCFA(MEASUREMENT, equal=()).fit(moments)
    mx.save_results(fits, tmp_path, measurement=other)
    assert record_in(tmp_path)["settings"]["equal"] == []
    assert "nothing (configural)" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_why_a_number_of_clusters_is_shown_is_said_once_and_alike(fits: MixtureSelection, tmp_path: Path) -> None:
    for choose in (None, 1):
        mx.save_results(fits, tmp_path, choose=choose)
        choice = choose_clusters(fits, choose)
        page = (tmp_path / "report.html").read_text(encoding="utf-8").replace("BIC<sub>G</sub>", "BIC_G")
        assert f"<dt>Clusters shown</dt><dd>{choice.k}: {choice.reason}</dd>" in page
        shown = "1 cluster" if choice.k == 1 else f"{choice.k} clusters"
        assert f"This report shows the solution with {shown}: {choice.reason}." in page
        assert ("this number was asked for" in page) == (choose is not None)


@pytest.mark.filterwarnings("ignore::mixsem.errors.MixsemWarning")
def test_the_smallest_group_is_written_down(tmp_path: Path) -> None:
    survey = mx.data.simulated_survey()
    small = survey[survey["country"].isin([f"C{i:02d}" for i in range(1, 9)])]
    measurement, structural = mx.data.survey_models()
    items = mx.syntax.parse_model(measurement).indicators
    smallest = int(np.sort(small.dropna().groupby("country").size())[3])
    moments = mx.SampleMoments.from_frame(small, items, "country", min_size=smallest)
    assert moments.n_groups == 5
    fit = mx.mmgsem(measurement, structural, moments, k=2, n_starts=5, seed=2)
    mx.save_results(fit, tmp_path, min_size=smallest)
    assert record_in(tmp_path)["settings"]["min_size"] == smallest
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"<dt>Smallest group</dt><dd>{smallest} complete rows; smaller groups were left out</dd>" in page
    code = html.unescape(page[page.index("import mixsem as mx") :].split("</code>")[0])
    names: dict[str, Any] = {}
    exec(code.replace("data = ...", "data = small"), {"small": small}, names)
    assert names["fits"][2].groups == fit.groups
    assert names["fits"][2].loglik == fit.loglik


def test_a_number_that_was_not_fitted_writes_nothing(fits: MixtureSelection, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="k=5"):
        mx.save_results(fits, tmp_path / "out", choose=5)
    assert list(tmp_path.iterdir()) == []


def test_the_python_code_repeats_the_fit(
    fits: MixtureSelection, step1: mx.MeasurementFit, moments: mx.SampleMoments
) -> None:
    code = python_code(fits, measurement=step1, min_size=None)
    names: dict[str, Any] = {}
    exec(code.replace("data = ...", "data = moments"), {"moments": moments}, names)
    assert [fit.loglik for fit in names["fits"].fits] == [fit.loglik for fit in fits.fits]
    assert [fit.n_params for fit in names["fits"].fits] == [fit.n_params for fit in fits.fits]


def test_no_code_is_better_than_wrong_code(fits: MixtureSelection, step1: mx.MeasurementFit) -> None:
    """What `mmgsem` cannot repeat: factors given, options it does not have."""
    assert python_code(fits, measurement=None, min_size=None) == ""
    loose = mx.StructuralMixture(STRUCTURAL, k=(1, 2), tolerance=1e-4, n_starts=3).fit(mx.factor_moments(step1), seed=4)
    assert isinstance(loose, MixtureSelection)
    assert python_code(loose, measurement=step1, min_size=None) == ""


def test_code_without_a_seed_says_so(fits: MixtureSelection, step1: mx.MeasurementFit) -> None:
    drawn = mx.StructuralMixture(STRUCTURAL, k=(1, 2), n_starts=3).fit(mx.factor_moments(step1))
    assert isinstance(drawn, MixtureSelection)
    assert words_of(drawn)["Seed"] == "none was given"
    code = python_code(drawn, measurement=step1, min_size=None)
    assert "    # seed=...: none was given, so other random starts are drawn\n)" in code
    compile(code, "code", "exec")
    assert "seed=4,\n)" in python_code(fits, measurement=step1, min_size=None)


def test_code_for_groups_that_no_column_names_starts_from_the_moments(
    fits: MixtureSelection, step1: mx.MeasurementFit
) -> None:
    assert step1.moments.group is None
    code = python_code(fits, measurement=step1, min_size=150)
    assert 'data = ...  # the moments: mx.SampleMoments.load("moments.json")' in code
    assert "from_frame" not in code


@pytest.mark.parametrize(
    ("k", "said"), [((1,), "none: one"), ((2,), "9 for each number of clusters"), ((1, 2), "above 1")]
)
def test_random_starts_are_those_that_were_made(k: tuple[int, ...], said: str, step1: mx.MeasurementFit) -> None:
    tried = mx.StructuralMixture(STRUCTURAL, k=k, n_starts=9).fit(mx.factor_moments(step1), seed=1)
    assert isinstance(tried, MixtureSelection)
    assert said in words_of(tried)["Random starts"]


def test_a_given_partition_is_no_random_start(step1: mx.MeasurementFit) -> None:
    mixture = mx.StructuralMixture(STRUCTURAL, k=2, start=[1, 1, 1, 2, 2, 2])
    fit = mixture.fit(mx.factor_moments(step1))
    assert isinstance(fit, mx.MixtureFit)
    assert words_of(MixtureSelection((fit,)))["Random starts"] == "none: a partition was given to start from"


def words_of(fits: MixtureSelection) -> dict[str, str]:
    return settings_in_words(fits, choose_clusters(fits), measurement=None, min_size=None, source="")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, np.float64("nan")])
def test_no_number_but_finite_ones(value: float) -> None:
    cleaned = plain({"deep": [{"x": np.array([1.0, value])}, (value,)]})
    assert isinstance(cleaned, Mapping)
    assert cleaned["deep"] == [{"x": [1.0, None]}, [None]]


@pytest.mark.filterwarnings("ignore::mixsem.errors.MixsemWarning")
def test_an_invariance_test_writes_its_files_and_what_has_none_is_refused(tmp_path: Path) -> None:
    test = mx.invariance_test(
        "visual =~ x1 + x2 + x3", mx.data.holzinger_swineford_1939(), group="school", levels=("configural", "metric")
    )
    files = mx.save_results(test, tmp_path / "out", title="Visual")
    assert {"report.html", "invariance.csv"} <= set(files)
    assert "<h1>Visual</h1>" in files["report.html"].read_text(encoding="utf-8")
    with pytest.raises(OptionError, match=r"save_results\(\) got str"):
        mx.save_results("fit.mixsem", tmp_path / "none")  # type: ignore[arg-type]
    assert not (tmp_path / "none").exists()
