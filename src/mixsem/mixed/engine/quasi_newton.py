"""BFGS for few parameters that keeps what it has learnt of the curvature, for series of fits that resemble one another.

Each fit of a profile or a bootstrap starts near its solution with nearly its curvature: a few evaluations are enough.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["bfgs", "inverse_curvature"]

Array = NDArray[np.float64]
Function = Callable[[Array], tuple[float, Array]]

#: The search ends when a Newton step would lower the value by half of this.
GAIN = 1e-10
#: Most steps.
MOST_STEPS = 200
#: No step is longer than this, in units in which a step of 1 changes the value by about a half.
LONGEST_STEP = 4.0
#: Curvatures, per squared step of useful size, below this are taken as this.
LEAST_CURVATURE = 0.1
#: Relative step of the differences that curvatures are taken from.
DIFFERENCE = 1e-4


def bfgs(function: Function, x: Array, inverse: Array, noise: float) -> tuple[float, Array, Array, bool]:
    """Minimise a function.

    Parameters
    ----------
    function
        Value and slope at a point; an infinite value where there is none.
    x
        Where to start.
    inverse
        Inverse of the matrix of second derivatives, positive definite; a guess.
    noise
        Differences of values below this are rounding.

    Returns
    -------
    tuple
        The minimum, where it is, the inverse curvatures now, and whether the search ended by itself.

    References
    ----------
    Nocedal & Wright (2006), Numerical Optimization, 2nd ed., chapter 6.
    """
    value, slope = function(x)
    first = inverse
    for _ in range(MOST_STEPS):
        step = -inverse @ slope
        gain = float(-step @ slope)
        if not gain > max(GAIN, noise):
            return value, x, inverse, bool(np.isfinite(value))
        found = _shorten(function, x, value, step, gain, noise)
        if found is None:
            if inverse is first:
                return value, x, inverse, False
            inverse = first
            continue
        length, moved, new_slope = found
        inverse = _update(inverse, length * step, new_slope - slope)
        x, value, slope = x + length * step, moved, new_slope
    return value, x, inverse, False


def _shorten(
    function: Function, x: Array, value: float, step: Array, gain: float, noise: float
) -> tuple[float, float, Array] | None:
    """Shorten a step until it lowers the value: its length, the value and the slope there; None if it never does."""
    length = min(1.0, LONGEST_STEP / np.sqrt(gain))
    while length > 1e-8:
        moved, slope = function(x + length * step)
        if moved <= value - 1e-4 * length * gain + noise:
            return length, moved, slope
        # the minimum of the parabola through what is known
        excess = moved - value + length * gain
        length *= float(np.clip(0.5 * length * gain / excess, 0.1, 0.5)) if np.isfinite(excess) else 0.1
    return None


def _update(inverse: Array, change: Array, turn: Array) -> Array:
    """Learn from a step; nothing where the function is not convex."""
    along = float(change @ turn)
    if along <= 1e-10 * float(np.linalg.norm(change) * np.linalg.norm(turn)):
        return inverse
    left = np.eye(len(change)) - np.outer(change, turn) / along
    return np.asarray(left @ inverse @ left.T + np.outer(change, change) / along)


def inverse_curvature(function: Function, x: Array, scales: Array) -> Array:
    """Inverse of the second derivatives by differences of the slope, made positive definite.

    Parameters
    ----------
    function, x
        As in `bfgs`.
    scales
        Sizes of useful steps.
    """
    n, (_, slope) = len(x), function(x)
    second = np.empty((n, n))
    for i in range(n):
        moved = x.copy()
        moved[i] += DIFFERENCE * scales[i]
        second[i] = (function(moved)[1] - slope) * scales / DIFFERENCE
    values, vectors = np.linalg.eigh(0.5 * (second + second.T))
    root = scales[:, None] * vectors / np.sqrt(np.maximum(values, LEAST_CURVATURE))
    return np.asarray(root @ root.T)
