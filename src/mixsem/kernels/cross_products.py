"""Cross-products of random-effect columns with one another, with the fixed effects and with the response."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compiled import cached_njit

__all__ = ["add_rows", "order_rows", "take_rows"]

Array = NDArray[np.float64]
Positions = NDArray[np.int64]


@cached_njit
def order_rows(codes: NDArray[np.int32], n_levels: int) -> Positions:
    """Order of the rows by level (a counting sort); empty if they are in order already."""
    ends = np.zeros(n_levels + 1, np.int64)
    in_order = True
    for r in range(len(codes)):
        ends[codes[r] + 1] += 1
        in_order = in_order and (r == 0 or codes[r] >= codes[r - 1])
    if in_order:
        return np.empty(0, np.int64)
    for i in range(n_levels):
        ends[i + 1] += ends[i]
    order = np.empty(len(codes), np.int64)
    for r in range(len(codes)):
        order[ends[codes[r]]] = r
        ends[codes[r]] += 1
    return order


@cached_njit
def take_rows(
    X: Array, order: Positions, begin: int, center: Array, scale: Array, weights: Array, out: Array, first: int
) -> None:
    """Write centred, scaled and weighted rows of X into columns of `out` from column `first` on.

    Parameters
    ----------
    X
        Shape (n, p).
    order
        Order of the rows; empty if they come as they are.
    begin
        First row, in that order; there are as many as `out` has.
    center, scale
        Of each column, length p.
    weights
        What rows are multiplied by, length n; empty for ones.
    out
        Shape (rows, first + p or more).
    """
    for i in range(out.shape[0]):
        r = order[begin + i] if order.size else begin + i
        weight = weights[r] if weights.size else 1.0
        for j in range(X.shape[1]):
            out[i, first + j] = weight * (X[r, j] - center[j]) / scale[j]


@cached_njit
def find(columns: Positions, first: int, last: int, wanted: int) -> int:
    """Position of a value in an ascending stretch that holds it."""
    guess = first + wanted - columns[first]  # right if nothing is missing in between
    if guess < last and columns[guess] == wanted:
        return guess
    while last - first > 1:
        middle = (first + last) // 2
        if columns[middle] <= wanted:
            first = middle
        else:
            last = middle
    return first


@cached_njit
def add_rows(
    blocks: Any,
    codes: NDArray[np.int32],
    begin: int,
    Z: Array,
    dense: Array,
    column_of: Positions,
    scalar: Positions,
    level: Positions,
    offset: Positions,
    values: Array,
    tail: Array,
    border: Array,
) -> None:
    """Add the rows of one chunk.

    Parameters
    ----------
    blocks
        Where things are.
    codes
        Level of each row in each grouping factor, shape (F, n).
    begin
        First row of the chunk.
    Z
        Columns of random slopes, centred and scaled, shape (rows, S).
    dense
        Square roots of the weights, then fixed effects and response, already multiplied by it, shape (rows, 1 + m).
    column_of
        Column of Z of each random effect of each factor, -1 for an intercept, shape (F, largest size).
    scalar
        First scalar column of each level, length N; levels are numbered factor after factor.
    level
        Position of each level among the sparse ones, -1 for levels of the tail, length N.
    offset
        Number of the first level of each factor, length F.
    values, tail
        Values of sparse levels, and the lower triangle of the tail without its border: added to.
    border
        Products of the tail's random effects with the dense columns, shape (n_tail, m): added to.
    """
    n_factors, largest = column_of.shape
    m = blocks.n_dense
    z = np.empty((n_factors, largest))
    # Rows of one level in a row: where its columns are is looked up in a table instead of searched.
    table = np.empty(blocks.n_sparse + blocks.n_tail, np.int64)
    previous, tabulated = -1, -1
    for r in range(dense.shape[0]):
        weight = dense[r, 0]
        for f in range(n_factors):
            for a in range(blocks.size[f]):
                at = column_of[f, a]
                z[f, a] = weight if at < 0 else weight * Z[r, at]
        for f in range(n_factors):
            node = offset[f] + codes[f, begin + r]
            k = blocks.size[f]
            i = level[node]
            if i >= 0:
                first, last = blocks.pointer[i], blocks.pointer[i + 1]
                base, stride = blocks.values[i], k + last - first + m
                if f == 0 and n_factors > 1:
                    if i == previous and i != tabulated:
                        for at in range(first, last):
                            table[blocks.columns[at]] = at - first
                        tabulated = i
                    previous = i
                for a in range(k):
                    row = base + a * stride
                    for b in range(k):
                        values[row + b] += z[f, a] * z[f, b]
                    for j in range(m):
                        values[row + stride - m + j] += z[f, a] * dense[r, 1 + j]
                for g in range(n_factors):
                    start = scalar[offset[g] + codes[g, begin + r]]
                    if start > scalar[node]:
                        at = table[start] if i == tabulated else find(blocks.columns, first, last, start) - first
                        at += k
                        for a in range(k):
                            for b in range(blocks.size[g]):
                                values[base + a * stride + at + b] += z[f, a] * z[g, b]
                continue
            own = scalar[node] - blocks.n_sparse
            for a in range(k):
                for b in range(a + 1):
                    tail[own + a, own + b] += z[f, a] * z[f, b]
                for j in range(m):
                    border[own + a, j] += z[f, a] * dense[r, 1 + j]
            for g in range(n_factors):
                start = scalar[offset[g] + codes[g, begin + r]] - blocks.n_sparse
                if start > own:
                    for b in range(blocks.size[g]):
                        for a in range(k):
                            tail[start + b, own + a] += z[g, b] * z[f, a]
