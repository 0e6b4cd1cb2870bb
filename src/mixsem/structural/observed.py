"""Log-likelihood of the indicators given the clusters (equations 16 and 17), for choosing K."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..factors.moments import FactorMoments, positive_uniqueness
from ..kernels.covariance import inverse_and_log_det
from ..kernels.mixture import responsibilities

__all__ = ["observed_log_likelihood"]

Array = NDArray[np.float64]


def observed_log_likelihood(moments: FactorMoments, B: Array, Psi: Array, proportions: Array) -> float:
    """sum_g log sum_k pi_k N(S_g | Lambda_g Phi_gk Lambda_g' + Theta_g, N_g).

    Parameters
    ----------
    moments
        Restricted to the factors of B, in their order.
    B
        Shape (K, Q, Q).
    Psi
        Shape (G, K, Q, Q).
    proportions
        Shape (K,).
    """
    A = np.linalg.inv(np.eye(B.shape[-1]) - B)
    log_density = np.empty((1, B.shape[0], moments.n_groups))
    proper = np.ones(moments.n_groups, dtype=bool)
    for k in range(B.shape[0]):
        log_density[0, k], ok = _log_density(moments, A[k] @ Psi[:, k] @ A[k].T, moments.Theta)
        proper &= ok
    if not proper.all():
        Theta = positive_uniqueness(moments.Theta, moments.observed)
        for k in range(B.shape[0]):
            repaired, _ = _log_density(moments, A[k] @ Psi[:, k] @ A[k].T, Theta)
            log_density[0, k, ~proper] = repaired[~proper]
    return float(responsibilities(log_density, proportions[None])[1][0])


def _log_density(moments: FactorMoments, Phi: Array, Theta: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Log density of each group, shape (G,), and whether its implied matrix is positive definite."""
    Sigma = moments.Lambda @ Phi @ moments.Lambda.swapaxes(1, 2) + Theta
    log_det, W, proper = inverse_and_log_det(Sigma)
    trace = np.einsum("gij,gij->g", W, moments.observed)
    p = Sigma.shape[-1]
    return -0.5 * moments.n * (p * np.log(2 * np.pi) + log_det + trace), proper
