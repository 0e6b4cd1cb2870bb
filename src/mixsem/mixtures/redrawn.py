"""Memberships averaged over factor covariances that are drawn again: a candidate that counts sampling error twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..factors.moments import repair_covariances
from ..structural.fit import MixtureFit
from .indicator_density import indicator_log_densities
from .step1_draws import measurement_draws, score_error

__all__ = ["averaged_over_redraws"]

Array = NDArray[np.float64]


def averaged_over_redraws(fit: MixtureFit, n: int, rng: np.random.Generator) -> Array:
    """Mean of the mixture's own probabilities over draws of Phi_g, shape (G, K).

    A draw adds what a Wishart matrix of the scores' covariances and drawn measurement parameters change. Memberships
    are already probabilities given one sample; averaging them over samples around it counts that sampling error a
    second time.

    Parameters
    ----------
    fit
        A mixture with residual matrices of groups.
    n
        Number of draws.
    rng
        Source of randomness.
    """
    m = fit.moments
    C = m.Phi + score_error(m)
    root = np.linalg.cholesky(C)
    step1 = measurement_draws(m, n, rng)
    middle = step1.mean(axis=0) if len(step1) else 0.0
    G, Q = m.Phi.shape[:2]
    total = np.zeros_like(fit.posterior)
    for t in range(n):
        scores = np.empty_like(C)
        for g in range(G):
            z = rng.standard_normal((int(m.n[g]) - 1, Q)) @ root[g].T
            scores[g] = z.T @ z / m.n[g]
        drawn = m.Phi + scores - C + (step1[t % len(step1)] - middle if len(step1) else 0.0)
        Phi, _ = repair_covariances(drawn, np.diagonal(m.Phi, axis1=1, axis2=2), error=m.error, n=m.n)
        again = replace(fit, moments=replace(m, Phi=Phi))
        joint = indicator_log_densities(again, np.zeros_like(Phi), iterations=1)
        joint += np.log(np.maximum(fit.proportions, 1e-300))
        z = np.exp(joint - joint.max(axis=1, keepdims=True))
        total += z / z.sum(axis=1, keepdims=True)
    return np.asarray(total / n)
