"""Log-likelihood of the indicators given the clusters (equations 16 and 17), for choosing K."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..factors.moments import FactorMoments, positive_uniqueness
from ..kernels.covariance import inverse_and_log_det
from ..kernels.mixture import responsibilities

__all__ = ["observed_log_likelihood"]

Array = NDArray[np.float64]


def observed_log_likelihood(
    moments: FactorMoments, B: Array, Psi: Array, proportions: Array, means: Array | None = None
) -> float:
    """sum_g log sum_k pi_k N(S_g | Lambda_g Phi_gk Lambda_g' + Theta_g, N_g).

    Parameters
    ----------
    moments
        Restricted to the factors of B, in their order.
    B
        Shape (K, Q, Q), or (G, K, Q, Q) if some regressions are group-specific.
    Psi
        Shape (G, K, Q, Q).
    proportions
        Shape (K,).
    means
        Factor means of every group in each cluster, shape (G, K, Q); None if means are saturated.
    """
    A = np.linalg.inv(np.eye(B.shape[-1]) - B)
    k_clusters = proportions.size
    implied = []
    for k in range(k_clusters):
        left = A[k] if A.ndim == 3 else A[:, k]
        implied.append(left @ Psi[:, k] @ left.swapaxes(-1, -2))
    observed = [_about_implied(moments, None if means is None else means[:, k]) for k in range(k_clusters)]
    log_density = np.empty((1, k_clusters, moments.n_groups))
    proper = np.ones(moments.n_groups, dtype=bool)
    for k in range(k_clusters):
        log_density[0, k], ok = _log_density(moments, implied[k], moments.Theta, observed[k])
        proper &= ok
    if not proper.all():
        Theta = positive_uniqueness(moments.Theta, moments.observed)
        for k in range(k_clusters):
            repaired, _ = _log_density(moments, implied[k], Theta, observed[k])
            log_density[0, k, ~proper] = repaired[~proper]
    return float(responsibilities(log_density, proportions[None])[1][0])


def _about_implied(moments: FactorMoments, means: Array | None) -> Array:
    """Second moments of the indicators about their implied means, shape (G, p, p)."""
    if means is None or moments.mean_structure is None:
        return moments.observed
    deviation = moments.mean_structure.indicators - np.einsum("gpq,gq->gp", moments.Lambda, means)
    return moments.observed + deviation[:, :, None] * deviation[:, None, :]


def _log_density(moments: FactorMoments, Phi: Array, Theta: Array, observed: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Log density of each group, shape (G,), and whether its implied matrix is positive definite."""
    Sigma = moments.Lambda @ Phi @ moments.Lambda.swapaxes(1, 2) + Theta
    log_det, W, proper = inverse_and_log_det(Sigma)
    trace = np.einsum("gij,gij->g", W, observed)
    p = Sigma.shape[-1]
    return -0.5 * moments.n * (p * np.log(2 * np.pi) + log_det + trace), proper
