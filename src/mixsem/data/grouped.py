"""Any data frame in, complete rows sorted by group out: rows are read here and nowhere else."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, Notice, OptionError, enumerate_briefly, notify
from .account import dropped_notices, rows_notices
from .columns import FrameLike, check_items, open_columns, to_floats
from .labels import code_labels
from .variation import refuse_numbered_rows

__all__ = [
    "ALL",
    "GroupedData",
    "OpenRows",
    "SortedRows",
    "check_names",
    "judge_groups",
    "nothing_left",
    "open_rows",
    "read_grouped",
    "sort_rows",
]

ALL = "all"
"""Label of the one group of data that are not grouped."""

# A part of the data may hold one row of each of a few groups; more such groups than this number the rows,
# and their covariance matrices would fill the memory.
MANY_GROUPS = 1000


@dataclass(frozen=True, eq=False, repr=False)
class GroupedData:
    """Complete rows of the items, with their groups coded once.

    Attributes
    ----------
    items
        Names of the p items.
    group
        Name of the grouping column, or None if the data are not grouped.
    groups
        Labels of the G groups as Python scalars, sorted; ``("all",)`` if the data are not grouped.
    codes
        (n,) position of each row's group in `groups`, ascending.
    values
        (n, p) answers, complete rows only, sorted by group.
    rows
        (n,) position of each row in the table that was read.
    n
        (G,) complete rows per group.
    n_dropped
        (G,) rows dropped per group because an item is missing.
    n_rows
        Rows of the table that was read.
    notices
        What was dropped, and which groups are small.
    """

    items: tuple[str, ...]
    group: str | None
    groups: tuple[Hashable, ...]
    codes: NDArray[np.int64]
    values: NDArray[np.float64]
    rows: NDArray[np.int64]
    n: NDArray[np.int64]
    n_dropped: NDArray[np.int64]
    n_rows: int
    notices: tuple[Notice, ...] = ()

    @classmethod
    def from_frame(
        cls, data: FrameLike, items: Sequence[str], group: str | None = None, *, min_size: int | None = None
    ) -> GroupedData:
        """Read the items of a table and code its groups.

        Parameters
        ----------
        data
            A pandas, polars or pyarrow table, a polars lazy frame, a DuckDB relation, or a mapping of
            columns. Lazy tables are collected with the needed columns only.
        items
            Names of the p items: columns of numbers. Null and NaN are both missing.
        group
            Name of the grouping column, of any type; None for one group of all rows.
        min_size
            Leave out groups with fewer complete rows than this.

        Returns
        -------
        GroupedData
            The complete rows. What was left out is in its notices, each issued once as a warning.

        Raises
        ------
        DataError
            If a column is missing or holds text or infinite values, no row is complete, labels differ in
            their type only, or the grouping column numbers the rows.
        OptionError
            If `items`, `group` or `min_size` is not what is allowed.

        Examples
        --------
        >>> data = {"x": [1, 2, 4, 8], "country": ["B", "B", "A", "A"]}
        >>> grouped = GroupedData.from_frame(data, ["x"], "country")
        >>> grouped.groups, grouped.codes, grouped.rows
        (('A', 'B'), array([0, 0, 1, 1]), array([2, 3, 0, 1]))
        """
        grouped = read_grouped(data, items, group, min_size=min_size)
        notify(grouped.notices)
        return grouped

    def __repr__(self) -> str:
        """Sizes at a glance."""
        return (
            f"GroupedData: {len(self.groups):,} groups, {len(self.items)} items, "
            f"{len(self.values):,} of {self.n_rows:,} rows"
        )


def read_grouped(
    data: FrameLike, items: Sequence[str], group: str | None = None, *, min_size: int | None = None
) -> GroupedData:
    """Do what `GroupedData.from_frame` does without a warning: the notices are the caller's to issue."""
    table = open_rows(data, items, group, min_size)
    complete: NDArray[np.bool_] = np.all(~np.isnan(table.values), axis=1)
    kept = sort_rows(table, complete, group, min_size)
    return GroupedData(
        items=table.items,
        group=group,
        groups=kept.groups,
        codes=kept.codes,
        values=table.values[kept.rows],
        rows=kept.rows,
        n=kept.n,
        n_dropped=kept.n_dropped,
        n_rows=len(table.values),
        notices=kept.notices + rows_notices(kept.groups, kept.n, kept.n_dropped, len(table.items)),
    )


class OpenRows(NamedTuple):
    """Every row of a table, its groups coded (-1 where the label is missing)."""

    items: tuple[str, ...]
    labels: tuple[Hashable, ...]
    codes: NDArray[np.int64]  # (N,)
    values: NDArray[np.float64]  # (N, p), NaN where missing


def open_rows(data: FrameLike, items: Sequence[str], group: str | None, min_size: int | None = None) -> OpenRows:
    """Read the items and the group of every row; the errors are those of `GroupedData.from_frame`."""
    names = check_names(items, group, min_size)
    frame = open_columns(data, names if group is None else (*names, group))
    values = to_floats(frame, names)
    if group is None:
        return OpenRows(names, (ALL,), np.zeros(len(values), dtype=np.int64), values)
    return OpenRows(names, *code_labels(frame[group]), values)


def check_names(items: Sequence[str], group: str | None, min_size: int | None) -> tuple[str, ...]:
    """Return the names of the items, or raise `OptionError` if they, the group or `min_size` are not allowed."""
    names = check_items(items)
    if group is not None and not isinstance(group, str):
        raise OptionError(
            f"group={group!r}",
            allowed="the name of one column",
            todo="join several columns first, such as data['school'] + ' ' + data['sex']"
            if isinstance(group, Sequence)
            else "make the names of columns text: data.columns = data.columns.astype(str)",
        )
    if group in names:
        raise OptionError(f"the grouping column {group!r} is also an item", todo="leave it out of the items")
    if min_size is not None and min_size < 1:
        raise OptionError(f"min_size={min_size}", allowed="a whole number of rows, 1 or more")
    return names


class SortedRows(NamedTuple):
    """The rows that are used, sorted by group; groups that lose all of them or are too small are left out."""

    groups: tuple[Hashable, ...]
    codes: NDArray[np.int64]  # (n,)
    rows: NDArray[np.int64]  # (n,) positions in the table
    n: NDArray[np.int64]  # (G,)
    n_dropped: NDArray[np.int64]  # (G,)
    notices: tuple[Notice, ...]


def sort_rows(
    table: OpenRows, usable: NDArray[np.bool_], group: str | None, min_size: int | None, kind: str = "complete"
) -> SortedRows:
    """Keep the `usable` rows (N,) that have a group, sorted by it; `kind` is the word for them in messages."""
    labels, codes = table.labels, table.codes
    labelled = codes >= 0
    n = np.bincount(codes[labelled & usable], minlength=len(labels))
    n_dropped = np.bincount(codes[labelled & ~usable], minlength=len(labels))
    if n.sum() == 0:
        missing = np.isnan(table.values[labelled]).sum(axis=0)
        raise nothing_left(table.items, missing, int(labelled.sum()), group, kind)
    keep, notices = judge_groups(
        labels,
        n,
        n_dropped,
        group=group,
        n_unlabelled=int((~labelled).sum()),
        n_rows=len(codes),
        min_size=min_size,
        kind=kind,
    )
    used = np.flatnonzero(labelled & usable & keep[codes])
    rows = used[np.argsort(codes[used], kind="stable")]
    return SortedRows(
        groups=tuple(compress(labels, keep)),
        codes=(np.cumsum(keep) - 1)[codes[rows]],
        rows=rows,
        n=n[keep],
        n_dropped=n_dropped[keep],
        notices=notices,
    )


def judge_groups(
    labels: Sequence[Hashable],
    n: NDArray[np.int64],
    n_dropped: NDArray[np.int64],
    *,
    group: str | None,
    n_unlabelled: int,
    n_rows: int,
    min_size: int | None,
    kind: str = "complete",
) -> tuple[NDArray[np.bool_], tuple[Notice, ...]]:
    """Tell which groups stay (G,), and return the notices about what does not.

    Raises
    ------
    DataError
        If the groups number the rows, or none is large enough.
    """
    if np.count_nonzero(n) > MANY_GROUPS:
        refuse_numbered_rows(n, group)
    keep: NDArray[np.bool_] = n >= (min_size or 1)
    if not keep.any():
        raise DataError(f"no group has {min_size} {kind} rows; the largest has {n.max()}", todo="lower min_size")
    notices = dropped_notices(
        labels,
        n,
        n_dropped,
        group=group,
        n_unlabelled=n_unlabelled,
        n_rows=n_rows,
        min_size=min_size,
        kind=kind,
    )
    return keep, notices


def nothing_left(
    items: Sequence[str], missing: NDArray[np.int64], n_labelled: int, group: str | None, kind: str = "complete"
) -> DataError:
    """Return the error that names the columns which leave no complete (or usable) row.

    `missing` (p,) counts the missing values of each item in the rows that have a group.
    """
    if n_labelled == 0:
        return DataError(f"the grouping column {group!r} is missing in every row", todo="name another column")
    empty = list(compress(items, missing == n_labelled))
    if empty:
        return DataError(
            f"no {kind} row: nothing was answered in {enumerate_briefly(empty)}",
            todo="leave out these items",
        )
    worst = [f"{items[j]} ({missing[j]:,})" for j in np.argsort(-missing, kind="stable") if missing[j]]
    return DataError(
        f"no {kind} row in {n_labelled:,}: some item is missing in each; missing values in " + enumerate_briefly(worst),
        todo="leave out the items with the most missing values",
    )
