"""What goes between rows and random effects: sums over rows, products with weights that change, leverages.

A vector of random effects has the order of elimination: entry ``scalar[offset[f] + codes[f, r]] + a`` belongs to effect
a of the level that row r has in factor f. Columns of Z are those of random slopes; an intercept has none.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import cached_njit
from .cross_products import find

__all__ = ["RowPlaces", "add_effects", "leverages", "sum_columns", "sum_rows", "weigh_rows"]

Array = NDArray[np.float64]
Positions = NDArray[np.int64]


class RowPlaces(NamedTuple):
    """Where rows find their random effects.

    Attributes
    ----------
    codes
        Level of each row in each grouping factor, shape (F, n).
    Z
        Columns of random slopes, shape (n, S).
    column_of
        Column of Z of each effect of each factor, -1 for an intercept, shape (F, k).
    size
        Effects per level of each factor, length F.
    offset
        Number of the first level of each factor, length F.
    scalar
        First scalar column of each level, length N.
    level
        Position of each level among the sparse ones, -1 in the tail, length N.
    """

    codes: NDArray[np.int32]
    Z: Array
    column_of: Positions
    size: Positions
    offset: Positions
    scalar: Positions
    level: Positions


@cached_njit
def add_effects(places: Any, effects: Array, out: Array) -> None:
    """Add Z b of each row to `out`."""
    n_factors, n = places.codes.shape
    for f in range(n_factors):
        k, first = places.size[f], places.offset[f]
        for r in range(n):
            start = places.scalar[first + places.codes[f, r]]
            for a in range(k):
                at = places.column_of[f, a]
                out[r] += effects[start + a] if at < 0 else places.Z[r, at] * effects[start + a]


@cached_njit
def sum_rows(places: Any, values: Array, out: Array) -> None:
    """Add Z' values to `out`, in the order of elimination."""
    n_factors, n = places.codes.shape
    for f in range(n_factors):
        k, first = places.size[f], places.offset[f]
        for r in range(n):
            start = places.scalar[first + places.codes[f, r]]
            for a in range(k):
                at = places.column_of[f, a]
                out[start + a] += values[r] if at < 0 else places.Z[r, at] * values[r]


@cached_njit
def sum_columns(places: Any, weights: Array, X: Array, out: Array) -> None:
    """Add Z' diag(weights) X to `out`, shape (Q, p)."""
    n_factors, n = places.codes.shape
    p = X.shape[1]
    for f in range(n_factors):
        k, first = places.size[f], places.offset[f]
        for r in range(n):
            start = places.scalar[first + places.codes[f, r]]
            for a in range(k):
                at = places.column_of[f, a]
                z = weights[r] if at < 0 else weights[r] * places.Z[r, at]
                for j in range(p):
                    out[start + a, j] += z * X[r, j]


@cached_njit
def weigh_rows(blocks: Any, places: Any, weights: Array, values: Array, tail: Array) -> None:
    """Add Z' diag(weights) Z to the values of sparse levels and to the lower triangle of the tail."""
    n_factors, n = places.codes.shape
    column_of, size, scalar = places.column_of, places.size, places.scalar
    z = np.empty(column_of.shape)
    # Rows of one level in a row: where its columns are is looked up in a table instead of searched.
    table = np.empty(blocks.n_sparse + blocks.n_tail, np.int64)
    previous, tabulated = -1, -1
    for r in range(n):
        for f in range(n_factors):
            for a in range(size[f]):
                at = column_of[f, a]
                z[f, a] = 1.0 if at < 0 else places.Z[r, at]
        for f in range(n_factors):
            node = places.offset[f] + places.codes[f, r]
            k, i, own = size[f], places.level[node], scalar[node]
            if i < 0:
                own -= blocks.n_sparse
                for a in range(k):
                    for b in range(a + 1):
                        tail[own + a, own + b] += weights[r] * z[f, a] * z[f, b]
            else:
                first, last = blocks.pointer[i], blocks.pointer[i + 1]
                base, stride = blocks.values[i], k + last - first
                if f == 0 and n_factors > 1:
                    if i == previous and i != tabulated:
                        for at in range(first, last):
                            table[blocks.columns[at]] = at - first
                        tabulated = i
                    previous = i
                for a in range(k):
                    for b in range(k):
                        values[base + a * stride + b] += weights[r] * z[f, a] * z[f, b]
            for g in range(n_factors):
                start = scalar[places.offset[g] + places.codes[g, r]]
                if start <= scalar[node]:
                    continue
                if i < 0:
                    for b in range(size[g]):
                        for a in range(k):
                            tail[start - blocks.n_sparse + b, own + a] += weights[r] * z[g, b] * z[f, a]
                    continue
                at = table[start] if i == tabulated else find(blocks.columns, first, last, start) - first
                for a in range(k):
                    for b in range(size[g]):
                        values[base + a * stride + k + at + b] += weights[r] * z[f, a] * z[g, b]


@cached_njit
def leverages(blocks: Any, places: Any, inverse: Array, tail: Array, out: Array) -> None:
    """Fill `out` with z' C z of each row, C given where columns meet.

    Parameters
    ----------
    blocks, places
        Where things are.
    inverse
        Values of C at the places of the sparse levels' values.
    tail
        Those of the tail, lower triangle.
    out
        Length n.
    """
    n_factors, n = places.codes.shape
    column_of, size, scalar = places.column_of, places.size, places.scalar
    z = np.empty(column_of.shape)
    table = np.empty(blocks.n_sparse + blocks.n_tail, np.int64)
    previous, tabulated = -1, -1
    for r in range(n):
        for f in range(n_factors):
            for a in range(size[f]):
                at = column_of[f, a]
                z[f, a] = 1.0 if at < 0 else places.Z[r, at]
        total = 0.0
        for f in range(n_factors):
            node = places.offset[f] + places.codes[f, r]
            k, i, own = size[f], places.level[node], scalar[node]
            if i < 0:
                own -= blocks.n_sparse
                for a in range(k):
                    total += tail[own + a, own + a] * z[f, a] * z[f, a]
                    for b in range(a):
                        total += 2.0 * tail[own + a, own + b] * z[f, a] * z[f, b]
            else:
                first, last = blocks.pointer[i], blocks.pointer[i + 1]
                base, stride = blocks.values[i], k + last - first
                if f == 0 and n_factors > 1:
                    if i == previous and i != tabulated:
                        for at in range(first, last):
                            table[blocks.columns[at]] = at - first
                        tabulated = i
                    previous = i
                for a in range(k):
                    for b in range(k):
                        total += inverse[base + a * stride + b] * z[f, a] * z[f, b]
            for g in range(n_factors):
                start = scalar[places.offset[g] + places.codes[g, r]]
                if start <= scalar[node]:
                    continue
                if i < 0:
                    for b in range(size[g]):
                        for a in range(k):
                            total += 2.0 * tail[start - blocks.n_sparse + b, own + a] * z[g, b] * z[f, a]
                    continue
                at = table[start] if i == tabulated else find(blocks.columns, first, last, start) - first
                for a in range(k):
                    for b in range(size[g]):
                        total += 2.0 * inverse[base + a * stride + k + at + b] * z[f, a] * z[g, b]
        out[r] = total
