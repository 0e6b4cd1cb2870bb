"""A part of a crossed design in which levels, and pairs of levels, occur equally often."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["balanced_fraction"]

Array = NDArray[np.float64]

# What an imbalance of single levels counts beside one of pairs.
LEVEL_WEIGHT = 4.0
ATTEMPTS, TOLERANCE = 40, 1e-9


def balanced_fraction(n_levels: Sequence[int], n_cells: int, *, seed: int) -> tuple[int, ...]:
    """Cells of a full crossing in which each level, and each pair of levels of two factors, is as frequent as others.

    Cells are exchanged, the best exchange first, until none makes the fraction more even; the most even one of a few
    random beginnings is taken. Which cells these are is otherwise left to chance, so that the means over a level are
    unbiased for those of the whole design.

    Parameters
    ----------
    n_levels
        Number of levels of each factor.
    n_cells
        Number of cells to choose.
    seed
        The same seed chooses the same cells.

    Returns
    -------
    tuple of int
        Ascending numbers of the cells; the last factor changes fastest.

    Examples
    --------
    >>> balanced_fraction([2, 2, 2], 4, seed=1) in {(0, 3, 5, 6), (1, 2, 4, 7)}
    True
    """
    indicators = _indicators(n_levels)
    target = indicators.mean(axis=0) * n_cells
    rng = np.random.default_rng([seed, n_cells])
    best, least = np.arange(n_cells), np.inf
    for _ in range(ATTEMPTS):
        chosen, imbalance = _exchange(indicators, target, rng.permutation(len(indicators)), n_cells)
        if imbalance < least - TOLERANCE:
            best, least = chosen, imbalance
        if least < TOLERANCE:
            break
    return tuple(int(i) for i in np.sort(best))


def _indicators(n_levels: Sequence[int]) -> Array:
    """Return one row per cell, one column per level and per pair of levels, weighted."""
    cells = np.array(list(itertools.product(*(range(n) for n in n_levels))))
    single = [np.eye(n)[cells[:, f]] for f, n in enumerate(n_levels)]
    pairs = [
        (first[:, :, None] * second[:, None, :]).reshape(len(cells), -1)
        for first, second in itertools.combinations(single, 2)
    ]
    return np.concatenate([*(np.sqrt(LEVEL_WEIGHT) * s for s in single), *pairs], axis=1)


def _exchange(indicators: Array, target: Array, order: NDArray[np.int64], n: int) -> tuple[NDArray[np.int64], float]:
    """Exchange chosen cells for others while that lowers the squared distance of their sum from the target."""
    chosen, rest = order[:n].copy(), order[n:].copy()
    between = indicators[chosen] @ indicators[rest].T
    norm = (indicators[0] ** 2).sum()  # of every row: a cell has one level of each factor
    off = indicators[chosen].sum(axis=0) - target
    while rest.size:
        along = indicators @ off
        change = 2.0 * (along[rest][None, :] - along[chosen][:, None]) + 2.0 * (norm - between)
        i, j = np.unravel_index(change.argmin(), change.shape)
        if change[i, j] > -TOLERANCE:
            break
        off += indicators[rest[j]] - indicators[chosen[i]]
        chosen[i], rest[j] = rest[j], chosen[i]
        between[i] = indicators[rest] @ indicators[chosen[i]]
        between[:, j] = indicators[chosen] @ indicators[rest[j]]
    return chosen, float((off**2).sum())
