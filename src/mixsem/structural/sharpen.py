"""The last digits of the best solution: EM is slow where clusters overlap, Newton's method is not.

With residual matrices of each group and cluster maximised out, log L depends on the regressions and the cluster
proportions alone, and EM has its score at hand: h - H beta for the regressions, the sum of z_gk - pi_k for the
logits of the proportions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, root
from scipy.special import softmax

from ..kernels.mixture import (
    EMData,
    class_log_densities,
    normal_equations,
    residual_matrices,
    residual_products,
    responsibilities,
)
from .em import EMSettings, EMState, run_em, settle

__all__ = ["ProfileLikelihood", "sharpen"]

Array = NDArray[np.float64]

#: Log L may fall by this share of its size, by rounding, while its gradient gets smaller.
ROUNDING = 1e-11


@dataclass(frozen=True, eq=False, slots=True)
class ProfileLikelihood:
    """Log L of equation 13 over the free regressions and the cluster proportions.

    A point x holds the cluster-specific regressions cluster by cluster, then the equal ones, then the logits of
    the proportions against the last cluster.

    Attributes
    ----------
    data
        What the EM iterations work on; residual matrices must belong to groups and clusters.
    k
        Number of clusters.
    """

    data: EMData
    k: int

    def pack(self, beta: Array, pi: Array) -> Array:
        """The point x of coefficients (K, R) and proportions (K,)."""
        own, same = ~self.data.equal, self.data.equal
        free = (beta - self.data.offset) @ np.linalg.pinv(self.data.design).T
        return np.concatenate([free[:, own].ravel(), free[0, same], np.log(pi[:-1] / pi[-1])])

    def unpack(self, x: Array) -> tuple[Array, Array]:
        """Coefficients (1, K, R) and proportions (1, K) of a point."""
        own, same = ~self.data.equal, self.data.equal
        free = np.empty((self.k, own.size))
        split = self.k * int(own.sum())
        free[:, own] = x[:split].reshape(self.k, -1)
        free[:, same] = x[split : split + int(same.sum())]
        pi = softmax(np.append(x[split + int(same.sum()) :], 0.0))
        return (free @ self.data.design.T + self.data.offset)[None], pi[None]

    def evaluate(self, x: Array) -> tuple[float, Array]:
        """Log L and its gradient at a point."""
        beta, pi = self.unpack(x)
        products = residual_products(self.data, beta)
        residuals = residual_matrices(self.data, products, None)
        z, loglik = responsibilities(class_log_densities(self.data, products, residuals), pi)
        H, h = normal_equations(self.data, z, residuals)
        score = (h[0] - np.einsum("krt,kt->kr", H[0], beta[0])) @ self.data.design
        own, same = ~self.data.equal, self.data.equal
        d_logits = z[0].sum(axis=1) - self.data.n.size * pi[0]
        return float(loglik[0]), np.concatenate([score[:, own].ravel(), score[:, same].sum(axis=0), d_logits[:-1]])


def sharpen(data: EMData, state: EMState, settings: EMSettings) -> EMState:
    """Finish one start (s = 1): quasi-Newton steps to the maximum, then Newton steps on the score.

    Where the residual matrices belong to clusters, the score is not at hand and EM goes on to a tolerance of
    1e-10 instead; so it does where a cluster has lost all its weight.
    """
    k = state.pi.shape[1]
    if not data.by_group or state.pi.min() < 1e-10:
        tight = replace(settings, tolerance=min(settings.tolerance, 1e-10))
        return settle(data, run_em(data, state, tight))
    likelihood = ProfileLikelihood(data, k)
    x = likelihood.pack(state.beta[0], state.pi[0])
    if x.size == 0:
        return state
    climbed = minimize(_negative(likelihood), x, jac=True, method="BFGS", options={"gtol": 1e-7, "maxiter": 500})
    x = _better(likelihood, x, climbed.x)
    solved = root(lambda point: likelihood.evaluate(point)[1], x, method="hybr", options={"xtol": 1e-14})
    x = _better(likelihood, x, solved.x)
    beta, pi = likelihood.unpack(x)
    products = residual_products(data, beta)
    residuals = residual_matrices(data, products, None)
    return settle(data, replace(state, pi=pi, beta=beta, products=products, residuals=residuals))


def _negative(likelihood: ProfileLikelihood) -> Callable[[Array], tuple[float, Array]]:
    """What a minimiser wants: minus log L and minus its gradient."""

    def objective(x: Array) -> tuple[float, Array]:
        value, gradient = likelihood.evaluate(x)
        return -value, -gradient

    return objective


def _better(likelihood: ProfileLikelihood, x: Array, other: Array) -> Array:
    """The other point, if its gradient is smaller and log L no lower than rounding explains."""
    if not np.isfinite(other).all():
        return x
    value, gradient = likelihood.evaluate(x)
    new_value, new_gradient = likelihood.evaluate(other)
    not_lower = new_value >= value - ROUNDING * abs(value)
    return other if not_lower and np.abs(new_gradient).max() < np.abs(gradient).max() else x
