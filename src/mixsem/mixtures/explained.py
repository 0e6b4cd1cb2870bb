"""Explained variance and standardized regressions of a mixture: per group and cluster, and per cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..equations.r2 import r2
from ..equations.standardized import standardized
from ..structural.fit import MixtureFit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cluster_weights", "explained_shares", "implied_covariances", "r2", "standardized", "standardized_values"]

Array = NDArray[np.float64]


def implied_covariances(fit: MixtureFit) -> Array:
    """Factor covariances of every group if it were in each cluster: (I - B)^-1 Psi_gk (I - B)^-T.

    B is that of the cluster, with the group's own regressions where some are group-specific.

    Returns
    -------
    NDArray
        Shape (G, K, Q, Q).
    """
    path, Q = fit.path, len(fit.path.factors)
    B = np.zeros((len(fit.groups), fit.k, Q, Q))
    slopes = ~path.is_intercept
    B[..., path.outcome[slopes], path.predictor[slopes]] = _coefficients(fit)[..., slopes]
    A = np.linalg.inv(np.eye(Q) - B)
    return np.asarray(A @ fit.Psi @ A.swapaxes(2, 3))


def explained_shares(fit: MixtureFit) -> Array:
    """R-squared of every outcome, 1 - psi_gkj / phi_gkj.

    Returns
    -------
    NDArray
        Shape (G, K, J), outcomes in the order of the factors.
    """
    at = _outcomes(fit)
    residual, whole = (np.einsum("gkii->gki", M)[..., at] for M in (fit.Psi, implied_covariances(fit)))
    return np.asarray(1.0 - residual / whole)


def standardized_values(fit: MixtureFit) -> Array:
    """Regressions in standard deviations of outcome and predictor, those of the same group and cluster.

    Intercepts are in standard deviations of the outcome.

    Returns
    -------
    NDArray
        Shape (G, K, R).
    """
    sd = np.sqrt(np.einsum("gkii->gki", implied_covariances(fit)))
    sd = np.concatenate([sd, np.ones((*sd.shape[:2], 1))], axis=2)  # the constant keeps its unit
    return np.asarray(_coefficients(fit) * sd[..., fit.path.predictor] / sd[..., fit.path.outcome])


def _coefficients(fit: MixtureFit) -> Array:
    """Regressions of every group in every cluster, shape (G, K, R)."""
    if fit.group_coefficients is not None:
        return fit.group_coefficients
    return np.broadcast_to(fit.coefficients, (len(fit.groups), *fit.coefficients.shape))


def cluster_weights(fit: MixtureFit) -> Array:
    """How much each group counts in the mean of a cluster: probability of the cluster times people, sum 1.

    Returns
    -------
    NDArray
        Shape (G, K).
    """
    weight = fit.posterior * fit.moments.n[:, None]
    with np.errstate(invalid="ignore"):  # an empty cluster has no mean
        return np.asarray(weight / weight.sum(axis=0))


@r2.register(MixtureFit)
def _mixture_r2(fit: MixtureFit) -> pd.DataFrame:
    names = [fit.path.factors[j] for j in _outcomes(fit)]
    frame = _frame(fit, explained_shares(fit), {"variable": names})
    return frame.rename(columns={"estimate": "r2"})


@standardized.register(MixtureFit)
def _mixture_standardized(fit: MixtureFit) -> pd.DataFrame:
    path = fit.path
    names = {
        "outcome": [path.factors[j] for j in path.outcome],
        "predictor": [path.nodes[i] for i in path.predictor],
    }
    return _frame(fit, standardized_values(fit), names)


def _outcomes(fit: MixtureFit) -> list[int]:
    return [j for j in range(len(fit.path.factors)) if j not in fit.path.exogenous]


def _frame(fit: MixtureFit, values: Array, names: dict[str, list[str]]) -> pd.DataFrame:
    """Means of the clusters, then every group in every cluster."""
    import pandas as pd

    G, K, J = values.shape
    means = np.einsum("gk,gkj->kj", cluster_weights(fit), values)
    groups = [group for group in fit.groups for _ in range(K * J)]
    n = np.repeat(fit.moments.n, K * J)
    return pd.DataFrame(
        {
            "level": ["cluster"] * (K * J) + ["group"] * (G * K * J),
            "cluster": np.tile(np.repeat(np.arange(1, K + 1), J), G + 1),
            "group": pd.Series([None] * (K * J) + groups, dtype=object),
            **{name: column * (K * (G + 1)) for name, column in names.items()},
            "estimate": np.concatenate([means.ravel(), values.ravel()]),
            "probability": np.concatenate([np.repeat(fit.proportions, J), np.repeat(fit.posterior.ravel(), J)]),
            "n": np.concatenate([np.repeat(_people(fit), J), n]),
        }
    )


def _people(fit: MixtureFit) -> NDArray[np.int64]:
    """People of the groups whose most probable cluster it is."""
    return np.array([fit.moments.n[fit.clusters == c + 1].sum() for c in range(fit.k)])
