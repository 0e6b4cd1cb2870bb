"""The blocked Cholesky factor of a linear mixed model: elimination of the sparse levels, then a dense tail.

The system is that of Bates, Maechler, Bolker & Walker (2015), eq. 18 with the response as one more column:

    Omega(theta) = Lambda' A Lambda + I  for random effects,   A = [Z X y]' W [Z X y],

where A is computed once. Levels of the largest grouping factor touch no other level of their own factor, so that
their columns are eliminated one by one, each updating only the columns it meets. What remains, the *tail*, is
dense: the other random effects, the fixed effects and, last, the response.

Two habits keep the loops short. Columns of A are scaled by Lambda only when they are eliminated themselves, so that
updates are made on unscaled columns. And the tail is one square array: its lower triangle (with the diagonal) is
what LAPACK works on, its strict upper triangle keeps the unscaled Schur complement that the gradient needs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import cached_njit

__all__ = ["Blocks", "eliminate", "forward", "locate", "scale_both_sides", "scale_tail", "widest_level"]

Array = NDArray[np.float64]
Positions = NDArray[np.int64]

#: Columns below which plain loops need less time than preparing faster ones.
FEW = 10


class Blocks(NamedTuple):
    """Which columns meet in A, and where their values are.

    Scalar columns are numbered in the order of elimination: those of the sparse levels, those of the tail's levels,
    fixed effects, response.

    Attributes
    ----------
    size
        Random effects per level of each grouping factor, length F.
    factor, start
        Grouping factor and first scalar column of each sparse level, in the order of elimination.
    pointer, columns
        Later random-effect columns that sparse level i meets: ``columns[pointer[i]:pointer[i + 1]]``, ascending.
    values
        Where the values of sparse level i begin: size x (size + number of columns + n_dense) of them, row by row.
    owner
        Sparse level of each sparse scalar column.
    tail_factor, tail_start
        Grouping factor and first column, counted within the tail, of each level of the tail.
    n_sparse, n_tail, n_dense
        Scalar columns of sparse levels, of the tail's levels, and of fixed effects and response.
    chained
        Whether sparse levels meet later sparse levels.
    """

    size: Positions
    factor: Positions
    start: Positions
    pointer: Positions
    columns: Positions
    values: Positions
    owner: Positions
    tail_factor: Positions
    tail_start: Positions
    n_sparse: int
    n_tail: int
    n_dense: int
    chained: bool


@cached_njit
def forward(blocks: Any, values: Array, i: int, lam: Array, L: Array, U: Array) -> int:
    """Make ``L`` the Cholesky factor of Omega_ii and ``U = L^-1 Lambda' A_i,later``; return its number of columns."""
    k = blocks.size[blocks.factor[i]]
    width = blocks.pointer[i + 1] - blocks.pointer[i] + blocks.n_dense
    base, stride = blocks.values[i], k + width
    relative = lam[blocks.factor[i]]
    for a in range(k):
        for b in range(a + 1):
            total = 1.0 if a == b else 0.0
            for c in range(k):
                if relative[c, a] == 0.0:
                    continue
                inner = 0.0
                for d in range(k):
                    inner += values[base + c * stride + d] * relative[d, b]
                total += relative[c, a] * inner
            L[a, b] = total
    for a in range(k):
        for b in range(a + 1):
            total = L[a, b]
            for c in range(b):
                total -= L[a, c] * L[b, c]
            L[a, b] = np.sqrt(total) if a == b else total / L[b, b]
    for a in range(k):
        for j in range(width):
            U[a, j] = 0.0
        for c in range(k):
            weight = relative[c, a]
            if weight != 0.0:
                row = base + c * stride + k
                for j in range(width):
                    U[a, j] += weight * values[row + j]
        for c in range(a):
            weight = L[a, c]
            for j in range(width):
                U[a, j] -= weight * U[c, j]
        scale = 1.0 / L[a, a]
        for j in range(width):
            U[a, j] *= scale
    return width


@cached_njit
def eliminate(
    blocks: Any, values: Array, tail: Array, lam: Array, factors: Array, whitened: Array, update_tail: bool
) -> float:
    """Eliminate the sparse levels; return the log-determinant of their part of Omega.

    Parameters
    ----------
    blocks
        Where things are.
    values
        Values of the sparse levels; those of levels that meet earlier ones are updated in place.
    tail
        The tail of A; its lower triangle is updated in place.
    lam
        Relative covariance factors lambda_f, shape (F, k, k) with k the largest size.
    factors
        Filled with the Cholesky factor of each level's block, shape (n_levels, k, k).
    whitened
        Filled with L^-1 Lambda' A_i,later of each level, in the places of `values`.
    update_tail
        False if the caller updates the tail, see `blocked_panels`.
    """
    widest = widest_level(blocks)
    place, U = np.empty(widest, np.uint32), np.empty((lam.shape[1], widest))
    log_det = 0.0
    for i in range(len(blocks.factor)):
        k = blocks.size[blocks.factor[i]]
        width = forward(blocks, values, i, lam, factors[i], U)
        for a in range(k):
            log_det += 2.0 * np.log(factors[i, a, a])
            last = blocks.values[i] + (a + 1) * (k + width)
            for j in range(width):
                whitened[last - width + j] = U[a, j]
        n_sparse = locate(blocks, i, width, place)
        if n_sparse > 0:
            update_sparse(blocks, values, i, n_sparse, width, place, U)
        if update_tail:
            for a in range(k):
                last = blocks.values[i] + (a + 1) * (k + width)
                subtract_products(tail, place[n_sparse:width], whitened[last - width + n_sparse : last])
    return log_det


@cached_njit
def subtract_products(tail: Array, place: NDArray[np.uint32], u: Array) -> None:
    """Subtract u u' from the rows and columns `place`, ascending, of the tail's lower triangle.

    This loop is where the time goes: two rows at a time, so that what is read of `u` is used twice; positions are
    unsigned, so that none is checked for counting from the end.
    """
    width = len(place)
    if width < FEW:
        for j in range(width):
            weight = u[j]
            for c in range(j + 1):
                tail[place[j], place[c]] -= weight * u[c]
        return
    j = 0
    while j < width:
        paired = j + 1 < width
        row, weight = tail[place[j]], u[j]
        columns, values = place[: j + 1], u[: j + 1]
        if paired:
            next_row, next_weight = tail[place[j + 1]], u[j + 1]
            for c in range(len(columns)):
                column, value = columns[c], values[c]
                row[column] -= weight * value
                next_row[column] -= next_weight * value
            next_row[place[j + 1]] -= next_weight * next_weight
        else:
            for c in range(len(columns)):
                row[columns[c]] -= weight * values[c]
        j += 2


@cached_njit
def widest_level(blocks: Any) -> int:
    """Largest number of columns that a sparse level meets, dense ones included."""
    widest = 0
    for i in range(len(blocks.factor)):
        widest = max(widest, blocks.pointer[i + 1] - blocks.pointer[i])
    return widest + blocks.n_dense


@cached_njit
def locate(blocks: Any, i: int, width: int, place: NDArray[np.uint32]) -> int:
    """Write where the columns of level i are, sparse ones first, tail ones counted within the tail."""
    first = blocks.pointer[i]
    n_random = width - blocks.n_dense
    n_sparse = 0
    for j in range(n_random):
        column = blocks.columns[first + j]
        if column < blocks.n_sparse:
            place[j] = column
            n_sparse += 1
        else:
            place[j] = column - blocks.n_sparse
    for j in range(blocks.n_dense):
        place[n_random + j] = blocks.n_tail + j
    return n_sparse


@cached_njit
def update_sparse(
    blocks: Any, values: Array, i: int, n_sparse: int, width: int, place: NDArray[np.uint32], U: Array
) -> None:
    """Subtract the product of level i's columns from the later sparse levels that it meets."""
    k = blocks.size[blocks.factor[i]]
    n_random = width - blocks.n_dense
    j = 0
    while j < n_sparse:
        target = blocks.owner[place[j]]
        size = blocks.size[blocks.factor[target]]
        first, last = blocks.pointer[target], blocks.pointer[target + 1]
        stride = size + last - first + blocks.n_dense
        at = first
        for c in range(j, width):
            if c < j + size:
                offset = c - j
            elif c < n_random:
                column = blocks.columns[blocks.pointer[i] + c]
                while blocks.columns[at] < column:
                    at += 1
                offset = size + at - first
            else:
                offset = size + last - first + c - n_random
            for b in range(size):
                total = 0.0
                for a in range(k):
                    total += U[a, j + b] * U[a, c]
                values[blocks.values[target] + b * stride + offset] -= total
        j += size


@cached_njit
def scale_tail(blocks: Any, tail: Array, lam: Array, diagonal: Array) -> None:
    """Keep the unscaled tail above the diagonal (and in `diagonal`), and make the rest Lambda' tail Lambda + I."""
    n = tail.shape[0]
    for r in range(n):
        diagonal[r] = tail[r, r]
        for c in range(r):
            tail[c, r] = tail[r, c]
    scale_both_sides(blocks, tail, lam, False)
    for r in range(blocks.n_tail):
        tail[r, r] += 1.0


@cached_njit
def scale_both_sides(blocks: Any, tail: Array, lam: Array, transposed: bool) -> None:
    """Make the lower triangle Lambda' M Lambda, or Lambda M Lambda' if transposed; M's lower triangle comes in."""
    n = tail.shape[0]
    column = np.empty(lam.shape[1])
    block = np.empty((lam.shape[1], lam.shape[1]))
    for node in range(len(blocks.tail_factor)):
        f, first = blocks.tail_factor[node], blocks.tail_start[node]
        k = blocks.size[f]
        if k == 1:
            weight = lam[f, 0, 0]
            for c in range(first):
                tail[first, c] *= weight
            tail[first, first] *= weight * weight
            continue
        for c in range(first):
            for a in range(k):
                column[a] = tail[first + a, c]
            for a in range(k):
                total = 0.0
                for b in range(k):
                    total += (lam[f, a, b] if transposed else lam[f, b, a]) * column[b]
                tail[first + a, c] = total
        for a in range(k):
            for b in range(k):
                total = 0.0
                for c in range(k):
                    inner = 0.0
                    for d in range(k):
                        value = tail[first + max(c, d), first + min(c, d)]
                        inner += value * (lam[f, b, d] if transposed else lam[f, d, b])
                    total += (lam[f, a, c] if transposed else lam[f, c, a]) * inner
                block[a, b] = total
        for a in range(k):
            for b in range(a + 1):
                tail[first + a, first + b] = block[a, b]
    for node in range(len(blocks.tail_factor)):
        f, first = blocks.tail_factor[node], blocks.tail_start[node]
        k = blocks.size[f]
        if k == 1:
            weight = lam[f, 0, 0]
            for r in range(first + 1, n):
                tail[r, first] *= weight
            continue
        for r in range(first + k, n):
            for b in range(k):
                total = 0.0
                for c in range(k):
                    total += tail[r, first + c] * (lam[f, b, c] if transposed else lam[f, c, b])
                column[b] = total
            for b in range(k):
                tail[r, first + b] = column[b]
