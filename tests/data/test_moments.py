"""Moments: their numbers, selecting, merging, and the way to a file and back."""

from __future__ import annotations

import gzip
import json
import warnings
from collections.abc import Callable
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mixsem.data import GroupedData, SampleMoments, as_moments, is_moments_file
from mixsem.errors import (
    DataError,
    MissingDataWarning,
    MixsemWarning,
    NonPositiveDefiniteWarning,
    OptionError,
    OutputError,
    SmallGroupWarning,
)

ITEMS = ("x", "y", "z")


def table(n: int = 90, n_groups: int = 3, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 3)) @ rng.normal(size=(3, 3)), columns=list(ITEMS))
    return frame.assign(g=rng.permutation(np.resize(np.arange(n_groups), n)))


def assert_same(one: SampleMoments, other: SampleMoments, tolerance: float = 0.0) -> None:
    assert (one.items, one.groups, one.group) == (other.items, other.groups, other.group)
    assert [type(label) for label in one.groups] == [type(label) for label in other.groups]
    assert one.has_means == other.has_means
    np.testing.assert_array_equal(one.n, other.n)
    np.testing.assert_array_equal(one.n_dropped, other.n_dropped)
    np.testing.assert_allclose(one.means, other.means, rtol=0, atol=tolerance)
    np.testing.assert_allclose(one.covariances, other.covariances, rtol=0, atol=tolerance)


# --- numbers -----------------------------------------------------------------------------------------


def test_moments_are_those_of_pandas() -> None:
    frame = table()
    moments = SampleMoments.from_frame(frame, ITEMS, "g")
    groups = frame.groupby("g")[list(ITEMS)]
    np.testing.assert_allclose(moments.means, groups.mean(), atol=1e-14)
    np.testing.assert_allclose(moments.covariances.reshape(9, 3), groups.cov(ddof=0), atol=1e-14)
    assert moments.n.tolist() == groups.size().tolist() and moments.n_groups == 3 and moments.n_total == 90


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e9])
def test_order_of_rows_and_large_means_do_not_matter(offset: float) -> None:
    frame = table()
    # Multiples of 2^-10 keep their exact value beside a large mean: only the algorithm can lose digits.
    frame[list(ITEMS)] = (frame[list(ITEMS)] * 1024).round() / 1024
    expected = SampleMoments.from_frame(frame, ITEMS, "g")
    moved = frame.assign(**{item: frame[item] + offset for item in ITEMS})
    moments = SampleMoments.from_frame(moved.sample(frac=1, random_state=1), ITEMS, "g")
    np.testing.assert_allclose(moments.covariances, expected.covariances, rtol=0, atol=1e-10)


def test_many_rows_with_a_very_large_mean() -> None:
    """The rounding of a long sum reaches the mean here; it must not reach the covariances."""
    values = np.random.default_rng(1).integers(-1000, 1000, (200_000, 2)) / 1024
    moments = SampleMoments.from_frame({"x": values[:, 0] + 1e12, "y": values[:, 1] + 1e12}, ["x", "y"])
    np.testing.assert_allclose(moments.covariances[0], np.cov(values.T, ddof=0), rtol=0, atol=1e-10)


@given(
    values=arrays(np.float64, (24, 2), elements=st.floats(-1e3, 1e3, width=32), unique=True),
    cut=st.integers(1, 23),
    labels=st.permutations([0, 1, 2] * 8),
)
def test_halves_merge_to_the_whole(values: np.ndarray, cut: int, labels: list[int]) -> None:
    def moments(rows: slice) -> SampleMoments:
        frame = pd.DataFrame(values[rows], columns=["x", "y"]).assign(g=labels[rows])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return SampleMoments.from_frame(frame, ["x", "y"], "g")

    first, second = moments(slice(None, cut)), moments(slice(cut, None))
    scale = max(1.0, float(np.abs(values).max()) ** 2)
    assert_same(first.merge(second), moments(slice(None)), tolerance=1e-10 * scale)


def test_singular_covariances_are_told() -> None:
    frame = table().assign(z=lambda d: d["x"] + d["y"])
    with pytest.warns(NonPositiveDefiniteWarning, match="3 groups have rows enough"):
        moments = SampleMoments.from_frame(frame, ITEMS, "g")
    assert moments.notices[0].groups == (0, 1, 2)
    assert moments.select(["x", "z"]).notices == ()


def test_shapes_must_agree() -> None:
    moments = SampleMoments.from_frame(table(), ITEMS, "g")
    with pytest.raises(DataError, match="shapes"):
        SampleMoments(ITEMS, (0, 1), moments.n, moments.means, moments.covariances, moments.n_dropped)


# --- select, subset, merge ---------------------------------------------------------------------------


def test_select_reorders_items() -> None:
    moments = SampleMoments.from_frame(table(), ITEMS, "g")
    assert_same(moments.select(["z", "x"]), SampleMoments.from_frame(table(), ["z", "x"], "g"), 1e-14)
    with pytest.raises(DataError, match=r"no item Z(.|\n)*did you mean 'z'"):
        moments.select(["x", "Z"])
    with pytest.raises(OptionError, match="is the text"):
        moments.select("x")


def test_subset_keeps_the_order_of_groups() -> None:
    frame = table()
    moments = SampleMoments.from_frame(frame, ITEMS, "g")
    expected = SampleMoments.from_frame(frame[frame["g"] != 1], ITEMS, "g")
    assert_same(moments.subset([2, 0, 2]), expected, 1e-14)
    with pytest.raises(DataError, match=r"no group 7 in the moments\n.*0, 1, 2"):
        moments.subset([0, 7])
    for nothing in ([], "0"):
        with pytest.raises(OptionError, match="a list of one group label or more"):
            moments.subset(nothing)


def test_notices_follow_what_is_kept() -> None:
    frame = table(n=40).astype({"x": object})
    frame.loc[frame["g"] == 2, "x"] = None
    frame.loc[frame.index[frame["g"] == 1][3:], "g"] = 0
    frame.loc[[frame.index[frame["g"] == 0][0]], "x"] = None
    with pytest.warns(MixsemWarning):
        moments = SampleMoments.from_frame(frame, ITEMS, "g")
    lost, dropped, small = moments.notices
    assert (lost.groups, dropped.groups, small.groups) == ((2,), (0,), (1,))
    assert moments.select(["y", "z"]).notices == (lost, dropped)
    assert moments.subset([1]).notices == (lost, small)
    assert moments.merge(moments).subset([0]).notices[0] == lost


def test_merge_joins_groups_items_and_history() -> None:
    frame = table()
    first = SampleMoments.from_frame(frame[frame["g"] != 2], ITEMS, "g")
    second = SampleMoments.from_frame(frame[frame["g"] == 2], ["z", "x", "y"], "g")
    whole = SampleMoments.from_frame(frame, ITEMS, "g")
    assert_same(first.merge(second), whole, 1e-12)
    assert_same(SampleMoments.merge(second.select(ITEMS), first), whole, 1e-12)
    assert_same(first.merge(), first)


def test_merge_adds_small_parts_to_a_large_enough_group() -> None:
    frame = table(n=6, n_groups=1)
    with pytest.warns(SmallGroupWarning):
        parts = [SampleMoments.from_frame(frame[i : i + 2], ITEMS) for i in (0, 2, 4)]
    merged = SampleMoments.merge(*parts)
    assert_same(merged, SampleMoments.from_frame(frame, ITEMS), 1e-12)
    assert merged.notices == ()


def test_parts_may_hold_what_no_fit_could_use(tmp_path: Path) -> None:
    """An item constant in a group of one part, and a group with one row there: the merged data have neither."""
    frame = table()
    first = (frame["g"] == 0) | (frame.index < 40)
    frame.loc[first & (frame["g"] == 1), "x"] = 0.1
    frame.loc[frame.index[first & (frame["g"] == 2)][1:], "g"] = 0
    with pytest.warns(MixsemWarning) as told:
        parts = [SampleMoments.from_frame(frame[rows], ITEMS, "g") for rows in (first, ~first)]
    assert [(w.category, "1 (x)" in str(w.message)) for w in told] == [
        (SmallGroupWarning, False),
        (NonPositiveDefiniteWarning, True),
    ]
    for i, part in enumerate(parts):
        part.save(tmp_path / f"{i}.json")
    merged = SampleMoments.merge(*(SampleMoments.load(tmp_path / f"{i}.json") for i in (0, 1)))
    assert_same(merged, SampleMoments.from_frame(frame, ITEMS, "g"), 1e-12)
    assert merged.notices == () and as_moments(merged, ITEMS).notices == ()


@given(
    value=st.floats(-1e6, 1e6),
    cuts=st.lists(st.integers(1, 59), min_size=1, max_size=6, unique=True),
)
def test_a_constant_stays_constant_when_merged(value: float, cuts: list[int]) -> None:
    frame = table(n=60, n_groups=1).assign(y=value)
    edges = [0, *sorted(cuts), 60]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = [SampleMoments.from_frame(frame[a:b], ITEMS) for a, b in pairwise(edges)]
    merged = SampleMoments.merge(*parts)
    assert merged.means[0, 1] == value and not merged.covariances[0, 1].any()
    with pytest.raises(DataError, match="no variation over the rows in y"):
        as_moments(merged, ITEMS)
    assert as_moments(merged, ["x", "z"]).items == ("x", "z")


def test_rounding_in_moments_of_others_is_no_variation() -> None:
    content: dict[str, Any] = SampleMoments.from_frame(table(), ITEMS, "g").to_dict()
    content["means"][0][2], content["covariances"][0][2] = 1e3, [0.0, 0.0, 2e-26]
    for row in content["covariances"][0][:2]:
        row[2] = 0.0
    moments = SampleMoments.from_dict(content)
    with pytest.raises(DataError, match=r"without variation in a group: 0 \(z\)\n"):
        as_moments(moments, ITEMS)
    assert as_moments(moments.subset([1, 2]), ITEMS).groups == (1, 2)


def test_merge_refuses_labels_that_differ_in_type_only() -> None:
    numbers = SampleMoments.from_frame(table(), ITEMS, "g")
    text = SampleMoments.from_frame(table().astype({"g": str}), ITEMS, "g")
    with pytest.raises(DataError, match=r"0 \(int\)(.|\n)*one type"):
        numbers.merge(text)
    content = numbers.to_dict() | {"groups": [0, 1, "1"]}
    with pytest.raises(DataError, match="differ in their type only"):
        SampleMoments.from_dict(content)
    assert numbers.subset([0]).merge(text.subset(["1", "2"])).groups == (0, "1", "2")


def test_merge_without_means() -> None:
    a = SampleMoments.from_covariances({"A": np.eye(2)}, 10, items=["x", "y"], means={"A": [1, 2]})
    b = SampleMoments.from_covariances({"B": np.eye(2)}, 10, items=["x", "y"])
    merged = a.merge(b)
    assert merged.groups == ("A", "B") and not merged.has_means and not merged.means.any()
    with pytest.raises(DataError, match="parts of B cannot be pooled"):
        b.merge(b)


def test_merge_refuses_other_items_and_other_groupings() -> None:
    moments = SampleMoments.from_frame(table(), ITEMS, "g")
    with pytest.raises(DataError, match="moments of x, y cannot be merged with those of x, y, z"):
        moments.merge(moments.select(["x", "y"]))
    with pytest.raises(DataError, match="grouped by g, h"):
        moments.merge(SampleMoments.from_frame(table().rename(columns={"g": "h"}), ITEMS, "h"))


# --- whatever a method is given ----------------------------------------------------------------------


def test_as_moments_takes_tables_rows_and_moments() -> None:
    frame = table()
    moments = SampleMoments.from_frame(frame, ITEMS, "g")
    for data in (frame, GroupedData.from_frame(frame, ITEMS, "g"), moments):
        assert_same(as_moments(data, ["y", "x"], "g"), moments.select(["y", "x"]), 1e-14)
    assert_same(as_moments(moments, ITEMS), moments)


def test_as_moments_is_silent_and_keeps_the_notices() -> None:
    frame = table().astype(object)
    frame.loc[3, "x"] = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [notice.category for notice in as_moments(frame, ITEMS, "g").notices] == [MissingDataWarning]


def test_as_moments_refuses_another_grouping_and_leaves_out_small_groups() -> None:
    moments = SampleMoments.from_frame(table(), ITEMS, "g").merge(
        SampleMoments.from_frame(table(n=10, n_groups=1), ITEMS, "g")
    )
    assert moments.n.tolist() == [40, 30, 30]
    with pytest.raises(OptionError, match="grouped by 'g'"):
        as_moments(moments, ITEMS, "h")
    large = as_moments(moments, ITEMS, min_size=31)
    assert large.groups == (0,) and "1 (30), 2 (30)" in large.notices[0].text
    with pytest.raises(DataError, match="the largest has 40"):
        as_moments(moments, ITEMS, min_size=41)


# --- files -------------------------------------------------------------------------------------------

LABELS = {
    "text": ("NA", "b"),
    "integers": (1, 20),
    "floats": (0.5, 1.0),
    "booleans": (False, True),
    "dates": (date(2020, 1, 1), date(2020, 1, 2)),
    "datetimes": (datetime(2020, 1, 1, 12), datetime(2020, 1, 2)),
    "of two types": (1, "b"),
}


@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".JSON.GZ"])
@pytest.mark.parametrize("name", LABELS)
def test_moments_survive_the_way_to_a_file_and_back(name: str, suffix: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    roots = dict(zip(LABELS[name], rng.normal(size=(2, 4, 4)), strict=True))
    moments = SampleMoments.from_covariances(
        {label: root @ root.T for label, root in roots.items()},
        n=dict(zip(LABELS[name], (3, 50), strict=True)),
        items=list("abcd"),
        means=dict(zip(LABELS[name], rng.normal(size=(2, 4)), strict=True)),
    )
    path = tmp_path / f"moments{suffix}"
    moments.save(path)
    again = SampleMoments.load(path)
    assert_same(again, moments)
    assert again.notices == moments.notices and again.notices[0].groups == LABELS[name][:1]
    before = path.read_bytes()
    again.save(path)
    assert path.read_bytes() == before
    assert suffix == ".json" or (before[:2] == b"\x1f\x8b" and before[4:8] == bytes(4))  # no time stamp
    assert is_moments_file(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_groups_are_sorted_when_read() -> None:
    moments = SampleMoments.from_frame(table(), ITEMS, "g")
    content: dict[str, Any] = moments.to_dict()
    for field in ("groups", "n", "n_dropped", "means", "covariances"):
        content[field] = content[field][::-1]
    assert_same(SampleMoments.from_dict(content), moments)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "moments.json"
    moments = SampleMoments.from_frame(table(), ITEMS, "g")
    moments.save(path)
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        moments.select(["x"]).save(path)
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == [path.name]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    moments = SampleMoments.from_frame(table(), ITEMS, "g")
    with pytest.raises(OutputError, match=r"(?s)no suffix.*\.json, \.json\.gz, \.parquet"):
        moments.save(tmp_path / "moments.csv")
    with pytest.raises(OutputError, match="cannot be written"):
        moments.save(tmp_path / "nowhere" / "moments.json")


BROKEN_FILES: dict[str, tuple[str, bytes]] = {
    "not JSON": ("a.json", b'{"format": "mixsem-moments", '),
    "not text": ("a.json", b"\xff\xfe\x00"),
    "not compressed": ("a.json.gz", b'{"format": "mixsem-moments"}'),
    "cut off": ("a.json.gz", gzip.compress(b'{"format": "mixsem-moments"}')[:-10]),
    "another suffix": ("a.txt", b"{}"),
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_files_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    file, content = BROKEN_FILES[name]
    (tmp_path / file).write_bytes(content)
    with pytest.raises(OutputError, match=r"cannot be read|no suffix"):
        SampleMoments.load(tmp_path / file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no file"):
        SampleMoments.load(tmp_path / "a.json")


def _set(field: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content.update({field: value})


BROKEN_CONTENT: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another format": (_set("format", "fit"), "not a file of sample moments"),
    "a newer version": (_set("version", 2), "version 2(.|\n)*update mixsem"),
    "a field is missing": (lambda c: c.pop("n"), "broken at 'n'"),
    "no items": (_set("items", []), "broken at 'items'"),
    "items twice": (_set("items", ["x", "x", "y"]), "broken at 'items'"),
    "a group twice": (_set("groups", [1, 1, 2]), "broken at 'groups'"),
    "a label of another type": (_set("groups", [1, 2, None]), "broken at 'groups'"),
    "a date that is none": (_set("groups", [1, 2, {"date": "2020-13-01"}]), "broken at 'groups'"),
    "a group too few": (_set("groups", [1, 2]), "broken at 'n'"),
    "n not whole": (_set("n", [30, 30, 30.5]), "broken at 'n'"),
    "n true": (_set("n", [30, 30, True]), "broken at 'n'"),
    "n negative": (_set("n", [30, 30, -1]), "broken at 'n'"),
    "means of another shape": (_set("means", [[0, 0], [0, 0], [0, 0]]), "broken at 'means'"),
    "means ragged": (_set("means", [[0, 0, 0], [0, 0, 0], [0]]), "broken at 'means'"),
    "text among numbers": (lambda c: c["means"][0].__setitem__(0, "a"), "broken at 'means'"),
    "not finite": (lambda c: c["means"][0].__setitem__(0, float("nan")), "broken at 'means'"),
    "not symmetric": (lambda c: c["covariances"][0][0].__setitem__(1, 99), "broken at 'covariances'"),
    "a negative variance": (lambda c: c["covariances"][0][0].__setitem__(0, -1), "broken at 'covariances'"),
    "indefinite": (
        _set("covariances", [[[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]] * 3),
        "broken at 'covariances'",
    ),
    "a covariance without a variance": (
        _set("covariances", [[[1, 0, 0], [0, 0, 0.1], [0, 0.1, 1]]] * 3),
        "broken at 'covariances'",
    ),
    "an unknown notice": (_set("notices", [{"name": "Hm", "text": "", "groups": []}]), "broken at 'notices'"),
    "group a number": (_set("group", 3), "broken at 'group"),
}


@pytest.mark.parametrize("name", BROKEN_CONTENT)
def test_content_that_is_broken(name: str) -> None:
    spoil, message = BROKEN_CONTENT[name]
    content = json.loads(json.dumps(SampleMoments.from_frame(table(), ITEMS, "g").to_dict()))
    SampleMoments.from_dict(content)
    spoil(content)
    with pytest.raises(DataError, match=message):
        SampleMoments.from_dict(content)


def test_what_is_no_mapping_is_refused() -> None:
    with pytest.raises(DataError, match="not a file of sample moments"):
        SampleMoments.from_dict([1, 2])
