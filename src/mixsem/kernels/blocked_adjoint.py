"""The derivative of the blocked Cholesky factor: reverse elimination.

For a criterion that weighs the log pivots, sum_j w_j log L_jj^2, the adjoint of the tail is L^-T diag(w) L^-1. Going
back through the sparse levels gives the derivatives by Lambda, and on the way the diagonal blocks of the inverse of
Omega: with weights 1 for random effects and 0 else these are the conditional covariances of the random effects.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocked import forward, locate
from .compiled import cached_njit

__all__ = ["back_through_levels", "tail_derivatives"]

Array = NDArray[np.float64]
Positions = NDArray[np.int64]


@cached_njit
def tail_derivatives(blocks: Any, tail: Array, diagonal: Array, lam: Array, gradient: Array, inverses: Array) -> None:
    """Add the derivatives by Lambda that come from scaling the tail.

    Parameters
    ----------
    blocks
        Where things are.
    tail
        The adjoint of the scaled tail in the lower triangle, the unscaled tail above it.
    diagonal
        Diagonal of the unscaled tail.
    lam
        Relative covariance factors, shape (F, k, k).
    gradient
        Added to: derivatives by the entries of `lam`.
    inverses
        Filled with the adjoint's diagonal blocks, one per level of the tail.
    """
    n = tail.shape[0]
    for node in range(len(blocks.tail_factor)):
        f, first = blocks.tail_factor[node], blocks.tail_start[node]
        k = blocks.size[f]
        for a in range(k):
            for b in range(k):
                r, s = max(first + a, first + b), min(first + a, first + b)
                inverses[node, a, b] = tail[r, s]
    # 2 (tail Lambda adjoint)_jj, the sum over columns c of the tail, one level of random effects at a time
    scaled = np.empty((lam.shape[1], n))
    for node in range(len(blocks.tail_factor)):
        f, first = blocks.tail_factor[node], blocks.tail_start[node]
        k = blocks.size[f]
        for b in range(k):
            r = first + b
            for c in range(r + 1):
                scaled[b, c] = tail[r, c]
            for c in range(r + 1, n):
                scaled[b, c] = tail[c, r]
            scale_row(blocks, scaled[b], lam)
        for a in range(k):
            r = first + a
            for b in range(k):
                total = diagonal[r] * scaled[b, r]
                for c in range(r):
                    total += tail[c, r] * scaled[b, c]
                for c in range(r + 1, n):
                    total += tail[r, c] * scaled[b, c]
                gradient[f, a, b] += 2.0 * total


@cached_njit
def scale_row(blocks: Any, row: Array, lam: Array) -> None:
    """Multiply a row of the tail by Lambda' from the right: row_c = sum_b lambda_cb row_b in each level."""
    values = np.empty(lam.shape[1])
    for node in range(len(blocks.tail_factor)):
        f, first = blocks.tail_factor[node], blocks.tail_start[node]
        k = blocks.size[f]
        if k == 1:
            row[first] *= lam[f, 0, 0]
            continue
        for c in range(k):
            total = 0.0
            for b in range(k):
                total += lam[f, c, b] * row[first + b]
            values[c] = total
        for c in range(k):
            row[first + c] = values[c]


@cached_njit
def back_through_levels(
    blocks: Any, values: Array, tail: Array, lam: Array, gradient: Array, inverses: Array, adjoint: Array
) -> None:
    """Go back through the sparse levels, last first.

    Parameters
    ----------
    blocks, lam, gradient
        As in `tail_derivatives`.
    values
        Values of the sparse levels as they were when each was eliminated.
    tail
        The adjoint of the unscaled tail in the lower triangle.
    inverses
        Filled with the diagonal block of the adjoint of Omega of each level, shape (n_levels, k, k).
    adjoint
        Room for adjoints of `values`; used when sparse levels meet one another.
    """
    n_levels = len(blocks.factor)
    widest = blocks.n_dense
    for i in range(n_levels):
        widest = max(widest, blocks.pointer[i + 1] - blocks.pointer[i] + blocks.n_dense)
    size = lam.shape[1]
    E, F = np.empty((size, widest)), np.empty((size, widest))
    L, inverse, product = np.empty((size, size)), np.empty((size, size)), np.empty((size, size))
    place = np.empty(widest, np.int64)
    for i in range(n_levels - 1, -1, -1):
        f = blocks.factor[i]
        k = blocks.size[f]
        width = forward(blocks, values, i, lam, L, E)
        for j in range(width):
            for a in range(k - 1, -1, -1):
                total = E[a, j]
                for b in range(a + 1, k):
                    total -= L[b, a] * E[b, j]
                E[a, j] = total / L[a, a]
                F[a, j] = 0.0
        n_sparse = locate(blocks, i, width, place)
        if n_sparse > 0:
            gather_sparse(blocks, adjoint, i, n_sparse, width, place, E, F)
        gather_tail(tail, k, n_sparse, width, place, E, F)
        invert(L, k, inverse)
        for a in range(k):
            for b in range(k):
                total = inverse[a, b]
                for j in range(width):
                    total += F[a, j] * E[b, j]
                inverses[i, a, b] = total
        base, stride = blocks.values[i], k + width
        for a in range(k):
            for b in range(k):
                total = 0.0
                for c in range(k):
                    total += lam[f, a, c] * inverses[i, c, b]
                product[a, b] = total
        for a in range(k):
            row = base + a * stride
            for b in range(k):
                total = 0.0
                for c in range(k):
                    total += values[row + c] * product[c, b]
                for j in range(width):
                    total -= values[row + k + j] * F[b, j]
                gradient[f, a, b] += 2.0 * total
        if blocks.chained:
            for a in range(k):
                row = base + a * stride
                for b in range(k):
                    total = 0.0
                    for c in range(k):
                        total += product[a, c] * lam[f, b, c]
                    adjoint[row + b] = total
                for j in range(width):
                    total = 0.0
                    for c in range(k):
                        total += lam[f, a, c] * F[c, j]
                    adjoint[row + k + j] = -total


@cached_njit
def gather_tail(tail: Array, k: int, n_sparse: int, width: int, place: Positions, E: Array, F: Array) -> None:
    """Add E times the tail's adjoint to F; each entry of the lower triangle is read once and used twice."""
    for j in range(n_sparse, width):
        row = tail[place[j]]
        for a in range(k):
            here = E[a, j]
            total = here * row[place[j]]
            for c in range(n_sparse, j):
                value = row[place[c]]
                total += E[a, c] * value
                F[a, c] += here * value
            F[a, j] += total


@cached_njit
def gather_sparse(
    blocks: Any, adjoint: Array, i: int, n_sparse: int, width: int, place: Positions, E: Array, F: Array
) -> None:
    """Add E times the adjoint of the later sparse levels that level i meets to F."""
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
                value = adjoint[blocks.values[target] + b * stride + offset]
                for a in range(k):
                    F[a, c] += E[a, j + b] * value
                    if c >= j + size:
                        F[a, j + b] += E[a, c] * value
        j += size


@cached_njit
def invert(L: Array, k: int, inverse: Array) -> None:
    """Make `inverse` that of L L'."""
    for j in range(k):
        for a in range(k):
            total = 1.0 if a == j else 0.0
            for b in range(a):
                total -= L[a, b] * inverse[b, j]
            inverse[a, j] = total / L[a, a]
        for a in range(k - 1, -1, -1):
            total = inverse[a, j]
            for b in range(a + 1, k):
                total -= L[b, a] * inverse[b, j]
            inverse[a, j] = total / L[a, a]
