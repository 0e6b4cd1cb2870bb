"""Thresholds of ordered items: estimated from the margins of each group, with their standard errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.ordinal import OrdinalMoments

__all__ = ["Thresholds", "thresholds_of"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """All thresholds of all groups.

    Attributes
    ----------
    items, names
        Item and number (``"t1"``) of each threshold, length T.
    estimate, se
        Shape (G, T); NaN where a group lacks the category.
    """

    items: tuple[str, ...]
    names: tuple[str, ...]
    estimate: Array
    se: Array


def thresholds_of(ordinal: OrdinalMoments) -> Thresholds:
    """Collect thresholds and standard errors, with lavaan's divisor N_g - 1.

    Parameters
    ----------
    ordinal
        Moments of ordered items; thresholds and means come first in each group's asymptotic covariance matrix.
    """
    at = [(j, k) for j, values in enumerate(ordinal.categories) if ordinal.ordered[j] for k in range(len(values) - 1)]
    rows, columns = (np.array(part, dtype=np.int64) for part in zip(*at, strict=True))
    estimate = ordinal.thresholds[:, rows, columns]
    estimate = np.where(np.isfinite(estimate), estimate, np.nan)
    se = np.full(estimate.shape, np.nan)
    for g, gamma in enumerate(ordinal.Gamma):
        place = 0
        for j in range(len(ordinal.items)):
            if not ordinal.ordered[j]:
                place += 1
                continue
            own = np.flatnonzero((rows == j) & np.isfinite(estimate[g]))
            variance = np.diagonal(gamma)[place : place + own.size]
            se[g, own] = np.sqrt(variance / (ordinal.n[g] - 1.0))
            place += own.size
    items = tuple(ordinal.items[j] for j in rows.tolist())
    return Thresholds(items, tuple(f"t{k + 1}" for k in columns.tolist()), estimate, se)
