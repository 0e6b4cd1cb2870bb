"""Information matrices over all free parameters: from entries, from differences of gradients, under constraints."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .loss import Loss
from .matrices import ModelMap

__all__ = ["dense_information", "null_space", "numerical_information", "observed_information", "restricted_inverse"]

Array = NDArray[np.float64]


def dense_information(model: ModelMap, information: Array) -> Array:
    """Add entry matrices (G, E, E) up to the free parameters, shape (P, P)."""
    total = np.zeros((model.n_free, model.n_free))
    for free, block in zip(model.free, information, strict=True):
        used = np.flatnonzero(free >= 0)
        np.add.at(total, (free[used][:, None], free[used]), block[np.ix_(used, used)])
    return total


def observed_information(loss: Loss, theta: Array) -> Array:
    """Hessian of the loss, shape (P, P): analytic, or by central differences of the analytic gradient.

    Differences move parameters of one group each together: a gradient then serves all groups, and the number of
    gradients does not grow with the number of groups. Two step sizes are combined (Richardson), so that about ten
    digits hold.
    """
    observed = loss.observe(theta)
    return (
        numerical_information(loss, theta) if observed is None else dense_information(loss.model, observed.information)
    )


def numerical_information(loss: Loss, theta: Array) -> Array:
    """The Hessian by differences: what `observed_information` falls back on, and its check."""
    layout = loss.model.layout
    scale = 1e-3 * np.maximum(np.abs(theta), 0.1)
    coarse, fine = (_differences(loss, theta, step) for step in (scale, 0.5 * scale))
    H = (4.0 * fine - coarse) / 3.0
    shared = layout.shared
    border = H[:, shared]
    H[shared] = border.T  # the columns of shared parameters are complete; their rows follow by symmetry
    H[:, shared] = border
    return 0.5 * (H + H.T)


def _differences(loss: Loss, theta: Array, step: Array) -> Array:
    layout = loss.model.layout
    H = np.zeros((theta.size, theta.size))
    for j in layout.shared:
        move = np.zeros_like(theta)
        move[j] = step[j]
        H[:, j] = _slope(loss, theta, move) / (2.0 * step[j])
    for slot in layout.local.T:
        own = slot[slot >= 0]
        move = np.zeros_like(theta)
        move[own] = step[own]
        slope = _slope(loss, theta, move)
        for g in np.flatnonzero(slot >= 0):
            rows = layout.local[g][layout.local[g] >= 0]
            H[rows, slot[g]] = slope[rows] / (2.0 * step[slot[g]])
    return H


def _slope(loss: Loss, theta: Array, move: Array) -> Array:
    return loss.gradient(theta + move) - loss.gradient(theta - move)


def null_space(jacobian: Array) -> Array:
    """Directions that keep linear constraints, shape (P, P - rank): an orthonormal basis."""
    if not jacobian.shape[0]:
        return np.eye(jacobian.shape[1])
    _, values, basis = np.linalg.svd(jacobian)
    rank = int((values > 1e-10 * values.max(initial=0.0)).sum())
    return np.asarray(basis[rank:].T, dtype=float)


def restricted_inverse(H: Array, jacobian: Array) -> Array:
    """K (K'HK)^-1 K' with K the null space of the constraints: the covariance matrix under constraints.

    Raises `numpy.linalg.LinAlgError` if it does not exist.
    """
    if not jacobian.shape[0]:
        return np.asarray(np.linalg.inv(H), dtype=float)
    K = null_space(jacobian)
    return np.asarray(K @ np.linalg.inv(K.T @ H @ K) @ K.T, dtype=float)
