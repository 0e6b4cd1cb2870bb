"""Rows with missing values, sorted into patterns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mixsem.data.patterns import read_patterns
from mixsem.errors import DataError, MissingDataWarning, OptionError

ITEMS = ("x", "y", "z")


def table(size: int = 90, seed: int = 4) -> pd.DataFrame:
    """Three groups, a fifth of the answers missing, one row without any and one without a group."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(size, 3)), columns=list(ITEMS))
    frame = frame.mask(rng.random(frame.shape) < 0.2)
    frame["group"] = rng.permutation(np.repeat(["C10", "C9", "C1"], size // 3))
    frame.loc[11, list(ITEMS)] = np.nan
    frame.loc[12, "group"] = None
    return frame


def test_rows_are_sorted_by_group_and_found_again():
    frame = table()
    patterns = read_patterns(frame, ITEMS, "group")
    assert patterns.groups == ("C1", "C9", "C10")
    assert (np.diff(patterns.codes) >= 0).all()
    np.testing.assert_array_equal(patterns.values, frame[list(ITEMS)].to_numpy()[patterns.rows])
    labels = np.array(patterns.groups, dtype=object)[patterns.codes]
    assert (frame["group"].to_numpy()[patterns.rows] == labels).all()
    assert 12 not in patterns.rows and 11 not in patterns.rows


def test_counts():
    frame = table()
    patterns = read_patterns(frame, ITEMS, "group")
    empty = frame[list(ITEMS)].isna().all(axis=1) & frame["group"].notna()
    for g, label in enumerate(patterns.groups):
        rows = frame[(frame["group"] == label) & ~empty]
        assert patterns.n[g] == len(rows)
        assert patterns.n_dropped[g] == (empty & (frame["group"] == label)).sum()
        np.testing.assert_array_equal(patterns.n_missing[g], rows[list(ITEMS)].isna().sum())
    assert patterns.n_dropped.sum() == empty.sum() > 0
    assert patterns.n.sum() + patterns.n_dropped.sum() + 1 == patterns.n_rows == 90
    assert [(notice.category, "whose group" in notice.text) for notice in patterns.notices] == [
        (MissingDataWarning, True)
    ]


def test_patterns_are_those_of_their_rows():
    patterns = read_patterns(table(), ITEMS, "group")
    m = patterns.pattern_of_row
    np.testing.assert_array_equal(patterns.observed[m], ~np.isnan(patterns.values))
    np.testing.assert_array_equal(patterns.pattern_group[m], patterns.codes)
    np.testing.assert_array_equal(np.bincount(m), patterns.pattern_n)
    assert (np.diff(patterns.pattern_group) >= 0).all()
    kinds = {(int(g), *o) for g, o in zip(patterns.pattern_group, patterns.observed.tolist(), strict=True)}
    assert len(kinds) == len(patterns.pattern_n)
    np.testing.assert_array_equal(patterns.tables.n_rows, patterns.n)


def test_moments_of_patterns():
    patterns = read_patterns(table(), ITEMS, "group")
    for m, observed in enumerate(patterns.observed):
        rows = patterns.values[patterns.pattern_of_row == m][:, observed]
        np.testing.assert_allclose(patterns.pattern_means[m, observed], rows.mean(axis=0), rtol=1e-12)
        expected = np.zeros((3, 3))
        expected[np.ix_(observed, observed)] = np.cov(rows.T, bias=True)
        np.testing.assert_allclose(patterns.pattern_covariances[m], expected, atol=1e-14)
        assert not patterns.pattern_means[m, ~observed].any()


def test_many_groups_and_items_keep_their_order():
    """More than 8 items and 256 groups: the keys of the patterns take several bytes."""
    rng = np.random.default_rng(2)
    values = rng.normal(size=(3000, 10))
    values[rng.random(values.shape) < 0.03] = np.nan
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(10)]).assign(group=np.repeat(np.arange(300), 10))
    patterns = read_patterns(frame, [f"x{i}" for i in range(10)], "group")
    np.testing.assert_array_equal(patterns.pattern_group[patterns.pattern_of_row], patterns.codes)
    np.testing.assert_array_equal(patterns.observed[patterns.pattern_of_row], ~np.isnan(patterns.values))


def test_complete_items_must_be_there():
    frame = table()
    patterns = read_patterns(frame, ITEMS, "group", complete=["z"])
    assert not patterns.n_missing[:, 2].any() and not np.isnan(patterns.values[:, 2]).any()
    lost = frame["z"].isna() & frame["group"].notna()
    assert patterns.n_dropped.sum() == lost.sum()


def test_any_table_and_no_group():
    frame = table().drop(columns="group")
    one, other = read_patterns(frame, ITEMS), read_patterns(pl.from_pandas(frame), ITEMS)
    assert one.groups == ("all",)
    np.testing.assert_array_equal(one.values, other.values)


def test_small_groups_can_be_left_out():
    frame = table()
    frame.loc[frame.index[frame["group"] == "C9"][5:], "group"] = "C1"
    assert read_patterns(frame, ITEMS, "group", min_size=6).groups == ("C1", "C10")


def test_an_item_missing_in_a_group_is_named():
    frame = table()
    frame.loc[frame["group"] == "C9", "y"] = np.nan
    with pytest.raises(DataError, match=r"missing in every row of a group: C9 \(y\)"):
        read_patterns(frame, ITEMS, "group")
    with pytest.raises(DataError, match=r"missing in every row: all \(y\)"):
        read_patterns(frame.assign(y=np.nan), ITEMS)


def test_items_never_observed_together_are_named():
    frame = table()
    frame.loc[(frame["group"] == "C10") & frame["x"].notna(), "z"] = np.nan
    frame.loc[frame.index[(frame["group"] == "C10") & frame["x"].isna()][0], "z"] = 1.0
    with pytest.raises(DataError, match="never observed together: x and z in C10") as error:
        read_patterns(frame, ITEMS, "group")
    assert "leave out one of the items" in error.value.todo


def test_wrong_options_are_refused():
    with pytest.raises(OptionError, match="complete names w"):
        read_patterns(table(), ITEMS, "group", complete=["w"])
    with pytest.raises(DataError, match="no usable row: nothing was answered in x, y, z"):
        read_patterns({"x": [None, np.nan], "y": [np.nan] * 2, "z": [np.nan] * 2}, ITEMS)
    with pytest.raises(DataError, match="no group has 50 usable rows"):
        read_patterns(table(), ITEMS, "group", min_size=50)
