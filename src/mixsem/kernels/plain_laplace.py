"""Laplace's approximation of a generalised mixed model in plain NumPy, from the definitions: dense, slow, short."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["plain_laplace", "plain_mode"]

Array = NDArray[np.float64]
#: Log-likelihood, score and weight of each row at a linear predictor.
RowFunction = Callable[[Array], "tuple[Array, Array, Array]"]


def plain_mode(rows: RowFunction, base: Array, Z: Array, Lambda: Array) -> Array:
    """Conditional mode of the spherical random effects u by damped Newton steps.

    Parameters
    ----------
    rows
        The family at the responses.
    base
        Offset + X beta, length n.
    Z
        (n, q) columns of all random effects.
    Lambda
        (q, q) their covariance factor.
    """
    half = Z @ Lambda
    u = np.zeros(half.shape[1])

    def penalised(at: Array) -> float:
        with np.errstate(all="ignore"):
            value = float(rows(base + half @ at)[0].sum() - 0.5 * at @ at)
        return value if np.isfinite(value) else -np.inf

    for _ in range(500):
        _, score, weight = rows(base + half @ u)
        slope = half.T @ score - u
        values, vectors = np.linalg.eigh((half.T * weight) @ half + np.eye(len(u)))
        step = vectors @ (vectors.T @ slope / np.maximum(np.abs(values), 1e-3))
        length = 1.0
        while penalised(u + length * step) < penalised(u) - 1e-12 and length > 1e-12:
            length *= 0.5
        u = u + length * step
        if np.abs(length * step).max() < 1e-12:
            break
    return u


def plain_laplace(rows: RowFunction, base: Array, Z: Array, Lambda: Array) -> float:
    """-2 log-likelihood: -2 log f(y | u) + |u|^2 + log |Lambda' Z'WZ Lambda + I| at the mode of u."""
    u = plain_mode(rows, base, Z, Lambda)
    half = Z @ Lambda
    value, _, weight = rows(base + half @ u)
    _, log_det = np.linalg.slogdet((half.T * weight) @ half + np.eye(len(u)))
    return float(-2.0 * value.sum() + u @ u + log_det)
