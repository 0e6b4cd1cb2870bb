"""Random tables of random column types, and moments files with random changes: finite numbers, or a named refusal."""

from __future__ import annotations

import copy
import decimal
import json
import warnings
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings

import mixsem as mx
from mixsem.data import SampleMoments
from mixsem.errors import MixsemError

MANY = 50
ROWS = 24

NUMBERS = np.random.default_rng(3).normal(size=(ROWS, 4)).round(2)

arrow = pd.ArrowDtype
DICTIONARY = arrow(pa.dictionary(pa.int8(), pa.string()))

#: A column of numbers (n,) as pandas may have it.
COLUMNS = {
    "float64": lambda v: pd.Series(v),
    "float32": lambda v: pd.Series(v.astype("float32")),
    "float16": lambda v: pd.Series(v.astype("float16")),
    "int8": lambda v: pd.Series((v * 9).astype("int8")),
    "uint64": lambda v: pd.Series((v * 9 + 99).astype("uint64")),
    "bool": lambda v: pd.Series(v > 0),
    "Int64": lambda v: pd.Series((v * 9).astype(int)).astype("Int64").mask(v > 1.5),
    "Float64": lambda v: pd.Series(v).astype("Float64").mask(v > 1.5),
    "boolean": lambda v: pd.Series(v > 0).astype("boolean").mask(v > 1.5),
    "object": lambda v: pd.Series(list(v), dtype=object),
    "object with None": lambda v: pd.Series([None if x > 1 else x for x in v], dtype=object),
    "decimals": lambda v: pd.Series([decimal.Decimal(str(x)) for x in v]),
    "string": lambda v: pd.Series([str(x) for x in v], dtype="string"),
    "text": lambda v: pd.Series([f"t{int(x)}" for x in v]),
    "category": lambda v: pd.Series(pd.Categorical(["low", "high"] * (ROWS // 2))),
    "category of numbers": lambda v: pd.Series(pd.Categorical((v * 2).round())),
    "ordered": lambda v: pd.Series(pd.Categorical(["a", "b"] * (ROWS // 2), ["b", "a"], ordered=True)),
    "datetime": lambda v: pd.Series(pd.to_datetime((v * 1e6).astype(int), unit="s")),
    "datetime with zone": lambda v: pd.Series(pd.to_datetime((v * 1e6).astype(int), unit="s", utc=True)),
    "timedelta": lambda v: pd.Series(pd.to_timedelta((v * 1e3).astype(int), unit="s")),
    "period": lambda v: pd.Series(pd.period_range("2020", periods=ROWS, freq="D")),
    "interval": lambda v: pd.Series(pd.cut(v, 3)),
    "sparse": lambda v: pd.Series(pd.arrays.SparseArray(np.where(v > 0, v, 0.0), fill_value=0.0)),
    "complex": lambda v: pd.Series(v + 1j),
    "pyarrow double": lambda v: pd.Series(v, dtype="double[pyarrow]"),
    "pyarrow decimal": lambda v: pd.Series([decimal.Decimal(str(x)) for x in v], dtype=arrow(pa.decimal128(9, 2))),
    "pyarrow dictionary": lambda v: pd.Series(["a", "b"] * (ROWS // 2), dtype=DICTIONARY),
    "pyarrow list": lambda v: pd.Series([[x] for x in v], dtype=arrow(pa.list_(pa.float64()))),
    "pyarrow struct": lambda v: pd.Series([{"a": x} for x in v], dtype=arrow(pa.struct([("a", pa.float64())]))),
    "bytes": lambda v: pd.Series([b"a", b"b"] * (ROWS // 2)),
    "tuples": lambda v: pd.Series([(x,) for x in v]),
    "mixed": lambda v: pd.Series([1, "a", None, 2.5] * (ROWS // 4), dtype=object),
    "with NaN": lambda v: pd.Series(np.where(v > 1, np.nan, v)),
    "with infinity": lambda v: pd.Series(np.where(v > 1, np.inf, v)),
    "huge": lambda v: pd.Series(v * 1e200),
    "tiny": lambda v: pd.Series(v * 1e-200),
    "constant": lambda v: pd.Series(np.ones(ROWS)),
    "all missing": lambda v: pd.Series(np.full(ROWS, np.nan)),
    "NA of pandas": lambda v: pd.Series([pd.NA] * ROWS),
}  # fmt: skip
KINDS = st.sampled_from(sorted(COLUMNS))


def as_other_library(frame: pd.DataFrame, library: str) -> Any:
    """The same table in another library, where that library can hold it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if library == "polars":
                return pl.from_pandas(frame)
            if library == "pyarrow":
                return pa.Table.from_pandas(frame)
    except (pa.ArrowException, pl.exceptions.PolarsError, TypeError, ValueError, OverflowError, NotImplementedError):
        pass
    return {name: frame[name] for name in frame} if library == "mapping" else frame


LIBRARIES = st.sampled_from(["pandas", "polars", "pyarrow", "mapping"])


@settings(max_examples=MANY)
@given(KINDS, KINDS, KINDS, LIBRARIES)
def test_moments_of_any_table_are_finite_or_refused(one, two, group, library):
    frame = pd.DataFrame(
        {"a": COLUMNS[one](NUMBERS[:, 0]), "b": COLUMNS[two](NUMBERS[:, 1]), "g": COLUMNS[group](NUMBERS[:, 2] // 1)}
    )
    before = frame.copy(deep=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            moments = SampleMoments.from_frame(as_other_library(frame, library), ["a", "b"], "g")
        except MixsemError as error:
            assert error.allowed or error.todo, error
        else:
            assert np.isfinite(moments.means).all() and np.isfinite(moments.covariances).all()
            assert (
                np.linalg.eigvalsh(moments.covariances) >= -1e-9 * np.abs(moments.covariances).max(axis=(1, 2))[:, None]
            ).all()
    pd.testing.assert_frame_equal(frame, before)


def panel_of(response, predictor, group):
    """A table of three columns of these kinds."""
    return pd.DataFrame(
        {
            "y": COLUMNS[response](NUMBERS[:, 0]),
            "x": COLUMNS[predictor](NUMBERS[:, 1]),
            "g": COLUMNS[group](NUMBERS[:, 2] // 1),
        }
    )


@settings(max_examples=MANY)
@given(
    KINDS, KINDS, KINDS, LIBRARIES, st.sampled_from(["y ~ x + (1 | g)", "y ~ C(x) + (1 | g)", "y ~ I(x > 0) + (x | g)"])
)
def test_designs_of_any_table_are_finite_or_refused(response, predictor, group, library, formula):
    from mixsem.mixed.designs.design import read_design

    frame = panel_of(response, predictor, group)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            design = read_design(formula, as_other_library(frame, library))
        except MixsemError as error:
            assert error.allowed or error.todo, error
            return
    assert np.isfinite(design.X).all() and np.isfinite(design.y).all()
    assert design.n >= 1


@pytest.mark.slow
@settings(max_examples=40)
@given(KINDS, KINDS, KINDS)
def test_fits_of_any_table_are_finite_or_refused(response, predictor, group):
    frame = panel_of(response, predictor, group)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fit = mx.lmer("y ~ x + (1 | g)", frame)
        except MixsemError as error:
            assert error.allowed or error.todo, error
            return
    assert np.isfinite(fit.fixef.to_numpy()).all() and np.isfinite(fit.loglik)
    assert repr(fit)


SOUND: dict[str, Any] = SampleMoments.from_covariances(
    {"A": np.eye(3) + 0.5, "B": 2 * np.eye(3) + 0.3}, n={"A": 50, "B": 60}, items=["t1", "t2", "t3"]
).to_dict()

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in plain data."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


PLACES = [place for place in places(json.loads(json.dumps(SOUND))) if place]


@settings(max_examples=2 * MANY)
@given(st.lists(st.tuples(st.sampled_from(PLACES), ANYTHING | st.just("remove")), min_size=1, max_size=3))
def test_any_moments_file_is_sound_or_refused(changes):
    content = copy.deepcopy(json.loads(json.dumps(SOUND)))
    for place, value in changes:
        at = content
        try:
            for key in place[:-1]:
                at = at[key]
            if value == "remove":
                del at[place[-1]]
            else:
                at[place[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            moments = SampleMoments.from_dict(content)
        except MixsemError as error:
            assert error.allowed or error.todo, error
            return
    assert np.isfinite(moments.covariances).all() and (moments.n >= 1).all()
    again = SampleMoments.from_dict(json.loads(json.dumps(moments.to_dict())))
    assert again.groups == moments.groups
