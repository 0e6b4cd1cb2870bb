"""``mixsem cfa``, ``sem`` and ``growth``: what they print and write, and what they refuse."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyarrow import csv

import mixsem as mx

Run = Callable[..., Any]

BOTH = "trust =~ t1 + t2 + t3\nfear =~ f1 + f2 + f3\ntrust ~ fear\n"
FILES = {"report.html", "parameters.csv", "fit.json"}


@pytest.fixture
def model(folder: Path) -> str:
    """A file with measurement and structure."""
    Path("model.txt").write_text(BOTH)
    return "model.txt"


def test_sem_prints_and_writes_what_python_gives(run: Run, model: str, survey: pd.DataFrame) -> None:
    equal = ("--group", "country", "--group-equal", "loadings,intercepts")
    outcome = run("sem", model, "survey.csv", *equal, "--estimator", "MLR", "--out", "out")
    assert outcome.code == 0, outcome.err
    assert {path.name for path in Path("out").iterdir()} == FILES
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = mx.sem(BOTH, survey, "country", group_equal=("loadings", "intercepts"), estimator="MLR")
    assert csv.read_csv("out/parameters.csv").to_pandas()["estimate"].tolist() == mx.tidy(fit)["estimate"].tolist()
    record = json.loads(Path("out/fit.json").read_text())
    assert record["measures"]["chisq_scaled"] == fit.robust.model.chisq  # type: ignore[union-attr]
    assert record["group"] == "country" and record["group_equal"] == ["loadings", "intercepts"]
    assert f"{fit.measures.chisq:,.3f}" in outcome.out
    assert outcome.out.endswith("Results in out: report.html, parameters.csv, fit.json\n")
    assert "mixsem sem model.txt survey.csv" in Path("out/report.html").read_text()


def test_cfa_of_one_group_with_the_model_as_text(run: Run, survey: pd.DataFrame) -> None:
    outcome = run("cfa", "trust =~ t1 + t2 + t3", "survey.csv", "--std-lv")
    assert outcome.code == 0, outcome.err
    fit = mx.cfa("trust =~ t1 + t2 + t3", survey, std_lv=True)
    assert outcome.out.startswith("Confirmatory factor analysis: 1 factor, 3 observed variables\n")
    assert f"{fit.coef[0]:.3f}" in outcome.out
    assert not Path("out").exists()


def test_growth_and_moments(run: Run, folder: Path) -> None:
    moments = mx.SampleMoments.from_covariances(
        {"all": [[1.0, 0.6, 0.5], [0.6, 1.2, 0.8], [0.5, 0.8, 1.5]]},
        n=100, means={"all": [1.0, 1.5, 2.1]}, items=["t1", "t2", "t3"],
    )  # fmt: skip
    moments.save("moments.json")
    outcome = run("growth", "i =~ 1*t1 + 1*t2 + 1*t3; s =~ 0*t1 + 1*t2 + 2*t3", "moments.json")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("Growth curve model: 2 factors")


def test_warnings_are_said_once_and_on_stderr(run: Run, model: str, survey: pd.DataFrame) -> None:
    survey.loc[0, "t1"] = None
    survey.to_csv("holes.csv", index=False)
    outcome = run("sem", model, "holes.csv")
    assert outcome.code == 0
    assert outcome.err.count("MissingDataWarning") == 1 and "MissingDataWarning" not in outcome.out
    outcome = run("sem", model, "holes.csv", "--missing", "ml")
    assert outcome.code == 0 and "full information" in outcome.out


def test_quiet_prints_the_folder_only(run: Run, model: str) -> None:
    outcome = run("sem", model, "survey.csv", "--out", "results", "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "results\n", "")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (("sem", "survey.csv", "model.txt"), ("MODEL: survey.csv is a table", "the model comes first")),
        (("sem", "nothing.txt", "survey.csv"), ("MODEL:", "is no file")),
        (("sem", "model.txt", "nothing.csv"), ("there is no file nothing.csv",)),
        (("sem", "model.txt"), ("required: DATA", "the model comes first")),
        (("sem", "model.txt", "survey.csv", "--estimator", "MLX"), ("--estimator MLX", "MLR")),
        (("sem", "model.txt", "survey.csv", "--missing", "fiml"), ("--missing fiml", "ml")),
        (("sem", "model.txt", "survey.csv", "--missing", "ml", "--estimator", "GLS"), ("--missing ml", "GLS")),
        (("sem", "model.txt", "survey.csv", "--group", "land"), ("land",)),
        (("sem", "model.txt", "survey.csv", "--group", ""), ("--group is empty",)),
        (
            ("sem", "model.txt", "survey.csv", "--group", "country", "--group-equal", "loading"),
            ("--group-equal got 'loading'", "did you mean 'loadings'"),
        ),
        (
            (
                "sem",
                "model.txt",
                "survey.csv",
                "--group",
                "country",
                "--group-equal",
                "loadings",
                "--group-partial",
                "trust =~ f9",
            ),
            ("--group-partial names 'trust =~ f9'",),
        ),
        (("sem", "trust =~ t1 + t2; fear ~~", "survey.csv"), ("model, line 1", "nothing stands on the right")),
        (("cfa", "trust =~ t1 + t2", "survey.csv"), ("not identified",)),
        (("cfa", "trust =~ t1 + t2 + t3", "survey.csv", "--out", "model.txt"), ("model.txt is a file",)),
    ],
)
def test_what_is_wrong_is_named(
    line: tuple[str, ...], says: tuple[str, ...], run: Run, model: str, contents: Callable[[], object]
) -> None:
    before = contents()
    outcome = run(*line)
    assert outcome.code == 2 and outcome.out == ""
    assert outcome.err.startswith("mixsem: error: ") and "Traceback" not in outcome.err
    assert not [part for part in says if part not in outcome.err], outcome.err
    assert contents() == before


@pytest.mark.parametrize("kind", ["cfa", "sem", "growth"])
def test_help(kind: str, run: Run) -> None:
    outcome = run(kind, "--help")
    assert outcome.code == 0 and "--group-equal" in outcome.out and "lavaan" in outcome.out
