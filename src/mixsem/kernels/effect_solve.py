"""Solving Omega u = Lambda' v with the blocked Cholesky factor: down the sparse levels, the tail, and up again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from .compiled import cached_njit

__all__ = ["multiply_effects", "solve_effects"]

Array = NDArray[np.float64]


def solve_effects(blocks: Any, factors: Array, whitened: Array, tail: Array, lam: Array, v: Array) -> Array:
    """Solve Omega u = Lambda' v; u and v are in the order of elimination.

    Parameters
    ----------
    blocks, factors, whitened
        As `eliminate` leaves them.
    tail
        Cholesky factor of the tail in the lower triangle.
    lam
        Relative covariance factors, shape (F, k, k).
    v
        Length Q, or shape (Q, p) for several right-hand sides.
    """
    u = np.array(v, dtype=float, ndmin=2) if v.ndim == 2 else np.array(v[:, None])
    go_down(blocks, factors, whitened, lam, u)
    if blocks.n_tail:
        q = blocks.n_sparse
        middle, _ = lapack.dtrtrs(tail.T, u[q:], lower=0, trans=1)
        u[q:], _ = lapack.dtrtrs(tail.T, middle, lower=0, trans=0)
    go_up(blocks, factors, whitened, lam, u)
    return u if v.ndim == 2 else u[:, 0]


@cached_njit
def go_down(blocks: Any, factors: Array, whitened: Array, lam: Array, u: Array) -> None:
    """Solve forward through the sparse levels, and multiply what is left of the tail by Lambda'."""
    k_max, p = lam.shape[1], u.shape[1]
    row = np.empty(k_max)
    for i in range(len(blocks.factor)):
        f, start, first = blocks.factor[i], blocks.start[i], blocks.pointer[i]
        k, width = blocks.size[f], blocks.pointer[i + 1] - first
        base, stride = blocks.values[i], k + width + blocks.n_dense
        for j in range(p):
            for a in range(k):
                total = 0.0
                for b in range(k):
                    total += lam[f, b, a] * u[start + b, j]
                row[a] = total
            for a in range(k):
                for b in range(a):
                    row[a] -= factors[i, a, b] * row[b]
                row[a] /= factors[i, a, a]
            for a in range(k):
                u[start + a, j] = row[a]
        for a in range(k):
            at = base + a * stride + k
            for c in range(width):
                weight, column = whitened[at + c], blocks.columns[first + c]
                for j in range(p):
                    u[column, j] -= weight * u[start + a, j]
    for node in range(len(blocks.tail_factor)):
        f, start = blocks.tail_factor[node], blocks.n_sparse + blocks.tail_start[node]
        k = blocks.size[f]
        for j in range(p):
            for a in range(k):
                total = 0.0
                for b in range(k):
                    total += lam[f, b, a] * u[start + b, j]
                row[a] = total
            for a in range(k):
                u[start + a, j] = row[a]


@cached_njit
def go_up(blocks: Any, factors: Array, whitened: Array, lam: Array, u: Array) -> None:
    """Solve back through the sparse levels; those of the tail are solved."""
    k_max, p = lam.shape[1], u.shape[1]
    # what levels see of later ones: Lambda u
    seen = np.zeros_like(u)
    row = np.empty(k_max)
    for node in range(len(blocks.tail_factor)):
        start = blocks.n_sparse + blocks.tail_start[node]
        scale(lam[blocks.tail_factor[node]], blocks.size[blocks.tail_factor[node]], start, u, seen)
    for i in range(len(blocks.factor) - 1, -1, -1):
        f, start, first = blocks.factor[i], blocks.start[i], blocks.pointer[i]
        k, width = blocks.size[f], blocks.pointer[i + 1] - first
        base, stride = blocks.values[i], k + width + blocks.n_dense
        for a in range(k):
            at = base + a * stride + k
            for c in range(width):
                weight, column = whitened[at + c], blocks.columns[first + c]
                for j in range(p):
                    u[start + a, j] -= weight * seen[column, j]
        for j in range(p):
            for a in range(k - 1, -1, -1):
                total = u[start + a, j]
                for b in range(a + 1, k):
                    total -= factors[i, b, a] * row[b]
                row[a] = total / factors[i, a, a]
            for a in range(k):
                u[start + a, j] = row[a]
        scale(lam[f], k, start, u, seen)


@cached_njit
def scale(relative: Array, k: int, start: int, u: Array, out: Array) -> None:
    """Multiply the effects of a level by its relative covariance factor."""
    for a in range(k):
        for j in range(u.shape[1]):
            total = 0.0
            for b in range(k):
                total += relative[a, b] * u[start + b, j]
            out[start + a, j] = total


@cached_njit
def multiply_effects(blocks: Any, lam: Array, u: Array, out: Array) -> None:
    """Lambda u of all levels, shape (Q, p)."""
    for i in range(len(blocks.factor)):
        f = blocks.factor[i]
        scale(lam[f], blocks.size[f], blocks.start[i], u, out)
    for node in range(len(blocks.tail_factor)):
        f = blocks.tail_factor[node]
        scale(lam[f], blocks.size[f], blocks.n_sparse + blocks.tail_start[node], u, out)
