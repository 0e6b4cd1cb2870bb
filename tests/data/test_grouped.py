"""Reading tables: every kind of frame, every kind of column, and what is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mixsem.data import GroupedData, SampleMoments, as_moments
from mixsem.data.grouped import MANY_GROUPS, read_grouped
from mixsem.data.labels import sort_labels
from mixsem.errors import (
    DataError,
    MissingDataWarning,
    NonPositiveDefiniteWarning,
    OptionError,
    SmallGroupWarning,
)

ITEMS = ("x", "y", "z")


def table(n_groups: int = 4, size: int = 12, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n_groups * size, 3)), columns=list(ITEMS))
    frame["other"] = "not needed"
    frame["country"] = rng.permutation(np.repeat([f"C{g}" for g in range(n_groups)], size))
    frame.loc[[0, 5], "x"] = np.nan
    frame.loc[5, "y"] = np.nan
    return frame


def as_duckdb(frame: pd.DataFrame) -> duckdb.DuckDBPyRelation:
    return duckdb.from_arrow(pa.Table.from_pandas(frame))


KINDS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "polars": pl.from_pandas,
    "polars lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "pyarrow": pa.Table.from_pandas,
    "duckdb": as_duckdb,
    "dict": lambda frame: {name: frame[name].to_numpy() for name in frame},
    "pandas with an odd index": lambda frame: frame.set_index(pd.Index([7] * len(frame))),
}


@pytest.fixture
def quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# --- what is read ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gives_the_same_moments(kind: str, quiet: None) -> None:
    frame = table()
    expected = SampleMoments.from_frame(frame, ITEMS, "country")
    moments = SampleMoments.from_frame(KINDS[kind](frame), ITEMS, "country")
    assert moments.groups == expected.groups == ("C0", "C1", "C2", "C3")
    assert moments.notices == expected.notices
    np.testing.assert_array_equal(moments.n, expected.n)
    np.testing.assert_allclose(moments.means, expected.means, rtol=0, atol=1e-12)
    np.testing.assert_allclose(moments.covariances, expected.covariances, rtol=0, atol=1e-12)


def test_rows_are_sorted_by_group_and_know_where_they_came_from(quiet: None) -> None:
    frame = table()
    grouped = GroupedData.from_frame(frame, ITEMS, "country")
    assert (np.diff(grouped.codes) >= 0).all()
    np.testing.assert_array_equal(grouped.values, frame.loc[grouped.rows, list(ITEMS)].to_numpy())
    assert [grouped.groups[g] for g in grouped.codes] == frame.loc[grouped.rows, "country"].tolist()
    assert set(range(len(frame))) - set(grouped.rows) == {0, 5}
    np.testing.assert_array_equal(grouped.n, np.bincount(grouped.codes))
    assert grouped.n_rows == len(frame) == grouped.n.sum() + grouped.n_dropped.sum()


def test_without_a_group_all_rows_are_one() -> None:
    grouped = GroupedData.from_frame(table().dropna(), ["z"])
    assert grouped.groups == ("all",) and grouped.group is None and grouped.n.tolist() == [46]


def test_the_table_is_left_as_it_was(quiet: None) -> None:
    frame = table()
    before = frame.copy(deep=True)
    GroupedData.from_frame(frame, ITEMS, "country").values[:] = 0
    pd.testing.assert_frame_equal(frame, before)


COLUMNS = {
    "int8": pd.Series([1, 2, 3, 5], dtype="int8"),
    "uint64": pd.Series([1, 2, 3, 5], dtype="uint64"),
    "float32": pd.Series([1, 2, 3, 5], dtype="float32"),
    "nullable integer": pd.array([1, 2, None, 5], dtype="Int64"),
    "nullable float": pd.array([1, 2, None, 5], dtype="Float64"),
    "boolean": pd.Series([True, False, True, True]),
    "nullable boolean": pd.array([True, False, None, True], dtype="boolean"),
    "categories that are numbers": pd.Categorical([1, 2, None, 5]),
    "objects": pd.Series([1, 2.0, None, np.int16(5)], dtype=object),
    "decimal objects": pd.Series([Decimal("1"), Decimal("2"), None, Decimal("5")], dtype=object),
    "boolean objects": pd.Series([True, False, None, np.bool_(True)], dtype=object),
    "arrow decimals": pd.Series(
        pa.array([Decimal("1"), Decimal("2"), None, Decimal("5")]), dtype=pd.ArrowDtype(pa.decimal128(5, 1))
    ),
    "polars": pl.Series([1, 2, None, 5]),
    "polars NaN": pl.Series([1.0, 2.0, float("nan"), 5.0]),
    "polars decimal": pl.Series([Decimal("1"), Decimal("2"), None, Decimal("5")]),
    "polars boolean": pl.Series([True, False, None, True]),
    "arrow": pa.array([1, 2, None, 5]),
    "arrow dictionary": pa.array([1, 2, None, 5]).dictionary_encode(),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_numbers_of_every_type_are_read(name: str, quiet: None) -> None:
    column = COLUMNS[name]
    frame: Any = pd.DataFrame({"x": column})
    if isinstance(column, pl.Series):
        frame = pl.DataFrame({"x": column})
    if isinstance(column, pa.Array):
        frame = pa.table({"x": column})
    grouped = GroupedData.from_frame(frame, ["x"])
    complete = [1, 2, 3, 5] if name in ("int8", "uint64", "float32") else [1, 2, 5]
    if "boolean" in name:
        complete = [1, 0, 1, 1] if name == "boolean" else [1, 0, 1]
    assert grouped.values.ravel().tolist() == complete
    assert grouped.n_dropped.tolist() == [4 - len(complete)]


D1, D2 = date(2020, 5, 1), date(2021, 5, 1)
LABELS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "text": (["b", "a"], ("a", "b")),
    "the text NA": (["NA", "DE"], ("DE", "NA")),
    "integers sort as numbers": ([10, 9], (9, 10)),
    "numbers in text sort as numbers": (["L10", "L9"], ("L9", "L10")),
    "floats that are whole": ([2.0, 1.0], (1, 2)),
    "floats": ([2.5, 1.0], (1.0, 2.5)),
    "booleans": ([True, False], (False, True)),
    "categories": (pd.Categorical(["b", "a"], categories=["b", "a", "unused"], ordered=True), ("a", "b")),
    "nullable integers": (pd.array([2, 1], dtype="Int64"), (1, 2)),
    "decimals": ([Decimal("2"), Decimal("1.5")], (1.5, 2)),
    "dates": ([D2, D1], (D1, D2)),
    "datetimes": (pd.to_datetime([D2, D1]), (datetime(2020, 5, 1), datetime(2021, 5, 1))),
    "intervals": (pd.IntervalIndex.from_tuples([(1.5, 2), (0.5, 1)]), ("(0.5, 1.0]", "(1.5, 2.0]")),
    "of two types": (pd.Series(["b", 3], dtype=object), (3, "b")),
}


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("missing", [False, True])
def test_labels_become_plain_and_sorted(name: str, missing: bool, quiet: None) -> None:
    given, expected = LABELS[name]
    both = pd.Series(given).repeat(2).reset_index(drop=True)
    frame = pd.DataFrame({"x": [1.0, 2.0, 5.0, 7.0], "g": both})
    if missing:
        frame = frame.reindex(range(5)).fillna({"x": 9.0})
    grouped = GroupedData.from_frame(frame, ["x"], "g")
    assert grouped.groups == expected
    assert [type(label) for label in grouped.groups] == [type(label) for label in expected]
    first = expected[0] == given[0]
    assert grouped.values.ravel().tolist() == ([1.0, 2.0, 5.0, 7.0] if first else [5.0, 7.0, 1.0, 2.0])


def test_text_sorts_by_its_words_and_numbers() -> None:
    ordered = (
        "",
        "01",
        "1a",
        "1b",
        "2",
        "10",
        "A1.2",
        "A1.10",
        "A01.11",
        "A²",
        "Z",
        "a",
        "a0",
        "a00",
        "a9" * 3,
        "a" * 9,
    )
    longest = ("9" * 5000, "1" + "0" * 5000)
    assert sort_labels(reversed(ordered)) == sort_labels(sorted(ordered)) == ordered
    assert sort_labels(reversed(longest)) == longest


@pytest.mark.parametrize("kind", ["polars", "pyarrow", "duckdb"])
def test_large_integer_labels_with_missing_ones_stay_apart(kind: str, quiet: None) -> None:
    big = 2**60
    columns = pa.table({"x": [1.0, 2.0, 5.0, 7.0, 9.0], "g": [big, big, big + 1, big + 1, None]})
    data = {"polars": pl.from_arrow, "pyarrow": lambda t: t, "duckdb": duckdb.from_arrow}[kind](columns)
    assert GroupedData.from_frame(data, ["x"], "g").groups == (big, big + 1)


# --- what is told ------------------------------------------------------------------------------------


def test_dropped_rows_are_counted_once_and_the_warning_points_here() -> None:
    with pytest.warns(MissingDataWarning, match=r"2 of 48 rows \(4.2%\).* most in .*\(1 of 12\)") as told:
        grouped = GroupedData.from_frame(table(), ITEMS, "country")
    assert [w.filename for w in told] == [__file__]
    assert [f"{notice.text} [MX106]" for notice in grouped.notices] == [str(told[0].message)]
    with pytest.warns(MissingDataWarning) as told:
        SampleMoments.from_frame(table(), ITEMS, "country")
    assert [w.filename for w in told] == [__file__]


def test_complete_data_are_silent() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert GroupedData.from_frame(table().dropna(), ITEMS, "country").notices == ()
        assert read_grouped(table(), ITEMS, "country").notices != ()


def test_rows_without_a_group_are_told() -> None:
    frame = table().dropna()
    frame.loc[[1, 2, 3], "country"] = None
    with pytest.warns(MissingDataWarning, match=r"3 of 46 rows whose group \('country'\)"):
        grouped = GroupedData.from_frame(frame, ITEMS, "country")
    assert grouped.n.sum() == 43 and grouped.n_dropped.sum() == 0 and grouped.n_rows == 46


def test_a_group_that_loses_all_rows_is_named() -> None:
    frame = table().dropna()
    frame.loc[frame["country"] == "C1", "z"] = np.nan
    with pytest.warns(MissingDataWarning, match=r"1 group has no complete row and left .*: C1 \(\d+\)"):
        grouped = GroupedData.from_frame(frame, ITEMS, "country")
    assert grouped.groups == ("C0", "C2", "C3")
    assert set(np.unique(grouped.codes)) == {0, 1, 2}
    assert [notice.groups for notice in grouped.notices] == [("C1",)]


def test_small_groups_are_named_or_left_out() -> None:
    frame = table().dropna()
    frame = pd.concat([frame[frame["country"] != "C2"], frame[frame["country"] == "C2"][:3]])
    with pytest.warns(SmallGroupWarning, match=r"1 group has no more complete rows than .* \(3\).*C2 \(3\)") as told:
        grouped = GroupedData.from_frame(frame, ITEMS, "country")
    assert grouped.notices[0].groups == ("C2",) and "min_size=4" in str(told[0].message)
    with pytest.warns(SmallGroupWarning, match=r"fewer than 4 complete rows and left .*C2 \(3\)"):
        grouped = GroupedData.from_frame(frame, ITEMS, "country", min_size=4)
    assert grouped.groups == ("C0", "C1", "C3") and len(grouped.values) == grouped.n.sum()


# --- what is refused ---------------------------------------------------------------------------------

GOOD = table().dropna()


def changed(**columns: Any) -> pd.DataFrame:
    return GOOD.assign(**columns)


def set_where(where: Any, column: str, value: Any) -> pd.DataFrame:
    frame = GOOD.astype({column: object})
    frame.loc[where, column] = value
    return frame


def spoilt(column: str, rows: int, value: Any) -> pd.DataFrame:
    return set_where(GOOD.index[:rows], column, value)


OPTIONS_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "items as text": ({"items": "x"}, r"items is the text 'x'.*\n.*\n.*items=\['x'\]"),
    "no items": ({"items": []}, "no items"),
    "an item twice": ({"items": ["x", "y", "x"]}, "given twice: x"),
    "group is an item": ({"items": ["x", "country"]}, "'country' is also an item"),
    "min_size": ({"items": ["x"], "min_size": 0}, "min_size=0"),
}


@pytest.mark.parametrize("name", OPTIONS_REFUSED)
def test_options_refused(name: str) -> None:
    options, message = OPTIONS_REFUSED[name]
    with pytest.raises(OptionError, match=message):
        GroupedData.from_frame(GOOD, **{"group": "country", **options})


REFUSED: dict[str, tuple[Any, str]] = {
    "unknown column": (GOOD.rename(columns={"y": "Yy"}), r"no column 'y'\n.*x, Yy, z"),
    "close spelling": (
        GOOD.rename(columns={"country": "Countri"}),
        r"no column 'country'(.|\n)*did you mean 'Countri'",
    ),
    "group in the index": (GOOD.set_index("country"), r"reset_index\(\)"),
    "column names that are numbers": (pd.DataFrame({0: [1.0, 2.0]}), "no column"),
    "column named twice": (pd.concat([GOOD, GOOD[["x"]]], axis=1), "more than one column named x"),
    "arrow column named twice": (pa.table([[1], [2]], names=["x", "x"]), "more than one column named x"),
    "no rows": (GOOD[:0], "no rows"),
    "an array": (np.eye(3), "cannot be used as a table.*ndarray"),
    "a path": ("answers.csv", r"read_table\(path\)"),
    "columns of two lengths": ({"x": [1, 2], "y": [1]}, "cannot be used as a table.*same length"),
    "text": (changed(y="a lot"), r"'y' holds text: 'a lot' \(46\); 46 of 46 values(.|\n)*leave the item out"),
    "some text": (
        spoilt("y", 3, "n/a"),
        r"'y' holds text: 'n/a' \(3\); 3 of 46 values(.|\n)*next: replace them in the file",
    ),
    "text in two items": (changed(y="a", z="b"), "'y' holds text.*'z' holds text"),
    "numbers as text": (
        changed(y=GOOD["y"].astype(str)),
        "'y' holds numbers written as text(.|\n)*to_numeric",
    ),
    "decimal commas": (
        changed(y=GOOD["y"].astype(str).str.replace(".", ",")),
        "decimal comma, such as '.*(.|\n)*decimal=','",
    ),
    "categories of text": (changed(y=pd.Categorical(["low", "high"] * 23)), r"'low' \(23\)"),
    "polars categories": (
        pl.from_pandas(changed(y="low")).with_columns(pl.col("y").cast(pl.Categorical)),
        r"'low' \(46\)",
    ),
    "dates": (changed(y=pd.Timestamp(2020, 1, 1)), "values of type Timestamp"),
    "complex numbers": (changed(y=GOOD["y"] * 1j), "values of type complex"),
    "infinite": (changed(y=GOOD["y"].mask(GOOD["y"] > 1, np.inf)), r"infinite values in 'y' \(\d+\)"),
    "lists as groups": (changed(country=[["a"]] * 46), "cannot group rows"),
    "every row without a group": (changed(country=None), "'country' is missing in every row"),
    "an empty item": (changed(y=np.nan), "no complete row: nothing was answered in y\n"),
    "items never answered together": (
        changed(x=GOOD["x"].where(np.arange(46) % 2 == 0), y=GOOD["y"].where(np.arange(46) % 2 == 1)),
        r"missing values in x \(23\), y \(23\)\n",
    ),
    "more groups than parts have, of one row each": (
        pd.DataFrame(dict.fromkeys(ITEMS, np.arange(MANY_GROUPS + 1.0))).assign(country=range(MANY_GROUPS + 1)),
        "'country' seems to number the rows",
    ),
    "labels that differ in type only": (
        set_where(GOOD.index[:20], "country", 7).replace({"country": {"C1": "7"}}),
        r"differ in their type only: ('7' \(str\) and 7 \(int\)|7 \(int\) and '7' \(str\))(.|\n)*astype\(str\)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_tables_refused(name: str, quiet: None) -> None:
    data, message = REFUSED[name]
    with pytest.raises(DataError, match=message):
        GroupedData.from_frame(data, ITEMS, "country")


NOT_TO_BE_FITTED: dict[str, tuple[Any, str]] = {
    "no variation at all": (changed(y=0.1), "no variation within any group in y"),
    "a country's property as item": (changed(y=GOOD["country"].str[1:].astype(int)), "within any group in y"),
    "no variation in one group": (
        set_where(GOOD["country"] == "C1", "y", 3),
        r"without variation in a group: C1 \(y\)\n.*these items",
    ),
    "one row in a group": (set_where([GOOD.index[0]], "country", "ZZ"), r"ZZ \(one complete row\)"),
    "rows numbered": (changed(country=range(46)), "'country' seems to number the rows"),
}


@pytest.mark.parametrize("name", NOT_TO_BE_FITTED)
def test_items_that_do_not_vary_are_refused_for_a_fit_only(name: str, quiet: None) -> None:
    """Rows and moments may be parts of the data; a fit cannot."""
    data, message = NOT_TO_BE_FITTED[name]
    grouped = GroupedData.from_frame(data, ITEMS, "country")
    for given in (data, grouped, SampleMoments.from_grouped(grouped)):
        with pytest.raises(DataError, match=message):
            as_moments(given, ITEMS, "country")


def test_items_that_do_not_vary_are_told() -> None:
    frame = set_where(GOOD["country"] == "C1", "y", 0.1)
    with pytest.warns(NonPositiveDefiniteWarning, match=r"1 group has items without variation: C1 \(y\)\.") as told:
        moments = SampleMoments.from_frame(frame, ITEMS, "country")
    assert len(told) == 1 and moments.notices[0].groups == ("C1",)
    assert moments.means[1, 1] == 0.1 and not moments.covariances[1, 1].any() and not moments.covariances[1, :, 1].any()
    assert moments.select(["x", "z"]).notices == moments.subset(["C0", "C2"]).notices == ()


def test_column_names_that_are_numbers_have_their_own_advice() -> None:
    with pytest.raises(DataError, match=r"data.columns.astype\(str\)"):
        GroupedData.from_frame(pd.DataFrame({0: [1.0, 2.0]}), ["0"])


def test_a_column_named_twice_in_a_query_is_refused() -> None:
    query = duckdb.sql("select 1 as x, 2 as x, 3 as y")
    with pytest.raises(DataError, match="more than one column named x"):
        GroupedData.from_frame(query, ["x", "y"])


def test_min_size_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="no group has 99 complete rows; the largest has 12"):
        GroupedData.from_frame(GOOD, ITEMS, "country", min_size=99)


def test_a_column_not_asked_for_may_hold_anything() -> None:
    lazy = pl.from_pandas(GOOD).lazy().with_columns(broken=pl.col("other").cast(pl.Int64, strict=True))
    assert GroupedData.from_frame(lazy, ITEMS, "country").n.sum() == 46
