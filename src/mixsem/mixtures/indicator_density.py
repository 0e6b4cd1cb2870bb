"""Class densities of the indicators, every group's residual variances maximised out (equations 16 and 17)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..structural.fit import MixtureFit

__all__ = ["indicator_log_densities"]

Array = NDArray[np.float64]


def indicator_log_densities(fit: MixtureFit, error: Array, iterations: int = 100) -> Array:
    """Log density of each group's indicators in each cluster, up to a constant of the group, shape (G, K).

    Given Lambda and Theta the factor scores are sufficient: with C = Phi + V their covariance matrix and V its error
    part, log f_gk is -N/2 (log|Phi_gk + V_g| + tr((Phi_gk + V_g)^-1 C_g)), to be maximised over the exogenous
    covariances and the residual variances in Phi_gk. EM does that, with the factors as missing data. Without
    measurement error this is the class density of the mixture.

    Parameters
    ----------
    fit
        A mixture with residual matrices of groups.
    error
        Error covariances V of the factor scores, shape (G, Q, Q).
    iterations
        EM iterations.
    """
    path, n = fit.path, fit.moments.n
    Q = len(path.factors)
    IB = np.eye(Q) - fit.B
    A = np.linalg.inv(IB)
    free = np.zeros((Q, Q))
    for block in (path.exogenous, *path.blocks):
        free[np.ix_(block, block)] = 1.0
    C, V = (fit.moments.Phi + error)[:, None], error[:, None]
    Psi = fit.Psi * free
    for _ in range(iterations):
        Phi = A @ Psi @ A.swapaxes(-1, -2)
        J = np.linalg.solve(Phi + V, Phi).swapaxes(-1, -2)
        expected = Phi - J @ Phi + J @ C @ J.swapaxes(-1, -2)
        Psi = (IB @ expected @ IB.swapaxes(-1, -2)) * free
    Sigma = A @ Psi @ A.swapaxes(-1, -2) + V
    trace = np.trace(np.linalg.solve(Sigma, np.broadcast_to(C, Sigma.shape)), axis1=-2, axis2=-1)
    return np.asarray(-0.5 * n[:, None] * (np.linalg.slogdet(Sigma)[1] + trace))
