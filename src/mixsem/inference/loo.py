"""What ArviZ computes from log-likelihoods: leave-one-out cross-validation and Monte-Carlo errors."""

from __future__ import annotations

import math
import warnings
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

__all__ = ["leave_one_out", "monte_carlo_error"]

Array = NDArray[np.float64]


def leave_one_out(loglik: Array) -> tuple[Array, Array]:
    """Expected log predictive density of every group by Pareto smoothed importance sampling, and Pareto's k.

    Parameters
    ----------
    loglik
        Log-likelihood of every draw and group, shape (chains, draws, G).

    Returns
    -------
    tuple of NDArray
        Both of shape (G,). The density of a group with k above 0.7 cannot be trusted.

    References
    ----------
    Vehtari, Gelman & Gabry (2017), Practical Bayesian model evaluation. Statistics and Computing 27, 1413-1432.
    """
    arviz = _arviz()
    data = arviz.from_dict(log_likelihood={"y": loglik})
    with warnings.catch_warnings():  # which groups are concerned is said in a notice
        warnings.simplefilter("ignore")
        result = arviz.loo(data, pointwise=True, reff=_relative_size(loglik), scale="log")
    return result.loo_i.to_numpy(), result.pareto_k.to_numpy()


def monte_carlo_error(series: Array) -> float:
    """Standard error of the mean of a series that was sampled with autocorrelation, shape (chains, draws)."""
    return float(series.std(ddof=1) / math.sqrt(_effective_size(series)))


def _relative_size(loglik: Array) -> float:
    """Effective over actual number of draws, of the log-likelihood of all groups."""
    return min(_effective_size(loglik.sum(axis=2)) / loglik[..., 0].size, 1.0)


def _effective_size(series: Array) -> float:
    size = float(_arviz().ess(np.ascontiguousarray(series), method="mean"))
    return size if math.isfinite(size) and size > 0 else float(series.size)


def _arviz() -> ModuleType:
    with warnings.catch_warnings():  # ArviZ announces its next version whenever it is imported
        warnings.simplefilter("ignore", FutureWarning)
        import arviz
    return arviz
