"""The simplicity function of alignment, with its gradient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["align_values", "simplicity"]

Array = NDArray[np.float64]


def align_values(loadings: Array, intercepts: Array, means: Array, sds: Array) -> tuple[Array, Array]:
    """Loadings and intercepts on the scale of factors with other means and standard deviations, each of shape (G, k).

    Parameters
    ----------
    loadings, intercepts
        With factors of mean 0 and variance 1 in every group, shape (G, k).
    means, sds
        Factor means and standard deviations, shape (G,).
    """
    aligned = loadings / sds[:, None]
    return aligned, intercepts - means[:, None] * aligned


def simplicity(
    loadings: Array, intercepts: Array, n: Array, x: Array, epsilon: float, free: NDArray[np.bool_]
) -> tuple[float, Array]:
    """Total simplicity function and its gradient.

    F adds sqrt(N_g N_h) [f(difference of loadings) + f(difference of intercepts)] over items and pairs of groups, with
    f(d) = (d^2 + epsilon)^(1/4) (Asparouhov & Muthén, 2014), and is divided by the sum of the weights.

    Parameters
    ----------
    loadings, intercepts
        As of `align_values`.
    n
        People per group, shape (G,).
    x
        Log standard deviations, of which the mean is taken off (their product is 1), then factor means, shape (2G,).
    epsilon
        Rounds f off at zero.
    free
        Groups whose factor mean is free, shape (G,); the others have mean 0.
    """
    G = loadings.shape[0]
    log_sd, means = x[:G] - x[:G].mean(), np.where(free, x[G:], 0.0)
    sds = np.exp(log_sd)
    aligned, shifted = align_values(loadings, intercepts, means, sds)
    weight = np.sqrt(np.outer(n, n))
    np.fill_diagonal(weight, 0.0)
    weight = weight / weight.sum()
    value, d_aligned = _pairs(aligned, weight, epsilon)
    more, d_shifted = _pairs(shifted, weight, epsilon)
    # Aligned intercepts are nu - alpha lambda, with lambda = lambda0 / sd.
    d_means = -(d_shifted * aligned).sum(axis=1)
    d_lambda = d_aligned - means[:, None] * d_shifted
    d_log = -(d_lambda * aligned).sum(axis=1)
    return value + more, np.concatenate([d_log - d_log.mean(), np.where(free, d_means, 0.0)])


def _pairs(values: Array, weight: Array, epsilon: float) -> tuple[float, Array]:
    """Sum over items and pairs of groups of weight x f, and its gradient with respect to the values (G, k)."""
    d = values[:, None, :] - values[None, :, :]
    inside = d * d + epsilon
    root = np.sqrt(np.sqrt(inside))
    total = float(np.einsum("gh,ghk->", weight, root))
    slope = 0.5 * d * root / inside  # derivative of (d^2 + e)^(1/4)
    return total, 2.0 * np.einsum("gh,ghk->gk", weight, slope)
