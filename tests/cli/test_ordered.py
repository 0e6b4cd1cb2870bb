"""``--ordered``: the command line does what Python does, and refuses what holds no categories."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixsem as mx

Fit = Callable[..., Any]

pytestmark = pytest.mark.filterwarnings("ignore::mixsem.errors.MixsemWarning")


@pytest.fixture
def categories(survey: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The survey with its items cut into four categories, in place of the numbers."""
    for name in survey.columns.drop("country"):
        survey[name] = np.digitize(survey[name], np.quantile(survey[name], [0.2, 0.5, 0.8]))
    survey.to_csv("survey.csv", index=False)
    return survey


def test_fit_is_that_of_python(fit: Fit, categories: pd.DataFrame) -> None:
    outcome = fit(ordered="all", clusters="2", starts="10")
    assert outcome.code == 0, outcome.err
    expected = mx.mmgsem(
        Path("measurement.txt").read_text(), "trust ~ fear", categories, "country", k=2, ordered=True,
        n_starts=10, seed=1,
    )  # fmt: skip
    record = json.loads(Path("out/fit.json").read_text(encoding="utf-8"))
    assert record["loglik"] == expected.loglik
    assert record["settings"]["ordered"] is True
    assert record["measurement"]["loglik"] is None
    report = Path("out/report.html").read_text(encoding="utf-8")
    assert "ordered=True" in report and "polychoric" in report


def test_what_does_not_go_with_ordered_items_is_refused(
    fit: Fit, run: Fit, refused: Fit, categories: pd.DataFrame
) -> None:
    arguments = ("moments", "survey.csv", "--group", "country", "--measurement", "measurement.txt")
    assert run(*arguments, "--out", "moments.json").code == 0
    refused(["--ordered came with moments"], ["moments.json"], group=None, ordered="all", out="new")
    refused(["--missing ml"], missing="ml", ordered="all")
    refused(["--ordered is an option of --method mmgsem"], method="mixml-sem", ordered="all")
    refused(["--ordered", "nobody"], ordered="nobody")
