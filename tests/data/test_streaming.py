"""Lazy tables of any library give what the same rows in memory give: numbers, labels, notices, errors."""

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
import pyarrow.dataset as pads
import pytest

from mixsem.data import GroupedData, SampleMoments, as_moments
from mixsem.data.streaming import parts, reading
from mixsem.data.streaming.blocks import BLOCK
from mixsem.errors import DataError, MissingDataWarning, MixsemWarning, NonPositiveDefiniteWarning

ITEMS = ("x", "y", "z")
ACCOUNTS = ("listwise", "pairwise", "ml")

# Sums in another order: relative to the largest covariance, some roundings of 2e-16 each.
SAME = 1e-12
# The EM algorithm ends where its steps are small, not where rounding begins.
SAME_EM = 1e-10


def table(n: int = 400, seed: int = 3, center: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 3)) @ rng.normal(size=(3, 3)) + center, columns=list(ITEMS))
    frame = frame.mask(rng.random(frame.shape) < 0.1)
    return frame.assign(g=rng.integers(0, 4, n), unused="text")


def as_reader(frame: pa.Table, rows: int = 37) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(frame.schema, frame.to_batches(max_chunksize=rows))


#: Older versions of DuckDB close a connection that nobody holds, under its relations.
CONNECTION = duckdb.connect()


def as_relation(frame: pa.Table) -> Any:
    return CONNECTION.from_arrow(frame)


SOURCES: dict[str, Callable[[pa.Table], Any]] = {
    "polars": lambda frame: pl.from_arrow(frame).lazy(),
    "pyarrow dataset": pads.dataset,
    "pyarrow reader": as_reader,
    "DuckDB": as_relation,
}


def quietly(data: Any, items: tuple[str, ...] = ITEMS, group: str | None = "g", **how: Any) -> SampleMoments:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return SampleMoments.from_frame(data, items, group, **how)


def assert_same(one: SampleMoments, other: SampleMoments, tolerance: float = SAME) -> None:
    assert (one.items, one.groups, one.group, one.missing) == (other.items, other.groups, other.group, other.missing)
    assert [type(label) for label in one.groups] == [type(label) for label in other.groups]
    np.testing.assert_array_equal(one.n, other.n)
    np.testing.assert_array_equal(one.n_dropped, other.n_dropped)
    scale = np.abs(other.covariances).max()
    np.testing.assert_allclose(one.means, other.means, rtol=tolerance, atol=tolerance * np.sqrt(scale))
    np.testing.assert_allclose(one.covariances, other.covariances, rtol=0, atol=tolerance * scale)
    assert one.notices == other.notices


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest) -> Callable[[pa.Table], Any]:
    return SOURCES[request.param]


# --- numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ACCOUNTS)
@pytest.mark.parametrize("group", ["g", None])
def test_streams_give_what_tables_give(source: Callable[..., Any], missing: str, group: str | None) -> None:
    frame = pa.Table.from_pandas(table())
    streamed = quietly(source(frame), group=group, missing=missing)
    assert_same(streamed, quietly(frame, group=group, missing=missing), SAME_EM if missing == "ml" else SAME)
    assert (streamed.covariances == streamed.covariances.swapaxes(1, 2)).all()


@pytest.mark.parametrize("missing", ACCOUNTS)
def test_a_mean_of_a_billion_costs_no_digits(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Raw sums of squares would have nothing left of a variance of 1, and rounded means seven digits less."""
    monkeypatch.setattr("mixsem.data.streaming.sources.BLOCK", 50)
    frame = pa.Table.from_pandas(table(n=1000, center=1e9))
    streamed, whole = (quietly(data, missing=missing) for data in (as_reader(frame, 7), frame))
    np.testing.assert_allclose(streamed.covariances, whole.covariances, rtol=SAME_EM if missing == "ml" else 1e-12)
    centred = table(n=1000, center=1e9)
    centred[list(ITEMS)] -= 1e9
    # What is left of the answers themselves after adding 1e9 is the same as in `centred`, exactly.
    np.testing.assert_allclose(streamed.covariances, quietly(centred, missing=missing).covariances, atol=SAME_EM)


def test_rows_are_cut_into_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is called a stream must not gather the table: blocks are as large as they may be, and no larger."""
    seen: list[int] = []
    reduce = reading.Reduction.__call__

    def counting(self: Any, frame: Any) -> Any:
        seen.append(len(frame))
        return reduce(self, frame)

    monkeypatch.setattr(reading.Reduction, "__call__", counting)
    rows = 2 * BLOCK + 5
    frame = pa.table({"x": np.arange(rows) % 7, "g": np.arange(rows) % 3})
    assert quietly(as_reader(frame, 30_000), ("x",)).n_total == rows
    assert sorted(seen) == [5, BLOCK, BLOCK]


def test_only_needed_columns_are_read() -> None:
    frame = pa.table({"x": [1, 2, 4], "unused": [pa.scalar("a")] * 3})

    class Watched(pads.InMemoryDataset):
        def to_batches(self, columns: Any = None, **how: Any) -> Any:
            assert columns == ["x"]
            return super().to_batches(columns=columns, **how)

    assert quietly(Watched(frame), ("x",), None).n_total == 3


def test_many_small_groups_and_few_large_ones() -> None:
    """Cells of one size are computed together, so that sizes of every kind must meet."""
    rng = np.random.default_rng(8)
    sizes = np.r_[np.ones(30, dtype=int), rng.integers(2, 5, 40), 200, 300]
    frame = pa.table({"x": rng.normal(size=sizes.sum()), "y": rng.normal(size=sizes.sum())})
    frame = frame.append_column("g", pa.array(rng.permutation(np.repeat(np.arange(len(sizes)), sizes))))
    for rows in (17, 1000):
        assert_same(quietly(as_reader(frame, rows), ("x", "y")), quietly(frame, ("x", "y")))


def test_a_constant_item_stays_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mixsem.data.streaming.sources.BLOCK", 10)
    frame = pa.table({"x": [0.1] * 100, "y": np.arange(100.0), "g": [0, 1] * 50})
    moments = quietly(as_reader(frame), ("x", "y"))
    assert (moments.means[:, 0] == 0.1).all() and (moments.covariances[:, 0] == 0).all()
    assert [notice.category for notice in moments.notices] == [NonPositiveDefiniteWarning]


def test_fits_stream_too(source: Callable[..., Any]) -> None:
    frame = pa.Table.from_pandas(table())
    assert_same(as_moments(source(frame), ["x", "y"], "g"), as_moments(frame, ["x", "y"], "g"))


def test_rows_of_a_dataset_can_be_had_too() -> None:
    frame = pa.Table.from_pandas(table())
    with pytest.warns(MissingDataWarning):
        grouped = GroupedData.from_frame(pads.dataset(frame), ["x"], "g")
    assert len(grouped.values) == frame["x"].drop_null().length()


# --- labels ------------------------------------------------------------------------------------------

LABELS: dict[str, pa.Array] = {
    "whole numbers": pa.array([3, 1, None, 1, 3], pa.int16()),
    "whole floats": pa.array([3.0, 1.0, float("nan"), 1.0, None]),
    "floats": pa.array([3.0, 1.5, float("nan"), 1.5, 3.0]),
    "zero with two signs": pa.array([0.0, -0.0, 1.0, 1.0, 0.0]),
    "text": pa.array(["L10", "L9", None, "", "L9"]),
    "dictionary": pa.DictionaryArray.from_arrays([2, 0, None, 0, 2], ["a", "never", "b"]),
    "booleans": pa.array([True, False, None, False, True]),
    "dates": pa.array([date(2021, 1, 1), date(2020, 5, 1), None, date(2020, 5, 1), date(2021, 1, 1)]),
    "times": pa.array([datetime(2021, 1, 1, 3), datetime(2020, 5, 1), None] * 2, pa.timestamp("us"))[:5],
    "decimals": pa.array([Decimal("3.00"), Decimal("1.00"), None, Decimal("1.00"), Decimal("3.00")]),
}


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_labels_are_those_of_a_table(monkeypatch: pytest.MonkeyPatch, name: str, rows: int) -> None:
    """Whether floats are whole is known at the end only, and a dictionary may name labels that never come."""
    monkeypatch.setattr("mixsem.data.streaming.sources.BLOCK", rows)
    frame = pa.table({"x": [1.0, 5.0, 2.0, 8.0, 3.0], "g": LABELS[name]})
    assert_same(quietly(as_reader(frame, rows), ("x",)), quietly(frame, ("x",)))


@pytest.mark.parametrize("name", sorted(set(LABELS) - {"times"}))  # each library has its own precision of times
def test_labels_of_other_libraries(source: Callable[..., Any], name: str) -> None:
    frame = pa.table({"x": [1.0, 5.0, 2.0, 8.0, 3.0], "g": LABELS[name]})
    assert quietly(source(frame), ("x",)).groups == quietly(frame, ("x",)).groups


# --- errors ------------------------------------------------------------------------------------------

BROKEN: dict[str, pa.Table] = {
    "text": pa.table({"x": ["1", "a", "b"], "y": ["?", "2", "3"], "g": [1, 1, 2]}),
    "infinite": pa.table({"x": [1.0, np.inf, -np.inf], "y": [1.0, 2.0, np.inf], "g": [1, 1, 2]}),
    "huge": pa.table({"x": [1.0, 1e200, 2.0], "y": [1.0, 2.0, 3.0], "g": [1, 1, 2]}),
    "no column": pa.table({"x1": [1.0, 2.0], "y": [1.0, 2.0], "g": [1, 1]}),
    "no rows": pa.table({"x": pa.array([], pa.float64()), "y": pa.array([], pa.float64()), "g": pa.array([], "i8")}),
    "no complete row": pa.table({"x": [1.0, None, 2.0], "y": [None, 2.0, None], "g": [1, 1, 2]}),
    "nothing answered": pa.table({"x": [1.0, 2.0, 3.0], "y": pa.array([None] * 3, pa.int8()), "g": [1, 1, 2]}),
    "no group": pa.table({"x": [1.0, 2.0], "y": [1.0, 3.0], "g": pa.array([None, None], pa.string())}),
    "small groups": pa.table({"x": [1.0, 2.0], "y": [1.0, 3.0], "g": [1, 2]}),
    "numbered rows": pa.table({"x": np.arange(1500.0), "y": np.arange(1500.0), "g": np.arange(1500)}),
    "lists": pa.table({"x": [1.0, 2.0], "y": [1.0, 3.0], "g": [[1], [2]]}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_errors_are_those_of_a_table(source: Callable[..., Any], name: str) -> None:
    min_size = 2 if name == "small groups" else None
    with pytest.raises(DataError) as whole:
        quietly(BROKEN[name], ("x", "y"), min_size=min_size)
    with pytest.raises(DataError) as streamed:
        quietly(source(BROKEN[name]), ("x", "y"), min_size=min_size)
    if name == "lists":  # the type has a name of its own in each library
        assert "cannot group rows" in str(streamed.value)
    else:
        assert str(streamed.value) == str(whole.value)


def test_extremes_are_counted_over_all_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mixsem.data.streaming.sources.BLOCK", 1)
    with pytest.raises(DataError, match=r"'x' \(2\), 'y' \(1\)"):
        quietly(as_reader(BROKEN["infinite"], 1), ("x", "y"))


def test_what_another_library_finds_on_the_way_is_told() -> None:
    query = pl.LazyFrame({"x": ["1", "two"], "g": [1, 1]}).with_columns(pl.col("x").cast(pl.Float64, strict=True))
    with pytest.raises(DataError, match="cannot be read"):
        quietly(query, ("x",))


def test_columns_there_twice() -> None:
    twice = pa.table([[1.0, 2.0], [1.0, 3.0]], names=["x", "x"])
    with pytest.raises(DataError, match="more than one column named x"):
        quietly(as_reader(twice), ("x",), None)


def test_more_groups_than_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MOST_NUMBERS", 20)
    monkeypatch.setattr("mixsem.data.streaming.sources.BLOCK", 10)
    frame = pa.table({"x": np.arange(100.0), "g": np.arange(100)})
    with pytest.raises(DataError, match="do not fit into memory"):
        quietly(as_reader(frame), ("x",))


# --- pairwise ----------------------------------------------------------------------------------------


def test_pairwise_moments_are_those_of_pandas() -> None:
    frame = table()
    moments = quietly(frame, group=None, missing="pairwise")
    n = frame[list(ITEMS)].notna().to_numpy(float)
    together = n.T @ n
    expected = frame[list(ITEMS)].cov().to_numpy() * (together - 1) / together
    np.testing.assert_allclose(moments.covariances[0], expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(moments.means[0], frame[list(ITEMS)].mean(), rtol=0, atol=1e-13)
    assert moments.n.tolist() == [int(together.min())]
    assert moments.n_dropped.tolist() == [int(frame[list(ITEMS)].isna().all(axis=1).sum())]


def test_pairwise_says_what_it_costs() -> None:
    with pytest.warns(MissingDataWarning, match=r"rarest pair: \d \("):
        SampleMoments.from_frame(table(), ITEMS, "g", missing="pairwise")


def test_an_indefinite_matrix_is_named_and_refused_by_fits(tmp_path: Any) -> None:
    """Pairs that contradict one another: x with y, y with z alike, x with z opposite."""
    a, none = np.tile([1.0, 2.0, 3.0, 4.0], 5), [None] * 20
    frame = {"x": [*a, *none, *a], "y": [*a, *a, *none], "z": [*none, *a, *-a], "g": ["A"] * 60}
    with pytest.warns(NonPositiveDefiniteWarning, match=r"not positive definite: A\. Each pair"):
        moments = SampleMoments.from_frame(frame, ITEMS, "g", missing="pairwise")
    assert np.linalg.eigvalsh(moments.covariances[0])[0] < 0
    with pytest.raises(DataError, match="singular in 1 group: A"):
        as_moments(moments, ITEMS)
    moments.save(tmp_path / "moments.json")
    assert SampleMoments.load(tmp_path / "moments.json").missing == "pairwise"


@pytest.mark.parametrize("missing", ["pairwise", "ml"])
def test_pairs_never_observed_together_are_refused(source: Callable[..., Any], missing: str) -> None:
    frame = pa.table({"x": [1.0, 2.0, None, None], "y": [None, None, 1.0, 3.0], "g": [1] * 4})
    with pytest.raises(DataError, match="never observed together: x and y in 1"):
        quietly(source(frame), ("x", "y"), missing=missing)
