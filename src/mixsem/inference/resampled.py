"""Intervals from estimates in many samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ..errors import OptionError

__all__ = ["resampled_limits"]

Array = NDArray[np.float64]


def resampled_limits(draws: Array, estimate: Array, level: float, method: str) -> tuple[Array, Array]:
    """Lower and upper limits of bootstrap intervals.

    Parameters
    ----------
    draws
        Estimates in samples, shape (n, P).
    estimate
        Estimates from the data, shape (P,).
    level
        Confidence level.
    method
        ``"percentile"``, or ``"bc"``: corrected for the share of samples below the estimate (Efron, 1982).

    Returns
    -------
    tuple
        Lower and upper limits, shape (P,).

    Raises
    ------
    OptionError
        If `level` or `method` is none of those allowed.

    Examples
    --------
    >>> lower, upper = resampled_limits(np.arange(99.0)[:, None], np.array([49.0]), 0.9, "percentile")
    >>> round(float(lower[0]), 6), round(float(upper[0]), 6)
    (4.0, 94.0)
    """
    if not 0 < level < 1:
        raise OptionError(f"level={level!r}", allowed="a probability between 0 and 1, such as 0.95")
    if method not in ("percentile", "bc"):
        raise OptionError(f"method={method!r}", allowed="'percentile' or 'bc'")
    tail = ndtri(0.5 - 0.5 * level)
    shift = np.zeros(estimate.size)
    if method == "bc":
        below = (draws < estimate).mean(axis=0)
        shift = ndtri(np.clip(below, 0.5 / len(draws), 1.0 - 0.5 / len(draws)))
    levels = ndtr(2.0 * shift + np.array([[tail], [-tail]]))
    limits = [
        [np.quantile(column, level, method="weibull") for column, level in zip(draws.T, row, strict=True)]
        for row in levels
    ]
    return np.array(limits[0]), np.array(limits[1])
