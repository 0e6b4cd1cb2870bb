"""Bad data, options and folders, one row each; see `refused` in conftest.py for what each must fulfil."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

Refused = Callable[..., Any]
Contents = Callable[[], dict[str, bytes | None]]


def rows_that_do_not_compress() -> bytes:
    rng = np.random.default_rng(1)
    rows = [",".join(["A", *map(str, rng.random(6))]) for _ in range(100)]
    return "\n".join(["country,t1,t2,t3,f1,f2,f3", *rows]).encode()


# what is wrong -> name of the file, its content, parts of the message
FILES = {
    "empty": ("survey.csv", b"", "empty"),
    "header only": ("survey.csv", b"country,t1,t2,t3,f1,f2,f3\n", "no rows"),
    "binary": ("survey.csv", bytes(range(256)) * 8, "survey.csv", "UTF-8"),
    "no parquet": ("survey.parquet", b"country,t1\n", "survey.parquet"),
    "no feather": ("survey.feather", b"country,t1\n", "survey.feather"),
    "no gzip": ("survey.csv.gz", b"country,t1\n", "survey.csv.gz"),
    "gzip cut off": ("survey.csv.gz", gzip.compress(rows_that_do_not_compress())[:2000], "survey.csv.gz"),
    "no table": ("survey.xlsx", b"PK", "suffix", ".csv", ".parquet"),
    "no suffix": ("survey", b"country,t1\n", "suffix", ".csv"),
    "semicolons": ("survey.csv", b"country;t1\nA;1\n", "semicolons"),
    "columns of one name": ("survey.csv", b"country,t1,t1\nA,1,2\n", "more than one column", "t1"),
    "ragged rows": ("survey.csv", b"country,t1\nA,1\nA,1,2,3\n", "survey.csv", "saw 4\n  next: "),
    "no JSON": ("moments.json", b'{"format":', "moments.json", "cannot be read"),
    "other JSON": ("moments.json", b"[1]", "not a file of sample moments"),
    "moments cut off": (
        "moments.json.gz",
        gzip.compress(rows_that_do_not_compress())[:2000],
        "moments.json.gz",
    ),
}

MOMENTS = {
    "of a later version": ({"version": 99}, "version 99"),
    "without an item": ({"items": ["t9", "t2", "t3", "f1", "f2", "f3"]}, "moments.json", "no item t1"),
    "of another shape": ({"covariances": [[1.0]]}, "'covariances'"),
    "not symmetric": ({"covariances": [np.triu(np.ones((6, 6))).tolist()] * 2}, "symmetric"),
    "with a negative size": ({"n": [-1, 5]}, "'n'"),
    "without means": ({"means": None}, "'means'"),
    "with a group twice": ({"groups": ["A", "A"]}, "'groups'"),
    "that are indefinite": ({"covariances": [(1.5 - np.eye(6)).tolist()] * 2}, "'covariances'", "semidefinite"),
    "with a constant item": (
        {"covariances": [np.eye(6).tolist(), np.diag([1, 1, 0, 1, 1, 1]).tolist()]},
        "without variation",
        "B (t3)",
        "--min-size",
    ),
    "that are singular": ({"covariances": [np.ones((6, 6)).tolist()] * 2}, "singular"),
    "of one group": (
        {
            "groups": ["A"],
            "n": [90],
            "n_dropped": [0],
            "means": [[0.0] * 6],
            "covariances": [np.eye(6).tolist()],
        },
        "one group only",
    ),
}


def one_in_t2(survey: pd.DataFrame, value: object) -> pd.DataFrame:
    return survey.assign(t2=survey["t2"].astype(object).where(survey.index != 5, value))


# what is wrong -> change of the survey, parts of the message
TABLES: dict[str, tuple[Any, ...]] = {
    "one group": (lambda s: s.assign(country="A"), "one group only", "--group"),
    "no group": (lambda s: s.assign(country=None), "missing in every row"),
    "a group per row": (lambda s: s.assign(country=[f"p{i}" for i in s.index]), "one complete row"),
    "a small group": (lambda s: s.drop(s.index[s["country"] == "A"][3:]), "singular", ": A", "--min-size"),
    "an item missing": (lambda s: s.drop(columns="t2"), "'t2'"),
    "a constant item": (lambda s: s.assign(t2=3), "no variation", "t2"),
    "constant in C": (
        lambda s: s.assign(t2=s["t2"].mask(s["country"] == "C", 3)),
        "without variation",
        "C (t2)",
    ),
    "text": (lambda s: one_in_t2(s, "often"), "'t2' holds text", "'often' (1)", "next: replace them in the file"),
    "decimal commas": (
        lambda s: s.assign(t2=s["t2"].astype(str).str.replace(".", ",")),
        "'t2'",
        "decimal comma",
    ),
    "infinite": (lambda s: one_in_t2(s, np.inf), "infinite", "'t2' (1)"),
    "minus infinite": (lambda s: one_in_t2(s, -np.inf), "infinite", "'t2' (1)"),
    "nothing answered": (lambda s: s.assign(t2=np.nan), "no complete row", "t2"),
    "never both": (
        lambda s: s.assign(t1=s["t1"].where(s.index % 2 == 0), f1=s["f1"].where(s.index % 2 == 1)),
        "no complete row",
        "t1 (240)",
    ),
    "a copied item": (lambda s: s.assign(t2=s["t1"]), "singular"),
}

# what is wrong -> options, parts of the message
OPTIONS: dict[str, tuple[Any, ...]] = {
    "no measurement model": ({"measurement": None}, "required: --measurement"),
    "no structural model": ({"structural": None}, "required: --structural"),
    "no output folder": ({"out": None}, "required: --out"),
    "no value": ({"title": ()}, "--title", "the data files come first"),
    "unknown argument": ({"clustres": "3"}, "'--clustres'", "did you mean '--clusters'"),
    "no grouping column": ({"group": None}, "survey.csv", "country, t1", "--group"),
    "empty grouping column": ({"group": " "}, "--group"),
    "unknown grouping column": ({"group": "contry"}, "'contry'", "did you mean 'country'"),
    "an item as group": ({"group": "t1"}, "'t1'", "also an item"),
    "more clusters than groups": ({"clusters": "2,9"}, "--clusters 9", "8 groups"),
    "no clusters": ({"clusters": "0"}, "--clusters '0'"),
    "backwards": ({"clusters": "3-1"}, "'3-1'", "backwards"),
    "in letters": ({"clusters": "a"}, "--clusters 'a'", "1-6"),
    "from zero": ({"clusters": "0-3"}, "'0-3'"),
    "half a cluster": ({"clusters": "1.5"}, "'1.5'"),
    "an empty entry": ({"clusters": "1,,2"}, "'1,,2'"),
    "an empty text": ({"clusters": ""}, "--clusters ''"),
    "negative clusters": ({"clusters": "-2"}, "'-2'"),
    "a billion clusters": ({"clusters": "1-1000000000"}, "1000"),
    "negative starts": ({"starts": "-5"}, "--starts -5", "1 or more"),
    "no starts": ({"starts": "0"}, "--starts 0"),
    "seed in letters": ({"seed": "x"}, "--seed x"),
    "negative seed": ({"seed": "-1"}, "--seed -1", "0 or more"),
    "groups of no size": ({"min_size": "0"}, "--min-size 0"),
    "no group of that size": ({"min_size": "61"}, "61", "60", "--min-size"),
    "unknown method": ({"method": "mmgsm"}, "--method mmgsm", "did you mean 'mmgsem'"),
    "unknown residuals": ({"residuals": "groups"}, "--residuals groups", "group, cluster"),
    "choice that is not fitted": ({"choose": "7"}, "--choose 7", "not among"),
    "choice in letters": ({"choose": "x"}, "--choose x"),
    "partial names no parameter": ({"partial": "trust =~ f9"}, "--partial", "'trust =~ f9'"),
    "partial frees the marker": ({"partial": "trust =~ t1"}, "trust=~t1", "fixed"),
    "partial is no parameter": ({"partial": "t2"}, "'t2'"),
    "unknown kind in equal": ({"equal": "loading"}, "--equal", "did you mean 'loadings'"),
    "unknown blocks": ({"blocks": "factors"}, "--blocks factors", "did you mean 'factor'"),
    "misspelt blocks": ({"blocks": "jiont"}, 'allowed: factor, joint, "F1,F2;F3"\n', "did you mean 'joint'"),
    "unknown factor in blocks": ({"blocks": "trus;fear"}, "'trus'", "did you mean 'trust'"),
    "factor left out of blocks": ({"blocks": "trust;"}, "'fear'"),
    "factor in two blocks": ({"blocks": "trust,fear;fear"}, "'fear'"),
    "no such regression": ({"equal_regressions": "fear ~ trust"}, "--equal-regressions names 'fear ~ trust'"),
}


@pytest.mark.parametrize("case", FILES)
def test_files(case: str, refused: Refused) -> None:
    name, content, *says = FILES[case]
    Path(name).write_bytes(content)
    refused(says, data=[name])


@pytest.mark.parametrize("case", MOMENTS)
def test_moments(case: str, refused: Refused) -> None:
    changes, *says = MOMENTS[case]
    write_moments(**changes)
    refused(says, data=["moments.json"], clusters="1")


def write_moments(**changes: Any) -> None:
    """Write a moments file that is right but for these changes."""
    right = {
        "format": "mixsem-moments",
        "version": 1,
        "items": ["t1", "t2", "t3", "f1", "f2", "f3"],
        "group": "country",
        "groups": ["A", "B"],
        "n": [90, 80],
        "n_dropped": [0, 0],
        "has_means": True,
        "means": [[0.0] * 6] * 2,
        "covariances": [(np.eye(6) + 1).tolist()] * 2,
        "notices": [],
    }
    Path("moments.json").write_text(json.dumps(right | changes))


@pytest.mark.parametrize("case", TABLES)
def test_tables(case: str, survey: pd.DataFrame, refused: Refused) -> None:
    change, *says = TABLES[case]
    change(survey).to_csv("survey.csv", index=False)
    refused(says)


@pytest.mark.parametrize("case", OPTIONS)
def test_options(case: str, refused: Refused) -> None:
    options, *says = OPTIONS[case]
    refused(says, **options)


def test_the_tables_are_as_long_as_they_look() -> None:
    assert len(FILES) + len(MOMENTS) + len(TABLES) + len(OPTIONS) >= 70


def test_data_that_are_not_there(folder: Path, refused: Refused) -> None:
    Path("folder.csv").mkdir()
    refused(["required: DATA"], data=[])
    refused(["there is no file nowhere.csv"], data=["nowhere.csv"])
    refused(["there is no file nowhere.csv"], data=["survey.csv", "nowhere.csv"])
    refused(["folder.csv is a folder"], data=["folder.csv"])
    refused(["survey.csv is given twice"], data=["survey.csv", "survey.csv"])


def test_moments_that_do_not_fit_together(refused: Refused) -> None:
    write_moments()
    refused(["--group nation", "'country'"], data=["moments.json"], group="nation", clusters="1")
    Path("moments.json").rename("first.json")
    write_moments(group="nation", groups=["C", "D"])
    refused(["country", "nation"], data=["first.json", "moments.json"], group=None, clusters="1")


def test_output_that_cannot_be_written(refused: Refused) -> None:
    Path("file").write_text("mine")
    Path("taken/report.html").mkdir(parents=True)
    Path("link").symlink_to("nowhere")
    refused(["file is a file"], out="file")
    refused(["file/out"], out="file/out")
    refused(["report.html is a folder"], out="taken")
    refused(["link"], out="link")
    refused(["--out is empty"], out="")
    refused(["nothing can be written"], out="x" * 300)


def test_data_are_not_overwritten_by_results(refused: Refused) -> None:
    write_moments()
    refused(["would replace the data"], data=["moments.json"], out=".", clusters="1")


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind the superuser")
def test_permissions(refused: Refused, run: Callable[..., Any]) -> None:
    Path("closed").mkdir(mode=0o500)
    refused(["nothing can be written to closed/out"], out="closed/out")
    refused(["nothing can be written to closed"], out="closed")
    Path("survey.csv").chmod(0o200)
    outcome = run("moments", "survey.csv", "--group", "country", "--items", "t1", "--out", "m.json")
    assert outcome.code == 2 and "survey.csv" in outcome.err and "Traceback" not in outcome.err
    assert not Path("m.json").exists()


def test_old_results_survive_an_error(refused: Refused) -> None:
    Path("out").mkdir()
    for name in ("report.html", "fit.json", "notes.txt"):
        Path("out", name).write_text("old")
    refused(["--clusters 9"], clusters="9")
    assert Path("out/fit.json").read_text() == "old"


PROCESSES = {
    "missing file": (
        ["fit", "no.csv", "--measurement", "F =~ x", "--structural", "y ~ x", "--out", "o"],
        "no.csv",
    ),
    "no command": ([], "COMMAND"),
    "misspelt command": (["fti"], "'fti'"),
    "missing value": (["demo", "--out"], "--out"),
    "demo into a file": (["demo", "--out", "survey.csv"], "survey.csv is a file"),
    "moments without items": (["moments", "survey.csv", "--group", "country", "--out", "m.json"], "--items"),
    "moments into a table": (
        ["moments", "survey.csv", "--group", "country", "--items", "t1", "--out", "survey.csv"],
        "suffix",
    ),
}


@pytest.mark.parametrize("case", PROCESSES)
def test_as_a_process(case: str, folder: Path, contents: Contents) -> None:
    arguments, says = PROCESSES[case]
    before = contents()
    done = subprocess.run(
        [sys.executable, "-m", "mixsem", *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("mixsem: error: ") and says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert contents() == before
