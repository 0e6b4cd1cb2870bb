"""Polychoric and polyserial correlations by maximum likelihood given the margins, many pairs at once.

Cutpoints of an item with K categories are its thresholds between two infinities, shape (K + 1,); items with fewer
categories are padded with infinity, which makes categories of probability zero. The two-step estimator (Olsson, 1979)
takes the thresholds from the margins and maximises the likelihood of each pair over its correlation alone, by Newton's
method inside a bracket: the sign of the derivative moves the bracket, a step that leaves it becomes a bisection.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from .bivariate import FAR, bivariate_cdf, bivariate_density, density, differences

__all__ = ["LIMIT", "cell_probabilities", "cell_slopes", "cutpoints", "keep_margins", "polychoric", "polyserial"]

Array = NDArray[np.float64]
Slopes = Callable[[NDArray[np.int64], Array], tuple[Array, Array]]

LIMIT = 0.999
"""Correlations are sought between minus and plus this."""

#: The last step of a correlation; Newton's method then is exact to rounding.
TOLERANCE, MOST_STEPS = 1e-9, 100

#: Least probability of a cell or an answer: keeps the logarithm's derivatives finite.
LEAST = 1e-300


def cutpoints(counts: Array) -> Array:
    """Thresholds from the counts of the categories, between two infinities: (..., K) to (..., K + 1).

    Examples
    --------
    >>> cutpoints(np.array([50, 34, 16])).round(4)
    array([-38.    ,   0.    ,   0.9945,  38.    ])
    """
    total = counts.sum(axis=-1, keepdims=True)
    below = np.cumsum(counts, axis=-1)[..., :-1] / np.maximum(total, 1)
    inner = np.clip(ndtri(below), -FAR, FAR)
    edge = np.full((*counts.shape[:-1], 1), FAR)
    return np.concatenate([-edge, inner, edge], axis=-1)


def keep_margins(tables: Array) -> Array:
    """Move half a person into the one empty cell of a 2 x 2 table, along both diagonals, so that the margins stay.

    Tables with other shapes, no empty cell or several are left as they are. These are lavaan's defaults,
    ``zero.add = c(0.5, 0)`` and ``zero.keep.margins = TRUE``. It keeps the correlation away from plus or minus 1.

    Examples
    --------
    >>> keep_margins(np.array([[[10.0, 0.0], [5.0, 5.0]]]))
    array([[[9.5, 0.5],
            [5.5, 4.5]]])
    """
    filled = tables > 0
    single = (filled.any(axis=2).sum(axis=1) == 2) & (filled.any(axis=1).sum(axis=1) == 2) & (filled.sum((1, 2)) == 3)
    adjusted = tables.copy()
    for m in np.flatnonzero(single):
        rows, columns = np.flatnonzero(filled[m].any(axis=1)), np.flatnonzero(filled[m].any(axis=0))
        at = np.ix_(rows, columns)
        empty = ~filled[m][at]
        adjusted[m][at] += np.where(empty | empty[::-1, ::-1], 0.5, -0.5)
    return adjusted


def cell_probabilities(cut_i: Array, cut_j: Array, rho: Array) -> Array:
    """Probabilities of the cells of M tables, shape (M, K_i, K_j)."""
    h, k = _corners(cut_i, cut_j)
    return np.maximum(differences(bivariate_cdf(h, k, rho[:, None, None])), LEAST)


def cell_slopes(cut_i: Array, cut_j: Array, rho: Array) -> Array:
    """Derivatives of the cells' probabilities to the correlation, shape (M, K_i, K_j)."""
    h, k = _corners(cut_i, cut_j)
    return differences(bivariate_density(h, k, rho[:, None, None]))


def polychoric(cut_i: Array, cut_j: Array, tables: Array) -> Array:
    """Polychoric correlations of M pairs of items given their thresholds, shape (M,).

    Parameters
    ----------
    cut_i, cut_j
        Cutpoints of both items, shapes (M, K_i + 1) and (M, K_j + 1).
    tables
        Counts, shape (M, K_i, K_j).

    Returns
    -------
    Array
        The maximum of the likelihood, at most `LIMIT` in absolute value.

    Examples
    --------
    >>> table = np.array([[[40.0, 10.0], [10.0, 40.0]]])
    >>> cut = cutpoints(table.sum(axis=2))
    >>> polychoric(cut, cut, table).round(6)  # sin of (pi / 2) (2 * .8 - 1) for halves
    array([0.809017])

    References
    ----------
    Olsson (1979), Maximum likelihood estimation of the polychoric correlation coefficient. Psychometrika 44, 443-460.
    """
    h, k = _corners(cut_i, cut_j)

    def slopes(at: NDArray[np.int64], rho: Array) -> tuple[Array, Array]:
        """First and second derivative of the log-likelihood."""
        counts = tables[at]
        x, y, r = h[at], k[at], rho[:, None, None]
        P = np.maximum(differences(bivariate_cdf(x, y, r)), LEAST)
        corner = bivariate_density(x, y, r)
        rest = 1.0 - r * r
        bend = r / rest + ((1.0 + r * r) * x * y - r * (x * x + y * y)) / (rest * rest)
        first, second = differences(corner), differences(corner * bend)
        ratio = np.where(counts > 0, first / P, 0.0)
        curve = np.where(counts > 0, second / P, 0.0) - ratio * ratio
        return (counts * ratio).sum(axis=(1, 2)), (counts * curve).sum(axis=(1, 2))

    return _maximize(slopes, len(tables))


def polyserial(z: Array, low: Array, high: Array) -> Array:
    """Polyserial correlations of M pairs of a standardised variable and an item given its thresholds, shape (M,).

    Parameters
    ----------
    z
        Values of the variables with mean 0 and variance 1, shape (M, n).
    low, high
        Cutpoints below and above each answer, shape (M, n).

    References
    ----------
    Olsson, Drasgow & Dorans (1982), The polyserial correlation coefficient. Psychometrika 47, 337-347.
    """
    low, high = np.clip(low, -FAR, FAR), np.clip(high, -FAR, FAR)

    def slopes(at: NDArray[np.int64], rho: Array) -> tuple[Array, Array]:
        """First and second derivative of the log-likelihood."""
        r = rho[:, None]
        R = np.sqrt(1.0 - r * r)
        P, first, second = 0.0, 0.0, 0.0
        for cut, sign in ((high[at], 1.0), (low[at], -1.0)):
            u = (cut - r * z[at]) / R
            slope = (cut * r - z[at]) / R**3
            bend = (cut * R * R + 3.0 * r * (cut * r - z[at])) / R**5
            P = P + sign * ndtr(u)
            first = first + sign * density(u) * slope
            second = second + sign * density(u) * (bend - u * slope * slope)
        P = np.maximum(P, LEAST)
        ratio = first / P
        return ratio.sum(axis=1), (second / P - ratio * ratio).sum(axis=1)

    return _maximize(slopes, len(z))


def _corners(cut_i: Array, cut_j: Array) -> tuple[Array, Array]:
    """Cutpoints of both items at every corner of a table; they broadcast to (M, K_i + 1, K_j + 1)."""
    return (np.clip(cut_i, -FAR, FAR)[:, :, None], np.clip(cut_j, -FAR, FAR)[:, None, :])


def _maximize(slopes: Slopes, size: int) -> Array:
    """Maximise `size` functions of one correlation each; finished ones are not evaluated again."""
    rho = np.zeros(size)
    low, high = np.full(size, -LIMIT), np.full(size, LIMIT)
    active = np.arange(size)
    for _ in range(MOST_STEPS):
        if active.size == 0:
            break
        here = rho[active]
        first, second = slopes(active, here)
        rising = first > 0
        low[active] = np.where(rising, here, low[active])
        high[active] = np.where(rising, high[active], here)
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = here - first / second
        inside = (second < 0) & (moved >= low[active]) & (moved <= high[active])
        moved = np.where(inside, moved, 0.5 * (low[active] + high[active]))
        rho[active] = moved
        active = active[np.abs(moved - here) > TOLERANCE]
    return rho
