"""Moments as parquet: equal bits after a round trip, and nothing believed that a file only claims."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixsem.data import SampleMoments, is_moments_file, read_table
from mixsem.data.parquet import KEY
from mixsem.errors import DataError, MixsemError, OutputError

LABELS: dict[str, tuple[Any, Any]] = {
    "text": ("BEL", "CHL"),
    "whole numbers": (1, 20),
    "larger than 64 bits": (1, 10**30),
    "floats": (1.5, 2.5),
    "booleans": (False, True),
    "dates": (date(2020, 5, 1), date(2021, 1, 1)),
    "times": (datetime(2020, 5, 1, 3, 4, 5, 678901), datetime(2021, 1, 1)),
    "times with a zone": (datetime(2020, 5, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)),
    "several types": (1, "A"),
    "half a character": ("a\ud800", "b"),
}


def example(labels: tuple[Any, Any] = ("BEL", "CHL")) -> SampleMoments:
    """Three rows of the second group: a small group, and so a notice with a label."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(33, 4)), columns=list("wxyz"))
    frame["g"] = pd.Series([labels[0]] * 30 + [labels[1]] * 3, dtype=object)
    with pytest.warns(UserWarning, match="no more complete rows"):
        return SampleMoments.from_frame(frame, list("wxyz"), "g")


def assert_equal(one: SampleMoments, other: SampleMoments) -> None:
    assert (one.items, one.groups, one.group, one.has_means) == (
        other.items,
        other.groups,
        other.group,
        other.has_means,
    )
    assert [type(label) for label in one.groups] == [type(label) for label in other.groups]
    assert (one.notices, one.missing) == (other.notices, other.missing)
    for name in ("n", "n_dropped", "means", "covariances"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("suffix", ["parquet", "json.gz"])
def test_a_round_trip_keeps_every_bit(name: str, suffix: str, tmp_path: Path) -> None:
    moments, file = example(LABELS[name]), tmp_path / f"moments.{suffix}"
    moments.save(file)
    assert moments.notices and is_moments_file(file)
    assert_equal(SampleMoments.load(file), moments)


def test_the_same_moments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.parquet", "b.parquet"):
        example().save(tmp_path / name)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a.parquet", "b.parquet"}


def test_other_programs_can_read_it(tmp_path: Path) -> None:
    moments = example()
    moments.save(tmp_path / "moments.parquet")
    table = pd.read_parquet(tmp_path / "moments.parquet")
    assert table.columns.tolist() == ["group", "n", "n_dropped", "means", "covariances"]
    assert table["group"].tolist() == ["BEL", "CHL"]
    np.testing.assert_array_equal(np.stack(table["covariances"].tolist()).reshape(2, 4, 4), moments.covariances)


def test_tables_and_moments_are_told_apart(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1.0]}).to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    example().save(tmp_path / "moments.parquet")
    files = ("rows", "broken", "moments", "absent")
    assert [is_moments_file(tmp_path / f"{name}.parquet") for name in files] == [False, False, True, False]
    with pytest.raises(DataError, match="holds moments and no rows"):
        read_table(tmp_path / "moments.parquet")
    with pytest.raises(DataError, match="not a file of sample moments"):
        SampleMoments.load(tmp_path / "rows.parquet")


def test_many_groups_take_about_a_second(tmp_path: Path) -> None:
    groups, p = 20_000, 12
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(groups, 30, p))
    covariances = np.matmul(rows.swapaxes(1, 2), rows) / 30
    moments = SampleMoments(
        items=tuple(f"x{j}" for j in range(p)),
        groups=tuple(range(groups)),
        n=np.full(groups, 30),
        means=rows.mean(axis=1),
        covariances=(covariances + covariances.swapaxes(1, 2)) / 2,
        n_dropped=np.zeros(groups, dtype=np.int64),
    )
    start = time.process_time()
    moments.save(tmp_path / "moments.parquet")
    loaded = SampleMoments.load(tmp_path / "moments.parquet")
    seconds = time.process_time() - start
    assert_equal(loaded, moments)
    assert seconds < 10  # about 1 on a machine at rest; a busy one must not fail


# --- broken and hostile files ------------------------------------------------------------------------

Change = Callable[[pa.Table, dict[str, Any]], tuple[pa.Table, Any]]


def column(name: str, values: Any, kind: pa.DataType | None = None) -> Change:
    def change(table: pa.Table, rest: dict[str, Any]) -> tuple[pa.Table, Any]:
        at = table.schema.get_field_index(name)
        return table.set_column(at, name, pa.array(values, kind)), rest

    return change


def said(**changes: Any) -> Change:
    return lambda table, rest: (table, rest | changes)


CHANGES: dict[str, Change] = {
    "no row": lambda table, rest: (table.slice(0, 0), rest),
    "a column less": lambda table, rest: (table.drop_columns(["n"]), rest),
    "a column more": lambda table, rest: (table.append_column("z", pa.array([1, 2])), rest),
    "no label": column("group", [None, "CHL"]),
    "a label twice": column("group", ["BEL", "BEL"]),
    "a label of bytes": column("group", [b"BEL", b"CHL"]),
    "counts of text": column("n", ["30", "3"]),
    "no count": column("n", [30, None]),
    "a negative count": column("n_dropped", [0, -1]),
    "a mean missing": column("means", [[0.0] * 3, [0.0] * 4]),
    "a mean not finite": column("means", [[0.0, 1.0, np.inf, 0.0], [0.0] * 4]),
    "a mean absent": column("means", [[0.0, 1.0, None, 0.0], [0.0] * 4]),
    "no means": column("means", [None, [0.0] * 4]),
    "means of text": column("means", [["0"] * 4] * 2),
    "covariances too short": column("covariances", [[1.0] * 15] * 2),
    "not symmetric": column("covariances", [[*np.eye(4).ravel()[:-2], 0.5, 1.0]] * 2),
    "not positive definite": column("covariances", [(-np.eye(4)).ravel().tolist()] * 2),
    "another format": said(format="else"),
    "a newer version": said(version=2),
    "items no list": said(items="wxyz"),
    "an item twice": said(items=["w", "x", "y", "y"]),
    "more items than numbers": said(items=[f"x{j}" for j in range(100_000)]),
    "another account": said(missing="somehow"),
    "labels as JSON, but not": said(labels="json"),
    "a notice of its own": said(notices=[{"name": "Exception", "text": "", "groups": []}]),
    "no object": lambda table, rest: (table, [1, 2]),
    "deep JSON": lambda table, rest: (table, "deep"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_broken_files_are_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / "moments.parquet"
    example().save(file)
    table = pq.read_table(file)
    changed, rest = CHANGES[name](table, json.loads(pq.read_metadata(file).metadata[KEY]))
    text = "[" * 100_000 if rest == "deep" else json.dumps(rest)
    pq.write_table(changed.replace_schema_metadata({KEY: text}), file)
    with pytest.raises((DataError, OutputError)):
        SampleMoments.load(file)


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_never_do_more_than_raise(seed: int, tmp_path: Path) -> None:
    file = tmp_path / "moments.parquet"
    example().save(file)
    content = bytearray(file.read_bytes())
    rng = np.random.default_rng(seed)
    for at in rng.integers(0, len(content), 5):
        content[at] = rng.integers(0, 256)
    file.write_bytes(content[: rng.integers(4, len(content))] if seed % 4 == 0 else content)
    try:
        loaded = SampleMoments.load(file)
    except MixsemError:
        return
    assert np.isfinite(loaded.covariances).all()


def test_places_and_numbers_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        example().save(tmp_path / "nowhere" / "moments.parquet")
    moments = example()
    moments.means[0, 0] = np.nan
    with pytest.raises(OutputError, match="not finite"):
        moments.save(tmp_path / "moments.parquet")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="no file"):
        SampleMoments.load(tmp_path / "moments.parquet")
