"""Data files of either kind, rows or moments, to the moments of the model's items."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..data.archive import names_moments
from ..data.columns import FrameLike
from ..data.files import read_table
from ..data.grouped import read_grouped
from ..data.intake import moments_of
from ..data.moments import SampleMoments
from ..data.ordinal import Ordered, OrdinalMoments
from ..data.scanning import can_scan, scan_table
from ..errors import DataError, MixsemError, OptionError, enumerate_briefly
from .options import DataOptions

__all__ = ["read_moments", "read_ordered_moments"]


def read_moments(data: DataOptions, items: Sequence[str]) -> SampleMoments:
    """Read all data files and merge them by group label.

    Items may be constant within a group: the files may be parts of the data, and so may what is written.

    Raises
    ------
    MixsemError
        If a file cannot be read, lacks a column, or the parts do not fit together.
    """
    if len(data.files) == 1:
        return _read(data.files[0], items, data, data.min_size)
    parts = [_read(path, items, data, None) for path in data.files]
    # Small groups are left out only now: a group may be spread over files.
    return moments_of(SampleMoments.merge(*_with_labels_of_one_type(parts)), items, min_size=data.min_size)


def read_ordered_moments(data: DataOptions, items: Sequence[str], ordered: Ordered) -> OrdinalMoments:
    """Read one table and estimate thresholds and polychoric correlations.

    Raises
    ------
    MixsemError
        If there are several files, or one with moments, which hold no categories; or as `read_moments` does.
    """
    path = data.files[0]
    if len(data.files) > 1 or names_moments(path):
        raise OptionError(
            "--ordered came with moments" if len(data.files) == 1 else "--ordered came with several files",
            allowed="one table with one row per person",
            todo="join the tables into one file, or leave --ordered out",
        )
    if data.missing != "listwise":
        raise OptionError(f"--missing {data.missing} came with --ordered", todo="leave one of them out")
    table = _table(path, data.group)
    with _named(path):
        grouped = read_grouped(table, items, data.group, min_size=data.min_size)
        return OrdinalMoments.from_grouped(grouped, ordered=ordered)


def _with_labels_of_one_type(parts: Sequence[SampleMoments]) -> Sequence[SampleMoments]:
    """Write all labels as text if any part has text: the 1 of one file is the "1" of another that has "A" too."""
    if not any(isinstance(label, str) for part in parts for label in part.groups):
        return parts
    return [
        replace(
            part,
            groups=tuple(map(str, part.groups)),
            notices=tuple(replace(notice, groups=tuple(map(str, notice.groups))) for notice in part.notices),
        )
        for part in parts
    ]


def _read(path: Path, items: Sequence[str], data: DataOptions, min_size: int | None) -> SampleMoments:
    group = data.group
    if names_moments(path):
        with _named(path):
            return moments_of(SampleMoments.load(path), items, group, min_size=min_size, missing=data.missing)
    table = _scan(path, group) if can_scan(path) else _table(path, group)
    with _named(path):
        return moments_of(table, items, group, min_size=min_size, missing=data.missing)


def _scan(path: Path, group: str | None) -> FrameLike:
    """A file, folder or pattern whose rows are read in passing."""
    table = scan_table(path)
    _require_group(path, group, table.schema.names)
    return table


def _table(path: Path, group: str | None) -> FrameLike:
    """The rows of a file, which need a grouping column."""
    table = read_table(path, group)
    _require_group(path, group, list(table.columns))
    return table


def _require_group(path: Path, group: str | None, columns: Sequence[object]) -> None:
    if group is None:
        raise DataError(
            f"{path.name}: the grouping column is not named",
            allowed=enumerate_briefly(columns, limit=20),
            todo="add --group COLUMN",
        )


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Put the name of the file in front of an error."""
    try:
        yield
    except MixsemError as error:
        if str(path) in error.got:
            raise
        raise DataError(f"{path.name}: {error.got}", allowed=error.allowed, todo=error.todo) from error
