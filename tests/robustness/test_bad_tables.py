"""Tables that cannot be used, or hardly, given to each way in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mixsem as mx

Change = Callable[[pd.DataFrame], Any]
ITEMS = ["t1", "t2", "t3"]


def with_one(name: str, value: object) -> Change:
    """One cell of a column replaced."""
    return lambda s: s.assign(**{name: s[name].astype(object).where(s.index != 7, value)})


#: What is wrong -> how to make it of the survey, words of the error.
TABLES: dict[str, tuple[Change, str]] = {
    "None": (lambda s: None, "cannot be used as a table"),
    "a number": (lambda s: 3, "cannot be used as a table"),
    "a text": (lambda s: "survey.csv", "cannot be used as a table"),
    "a path": (lambda s: Path("survey.csv"), "read_table"),
    "a list of lists": (lambda s: s.to_numpy().tolist(), "cannot be used as a table"),
    "a NumPy array": (lambda s: s[ITEMS].to_numpy(), "cannot be used as a table"),
    "a generator": (lambda s: (row for row in s.itertuples()), "cannot be used as a table"),
    "an empty mapping": (lambda s: {}, ""),
    "a mapping of unequal lengths": (lambda s: {"t1": [1, 2], "t2": [1]}, ""),
    "a mapping of numbers": (lambda s: {"country": 1, "t1": 1, "t2": 2, "t3": 3}, ""),
    "a mapping of matrices": (lambda s: {name: np.ones((3, 3)) for name in s}, ""),
    "no rows": (lambda s: s[:0], "no rows"),
    "no columns": (lambda s: s[[]], ""),
    "one row": (lambda s: s[:1], ""),
    "an item missing": (lambda s: s.drop(columns="t2"), "'t2'"),
    "the group missing": (lambda s: s.drop(columns="country"), "'country'"),
    "an item twice": (lambda s: pd.concat([s, s[["t1"]]], axis=1), "more than one column"),
    "names that are numbers": (lambda s: s.set_axis(range(s.shape[1]), axis=1), "'t1'"),
    "names of two levels": (lambda s: pd.concat({"a": s}, axis=1), ""),
    "the group as index": (lambda s: s.set_index("country"), "reset_index"),
    "text": (with_one("t2", "often"), "'often'"),
    "a text of numbers": (lambda s: s.assign(t2=s["t2"].astype(str)), "'t2'"),
    "decimal commas": (lambda s: s.assign(t2=s["t2"].astype(str).str.replace(".", ",")), "'t2'"),
    "infinite": (with_one("t2", np.inf), "infinite"),
    "too large": (with_one("t2", 1e200), ""),
    "a whole number of 400 digits": (with_one("t2", 10**400), ""),
    "complex": (lambda s: s.assign(t2=s["t2"] * 1j), "'t2'"),
    "dates": (lambda s: s.assign(t2=pd.Timestamp("2020-01-01")), "'t2'"),
    "time spans": (lambda s: s.assign(t2=pd.Timedelta("1h")), "'t2'"),
    "periods": (lambda s: s.assign(t2=pd.Period("2020", "Y")), "'t2'"),
    "lists": (lambda s: s.assign(t2=[[1]] * len(s)), "'t2'"),
    "mappings": (lambda s: s.assign(t2=[{"a": 1}] * len(s)), "'t2'"),
    "bytes": (lambda s: s.assign(t2=[b"1"] * len(s)), "'t2'"),
    "functions": (lambda s: s.assign(t2=[len] * len(s)), "'t2'"),
    "all missing": (lambda s: s.assign(t2=np.nan), "t2"),
    "all missing, as None": (lambda s: s.assign(t2=None), "t2"),
    "never both": (
        lambda s: s.assign(t1=s["t1"].where(s.index % 2 == 0), t2=s["t2"].where(s.index % 2 == 1)),
        "no complete row",
    ),
    "no group anywhere": (lambda s: s.assign(country=None), "missing in every row"),
    "labels 1 and '1'": (lambda s: s.assign(country=[1, "1"] * (len(s) // 2)), ""),
    "a group per row": (lambda s: s.assign(country=[f"p{i}" for i in s.index]), ""),
    "a group per row, 100,000 rows": (
        lambda s: {**{i: np.arange(100_000.0) % (7 + k) for k, i in enumerate(ITEMS)}, "country": np.arange(100_000)},
        "",
    ),
    "lists as groups": (lambda s: s.assign(country=[[1]] * len(s)), ""),
    "a constant item": (lambda s: s.assign(t2=3.0), "t2"),
    "a constant item in one group": (lambda s: s.assign(t2=s["t2"].mask(s["country"] == "C", 3.0)), "C"),
    "a copied item": (lambda s: s.assign(t2=s["t1"]), "singular"),
    "a polars table without the item": (lambda s: pl.from_pandas(s.drop(columns="t2")), "'t2'"),
    "a polars table of lists": (lambda s: pl.from_pandas(s).with_columns(t2=pl.lit([1.0])), "'t2'"),
    "a polars table of structs": (lambda s: pl.from_pandas(s).with_columns(t2=pl.struct("t1", "t3")), "'t2'"),
    "a pyarrow table with a column twice": (
        lambda s: pa.Table.from_arrays([pa.array([1.0])] * 5, ["t1", "t1", "t2", "t3", "country"]),
        "more than one column",
    ),
    "a pyarrow table of lists": (
        lambda s: pa.table({**{i: pa.array(s[i]) for i in ("country", "t1", "t3")}, "t2": pa.array([[1.0]] * len(s))}),
        "'t2'",
    ),
    "a pyarrow table of structs": (
        lambda s: pa.table({**{i: pa.array(s[i]) for i in ("country", "t1", "t3")}, "t2": [{"a": 1.0}] * len(s)}),
        "'t2'",
    ),
    "a pyarrow table of binaries": (
        lambda s: pa.table({**{i: pa.array(s[i]) for i in ("country", "t1", "t3")}, "t2": [b"1"] * len(s)}),
        "'t2'",
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_cannot_be_used_is_refused(case, survey, refuses):
    change, words = TABLES[case]
    table = change(survey)
    refuses(lambda: mx.MGCFA("trust =~ t1 + t2 + t3").fit(table, group="country"), words)


#: What is doubtful -> how to make it of the survey; a fit has a named warning.
DOUBTFUL: dict[str, Change] = {
    "groups of two": lambda s: s.groupby("country").head(2),
    "one large group and one of one": lambda s: s.assign(country=["A"] * (len(s) - 1) + ["B"]),
    "mixed labels": lambda s: s.assign(country=[1, "a"] * (len(s) // 2)).drop(index=0),
    "half missing": lambda s: s.assign(t2=s["t2"].where(s.index % 2 == 0)),
    "nearly copied": lambda s: s.assign(t2=s["t1"] + 1e-9 * s["t2"]),
    "tiny numbers": lambda s: s.assign(t2=s["t2"] * 1e-150),
    "unrelated numbers": lambda s: s.assign(
        **{i: np.random.default_rng(k).normal(size=len(s)) for k, i in enumerate(ITEMS)}
    ),
}


@pytest.mark.parametrize("case", DOUBTFUL)
def test_a_doubtful_table_gives_a_warning_or_an_error(case, survey, warned_or_refused):
    table = DOUBTFUL[case](survey)
    if case == "mixed labels":
        table.loc[5, "t1"] = np.nan  # so that there is something to warn of: these labels are allowed
    warned_or_refused(lambda: mx.MGCFA("trust =~ t1 + t2 + t3").fit(table, group="country"))


ODD_LABELS = [
    "",
    " ",
    "ملف",
    "🇧🇪",
    "a\u202eb",
    "x" * 5000,
    "<script>alert(1)</script>",
    "$\\frac{1}{2}$",
    "=1+1",
    "a\nb",
    "\x1b[31m",
    "a\x00b",
]


@pytest.mark.parametrize("label", ODD_LABELS, ids=range(len(ODD_LABELS)))
def test_any_text_may_be_a_label_and_stays_what_it_is(label, survey):
    fit = mx.MGCFA("trust =~ t1 + t2 + t3").fit(survey.replace({"country": {"A": label}}), group="country")
    assert label in fit.groups
    assert repr(fit)


#: What is wrong -> how to make it of the panel, the formula, words of the error.
PANELS: dict[str, tuple[Change, str, str]] = {
    "None": (lambda p: None, "y ~ x + (1 | g)", "cannot be used as a table"),
    "no rows": (lambda p: p[:0], "y ~ x + (1 | g)", "no rows"),
    "one row": (lambda p: p[:1], "y ~ x + (1 | g)", ""),
    "two rows": (lambda p: p[:2], "y ~ x + (1 | g)", ""),
    "one group": (lambda p: p.assign(g="a"), "y ~ x + (1 | g)", "one level"),
    "a group per row": (lambda p: p.assign(g=p.index), "y ~ x + (1 | g)", ""),
    "no such column": (lambda p: p, "y ~ z + (1 | g)", "'z'"),
    "no such group": (lambda p: p, "y ~ x + (1 | h)", "'h'"),
    "a text response": (lambda p: p, "arm ~ x + (1 | g)", "arm"),
    "a response of lists": (lambda p: p.assign(y=[[1]] * len(p)), "y ~ x + (1 | g)", "y"),
    "a predictor of lists": (lambda p: p.assign(x=[[1]] * len(p)), "y ~ x + (1 | g)", "x"),
    "a predictor of mappings": (lambda p: p.assign(x=[{}] * len(p)), "y ~ x + (1 | g)", "x"),
    "groups of lists": (lambda p: p.assign(g=[[1]] * len(p)), "y ~ x + (1 | g)", "g"),
    "groups of floats": (lambda p: p.assign(g=p["y"]), "y ~ x + (1 | g)", ""),
    "a complex response": (lambda p: p.assign(y=p["y"] * 1j), "y ~ x + (1 | g)", "complex"),
    "an infinite response": (with_one("y", np.inf), "y ~ x + (1 | g)", "finite"),
    "all missing": (lambda p: p.assign(y=np.nan), "y ~ x + (1 | g)", "no row is complete"),
    "log of zero": (lambda p: p, "y ~ log(x) + (1 | g)", "finite"),
    "root of a negative number": (lambda p: p, "y ~ sqrt(x - 9) + (1 | g)", "finite"),
    "dates to be added": (lambda p: p.assign(x=dt.datetime(2020, 1, 1)), "y ~ I(x + x) + (1 | g)", ""),
    "a category in arithmetic": (lambda p: p, "y ~ I(arm * 2) + (1 | g)", ""),
    "more coefficients than rows": (lambda p: p[:12], "y ~ x + (poly(x, 5) | g)", ""),
    "a category per row": (lambda p: p.assign(arm=[f"a{i}" for i in p.index]), "y ~ arm + (1 | g)", ""),
    "categories without rows": (
        lambda p: p.assign(arm=pd.Categorical([None] * len(p), ["a"])),
        "y ~ arm + (1 | g)",
        "",
    ),
    "the response as predictor": (lambda p: p, "y ~ y + (1 | g)", "its own predictor"),
    "the response as group": (lambda p: p, "n ~ x + (1 | n)", ""),
    "intervals": (lambda p: p.assign(x=pd.cut(p["y"], 3)), "y ~ I(x + 1) + (1 | g)", ""),
    "a column named as a module": (lambda p: p.rename(columns={"x": "np"}), "y ~ np.log(np) + (1 | g)", ""),
}


@pytest.mark.parametrize("case", PANELS)
def test_a_panel_that_cannot_be_used_is_refused(case, panel, refuses):
    change, formula, words = PANELS[case]
    table = change(panel)
    refuses(lambda: mx.lmer(formula, table), words)


#: Formulas that are doubtful for the panel: more columns than the data determine.
DOUBTFUL_FORMULAS = ["y ~ bs(x, df=40) + (1 | g)", "y ~ poly(x, 50) + (1 | g)", "y ~ x + I(2 * x) + (1 | g)"]


@pytest.mark.parametrize("formula", DOUBTFUL_FORMULAS)
def test_a_doubtful_formula_gives_a_warning_or_an_error(formula, panel, warned_or_refused):
    warned_or_refused(lambda: mx.lmer(formula, panel))
