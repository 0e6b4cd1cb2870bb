"""The order of elimination: which levels are taken out one by one, and what stays as a dense tail."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError

if TYPE_CHECKING:
    from ...kernels.blocked import Blocks

__all__ = ["Layout", "arrange"]

Positions = NDArray[np.int64]
Codes = NDArray[np.int32]

#: A level that meets more than this share of the levels that remain starts the tail: from there on the dense
#: factorisation of LAPACK is faster than sparse loops.
DENSE_SHARE = 0.4

#: Share of the machine's memory that one fit may take.
MEMORY_SHARE = 0.8


@dataclass(frozen=True, eq=False)
class Layout:
    """Where every level of every grouping factor is in the order of elimination.

    Attributes
    ----------
    blocks
        What the kernels need.
    n_levels
        Levels of each grouping factor, length F.
    offset
        Number of the first level of each factor, when levels are numbered factor after factor, length F.
    scalar
        First scalar column of each level, length N.
    level
        Position of each level among the sparse ones, -1 in the tail, length N.
    tail_level
        Position of each level among those of the tail, -1 if it is sparse, length N.
    """

    blocks: Blocks
    n_levels: tuple[int, ...]
    offset: Positions
    scalar: Positions
    level: Positions
    tail_level: Positions

    @cached_property
    def by_panels(self) -> bool:
        """Whether most levels meet most of the tail, so that dense linear algebra is faster than loops."""
        from ...kernels.blocked_panels import are_dense

        return are_dense(self.blocks)

    @property
    def n_values(self) -> int:
        """Values of sparse levels."""
        return int(self.blocks.values[-1])

    @property
    def n_columns(self) -> int:
        """Columns of the tail with fixed effects and response."""
        return self.blocks.n_tail + self.blocks.n_dense

    @property
    def gigabytes(self) -> float:
        """Memory of a fit: A, its factor and its adjoint, each with the tail, and what levels need in between."""
        return 8e-9 * ((6 if self.blocks.chained else 4) * self.n_values + 3 * self.n_columns**2)


def arrange(codes: Sequence[Codes], n_levels: Sequence[int], sizes: Sequence[int], n_dense: int) -> Layout:
    """Order the levels and find which of them meet.

    Parameters
    ----------
    codes
        Level of each row, one array per grouping factor; the largest factor first.
    n_levels
        Levels of each grouping factor.
    sizes
        Random effects per level of each grouping factor.
    n_dense
        Columns of fixed effects and response.

    Raises
    ------
    DataError
        If the factor would not fit in memory.
    """
    from ...kernels.pattern import fill_pattern

    order, pointer, columns = _meetings(codes, n_levels)
    n = len(order)
    n_sparse, pointer, columns = fill_pattern(pointer, columns, n_levels[0], DENSE_SHARE)
    columns = _ascending(pointer, columns, n)
    factor = np.repeat(np.arange(len(n_levels)), n_levels)[order]
    size = np.asarray(sizes, dtype=np.int64)[factor]
    start = np.concatenate([[0], np.cumsum(size)])
    blocks = _blocks(np.asarray(sizes, dtype=np.int64), factor, size, start, n_sparse, pointer, columns, n_dense)
    scalar, level, tail_level = np.empty(n, np.int64), np.full(n, -1), np.full(n, -1)
    scalar[order] = start[:-1]
    level[order[:n_sparse]] = np.arange(n_sparse)
    tail_level[order[n_sparse:]] = np.arange(n - n_sparse)
    offset = np.concatenate([[0], np.cumsum(n_levels)[:-1]]).astype(np.int64)
    layout = Layout(blocks, tuple(n_levels), offset, scalar, level, tail_level)
    _require_memory(layout)
    return layout


def _meetings(codes: Sequence[Codes], n_levels: Sequence[int]) -> tuple[Positions, Positions, Positions]:
    """Order of elimination, and the later levels that each level meets in the rows.

    Factors keep their order; within a factor, levels that meet few others come first, so that little is filled in.
    """
    from scipy.sparse import coo_array

    from ...kernels.pattern import unique_pairs

    n_factors, total = len(codes), int(np.sum(n_levels))
    offset = np.concatenate([[0], np.cumsum(n_levels)]).astype(np.int64)
    if n_factors == 1:
        return np.arange(total), np.zeros(total + 1, np.int64), np.zeros(0, np.int64)
    pairs = {
        (f, g): unique_pairs(codes[f], n_levels[f], codes[g], n_levels[g])
        for f in range(n_factors)
        for g in range(f + 1, n_factors)
    }
    meets = np.zeros(total, np.int64)
    for (f, g), (pointer, levels) in pairs.items():
        meets[offset[f] : offset[f + 1]] += np.diff(pointer)
        meets[offset[g] : offset[g + 1]] += np.bincount(levels, minlength=n_levels[g])
    parts = [np.arange(n_levels[0])]
    parts += [offset[f] + np.argsort(meets[offset[f] : offset[f + 1]], kind="stable") for f in range(1, n_factors)]
    order = np.concatenate(parts)
    rank = np.empty(total, np.int64)
    rank[order] = np.arange(total)
    rows, columns = [], []
    for (f, g), (pointer, levels) in pairs.items():
        rows.append(rank[np.repeat(np.arange(offset[f], offset[f + 1]), np.diff(pointer))])
        columns.append(rank[offset[g] + levels])
    row, column = np.concatenate(rows), np.concatenate(columns)
    meeting = coo_array((np.ones(len(row), np.int8), (row, column)), shape=(total, total))
    sorted_rows = meeting.tocsc().tocsr()  # twice a counting sort: columns ascend within rows
    return order, sorted_rows.indptr.astype(np.int64), sorted_rows.indices.astype(np.int64)


def _ascending(pointer: Positions, columns: Positions, n: int) -> Positions:
    """The columns of each level in ascending order."""
    from scipy.sparse import csr_array

    rows = csr_array((np.empty(len(columns), np.int8), columns, pointer), shape=(len(pointer) - 1, n))
    rows.sort_indices()
    return rows.indices.astype(np.int64)


def _blocks(
    sizes: Positions,
    factor: Positions,
    size: Positions,
    start: Positions,
    n_sparse: int,
    pointer: Positions,
    columns: Positions,
    n_dense: int,
) -> Blocks:
    """From levels to scalar columns."""
    from ...kernels.blocked import Blocks

    n_scalars = int(start[n_sparse])
    widths = size[columns]
    within = np.arange(int(widths.sum())) - np.repeat(np.cumsum(widths) - widths, widths)
    scalars = np.repeat(start[columns], widths) + within
    ends = np.concatenate([[0], np.cumsum(widths)])[pointer]
    own = size[:n_sparse]
    lengths = own * (own + np.diff(ends) + n_dense)
    return Blocks(
        size=sizes,
        factor=factor[:n_sparse].astype(np.int64),
        start=start[:n_sparse].astype(np.int64),
        pointer=ends.astype(np.int64),
        columns=scalars.astype(np.int64),
        values=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        owner=np.repeat(np.arange(n_sparse), own).astype(np.int64),
        tail_factor=factor[n_sparse:].astype(np.int64),
        tail_start=(start[n_sparse:-1] - n_scalars).astype(np.int64),
        n_sparse=n_scalars,
        n_tail=int(start[-1]) - n_scalars,
        n_dense=n_dense,
        chained=bool(n_sparse and len(scalars) and scalars.min() < n_scalars),
    )


def _require_memory(layout: Layout) -> None:
    """Refuse before allocating what the machine does not have."""
    needed, room = layout.gigabytes, MEMORY_SHARE * available_gigabytes()
    if needed > room:
        raise DataError(
            f"the random effects need {needed:,.1f} GB: {layout.n_columns:,} columns of crossed grouping factors "
            f"remain after the {layout.blocks.n_sparse:,} of the largest factor, and all of them meet",
            allowed=f"{room:,.1f} GB on this machine",
            todo="leave out rare levels of the smaller factors, or fit a sample of the levels first",
        )


def available_gigabytes() -> float:
    """Memory of this machine; infinite where it cannot be known."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 1e-9
    except (AttributeError, ValueError, OSError):
        return np.inf
