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

__all__ = ["RowPlaces", "add_effects", "leverages", "locate_pairs", "sum_columns", "sum_rows", "weigh_rows"]

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
def locate_pairs(blocks: Any, places: Any, pairs: Positions, out: NDArray[np.signedinteger]) -> None:
    """Where the product of two random-effect columns of each row belongs.

    Parameters
    ----------
    blocks, places
        Where things are.
    pairs
        Factor and effect of the one column, factor and effect of the other, shape (P, 4): all pairs, each once, and
        within a factor in both orders, because blocks of a level are kept whole.
    out
        Filled, shape (P, n): the position among the values of sparse levels or, counted from their end, in the tail.
        Above the tail's diagonal nothing is kept: there -2 less the position of the mirrored entry.
    """
    n = places.codes.shape[1]
    n_values, n_tail = blocks.values[len(blocks.factor)], blocks.n_tail
    # Rows of one level in a row: where its columns are is looked up in a table instead of searched.
    table = np.empty(blocks.n_sparse + n_tail, np.int64)
    for p in range(len(pairs)):
        f, a, g, b = pairs[p, 0], pairs[p, 1], pairs[p, 2], pairs[p, 3]
        previous, tabulated = -1, -1
        for r in range(n):
            node, other = places.offset[f] + places.codes[f, r], places.offset[g] + places.codes[g, r]
            own, start = places.scalar[node], places.scalar[other]
            if start < own:  # the one that is eliminated first keeps the product
                node, own, start = other, start, own
                first_effect, second_effect, k = b, a, places.size[g]
            else:
                first_effect, second_effect, k = a, b, places.size[f]
            i = places.level[node]
            if i < 0:
                row, column = start - blocks.n_sparse + second_effect, own - blocks.n_sparse + first_effect
                lower = n_values + max(row, column) * n_tail + min(row, column)
                out[p, r] = lower if column <= row else -2 - lower
                continue
            first, last = blocks.pointer[i], blocks.pointer[i + 1]
            at = blocks.values[i] + first_effect * (k + last - first + blocks.n_dense)
            if f == g:
                out[p, r] = at + second_effect
                continue
            if i == previous and i != tabulated:
                for c in range(first, last):
                    table[blocks.columns[c]] = c - first
                tabulated = i
            previous = i
            found = table[start] if i == tabulated else find(blocks.columns, first, last, start) - first
            out[p, r] = at + k + found + second_effect


@cached_njit
def weigh_rows(
    positions: NDArray[np.signedinteger], left: Positions, right: Positions, Z: Array, weights: Array, out: Array
) -> None:
    """Add Z' diag(weights) Z to `out`: values of sparse levels, then the tail.

    Parameters
    ----------
    positions
        From `locate_pairs`.
    left, right
        Columns of Z of each pair, -1 for an intercept.
    """
    for p in range(len(left)):
        a, b, at = left[p], right[p], positions[p]
        if a < 0 and b < 0:
            for r in range(len(weights)):
                if at[r] >= 0:
                    out[at[r]] += weights[r]
        elif a < 0 or b < 0:
            column = max(a, b)
            for r in range(len(weights)):
                if at[r] >= 0:
                    out[at[r]] += weights[r] * Z[r, column]
        else:
            for r in range(len(weights)):
                if at[r] >= 0:
                    out[at[r]] += weights[r] * Z[r, a] * Z[r, b]


@cached_njit
def leverages(
    positions: NDArray[np.signedinteger],
    left: Positions,
    right: Positions,
    times: Array,
    Z: Array,
    values: Array,
    out: Array,
) -> None:
    """Add z' C z of each row to `out`, with C given where columns meet.

    Parameters
    ----------
    positions, left, right
        As in `weigh_rows`.
    times
        How often the product of each pair occurs in z' C z.
    values
        C in the order of `weigh_rows`.
    """
    for p in range(len(left)):
        a, b, at, weight = left[p], right[p], positions[p], times[p]
        for r in range(len(out)):
            z = 1.0 if a < 0 else Z[r, a]
            if b >= 0:
                z *= Z[r, b]
            out[r] += weight * z * values[at[r] if at[r] >= 0 else -2 - at[r]]
