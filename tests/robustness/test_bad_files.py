"""Files that are missing, broken, hostile or something else; what is read executes nothing."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.data import read_table
from mixsem.studies import read_study

HEADER = b"country,t1,t2,t3,f1,f2,f3\n"


def parquet(frame: pd.DataFrame) -> bytes:
    made = io.BytesIO()
    frame.to_parquet(made)
    return made.getvalue()


ROWS = pd.DataFrame({"country": ["A", "B"] * 20, "t1": np.arange(40.0)})
WHOLE_PARQUET = parquet(ROWS)
RANDOM = np.random.default_rng(1).bytes(5000)


class Harmful:
    """A pickle that writes a file when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("made-by-pickle",)


#: What is wrong -> name of the file, its content (None: a folder).
FILES: dict[str, tuple[str, bytes | None]] = {
    "a folder": ("data.csv", None),
    "empty csv": ("data.csv", b""),
    "only a line break": ("data.csv", b"\n"),
    "only a byte order mark": ("data.csv", b"\xef\xbb\xbf"),
    "only a header": ("data.csv", HEADER),
    "NUL bytes": ("data.csv", b"\x00" * 100),
    "NUL bytes in a cell": ("data.csv", HEADER + b"A,1\x00,2,3,1,2,3\n"),
    "NUL bytes in the header": ("data.csv", b"coun\x00try,t1\nA,1\n"),
    "random bytes as csv": ("data.csv", RANDOM),
    "UTF-16": ("data.csv", "country,t1\nA,1\n".encode("utf-16")),
    "Latin-1": ("data.csv", "country,t1\nBelgïe,1\n".encode("latin-1")),
    "an open quotation mark": ("data.csv", HEADER + b'"A,1,2,3,1,2,3\n' * 3),
    "a cell of 1 MB": ("data.csv", b"country,t1\nA," + b"x" * 1_000_000 + b"\n"),
    "a header of 1 MB": ("data.csv", b"x" * 1_000_000 + b",t1\nA,1\n"),
    "100,000 columns": ("data.csv", b",".join(b"x%d" % (i % 99) for i in range(100_000)) + b"\n1\n"),
    "empty gzip": ("data.csv.gz", b""),
    "random bytes as gzip": ("data.csv.gz", RANDOM),
    "gzip cut off": ("data.csv.gz", gzip.compress(HEADER + RANDOM.hex().encode())[:200]),
    "gzip of nothing": ("data.csv.gz", gzip.compress(b"")),
    "gzip with a wrong checksum": ("data.csv.gz", gzip.compress(HEADER + b"A,1,2,3,1,2,3\n")[:-8] + b"12345678"),
    "empty parquet": ("data.parquet", b""),
    "random bytes as parquet": ("data.parquet", RANDOM),
    "parquet cut off": ("data.parquet", WHOLE_PARQUET[:-20]),
    "parquet without its middle": ("data.parquet", WHOLE_PARQUET[:200] + WHOLE_PARQUET[-200:]),
    "parquet with zeros inside": ("data.parquet", WHOLE_PARQUET[:4] + bytes(len(WHOLE_PARQUET) - 8) + b"PAR1"),
    "parquet without rows": ("data.parquet", parquet(ROWS[:0])),
    "parquet without columns": ("data.parquet", parquet(ROWS[[]])),
    "a pickle named parquet": ("data.parquet", pickle.dumps(Harmful())),
    "a pickle named feather": ("data.feather", pickle.dumps(Harmful())),
    "a pickle named csv": ("data.csv", pickle.dumps(Harmful())),
    "a pickle": ("data.pkl", pickle.dumps(Harmful())),
    "a zip": ("data.zip", b"PK\x03\x04" + RANDOM),
    "a spreadsheet": ("data.xlsx", b"PK\x03\x04" + RANDOM),
    "empty feather": ("data.feather", b""),
    "random bytes as arrow": ("data.arrow", RANDOM),
    "arrow's magic word only": ("data.arrow", b"ARROW1\x00\x00"),
    "empty arrow": ("data.arrow", b""),
    "no suffix": ("data", HEADER),
    "hidden": (".csv", HEADER),
    "a web page": ("data.csv", b"<!doctype html><html><body>404</body></html>"),
    "JSON as csv": ("data.csv", b'{"a": [1, 2]}'),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_no_table_is_refused(case, folder, refuses, unchanged, warned_or_refused):
    name, content = FILES[case]
    Path(name).mkdir() if content is None else Path(name).write_bytes(content)
    with unchanged():
        refuses(lambda: mx.MGCFA("trust =~ t1 + t2 + t3").fit(read_table(name, "country"), group="country"))


@pytest.mark.parametrize(
    "name", ["nowhere.csv", "", "x" * 1000 + ".csv", "a\x00b.csv", "no/where.csv", "survey.csv/a.csv", "~nobody/a.csv"]
)
def test_a_path_that_leads_nowhere_is_refused(name, folder, refuses):
    refuses(lambda: read_table(name))
    refuses(lambda: mx.SampleMoments.load(f"{name}.json"))


def moments() -> dict[str, Any]:
    return {
        "format": "mixsem-moments",
        "version": 1,
        "items": ["t1", "t2", "t3"],
        "group": "country",
        "groups": ["A", "B"],
        "n": [50, 60],
        "n_dropped": [0, 0],
        "means": [[0.0] * 3] * 2,
        "covariances": [(np.eye(3) + 0.5).tolist()] * 2,
        "notices": [],
        "has_means": True,
        "missing": "listwise",
    }


#: What replaces a field of a moments file.
CHANGES: dict[str, dict[str, Any]] = {
    "another format": {"format": "other"},
    "no format": {"format": None},
    "a version of tomorrow": {"version": 2.5},
    "a version that is text": {"version": "1"},
    "no items": {"items": []},
    "items that are numbers": {"items": [1, 2, 3]},
    "items twice": {"items": ["t1", "t1", "t3"]},
    "items as text": {"items": "t1t2t3"},
    "groups as a mapping": {"groups": {"A": 1}},
    "groups that are lists": {"groups": [["A"], ["B"]]},
    "groups that are nothing": {"groups": [None, None]},
    "one group too few": {"groups": ["A"]},
    "a group twice": {"groups": ["A", "A"]},
    "labels 1 and '1'": {"groups": [1, "1"]},
    "a date that is none": {"groups": [{"date": "2020-13-45"}, "B"]},
    "sizes of zero": {"n": [0, 0]},
    "sizes below zero": {"n": [-5, 50]},
    "sizes with a half": {"n": [50.5, 60]},
    "sizes that are true": {"n": [True, True]},
    "huge sizes": {"n": [10**400, 60]},
    "sizes beyond whole numbers of the machine": {"n": [2**63, 60]},
    "text among means": {"means": [["a", 0, 0], [0, 0, 0]]},
    "means of another shape": {"means": [0.0]},
    "ragged means": {"means": [[0.0], [0.0, 1.0, 2.0]]},
    "means that are missing": {"means": [[None] * 3] * 2},
    "huge means": {"means": [[1e308] * 3] * 2},
    "a whole number of 400 digits": {"means": [[10**400] * 3] * 2},
    "deep lists": {"means": [[[[[[0.0]]]]]]},
    "covariances with NaN": {"covariances": [[[float("nan")] * 3] * 3] * 2},
    "infinite covariances": {"covariances": [[[float("inf")] * 3] * 3] * 2},
    "huge covariances": {"covariances": [(1e308 * np.eye(3)).tolist()] * 2},
    "tiny covariances": {"covariances": [(1e-308 * np.eye(3)).tolist()] * 2},
    "negative variances": {"covariances": [(-np.eye(3)).tolist()] * 2},
    "not symmetric": {"covariances": [np.triu(np.ones((3, 3))).tolist()] * 2},
    "indefinite": {"covariances": [(1.5 - np.eye(3)).tolist()] * 2},
    "singular": {"covariances": [np.ones((3, 3)).tolist()] * 2},
    "constant": {"covariances": [np.zeros((3, 3)).tolist()] * 2},
    "notices that are text": {"notices": ["watch out"]},
    "notices without a category": {"notices": [{"name": "SystemExit", "text": "", "groups": []}]},
    "means that are neither there nor not": {"has_means": "yes"},
    "another treatment of missing values": {"missing": "fiml"},
    "a group column that is a number": {"group": 7},
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_moments_file_that_is_broken_is_refused(case, folder, refuses, unchanged):
    Path("moments.json").write_text(json.dumps({**moments(), **CHANGES[case]}))
    with unchanged():
        refuses(lambda: mx.MGCFA("trust =~ t1 + t2 + t3").fit(mx.SampleMoments.load("moments.json")))


#: Texts that are no JSON of moments.
TEXTS: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "a number": b"3",
    "a list": b"[]",
    "an object": b"{}",
    "cut off": json.dumps(moments()).encode()[:100],
    "two objects": b"{}{}",
    "single quotes": b"{'format': 'mixsem-moments'}",
    "random bytes": RANDOM,
    "100,000 brackets": b"[" * 100_000,
    "nested objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "a number of 1e6 digits": b'{"format": ' + b"9" * 1_000_000 + b"}",
    "a lone surrogate": json.dumps({**moments(), "items": ["\ud800", "t2", "t3"]}).encode(),
    "a pickle": pickle.dumps(Harmful()),
    "NUL bytes": b"\x00" * 100,
}


@pytest.mark.parametrize("case", TEXTS)
@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_a_text_that_is_no_moments_file_is_refused(case, suffix, folder, refuses, unchanged):
    content = TEXTS[case]
    path = Path(f"moments{suffix}")
    path.write_bytes(gzip.compress(content) if suffix == ".json.gz" else content)
    with unchanged():
        refuses(lambda: mx.MGCFA("trust =~ t1 + t2 + t3").fit(mx.SampleMoments.load(path)))


#: Bytes that a compressed file of a kilobyte or so unpacks to.
BOMB = 1_000_000_000


def bomb() -> bytes:
    """A gzip file of a few kilobytes that unpacks to `BOMB` bytes of blanks: compressed members, one after another."""
    part = gzip.compress(b" " * 10_000_000, 9)
    return part * (BOMB // 10_000_000)


@pytest.mark.parametrize("name", ["moments.json.gz", "data.csv.gz"])
def test_a_file_that_unpacks_to_gigabytes_is_refused_before(name, folder, refuses, limited_memory):
    Path(name).write_bytes(bomb())
    read = mx.SampleMoments.load if "json" in name else read_table
    with limited_memory():
        refuses(lambda: read(name))


#: Study files that are refused.
STUDY = 'name = "s"\nreplications = 2\n[population]\nn_groups = 12\n[factors]\nbeta = [0.2]\n[methods.mmgsem]\n'
STUDIES: dict[str, str] = {
    "nothing": "\n",
    "no TOML": "name = \n",
    "unknown key": STUDY.replace("name", "nmae", 1),
    "no methods": STUDY.split("[methods")[0],
    "unknown method": STUDY.replace("mmgsem", "magic"),
    "replications below zero": STUDY.replace("= 2", "= -2"),
    "replications as text": STUDY.replace("= 2", '= "2"'),
    "replications that are true": STUDY.replace("= 2", "= true"),
    "infinite replications": STUDY.replace("= 2", "= inf"),
    "huge replications": STUDY.replace("= 2", "= 1" + "0" * 400),
    "no groups": STUDY.replace("= 12", "= 0"),
    "groups with a half": STUDY.replace("= 12", "= 12.5"),
    "groups that are no number": STUDY.replace("= 12", "= nan"),
    "groups as text": STUDY.replace("= 12", '= "many"'),
    "a date for a number": STUDY.replace("= 12", "= 2020-01-01"),
    "no levels": STUDY.replace("[0.2]", "[]"),
    "levels that are lists": STUDY.replace("[0.2]", "[[0.2]]"),
    "levels that are no numbers": STUDY.replace("[0.2]", "[nan]"),
    "infinite levels": STUDY.replace("[0.2]", "[inf]"),
    "levels as text": STUDY.replace("[0.2]", '["a"]'),
    "levels twice": STUDY.replace("[0.2]", "[0.2, 0.2]"),
    "unknown factor": STUDY.replace("beta", "gamma"),
    "a factor in both": STUDY.replace("beta = [0.2]", "n_groups = [12]"),
    "a table for a number": STUDY.replace("= 12", "= {a = 1}"),
    "a seed below zero": "seed = -1\n" + STUDY,
    "a million cells": STUDY.replace(
        "beta = [0.2]",
        "\n".join(
            f"{n} = [{', '.join(str(v / 1000) for v in range(1, 400))}]"
            for n in ("beta", "loading_variance", "cross_loading")
        ),
    ),
    "deep nesting": "a = " + "[" * 5000 + "]" * 5000 + "\n",
    "a method that is a number": STUDY.replace("[methods.mmgsem]", "[methods]\nmmgsem = 3"),
    "starts below zero": STUDY + "starts = -1\n",
    "starts as text": STUDY + 'starts = "a"\n',
    "clusters of zero": STUDY + "clusters = 0\n",
    "clusters as text": STUDY + 'clusters = "a"\n',
    "unknown option": STUDY + "magic = 1\n",
    "a prior variance of another method": STUDY + "prior_variance = 0.01\n",
    "NUL bytes": STUDY + "\x00\n",
}


@pytest.mark.parametrize("case", STUDIES)
def test_a_study_file_that_means_nothing_is_refused(case, folder, refuses, unchanged):
    from mixsem.studies import run_study

    with unchanged():
        refuses(lambda: run_study(read_study(STUDIES[case]), "out", workers=1))
