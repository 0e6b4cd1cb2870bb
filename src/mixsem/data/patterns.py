"""Rows with missing values, sorted into patterns: all that a likelihood of incomplete rows depends on."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, Notice, OptionError, enumerate_briefly
from .columns import FrameLike
from .grouped import open_rows, sort_rows

if TYPE_CHECKING:
    from ..kernels.patterns import PatternTables

__all__ = ["MissingPatterns", "read_patterns", "require_coverage"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class MissingPatterns:
    """Rows with at least one answer, and the patterns in which answers are missing.

    Of data that were streamed the patterns are known, and no rows: `codes`, `values`, `rows` and `pattern_of_row` are
    empty.

    Attributes
    ----------
    items
        Names of the p items.
    group
        Name of the grouping column, or None if the data are not grouped.
    groups
        Labels of the G groups, sorted; ``("all",)`` if the data are not grouped.
    codes
        (N,) position of each row's group in `groups`, ascending.
    values
        (N, p) answers sorted by group, NaN where missing.
    rows
        (N,) position of each row in the table that was read.
    observed
        (M, p) which items each pattern observes; patterns are sorted by group.
    pattern_group
        (M,) position of each pattern's group.
    pattern_n
        (M,) rows of each pattern.
    pattern_means, pattern_covariances
        (M, p) and (M, p, p) moments of the rows of each pattern, divisor `pattern_n`; zeros where missing.
    pattern_of_row
        (N,) pattern of each row.
    n
        (G,) rows per group.
    n_dropped
        (G,) rows dropped per group: nothing is observed, or an item that must be.
    n_missing
        (G, p) missing answers per group and item, in the rows that are kept.
    n_rows
        Rows of the table that was read.
    notices
        What was dropped.
    """

    items: tuple[str, ...]
    group: str | None
    groups: tuple[Hashable, ...]
    codes: Index
    values: Array
    rows: Index
    observed: Mask
    pattern_group: Index
    pattern_n: Index
    pattern_means: Array
    pattern_covariances: Array
    pattern_of_row: Index
    n: Index
    n_dropped: Index
    n_missing: Index
    n_rows: int
    notices: tuple[Notice, ...] = ()

    @property
    def n_groups(self) -> int:
        """Number of groups G."""
        return len(self.groups)

    @property
    def tables(self) -> PatternTables:
        """The patterns as the kernels take them."""
        from ..kernels.patterns import PatternTables

        return PatternTables(
            observed=self.observed,
            starts=np.searchsorted(self.pattern_group, np.arange(self.n_groups + 1)),
            n=self.pattern_n.astype(float),
            means=self.pattern_means,
            covariances=self.pattern_covariances,
        )

    def __repr__(self) -> str:
        """Sizes at a glance."""
        return (
            f"MissingPatterns: {self.n_groups:,} groups, {len(self.items)} items, {self.n.sum():,} of "
            f"{self.n_rows:,} rows, {len(self.pattern_n):,} patterns, {self.n_missing.sum():,} answers missing"
        )


def read_patterns(
    data: FrameLike,
    items: Sequence[str],
    group: str | None = None,
    *,
    complete: Sequence[str] = (),
    min_size: int | None = None,
) -> MissingPatterns:
    """Read the rows of a table with at least one answer and sort them into patterns.

    Parameters
    ----------
    data, items, group
        As in `GroupedData.from_frame`.
    complete
        Items that must be observed, such as fixed covariates: rows without one of them are dropped.
    min_size
        Leave out groups with fewer rows than this.

    Returns
    -------
    MissingPatterns
        The rows, the patterns and their moments; nothing is issued as a warning.

    Raises
    ------
    DataError
        As `GroupedData.from_frame`; also if an item is missing in every row of a group, or two items are never
        observed together there, so that their covariance cannot be estimated.
    OptionError
        If `items`, `complete`, `group` or `min_size` is not what is allowed.

    Examples
    --------
    >>> data = {"x": [1.0, 2.0, 4.0, None], "y": [2.0, None, 3.0, None]}
    >>> patterns = read_patterns(data, ["x", "y"])
    >>> patterns
    MissingPatterns: 1 groups, 2 items, 3 of 4 rows, 2 patterns, 1 answers missing
    >>> patterns.pattern_n, patterns.observed
    (array([1, 2]), array([[ True, False], [ True,  True]]))
    """
    table = open_rows(data, items, group, min_size)
    unknown = [name for name in complete if name not in table.items]
    if unknown:
        raise OptionError(
            f"complete names {enumerate_briefly(unknown)}, no item", allowed=enumerate_briefly(table.items, limit=20)
        )
    present = ~np.isnan(table.values)
    needed = [table.items.index(name) for name in complete]
    usable: Mask = np.any(present, axis=1) & np.all(present[:, needed], axis=1)
    kept = sort_rows(table, usable, group, min_size, kind="usable")
    values, present = table.values[kept.rows], present[kept.rows]
    first = np.searchsorted(kept.codes, np.arange(len(kept.groups)))
    require_coverage(table.items, kept.groups, _together(present, first))
    pattern_of_row, observed, pattern_group, pattern_n = _sort_patterns(present, kept.codes)
    means, covariances = _pattern_moments(values, observed, pattern_of_row, pattern_n)
    return MissingPatterns(
        items=table.items,
        group=group,
        groups=kept.groups,
        codes=kept.codes,
        values=values,
        rows=kept.rows,
        observed=observed,
        pattern_group=pattern_group,
        pattern_n=pattern_n,
        pattern_means=means,
        pattern_covariances=covariances,
        pattern_of_row=pattern_of_row,
        n=kept.n,
        n_dropped=kept.n_dropped,
        n_missing=np.add.reduceat((~present).astype(np.int64), first),
        n_rows=len(table.values),
        notices=kept.notices,
    )


def _sort_patterns(present: Mask, codes: Index) -> tuple[Index, Mask, Index, Index]:
    """Number the patterns by group; pattern of each row, and items, group and rows of each pattern."""
    packed = np.packbits(present, axis=1)
    keys = np.concatenate([codes.astype(">i8").view(np.uint8).reshape(-1, 8), packed], axis=1)
    # Rows of bytes in one sortable key each: big-endian codes come first, so that patterns are sorted by group.
    keyed = np.ascontiguousarray(keys).view(np.dtype((np.void, keys.shape[1]))).ravel()
    _, first, pattern_of_row, n = np.unique(keyed, return_index=True, return_inverse=True, return_counts=True)
    return pattern_of_row.ravel().astype(np.int64), present[first], codes[first], n.astype(np.int64)


def _pattern_moments(values: Array, observed: Mask, pattern_of_row: Index, n: Index) -> tuple[Array, Array]:
    """Means and covariances of each pattern's rows; the two passes keep a large mean from mattering."""
    M, p = observed.shape
    order = np.argsort(pattern_of_row, kind="stable")
    starts = np.cumsum(n) - n
    sorted_values = np.nan_to_num(values[order], nan=0.0)
    means = np.add.reduceat(sorted_values, starts) / n[:, None]
    centred = sorted_values - np.repeat(means, n, axis=0)
    left = np.add.reduceat(centred, starts) / n[:, None]
    covariances = np.empty((M, p, p))
    for i in range(p):  # one item at a time: all products at once would not fit the memory of large tables
        products = np.add.reduceat(centred[:, i : i + 1] * centred, starts) / n[:, None]
        covariances[:, i] = products - left[:, i : i + 1] * left
    return (means + left) * observed, covariances


def _together(present: Mask, first: Index) -> Array:
    """Rows of each group that have both items, for every pair (G, p, p)."""
    counts = present.astype(float)
    ends = [*first[1:].tolist(), len(present)]
    return np.stack([counts[a:b].T @ counts[a:b] for a, b in zip(first.tolist(), ends, strict=True)])


def require_coverage(items: Sequence[str], groups: Sequence[Hashable], together: Array) -> None:
    """Raise `DataError` if an item, or a pair of items, is never observed in a group.

    `together` (G, p, p) counts the rows that have both items of a pair.
    """
    never = np.diagonal(together, axis1=1, axis2=2) == 0
    if never.any():
        found = [
            f"{label} ({enumerate_briefly(tuple(compress(items, row)), limit=3)})"
            for label, row in zip(groups, never, strict=True)
            if row.any()
        ]
        where = f" of a group: {enumerate_briefly(found, limit=5)}" if len(groups) > 1 else f": {found[0]}"
        raise DataError(
            f"items missing in every row{where}",
            allowed="items that are observed in every group",
            todo="leave out these items or these groups",
        )
    alone = np.triu(together == 0, 1)
    if alone.any():
        found = [f"{items[i]} and {items[j]} in {groups[g]}" for g, i, j in np.argwhere(alone)]
        raise DataError(
            f"items never observed together: {enumerate_briefly(found, limit=5)}",
            allowed="pairs of items with some rows that have both, in every group: their covariance is estimated",
            todo="leave out one of the items, or these groups",
        )
