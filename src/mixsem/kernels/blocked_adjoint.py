"""The derivative of the blocked Cholesky factor: reverse elimination.

For a criterion that weighs the log pivots, sum_j w_j log L_jj^2, the adjoint of the tail is L^-T diag(w) L^-1. Going
back through the sparse levels gives the derivatives by Lambda, and on the way the diagonal blocks of the inverse of
Omega: with weights 1 for random effects and 0 else these are the conditional covariances of the random effects.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocked import FEW, locate, widest_level
from .compiled import cached_njit

__all__ = ["back_through_levels", "gather_tail", "solve_levels", "tail_derivatives"]

Array = NDArray[np.float64]


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
def solve_levels(blocks: Any, factors: Array, whitened: Array) -> Array:
    """Return L^-T times the whitened columns of each sparse level: Omega_ii^-1 Lambda' A_i,later."""
    solved = whitened.copy()
    for i in range(len(blocks.factor)):
        k = blocks.size[blocks.factor[i]]
        stride = k + blocks.pointer[i + 1] - blocks.pointer[i] + blocks.n_dense
        base = blocks.values[i]
        for a in range(k - 1, -1, -1):
            row = base + a * stride
            for b in range(a + 1, k):
                weight, other = factors[i, b, a], base + b * stride
                for j in range(k, stride):
                    solved[row + j] -= weight * solved[other + j]
            scale = 1.0 / factors[i, a, a]
            for j in range(k, stride):
                solved[row + j] *= scale
    return solved


@cached_njit
def gather_tail(blocks: Any, solved: Array, tail: Array) -> Array:
    """Multiply the solved columns of each level by the tail's adjoint, as far as both belong to the tail."""
    gathered = np.zeros_like(solved)
    place = np.empty(widest_level(blocks), np.uint32)
    for i in range(len(blocks.factor)):
        k = blocks.size[blocks.factor[i]]
        width = blocks.pointer[i + 1] - blocks.pointer[i] + blocks.n_dense
        n_sparse = locate(blocks, i, width, place)
        for a in range(k):
            last = blocks.values[i] + (a + 1) * (k + width)
            first = last - width + n_sparse
            multiply_symmetric(tail, place[n_sparse:width], solved[first:last], gathered[first:last])
    return gathered


@cached_njit
def multiply_symmetric(tail: Array, place: NDArray[np.uint32], e: Array, f: Array) -> None:
    """Add to f the product of e and the rows and columns `place`, ascending, of a symmetric matrix.

    Each entry of its lower triangle is read once and used twice; two rows at a time, as in `subtract_products`.
    """
    width = len(place)
    if width < FEW:
        for j in range(width):
            total = e[j] * tail[place[j], place[j]]
            for c in range(j):
                entry = tail[place[j], place[c]]
                total += e[c] * entry
                f[c] += e[j] * entry
            f[j] += total
        return
    j = 0
    while j < width:
        row, here = tail[place[j]], e[j]
        columns, values, sums = place[:j], e[:j], f[:j]
        total = here * row[place[j]]
        if j + 1 < width:
            next_row, following = tail[place[j + 1]], e[j + 1]
            beside = next_row[place[j]]
            next_total = following * next_row[place[j + 1]] + here * beside
            total += following * beside
            for c in range(len(columns)):
                entry, next_entry = row[columns[c]], next_row[columns[c]]
                value = values[c]
                total += value * entry
                next_total += value * next_entry
                sums[c] += here * entry + following * next_entry
            f[j + 1] += next_total
        else:
            for c in range(len(columns)):
                entry = row[columns[c]]
                total += values[c] * entry
                sums[c] += here * entry
        f[j] += total
        j += 2


@cached_njit
def back_through_levels(
    blocks: Any,
    values: Array,
    factors: Array,
    solved: Array,
    gathered: Array,
    lam: Array,
    gradient: Array,
    inverses: Array,
    adjoint: Array,
) -> None:
    """Go back through the sparse levels, last first.

    Parameters
    ----------
    blocks, lam, gradient
        As in `tail_derivatives`.
    values, factors
        Values of the sparse levels as they were when each was eliminated, and the Cholesky factors of their blocks.
    solved, gathered
        From `solve_levels` and `gather_tail`; `gathered` is completed in place.
    inverses
        Filled with the diagonal block of the adjoint of Omega of each level, shape (n_levels, k, k).
    adjoint
        Filled with the adjoint of `values`, off-diagonal blocks counted once; may be empty unless levels are chained.
    """
    size = lam.shape[1]
    inverse, product = np.empty((size, size)), np.empty((size, size))
    place = np.empty(widest_level(blocks), np.uint32)
    for i in range(len(blocks.factor) - 1, -1, -1):
        f = blocks.factor[i]
        k = blocks.size[f]
        width = blocks.pointer[i + 1] - blocks.pointer[i] + blocks.n_dense
        base, stride = blocks.values[i], k + width
        if blocks.chained:
            gather_sparse(blocks, adjoint, i, width, place, solved, gathered)
        invert(factors[i], k, inverse)
        for a in range(k):
            for b in range(k):
                total = inverse[a, b]
                for j in range(k, stride):
                    total += gathered[base + a * stride + j] * solved[base + b * stride + j]
                inverses[i, a, b] = total
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
                for j in range(k, stride):
                    total -= values[row + j] * gathered[base + b * stride + j]
                gradient[f, a, b] += 2.0 * total
        if adjoint.size:
            for a in range(k):
                row = base + a * stride
                for j in range(stride):
                    total = 0.0
                    for c in range(k):
                        if j < k:
                            total += product[a, c] * lam[f, j, c]
                        else:
                            total -= lam[f, a, c] * gathered[base + c * stride + j]
                    adjoint[row + j] = total


@cached_njit
def gather_sparse(
    blocks: Any, adjoint: Array, i: int, width: int, place: NDArray[np.uint32], solved: Array, gathered: Array
) -> None:
    """Add the solved columns of level i times the adjoint of the later sparse levels that it meets."""
    k = blocks.size[blocks.factor[i]]
    n_sparse = locate(blocks, i, width, place)
    n_random = width - blocks.n_dense
    own = k + width
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
                    row = blocks.values[i] + a * own + k
                    gathered[row + c] += solved[row + j + b] * value
                    if c >= j + size:
                        gathered[row + j + b] += solved[row + c] * value
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
