"""Sets of groups in which a parameter is invariant, after alignment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

__all__ = ["invariant_sets"]

Array = NDArray[np.float64]

#: Levels of Asparouhov & Muthén (2014): of pairwise tests that make a first set, and of tests against its average.
PAIRWISE, AGAINST_AVERAGE = 0.01, 0.001


def invariant_sets(values: Array, errors: Array, n: Array) -> NDArray[np.bool_]:
    """Find for each parameter the groups that do not differ from their common average.

    A first set holds the groups that the group with the most of them does not differ from significantly. Groups whose
    difference from the set's average (weighed by size) is not significant join, others leave, until nothing changes.

    Parameters
    ----------
    values, errors
        Parameters and their standard errors, shape (G, k).
    n
        People per group, shape (G,).

    Returns
    -------
    NDArray
        Membership, shape (G, k).

    Examples
    --------
    >>> values = np.array([[1.0], [1.02], [0.97], [1.6]])
    >>> invariant_sets(values, np.full((4, 1), 0.05), np.full(4, 100.0)).ravel().tolist()
    [True, True, True, False]
    """
    member = np.zeros(values.shape, dtype=bool)
    for j in range(values.shape[1]):
        member[:, j] = _set(values[:, j], np.maximum(errors[:, j], 1e-12) ** 2, n)
    return member


def _set(value: Array, variance: Array, n: Array) -> NDArray[np.bool_]:
    pairwise = _p(value[:, None] - value[None, :], variance[:, None] + variance[None, :]) > PAIRWISE
    inside = pairwise[int(np.argmax(pairwise @ n))]
    seen: set[bytes] = set()
    while inside.tobytes() not in seen:
        seen.add(inside.tobytes())
        share = np.where(inside, n, 0.0)
        share = share / share.sum()
        average = float(share @ value)
        # The average shares the error of the groups in it.
        of_difference = variance * (1.0 - 2.0 * share) + float(share**2 @ variance)
        nearby = _p(value - average, of_difference) > AGAINST_AVERAGE
        if not nearby.any():
            break
        inside = nearby
    return np.asarray(inside)


def _p(difference: Array, variance: Array) -> Array:
    """Two-sided p-values."""
    return np.asarray(2.0 * ndtr(-np.abs(difference) / np.sqrt(np.maximum(variance, 1e-24))))
