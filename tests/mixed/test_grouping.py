"""Codes of grouping factors: any type of label, any table, and the order of R."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixsem.errors import DataError
from mixsem.mixed.designs.grouping import code_column, code_groups, recode


def coded(values: object) -> tuple[tuple[object, ...], list[int]]:
    labels, codes = code_column(pd.Series(values, name="g"))
    assert codes.dtype == np.int32
    return labels, codes.tolist()


@pytest.mark.parametrize(
    ("values", "labels", "codes"),
    [
        ([3, 1, 3], (1, 3), [1, 0, 1]),
        ([-(2**62), 2**62, 0], (-(2**62), 0, 2**62), [0, 2, 1]),
        (np.array([255, 0, 7], dtype=np.uint8), (0, 7, 255), [2, 0, 1]),
        (np.array([-128, 127, -128], dtype=np.int8), (-128, 127), [0, 1, 0]),
        (np.array([2**63, 2**63 + 5], dtype=np.uint64), (2**63, 2**63 + 5), [0, 1]),
        ([308.0, 309.0, 308.0], (308, 309), [0, 1, 0]),
        ([1.5, 0.5], (0.5, 1.5), [1, 0]),
        ([True, False, True], (False, True), [1, 0, 1]),
        (["s10", "s9", "s1"], ("s1", "s10", "s9"), [1, 2, 0]),
        (["b", 10, "a"], (10, "a", "b"), [2, 0, 1]),
        (pd.array([5, 2, 5], dtype="Int64"), (2, 5), [1, 0, 1]),
        (pd.array([True, False], dtype="boolean"), (False, True), [1, 0]),
        (pd.Categorical(["lo", "hi"], categories=["unused", "lo", "hi"]), ("lo", "hi"), [0, 1]),
        (pd.Categorical([3, 1], categories=[3, 2, 1]), (3, 1), [0, 1]),
        ([datetime.date(2021, 1, 1), datetime.date(2020, 1, 1)], None, [1, 0]),
        ([Decimal("2"), Decimal("1")], (1, 2), [1, 0]),
        ([7], (7,), [0]),
    ],
)
def test_labels_and_codes(values: object, labels: tuple[object, ...] | None, codes: list[int]) -> None:
    found = coded(values)
    assert found == (labels if labels is not None else found[0], codes)
    assert not any(isinstance(label, np.generic) for label in found[0])


def test_labels_that_cannot_be_such() -> None:
    with pytest.raises(DataError, match="cannot group rows"):
        code_column(pd.Series([[1], [2]], name="g"))
    with pytest.raises(DataError, match="differ in their type only"):
        code_column(pd.Series([1, "1"], name="g"))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5), min_size=1, max_size=40), st.booleans())
def test_integers_agree_with_numpy(values: list[int], small: bool) -> None:
    array = np.array([v % 100 for v in values] if small else values, dtype=np.int64)
    labels, codes = code_column(pd.Series(array))
    expected, inverse = np.unique(array, return_inverse=True)
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(codes, inverse)


def test_interactions_are_ordered_as_in_r() -> None:
    """`levels(droplevels(b:a))`: the first variable varies slowest, numbers are in their own order."""
    frame = pd.DataFrame({"a": ["x", "y", "x", "y"], "b": [10, 2, 2, 10], "c": [1, 1, 1, 1]})
    factor = code_groups(frame, ["b", "a"])
    assert factor.name == "b:a"
    assert factor.levels == ("2:x", "2:y", "10:x", "10:y")
    assert factor.codes.tolist() == [2, 1, 0, 3]
    three = code_groups(frame[1:], ["c", "b", "a"])
    assert (three.levels, three.codes.tolist()) == (("1:2:x", "1:2:y", "1:10:y"), [1, 0, 2])
    assert three.sizes.tolist() == [1, 1, 1]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("zyx"), st.integers(0, 3), st.booleans()), min_size=1, max_size=30))
def test_interactions_agree_with_texts(rows: list[tuple[str, int, bool]]) -> None:
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])
    factor = code_groups(frame, ["a", "b", "c"])
    assert [factor.levels[code] for code in factor.codes] == [f"{a}:{b}:{c}" for a, b, c in rows]
    assert list(factor.parts) == sorted(set(rows))


def test_labels_with_colons_stay_apart() -> None:
    frame = pd.DataFrame({"a": ["p:q", "p"], "b": ["r", "q:r"]})
    factor = code_groups(frame, ["a", "b"])
    assert sorted(factor.codes.tolist()) == [0, 1]
    np.testing.assert_array_equal(recode(factor, frame), factor.codes)


def test_new_rows() -> None:
    factor = code_groups(pd.DataFrame({"g": [308, 309, 310]}), ["g"])
    assert recode(factor, pd.DataFrame({"g": [310.0, np.nan, 1.0]})).tolist() == [2, -1, -1]
    assert recode(factor, pd.DataFrame({"g": [None, None]})).tolist() == [-1, -1]
    nested = code_groups(pd.DataFrame({"a": ["u", "u", "v"], "b": [1, 2, 1]}), ["b", "a"])
    new = pd.DataFrame({"a": ["v", "v", "u", None, "u"], "b": [1, 2, 2, 1, 9]})
    assert nested.levels == ("1:u", "1:v", "2:u")
    assert recode(nested, new).tolist() == [1, -1, 2, -1, -1]
