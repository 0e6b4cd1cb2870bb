"""``missing="ml"`` in step 1, in the methods and in what is written about them."""

from __future__ import annotations

import html
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import MissingDataWarning, OptionError
from mixsem.multilevel.mlsem import compile_mlsem

MEASUREMENT = "F1 =~ V1 + V2 + V3\nF2 =~ V6 + V7 + V8"
STRUCTURAL = "F2 ~ F1"
SHORT = mx.Sampling(chains=2, warmup=50, draws=50)


@pytest.fixture(scope="module")
def survey() -> pd.DataFrame:
    """Eight groups of 100; V2 is missing where V1 is high, V7 at random."""
    truth = mx.simulate.draw_truth(mx.simulate.Population(n_groups=8, group_size=100, n_clusters=2), seed=3)
    frame = mx.simulate.draw_frame(truth, seed=3)
    frame.loc[frame["V1"] > 0.8, "V2"] = np.nan
    frame.loc[frame.index % 6 == 0, "V7"] = np.nan
    return frame


@pytest.fixture(autouse=True)
def quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def moments_of(survey: pd.DataFrame) -> mx.SampleMoments:
    return mx.SampleMoments.from_frame(survey, ["V1", "V2", "V3", "V6", "V7", "V8"], "group", missing="ml")


def test_mgcfa_fits_the_estimated_moments(survey: pd.DataFrame) -> None:
    fit = mx.MGCFA(MEASUREMENT, missing="ml").fit(survey, "group")
    same = mx.MGCFA(MEASUREMENT).fit(moments_of(survey))
    np.testing.assert_array_equal(fit.Phi, same.Phi)
    assert fit.nobs == 800 and fit.moments.missing == "ml"
    assert any(n.category is MissingDataWarning and "too optimistic" in n.text for n in fit.notices)
    with pytest.raises(OptionError, match="missing='ml' came with moments"):
        mx.MGCFA(MEASUREMENT, missing="ml").fit(mx.SampleMoments.from_frame(survey, list(same.items), "group"))


@pytest.mark.parametrize("model", [mx.MLCFA, mx.MGBCFA])
def test_bayesian_models_take_them_too(model: Any, survey: pd.DataFrame) -> None:
    options = {"method": "laplace", "sampling": SHORT}
    fit = model(MEASUREMENT, missing="ml", **options).fit(survey, "group", seed=1)
    same = model(MEASUREMENT, **options).fit(moments_of(survey), seed=1)
    np.testing.assert_array_equal(fit.Lambda, same.Lambda)
    assert fit.moments.missing == "ml"


def test_mlsem_takes_them_too(survey: pd.DataFrame) -> None:
    moments, *_ = compile_mlsem(mx.MLSEM(MEASUREMENT, STRUCTURAL, missing="ml"), survey, "group")
    np.testing.assert_array_equal(moments.covariances, moments_of(survey).covariances)


def test_the_choice_of_a_prior_variance_takes_them_too(survey: pd.DataFrame) -> None:
    options: dict[str, Any] = {"grid": (0.01, 0.1), "method": "laplace", "sampling": SHORT, "seed": 1}
    choice = mx.choose_prior_variance(MEASUREMENT, survey, "group", missing="ml", **options)
    same = mx.choose_prior_variance(MEASUREMENT, moments_of(survey), **options)
    assert [c.dic for c in choice.candidates] == [c.dic for c in same.candidates]


def test_mmgsem_and_what_it_writes(survey: pd.DataFrame, tmp_path: Path) -> None:
    fits = mx.mmgsem(MEASUREMENT, STRUCTURAL, survey, "group", k=(1, 2), missing="ml", n_starts=5, seed=1)
    mx.save_results(fits, tmp_path)
    assert json.loads((tmp_path / "fit.json").read_text(encoding="utf-8"))["settings"]["missing"] == "ml"
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<dt>Missing values</dt><dd>means and covariances estimated from all answers" in page
    code = html.unescape(page[page.index("import mixsem as mx") :].split("</code>")[0])
    names: dict[str, Any] = {}
    exec(code.replace("data = ...", "data = survey"), {"survey": survey}, names)
    assert names["fits"][2].loglik == fits[2].loglik


def test_small_groups_are_left_out_by_the_code_as_well(survey: pd.DataFrame, tmp_path: Path) -> None:
    few = survey.drop(index=survey.index[survey["group"] == survey["group"].iloc[0]][5:])
    items = ["V1", "V2", "V3", "V6", "V7", "V8"]
    moments = mx.SampleMoments.from_frame(few, items, "group", min_size=50, missing="ml")
    assert moments.n_groups == 7
    fits = mx.mmgsem(MEASUREMENT, STRUCTURAL, moments, k=2, n_starts=5, seed=1)
    mx.save_results(fits, tmp_path, min_size=50)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "50 rows with an answer; smaller groups were left out" in page
    code = html.unescape(page[page.index("import mixsem as mx") :].split("</code>")[0])
    assert "min_size=50, missing='ml')" in code
    names: dict[str, Any] = {}
    exec(code.replace("data = ...", "data = few"), {"few": few}, names)
    assert names["fits"][2].loglik == fits.loglik


@pytest.mark.parametrize("run", [mx.mixml_sem, mx.mixmg_bsem])
def test_bayesian_methods_write_it_down(run: Any, survey: pd.DataFrame, tmp_path: Path) -> None:
    fits = run(
        MEASUREMENT, STRUCTURAL, survey, "group",
        k=2, missing="ml", method="laplace", sampling=SHORT, n_starts=5, seed=1,
    )  # fmt: skip
    mx.save_results(fits, tmp_path)
    assert json.loads((tmp_path / "fit.json").read_text(encoding="utf-8"))["settings"]["missing"] == "ml"
    page = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "missing='ml'" in page[page.index("import mixsem as mx") :]
