"""The cases that lavaan fitted, fitted here once and shared by the tests of the fit and of what follows from it."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixsem as mx

REFERENCE = Path(__file__).parent.parent / "reference"
LAVAAN = json.loads((REFERENCE / "sem.json").read_text())
GPA = json.loads((REFERENCE / "gpa_growth.json").read_text())
CASES = {case["name"]: case for case in [*LAVAAN["cases"], *GPA["cases"]]}
MOMENTS = LAVAAN["moments"] | GPA["moments"]


@cache
def table_of(name: str) -> pd.DataFrame | mx.SampleMoments:
    """The data of a case, as the R script made them."""
    if name in MOMENTS:
        m = MOMENTS[name]
        return mx.SampleMoments.from_covariances(
            {"all": np.array(m["cov"][0])}, n=m["n"][0], means={"all": m["mean"][0]}, items=m["items"], divisor="n"
        )
    if name.startswith("sem_"):
        return pd.read_csv(REFERENCE / f"{name}.csv.gz")
    if name == "political_democracy":
        return mx.data.political_democracy()
    data = mx.data.holzinger_swineford_1939()
    row = np.arange(1, len(data) + 1)
    if name == "hs_missing":
        data.loc[row % 5 == 0, "x5"] = np.nan
        data.loc[row % 7 == 0, "x9"] = np.nan
    if name == "hs_fifth":
        for j in range(1, 10):
            data.loc[(row * (7 * j + 3) + (row // 4) * j * j + j) % 11 < 2, f"x{j}"] = np.nan
    return data


@cache
def fit_by_name(name: str):
    """Fit a case with its options; trouble that lavaan also has is no trouble here."""
    case = CASES[name]
    call = {"cfa": mx.cfa, "sem": mx.sem, "growth": mx.growth}[case["call"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call("\n".join(case["syntax"]), table_of(case["data"]), case["group"], **case["options"])


@pytest.fixture(scope="session")
def fit_case():
    """A function from the name of a case to its fit."""
    return fit_by_name


@pytest.fixture(scope="session")
def data_of():
    """A function from the name of a data set to the data."""
    return table_of
