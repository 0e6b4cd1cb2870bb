"""P-values and limits of families of comparisons."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Adjustment", "adjusted_p", "critical_values"]

Array = NDArray[np.float64]
Adjustment = Literal["none", "tukey", "holm", "bonferroni"]

#: Quantiles that many others are interpolated from.
N_NODES = 6

WORDS = {
    "tukey": "by Tukey's method",
    "holm": "by Holm's method (limits by Bonferroni's)",
    "bonferroni": "by Bonferroni's method",
}


def adjusted_p(p: Array, ratio: Array, df: Array, adjust: Adjustment, n_means: int) -> Array:
    """Adjust p-values of one family of comparisons.

    Parameters
    ----------
    p
        P-values, shape (m,).
    ratio, df
        Their t, and degrees of freedom; infinite for z.
    adjust
        The method.
    n_means
        Means that are compared, for Tukey's method.

    Examples
    --------
    >>> p, t, df = np.array([0.01, 0.04]), np.array([2.6, 2.1]), np.array([30.0, 30.0])
    >>> adjusted_p(p, t, df, "holm", 3), adjusted_p(p, t, df, "tukey", 3).round(3)
    (array([0.02, 0.04]), array([0.037, 0.107]))
    """
    m = int(np.isfinite(p).sum())
    if adjust == "tukey":
        from scipy.stats import studentized_range

        found = [
            _upper_tail(studentized_range, np.sqrt(2.0) * abs(t), n_means, v) for t, v in zip(ratio, df, strict=True)
        ]
        return np.array(found)
    if adjust == "bonferroni":
        return np.minimum(1.0, m * p)
    if adjust == "holm":
        order = np.argsort(p)
        steps = np.maximum.accumulate(np.minimum(1.0, p[order] * (m - np.arange(len(p)))))
        found_p = np.empty_like(p)
        found_p[order] = steps
        return np.where(np.isfinite(p), found_p, np.nan)
    return p


def critical_values(level: float, df: Array, adjust: Adjustment, n_means: int, m: int) -> Array:
    """How many standard errors limits are from their estimates, for simultaneous limits of m comparisons."""
    from scipy.stats import t as student

    if adjust == "tukey":
        return _tukey_values(level, df, n_means)
    alpha = (1.0 - level) / (1 if adjust == "none" else max(m, 1))
    return np.asarray(student.isf(alpha / 2.0, df))


def _tukey_values(level: float, df: Array, n_means: int) -> Array:
    """Quantiles of the studentized range by sqrt(2), each of which takes a third of a second to compute.

    The logarithm is so smooth in 1 / df that it can be interpolated where there are many: to 1e-6 over a range of 12.
    """
    from scipy.interpolate import BarycentricInterpolator
    from scipy.stats import studentized_range

    inverse = 1.0 / df
    distinct = np.unique(inverse[np.isfinite(inverse)])
    nodes = distinct
    if len(distinct) > N_NODES and distinct[-1] <= 12.0 * distinct[0]:
        middle, half = 0.5 * (distinct[0] + distinct[-1]), 0.5 * (distinct[-1] - distinct[0])
        nodes = middle + half * np.cos((2 * np.arange(N_NODES) + 1) * np.pi / (2 * N_NODES))
    values = np.array([studentized_range.ppf(level, n_means, 1.0 / v if v > 0.0 else np.inf) for v in nodes])
    if nodes is distinct:
        found = np.full(len(df), np.nan)
        there = np.isfinite(inverse)
        found[there] = values[np.searchsorted(distinct, inverse[there])]
        return found / np.sqrt(2.0)
    return np.asarray(np.exp(BarycentricInterpolator(nodes, np.log(values))(inverse)) / np.sqrt(2.0))


def _upper_tail(distribution: object, q: float, n_means: int, df: float) -> float:
    if not np.isfinite(q) or np.isnan(df):
        return float(np.nan)
    return float(np.clip(distribution.sf(q, n_means, df), 0.0, 1.0))  # type: ignore[attr-defined]
