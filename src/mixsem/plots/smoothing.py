"""A smooth line through points, however many there are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["smooth"]

Array = NDArray[np.float64]

#: Points are averaged in so many bins of equal count first, so that the effort does not grow with their number.
BINS = 400
#: Values at which the line is computed.
GRID = 80
#: Share of the points that a value of the line rests on.
SPAN = 0.6


def smooth(x: Array, y: Array) -> tuple[Array, Array]:
    """Fit a line locally, with tricube weights, to points.

    Parameters
    ----------
    x, y
        (n,) each.

    Returns
    -------
    NDArray
        Values of x, ascending; empty where x does not vary enough for a line.
    NDArray
        The line there.

    References
    ----------
    Cleveland (1979), Robust locally weighted regression and smoothing scatterplots, doi 10.1080/01621459.1979.10481038;
    without the robustness iterations.

    Examples
    --------
    >>> x = np.linspace(0.0, 1.0, 1000)
    >>> at, line = smooth(x, 2.0 * x + 1.0)
    >>> bool(np.allclose(line, 2.0 * at + 1.0))
    True
    """
    order = np.argsort(x, kind="stable")
    edges = np.unique(np.linspace(0, len(x), min(BINS, len(x)) + 1).astype(np.int64))
    count = np.diff(edges).astype(float)
    means = np.add.reduceat(np.column_stack([x, y])[order], edges[:-1]) / count[:, None]
    center, height = means.T
    if len(np.unique(center)) < 4:
        return np.empty(0), np.empty(0)
    at = np.interp(np.linspace(0.0, 1.0, GRID), np.linspace(0.0, 1.0, len(center)), center)
    at = np.unique(at)
    return at, np.array([_local_line(center, height, count, value) for value in at])


def _local_line(center: Array, height: Array, count: Array, value: float) -> float:
    """The weighted regression line of the nearest points, at a value."""
    distance = np.abs(center - value)
    nearest = np.argsort(distance, kind="stable")
    enough = int(np.searchsorted(np.cumsum(count[nearest]), SPAN * count.sum()))
    reach = distance[nearest[min(enough, len(nearest) - 1)]]
    weight = count * np.clip(1.0 - (distance / (1.001 * reach)) ** 3, 0.0, None) ** 3 if reach > 0.0 else count
    total = weight.sum()
    middle, level = weight @ center / total, weight @ height / total
    spread = weight @ (center - middle) ** 2
    if spread <= 1e-12 * total * np.ptp(center) ** 2:
        return float(level)
    return float(level + (value - middle) * (weight @ ((center - middle) * height)) / spread)
