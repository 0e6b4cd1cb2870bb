"""``--missing ml``: the command line does what Python does."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mixsem as mx

Fit = Callable[..., Any]


@pytest.fixture
def holes(survey: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The survey with missing answers, in place of the complete one."""
    survey.loc[survey.index % 5 == 0, "t2"] = float("nan")
    survey.loc[survey["t1"] > 1.5, "f3"] = float("nan")
    survey.to_csv("survey.csv", index=False)
    return survey


def record() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(Path("out/fit.json").read_text(encoding="utf-8"))
    return read


def test_fit_is_that_of_python(fit: Fit, holes: pd.DataFrame) -> None:
    outcome = fit(missing="ml", clusters="2", starts="10")
    assert outcome.code == 0, outcome.err
    assert "(--missing ml)" in outcome.err
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = mx.mmgsem(
            Path("measurement.txt").read_text(), "trust ~ fear", holes, "country", k=2, missing="ml",
            n_starts=10, seed=1,
        )  # fmt: skip
    assert record()["loglik"] == expected.loglik
    assert record()["settings"]["missing"] == "ml" and record()["n_people"] == len(holes)
    assert "missing=&#x27;ml&#x27;" in Path("out/report.html").read_text(encoding="utf-8")


def test_moments_remember_how_they_were_made(fit: Fit, run: Fit, refused: Fit, holes: pd.DataFrame) -> None:
    arguments = ("moments", "survey.csv", "--group", "country", "--measurement", "measurement.txt")
    assert run(*arguments, "--missing", "ml", "--out", "ml.json").code == 0
    assert run(*arguments, "--out", "listwise.json").code == 0
    assert fit("ml.json", group=None, clusters="2", starts="10").code == 0
    assert record()["settings"]["missing"] == "ml" and record()["n_people"] == len(holes)
    refused(["listwise.json: --missing ml came with moments"], ["listwise.json"], group=None, missing="ml", out="new")


def test_other_words_are_refused(refused: Fit) -> None:
    refused(["--missing fiml", "listwise, ml"], missing="fiml")
