"""The same products as in `blocked` and `blocked_adjoint`, by dense linear algebra.

Where most levels meet most columns of the tail, writing some levels as a dense panel and leaving the rest to BLAS is
several times as fast as loops over the columns that meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas

from .blocked import Blocks, locate, widest_level
from .compiled import cached_njit

__all__ = ["are_dense", "panel_gather", "panel_update"]

Array = NDArray[np.float64]

#: Loops need about this many times as long as BLAS for one product.
LOOP_COST = 4.0
#: Rows of a panel: large enough for BLAS, small enough for the cache.
PANEL_ROWS = 512
#: Below this many columns loops are always faster.
FEW_COLUMNS = 48


def are_dense(blocks: Blocks) -> bool:
    """Whether panels are expected to be faster than loops."""
    columns = blocks.n_tail + blocks.n_dense
    if blocks.chained or columns < FEW_COLUMNS or not len(blocks.factor):
        return False
    rows = blocks.size[blocks.factor]
    widths = np.diff(blocks.pointer) + blocks.n_dense
    return bool(rows.sum() * float(columns) ** 2 < LOOP_COST * (rows * widths.astype(float) ** 2).sum())


def panel_update(blocks: Blocks, whitened: Array, tail: Array) -> None:
    """Subtract the products of the levels' whitened columns from the tail's lower triangle."""
    for begin, end, panel in _panels(blocks, len(tail)):
        fill_panel(blocks, whitened, begin, end, panel)
        # The transpose of a C-contiguous array is Fortran's: its upper triangle is our lower one.
        blas.dsyrk(-1.0, panel.T, beta=1.0, c=tail.T, lower=0, overwrite_c=1)


def panel_gather(blocks: Blocks, solved: Array, tail: Array) -> Array:
    """Multiply the solved columns of each level by the tail's adjoint, of which the lower triangle is given."""
    gathered = np.zeros_like(solved)
    for begin, end, panel in _panels(blocks, len(tail)):
        fill_panel(blocks, solved, begin, end, panel)
        product = blas.dsymm(1.0, tail.T, panel.T, side=0, lower=0)
        read_panel(blocks, product.T, begin, end, gathered)
    return gathered


def _panels(blocks: Blocks, n_columns: int) -> Iterator[tuple[int, int, Array]]:
    """First level, level behind the last one, and an empty panel, for some levels at a time."""
    ends = np.cumsum(blocks.size[blocks.factor])
    begin, before = 0, 0
    while begin < len(ends):
        end = max(int(np.searchsorted(ends, before + PANEL_ROWS, side="right")), begin + 1)
        yield begin, end, np.zeros((int(ends[end - 1]) - before, n_columns))
        begin, before = end, int(ends[end - 1])


@cached_njit
def fill_panel(blocks: Any, values: Array, begin: int, end: int, panel: Array) -> None:
    """Write the columns of levels `begin` to `end` as rows of a dense panel."""
    place = np.empty(widest_level(blocks), np.uint32)
    row = 0
    for i in range(begin, end):
        k = blocks.size[blocks.factor[i]]
        width = blocks.pointer[i + 1] - blocks.pointer[i] + blocks.n_dense
        locate(blocks, i, width, place)
        for a in range(k):
            first = blocks.values[i] + a * (k + width) + k
            for j in range(width):
                panel[row, place[j]] = values[first + j]
            row += 1


@cached_njit
def read_panel(blocks: Any, panel: Array, begin: int, end: int, values: Array) -> None:
    """Read from a panel what `fill_panel` writes."""
    place = np.empty(widest_level(blocks), np.uint32)
    row = 0
    for i in range(begin, end):
        k = blocks.size[blocks.factor[i]]
        width = blocks.pointer[i + 1] - blocks.pointer[i] + blocks.n_dense
        locate(blocks, i, width, place)
        for a in range(k):
            first = blocks.values[i] + a * (k + width) + k
            for j in range(width):
                values[first + j] = panel[row, place[j]]
            row += 1
