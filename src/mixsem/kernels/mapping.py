"""From observed variables to factors: the mapping of structural after measurement."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["definite_share", "mapping_matrix"]

Array = NDArray[np.float64]


def mapping_matrix(Lambda: Array, Theta: Array) -> Array:
    """M = (Lambda' Theta^-1 Lambda)^-1 Lambda' Theta^-1, so that M Lambda = I.

    Parameters
    ----------
    Lambda
        Loadings, shape (G, p, Q).
    Theta
        Unique (co)variances that can be inverted, shape (G, p, p).

    Returns
    -------
    NDArray
        The mapping of every group, shape (G, Q, p).
    """
    weighted = np.linalg.solve(Theta, Lambda).swapaxes(1, 2)
    return np.linalg.solve(weighted @ Lambda, weighted)


def definite_share(observed: Array, error: Array, n: Array) -> Array:
    """Share of the error that may be taken off a covariance matrix so that a positive definite one remains, shape (G,).

    It is 1 where ``observed - error`` is safely positive definite; elsewhere the smallest root of
    ``observed = root * error`` less 1/(N - 1) (Fuller, 1987, section 2.2).

    Parameters
    ----------
    observed, error
        Covariance matrices of scores and of their errors, shape (G, Q, Q).
    n
        People per group, shape (G,).
    """
    share = np.ones(len(observed))
    for g, (S, E) in enumerate(zip(observed, error, strict=True)):
        L = np.linalg.cholesky(S)
        whitened = np.linalg.solve(L, np.linalg.solve(L, E).T)
        root = 1.0 / max(float(np.linalg.eigvalsh(0.5 * (whitened + whitened.T))[-1]), 1e-300)
        small = 1.0 / (n[g] - 1.0)
        if root < 1.0 + small:
            share[g] = root - small
    return share
