"""Standard errors and tests in summaries, frames, files and the report: shown where step 1 is known."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyarrow import csv

from mixsem.errors import OptionError
from mixsem.factors import factor_moments
from mixsem.measurement import MeasurementFit
from mixsem.mixtures.errors import standard_errors
from mixsem.mixtures.intervals import intervals
from mixsem.mixtures.wald import wald
from mixsem.report.files import save_results
from mixsem.report.frames import tidy
from mixsem.report.html import html_report
from mixsem.report.inference_tables import (
    difference_table,
    effect_table,
    equality_table,
    explained_table,
    standardized_table,
    zero_table,
)
from mixsem.report.mixture_tables import coefficient_table
from mixsem.structural import MixtureFit, MixtureSelection, StructuralMixture


@pytest.fixture(scope="module")
def chain(measurement: MeasurementFit) -> MixtureFit:
    """A mediator, two clusters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = StructuralMixture("F2 ~ F1; F3 ~ F2 + F1", 2, n_starts=20).fit(factor_moments(measurement), seed=1)
    assert isinstance(found, MixtureFit)
    return found


def test_frames_have_standard_errors(chain: MixtureFit) -> None:
    frame, errors = tidy(chain), standard_errors(chain)
    np.testing.assert_array_equal(frame["se"], errors.se.ravel())
    np.testing.assert_allclose(frame["z"], frame["estimate"] / frame["se"])
    zero = wald(chain, errors).zero
    for column in ("p_value", "lower", "upper"):
        np.testing.assert_array_equal(frame[column], zero[column])


def test_frames_without_a_measurement_model_have_none(fit: MixtureFit) -> None:
    assert tidy(fit)[["se", "z", "p_value", "lower", "upper"]].isna().all(axis=None)
    assert "Standard errors" not in repr(fit)


def test_fixed_regressions_have_none(whole: MixtureSelection) -> None:
    frame = tidy(whole[2])
    assert (frame["se"].isna() == frame["fixed"]).all()


def test_residuals_of_clusters_have_none(measurement: MeasurementFit) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture = StructuralMixture("F3 ~ F1", 2, residuals="cluster", n_starts=5)
        found = mixture.fit(factor_moments(measurement), seed=1)
    assert tidy(found)["se"].isna().all()
    assert "none: residual variances belong to clusters" in " ".join(repr(found).split())


def test_the_table_of_regressions(chain: MixtureFit) -> None:
    tests = wald(chain)
    frame = coefficient_table(chain, tests).to_pandas().set_index("regression")
    assert frame.loc["F3 ~ F1", "cluster_2"] == chain.coefficients[1, chain.path.names.index("F3~F1")]
    assert frame.loc["F3 ~ F1", "se_2"] == tests.errors.se[1, chain.path.names.index("F3~F1")]
    own = tests.equal.query("outcome == 'F3' and predictor == 'F1'")["p_value"].iloc[0]
    assert frame.loc["F3 ~ F1", "p_equal"] == own
    assert pd.isna(frame.loc["People", "se_1"])
    text = repr(chain)
    assert "corrected for the estimation of step 1 (two-step)" in text
    assert f"{tests.errors.se[0, 0]:.3f}" in text


def test_tables_hold_the_numbers(chain: MixtureFit) -> None:
    tests, found = wald(chain), intervals(chain)
    zero = zero_table(tests).to_pandas()
    assert zero["regression"].tolist() == ["F2 ~ F1"] * 2 + ["F3 ~ F1"] * 2 + ["F3 ~ F2"] * 2
    assert zero["cluster"].tolist() == [1, 2] * 3
    assert zero["estimate"].tolist() == chain.coefficients.T.ravel().tolist()
    equality = equality_table(tests).to_pandas()
    assert equality["regression"].tolist() == ["F2 ~ F1", "F3 ~ F1", "F3 ~ F2", "all of them"]
    assert equality["df"].tolist() == [1, 1, 1, 3]
    effects = effect_table(found, indirect=True).to_pandas()
    assert effects["effect"].tolist() == ["indirect(F3 ~ F1)"] * 2 + ["total(F3 ~ F1)"] * 2
    assert len(effect_table(found).rows) == 10
    assert len(difference_table(found).rows) == 5
    assert len(difference_table(found, indirect=True).rows) == 2
    assert [row[0] for row in standardized_table(chain).rows] == ["F2 ~ F1", "F3 ~ F1", "F3 ~ F2"]
    assert [row[0] for row in explained_table(chain).rows] == ["F2", "F3"]


def test_the_report(chain: MixtureFit, fit: MixtureFit) -> None:
    page = html_report(chain, title="A mediator")
    for said in ("How sure are the regressions?", "All pairs of clusters", "indirect(F3 ~ F1)", "Explained variance"):
        assert said in page
    assert "cannot show that there is more than one" in page
    without = html_report(fit, title="Given")
    assert "Standard errors and tests are left out: the factor covariances were given" in without
    given = html_report(fit, title="Given", errors=standard_errors(fit))
    assert "step 1 taken as known" in given


def test_the_files(chain: MixtureFit, fit: MixtureFit, tmp_path: Path) -> None:
    files = save_results(chain, tmp_path / "one")
    frame = csv.read_csv(files["coefficients.csv"]).to_pandas()
    np.testing.assert_allclose(frame["se"], standard_errors(chain).se.ravel(), rtol=1e-12)
    record = json.loads(files["fit.json"].read_text(encoding="utf-8"))
    assert record["standard_errors"] == {"method": "two-step", "reason": None}
    assert record["coefficients"][0]["se"] == frame.loc[0, "se"]
    assert [row["df"] for row in record["equality"]] == [1, 1, 1]
    assert len(record["pairs"]) == 3
    assert {row["effect"] for row in record["effects"]} == {"indirect(F3 ~ F1)", "total(F3 ~ F1)"}
    assert len(record["standardized"]) == 6
    assert {row["variable"] for row in record["r2"]} == {"F2", "F3"}

    record = json.loads(save_results(fit, tmp_path / "two")["fit.json"].read_text(encoding="utf-8"))
    assert record["standard_errors"]["method"] is None
    assert "given" in record["standard_errors"]["reason"]
    assert record["coefficients"][0]["se"] is None
    errors = standard_errors(fit)
    record = json.loads(save_results(fit, tmp_path / "two", errors=errors)["fit.json"].read_text(encoding="utf-8"))
    assert record["standard_errors"]["method"] == "naive"
    assert record["coefficients"][0]["se"] == errors.se[0, 0]
    with pytest.raises(OptionError, match="belong to another fit"):
        save_results(replace(fit), tmp_path / "two", errors=errors)
