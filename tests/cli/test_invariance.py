"""``mixsem invariance``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from .conftest import Outcome


@pytest.fixture
def invariance(run: Callable[..., Outcome]) -> Callable[..., Outcome]:
    def run_it(*more: str) -> Outcome:
        return run("invariance", "survey.csv", "--group", "country", "--measurement", "measurement.txt", *more)

    return run_it


def test_it_prints_the_levels(invariance: Callable[..., Outcome]) -> None:
    outcome = invariance()
    assert outcome.code == 0, outcome
    for word in ("configural", "metric", "scalar", "strict", "8 groups, N = 480"):
        assert word in outcome.out


def test_it_writes_its_files(invariance: Callable[..., Outcome], folder: Path) -> None:
    outcome = invariance("--levels", "configural,metric", "--estimator", "MLR", "--search", "--out", "out")
    assert outcome.code == 0, outcome
    assert {p.name for p in (folder / "out").iterdir()} == {
        "report.html",
        "invariance.csv",
        "noninvariance.csv",
        "invariance.svg",
    }
    assert pd.read_csv("out/invariance.csv")["level"].tolist() == ["configural", "metric"]
    assert len(pd.read_csv("out/noninvariance.csv")) == 8 * 6
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "mixsem invariance survey.csv" in page
    assert "Search for non-invariant loadings" in outcome.out


def test_quiet(invariance: Callable[..., Outcome]) -> None:
    outcome = invariance("--levels", "metric", "--out", "out", "--quiet")
    assert (outcome.code, outcome.out.strip(), outcome.err) == (0, "out", "")


def test_quiet_without_files_prints_nothing(invariance: Callable[..., Outcome]) -> None:
    outcome = invariance("--levels", "metric", "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_scale_and_names_of_columns(invariance: Callable[..., Outcome]) -> None:
    outcome = invariance("--levels", "configural", "metric", "--std-lv", "--orthogonal", "--out", "out")
    assert outcome.code == 0, outcome
    columns = pd.read_csv("out/invariance.csv").columns
    assert "within_cheung_rensvold_2002" in columns
    assert all(name.isascii() and name.isidentifier() for name in columns)


def test_ordered_items(invariance: Callable[..., Outcome], folder: Path) -> None:
    survey = pd.read_csv(folder / "survey.csv")
    items = [name for name in survey if name != "country"]
    survey[items] = survey[items].apply(lambda x: pd.cut(x, [-99, x.quantile(0.4), 99], labels=False))
    survey.to_csv(folder / "survey.csv", index=False)
    outcome = invariance("--ordered", "all")
    assert outcome.code == 0, outcome
    assert "estimator WLSMV" in outcome.out and "metric" in outcome.out and "strict" not in outcome.out


def test_full_information_and_small_groups(invariance: Callable[..., Outcome]) -> None:
    assert invariance("--levels", "metric", "--missing", "ml").code == 0
    assert "--min-size" in invariance("--missing", "ml", "--min-size", "50").err
    assert "61" in invariance("--levels", "metric", "--min-size", "61").err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--levels", "metrik"), "did you mean 'metric'"),
        (("--estimator", "MRL"), "MLR"),
        (("--threshold", "0.2"), "add --search"),
        (("--search", "--threshold", "x"), "--threshold x"),
        (("--search", "--kinds", "loading"), "did you mean 'loadings'"),
        (("--partial", "trust =~ f1"), "trust=~f1"),
        (("--partial", "trust =~ f1"), "error: --partial names"),
        (("--levels", "scalar", "--ordered", "all"), "--levels configural metric"),
        (("--min-size", "0"), "--min-size 0"),
        (("--out", " "), "--out is empty"),
        (("--lewels", "metric"), "--levels"),
    ],
)
def test_mistakes_are_refused(
    invariance: Callable[..., Outcome],
    contents: Callable[[], dict[str, bytes | None]],
    more: tuple[str, ...],
    says: str,
) -> None:
    before = contents()
    outcome = invariance(*more)
    assert outcome.code == 2, outcome
    assert says in outcome.err.replace(" =~ ", "=~")
    assert "Traceback" not in outcome.err
    assert contents() == before


def test_files_that_are_not_there(run: Callable[..., Outcome]) -> None:
    assert "no file" in run("invariance", "nothing.csv", "--group", "g", "--measurement", "F =~ a + b + c").err
    assert "--group" in run("invariance", "survey.csv", "--measurement", "trust =~ t1 + t2 + t3").err
