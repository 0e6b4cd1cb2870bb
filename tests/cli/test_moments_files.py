"""``mixsem moments`` on files of any size, and parquet moments wherever moments are taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mixsem.data import SampleMoments
from mixsem.data.streaming import reading

Run = Callable[..., object]
MODEL = ("--group", "country", "--measurement", "measurement.txt")


@pytest.fixture
def answers(folder: Path, survey: pd.DataFrame) -> Path:
    """The survey as a folder of parquet files, a country each."""
    for country, rows in survey.groupby("country"):
        place = folder / "answers" / f"country={country}"
        place.mkdir(parents=True)
        rows.drop(columns="country").to_parquet(place / "part.parquet")
    return folder / "answers"


def test_folder_pattern_and_table_give_the_same(run: Run, answers: Path, survey: pd.DataFrame) -> None:
    survey.to_parquet("survey.parquet")
    sources = {"folder": "answers", "pattern": "surv*.parquet", "file": "survey.parquet", "csv": "survey.csv"}
    found = {}
    for name, source in sources.items():
        outcome = run("moments", source, *MODEL, "--quiet", "--out", f"{name}.parquet")
        assert (outcome.code, outcome.out.strip(), outcome.err) == (0, f"{name}.parquet", "")
        found[name] = SampleMoments.load(f"{name}.parquet")
    for moments in found.values():
        assert moments.groups == tuple("ABCDEFGH")
        np.testing.assert_allclose(moments.covariances, found["csv"].covariances, rtol=0, atol=1e-14)


def test_parquet_rows_are_not_gathered(run: Run, survey: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    survey.to_parquet("survey.parquet")
    monkeypatch.setattr(reading, "read_grouped", None)  # the way of tables in memory
    assert run("moments", "survey.parquet", *MODEL, "--out", "m.parquet").code == 0


def test_every_command_takes_parquet_moments(run: Run, fit: Run, folder: Path) -> None:
    for name in ("m.parquet", "m.json"):
        assert run("moments", "survey.csv", *MODEL, "--out", name).code == 0
    for name in ("m.parquet", "m.json"):
        assert fit(name, group=None, clusters="2", out=f"{name}.out").code == 0
        assert run("cfa", "measurement.txt", name, "--out", f"{name}.cfa").code == 0
    one, other = (Path(f"m.{kind}.out", "clusters.csv").read_text() for kind in ("parquet", "json"))
    assert one == other
    assert run("invariance", "m.parquet", "--measurement", "measurement.txt").code == 0
    refused = run("lmer", "t1 ~ 1 + (1 | country)", "m.parquet")
    assert refused.code == 2 and "holds moments" in refused.err


def test_parts_merge_whatever_they_are(run: Run, folder: Path, survey: pd.DataFrame) -> None:
    survey[survey["country"] < "D"].to_parquet("rows.parquet")
    survey[survey["country"] >= "D"].to_csv("rest.csv", index=False)
    assert run("moments", "rest.csv", *MODEL, "--out", "rest.parquet").code == 0
    assert run("moments", "rows.parquet", "rest.parquet", *MODEL, "--out", "all.json").code == 0
    assert SampleMoments.load("all.json").n_total == len(survey)


def test_pairwise_moments(run: Run, survey: pd.DataFrame) -> None:
    survey.loc[::7, "t1"] = np.nan
    survey.to_csv("survey.csv", index=False)
    outcome = run("moments", "survey.csv", *MODEL, "--missing", "pairwise", "--out", "m.json")
    assert outcome.code == 0 and "rarest pair" in outcome.err
    assert SampleMoments.load("m.json").missing == "pairwise"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("moments", "answers", "--items", "t1", "--out", "m.json"), "--group COLUMN"),
        (("moments", "answers", "--group", "country", "--items", "t9", "--out", "m.json"), "no column 't9'"),
        (("moments", "none*.parquet", "--group", "country", "--items", "t1", "--out", "m.json"), "there is no file"),
        (("moments", "empty", "--group", "country", "--items", "t1", "--out", "m.json"), "a folder without .parquet"),
        (("moments", "answers", "--group", "country", "--items", "t1", "--out", "survey.parquet"), "holds no moments"),
    ],
)
def test_what_is_refused(run: Run, answers: Path, survey: pd.DataFrame, arguments: tuple[str, ...], told: str) -> None:
    Path("empty").mkdir()
    survey.to_parquet("survey.parquet")
    outcome = run(*arguments)
    assert outcome.code == 2 and told in outcome.err and "Traceback" not in outcome.err
    assert not Path("m.json").exists()
