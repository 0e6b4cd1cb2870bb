"""A block of rows of any table, reduced to a `Part`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from ..columns import LARGEST, numbers_by_column
from ..grouped import ALL
from ..labels import factorize_labels
from .comoments import CoMoments, complete_comoments, pairwise_comoments
from .parts import Cell, Part

__all__ = ["BLOCK", "Reduction"]

#: Rows of a block: 20 columns of it are some megabytes, and 50 groups are long enough for fast matrix products.
BLOCK = 2**17

_PLAIN = frozenset(
    {nw.Int8, nw.Int16, nw.Int32, nw.Int64, nw.UInt8, nw.UInt16, nw.UInt32, nw.UInt64, nw.Float32, nw.Float64}
)

Numbers: TypeAlias = NDArray[np.number[Any]]
Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Reduction:
    """What is computed of every block.

    Attributes
    ----------
    items
        Names of the p items.
    group
        Name of the grouping column, or None.
    missing
        ``"listwise"``, ``"pairwise"`` or ``"ml"``.
    """

    items: tuple[str, ...]
    group: str | None
    missing: str = "listwise"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are needed."""
        return self.items if self.group is None else (*self.items, self.group)

    def __call__(self, frame: nw.DataFrame[Any]) -> Part:
        """Account and moments of a block.

        Raises
        ------
        DataError
            If a column holds something else than numbers, or the grouping column cannot group.
        """
        columns = _item_columns(frame, self.items)
        if self.group is None:
            return self.of_columns((ALL,), np.zeros(len(frame), dtype=np.int64), columns)
        return self.of_columns(*_coded(frame[self.group]), columns)

    def of_columns(
        self, labels: Sequence[Hashable], codes: NDArray[np.integer[Any]], columns: Sequence[Numbers]
    ) -> Part:
        """Account and moments of p columns (N,), NaN where missing, whose groups are coded (-1 where missing)."""
        infinite, huge, absent = _extremes(columns)
        n_missing = np.zeros((len(labels), len(columns)), dtype=np.int64)
        labelled = codes >= 0
        for j, nowhere in absent.items():
            n_missing[:, j] = np.bincount(codes[nowhere & labelled], minlength=len(labels))
        answered = _answered(absent, len(columns), len(codes), complete=self.missing == "listwise")
        usable = labelled if answered is None else labelled & answered
        n_labelled = np.bincount(codes[labelled], minlength=len(labels))
        n_used = n_labelled if answered is None else np.bincount(codes[usable], minlength=len(labels))
        whole = b"" if self.missing != "ml" else np.packbits(np.ones(len(columns), dtype=bool)).tobytes()
        cells: Sequence[Cell] = [(label, whole) for label in labels]
        if self.missing == "ml" and absent:
            cells, codes = _patterns(labels, codes, usable, absent, len(columns))
        if infinite.any() or huge.any():  # an error once all rows are counted: there is nothing to compute
            cells, comoments = [], CoMoments.empty(0, len(columns), self._means_per_item(len(columns)))
        else:
            comoments = self._comoments(columns, codes, usable, len(cells), has_missing=bool(absent))
        return Part(
            labels=tuple(labels),
            n_used=n_used,
            n_dropped=n_labelled - n_used,
            n_missing=n_missing,
            cells=tuple(cells),
            comoments=comoments,
            n_rows=len(codes),
            n_unlabelled=int(np.count_nonzero(~labelled)),
            infinite=infinite,
            huge=huge,
        )

    def _comoments(
        self,
        columns: Sequence[Numbers],
        codes: NDArray[np.integer[Any]],
        usable: Mask,
        cells: int,
        *,
        has_missing: bool,
    ) -> CoMoments:
        """Sort the columns by cell, one by one, and leave the arithmetic to `comoments`."""
        order, n, rank = _sorted(codes, usable, cells)
        values = np.empty((len(columns), int(n.sum())))
        for row, column in zip(values, columns, strict=True):
            row[:] = column if order is None else column.take(order)
        if self.missing == "pairwise" and has_missing:
            return pairwise_comoments(values, n).taken(rank)
        if self.missing == "ml" and has_missing:
            values = np.nan_to_num(values, copy=False, nan=0.0)
        moments = complete_comoments(values, n).taken(rank)
        return moments if self.missing != "pairwise" else _for_every_pair(moments)

    def _means_per_item(self, p: int) -> int:
        return p if self.missing == "pairwise" else 1


def _for_every_pair(complete: CoMoments) -> CoMoments:
    """Moments of rows without missing values, written as those of every pair."""
    shape = complete.products.shape
    n, means, rests = (np.broadcast_to(array, shape).copy() for array in complete[:3])
    return CoMoments(n, means, rests, complete.products)


def _coded(column: nw.Series[Any]) -> tuple[tuple[Hashable, ...], NDArray[np.int64]]:
    """Different labels in the order they appear, and the position of each row's label; -1 where it is missing."""
    found, codes = factorize_labels(column)
    position: dict[Hashable, int] = {}
    same = [position.setdefault(label, len(position)) for label in found]
    if len(position) == len(found):
        return tuple(found), codes
    # The last element is where a missing label, -1, looks itself up.
    return tuple(position), np.array([*same, -1], dtype=np.int64)[codes]


def _item_columns(frame: nw.DataFrame[Any], items: Sequence[str]) -> list[Numbers]:
    """The items as NumPy arrays of whatever kind of number they have; NaN where missing."""
    columns: dict[str, Numbers] = {}
    for item in items:
        column = frame[item]
        if type(column.dtype) in _PLAIN:
            values = column.to_numpy()
            if values.dtype.kind in "iuf":  # with missing values integers come as floats, or as objects
                columns[item] = values
    others = [item for item in items if item not in columns]
    columns |= zip(others, numbers_by_column(frame, others).T, strict=True)
    return [columns[item] for item in items]


def _extremes(columns: Sequence[Numbers]) -> tuple[NDArray[np.int64], Mask, dict[int, Mask]]:
    """Infinite values (p,), whether values are huge (p,), and where those of an item are missing (N,), if any are."""
    infinite, huge = np.zeros(len(columns), dtype=np.int64), np.zeros(len(columns), dtype=bool)
    absent: dict[int, Mask] = {}
    for j, column in enumerate(columns):
        if column.dtype.kind != "f" or len(column) == 0:
            continue
        least, largest = float(column.min()), float(column.max())
        if least >= -LARGEST and largest <= LARGEST:  # not so if one is NaN
            continue
        infinite[j] = np.count_nonzero(np.isinf(column))
        huge[j] = float(np.abs(column).max(initial=0, where=~np.isnan(column))) > LARGEST
        nowhere = np.isnan(column)
        if nowhere.any():
            absent[j] = nowhere
    return infinite, huge, absent


def _answered(absent: dict[int, Mask], p: int, rows: int, *, complete: bool) -> Mask | None:
    """Rows with every item, or with any; None if these are all rows."""
    if not absent or (not complete and len(absent) < p):
        return None
    join: Callable[..., Any] = np.logical_or if complete else np.logical_and
    gone = np.full(rows, not complete)
    for nowhere in absent.values():
        join(gone, nowhere, out=gone)
    return ~gone


def _patterns(
    labels: Sequence[Hashable], codes: NDArray[np.integer[Any]], usable: Mask, absent: dict[int, Mask], p: int
) -> tuple[list[Cell], NDArray[np.int64]]:
    """Cells of group and pattern of missing items, and the cell of each row; -1 where the row is not used."""
    present = np.ones((len(codes), p), dtype=bool)
    for j, nowhere in absent.items():
        present[:, j] = ~nowhere
    packed = np.packbits(present, axis=1)
    keyed = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    patterns, pattern = np.unique(keyed, return_inverse=True)
    joint = np.where(usable, codes * len(patterns) + pattern.ravel(), -1)
    found, cell = np.unique(joint, return_inverse=True)
    unused = int(found[0] == -1)
    cells = [(labels[at // len(patterns)], patterns[at % len(patterns)].tobytes()) for at in found[unused:].tolist()]
    return cells, cell.ravel() - unused


def _sorted(
    codes: NDArray[np.integer[Any]], usable: Mask, cells: int
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64], NDArray[np.int64]]:
    """Sort the usable rows by the size of their cell, then by cell: cells of one size are computed together.

    Returns
    -------
    order
        Positions of the rows, sorted; None if that is all of them as they are.
    n
        (C,) rows of each cell, sorted.
    rank
        (C,) where each cell is in `n`.
    """
    unsorted = np.bincount(codes[usable], minlength=cells)
    by_size = np.argsort(unsorted, kind="stable")
    rank = np.empty(cells, dtype=np.int64)
    rank[by_size] = np.arange(cells)
    # NumPy sorts integers of one or two bytes by counting; what is not used, -1 or not, comes last.
    kind = np.uint8 if cells < 2**8 else np.uint16 if cells < 2**16 else np.int64
    keys = np.where(usable, np.append(rank, cells).astype(kind)[codes], kind(cells))
    n = unsorted[by_size]
    if n.sum() == len(keys) and (keys[1:] >= keys[:-1]).all():
        return None, n, rank
    return np.argsort(keys, kind="stable")[: n.sum()], n, rank
