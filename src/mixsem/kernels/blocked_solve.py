"""Random effects from the blocked Cholesky factor: back through the sparse levels, last first."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocked import forward, locate, widest_level
from .compiled import cached_njit

__all__ = ["back_substitute", "multiply_levels"]

Array = NDArray[np.float64]


@cached_njit
def multiply_levels(blocks: Any, lam: Array, solution: Array, out: Array) -> None:
    """Multiply the tail's spherical random effects u by Lambda: ``out[node] = lambda_f u_node``."""
    for node in range(len(blocks.tail_factor)):
        f, first = blocks.tail_factor[node], blocks.tail_start[node]
        for a in range(blocks.size[f]):
            total = 0.0
            for b in range(blocks.size[f]):
                total += lam[f, a, b] * solution[first + b]
            out[node, a] = total


@cached_njit
def back_substitute(blocks: Any, values: Array, lam: Array, seen: Array, out: Array) -> None:
    """Solve for the random effects of the sparse levels, last first.

    Parameters
    ----------
    blocks, values, lam
        As in `eliminate`.
    seen
        Coefficients of the tail's unscaled columns: random effects b, fixed effects, -1 for the response.
    out
        Filled with b = lambda u of each sparse level, shape (n_levels, k).
    """
    n_levels, widest = len(blocks.factor), widest_level(blocks)
    size = lam.shape[1]
    U, L, u = np.empty((size, widest)), np.empty((size, size)), np.empty(size)
    place = np.empty(widest, np.uint32)
    for i in range(n_levels - 1, -1, -1):
        f = blocks.factor[i]
        k = blocks.size[f]
        width = forward(blocks, values, i, lam, L, U)
        n_sparse = locate(blocks, i, width, place)
        for a in range(k):
            total = 0.0
            for j in range(width):
                if j < n_sparse:
                    target = blocks.owner[place[j]]
                    total -= U[a, j] * out[target, place[j] - blocks.start[target]]
                else:
                    total -= U[a, j] * seen[place[j]]
            u[a] = total
        for a in range(k - 1, -1, -1):
            for b in range(a + 1, k):
                u[a] -= L[b, a] * u[b]
            u[a] /= L[a, a]
        for a in range(k):
            total = 0.0
            for b in range(k):
                total += lam[f, a, b] * u[b]
            out[i, a] = total
