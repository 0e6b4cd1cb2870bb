"""Data files of either kind, rows or moments, to the moments of the model's items."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..data.archive import SUFFIXES
from ..data.files import read_table
from ..data.intake import moments_of
from ..data.moments import SampleMoments
from ..errors import DataError, MixsemError, enumerate_briefly
from .options import DataOptions

__all__ = ["read_moments"]


def read_moments(data: DataOptions, items: Sequence[str]) -> SampleMoments:
    """Read all data files and merge them by group label.

    Items may be constant within a group: the files may be parts of the data, and so may what is written.

    Raises
    ------
    MixsemError
        If a file cannot be read, lacks a column, or the parts do not fit together.
    """
    if len(data.files) == 1:
        return _read(data.files[0], items, data.group, data.min_size)
    parts = [_read(path, items, data.group, None) for path in data.files]
    # Small groups are left out only now: a group may be spread over files.
    return moments_of(SampleMoments.merge(*_with_labels_of_one_type(parts)), items, min_size=data.min_size)


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


def _read(path: Path, items: Sequence[str], group: str | None, min_size: int | None) -> SampleMoments:
    if path.name.lower().endswith(SUFFIXES):
        with _named(path):
            return moments_of(SampleMoments.load(path), items, group, min_size=min_size)
    table = read_table(path, group)
    if group is None:
        raise DataError(
            f"{path.name}: the grouping column is not named",
            allowed=enumerate_briefly(list(table.columns), limit=20),
            todo="add --group COLUMN",
        )
    with _named(path):
        return moments_of(table, items, group, min_size=min_size)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Put the name of the file in front of an error."""
    try:
        yield
    except MixsemError as error:
        if str(path) in error.got:
            raise
        raise DataError(f"{path.name}: {error.got}", allowed=error.allowed, todo=error.todo) from error
