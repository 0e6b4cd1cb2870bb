"""The covariance matrix of the estimates: from the information, or robust against non-normal data."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..kernels.covariance import inverse_and_log_det, moment_jacobian
from ..kernels.fourth_moments import normal_weight
from ..kernels.scores import row_moment_scores
from ..model.dense import dense_information, observed_information, restricted_inverse
from ..model.fit_ml import Optimum
from ..model.full_information import FullInformation
from ..model.least_squares import LeastSquares
from ..model.loss import Loss
from .compiled import CompiledSEM
from .losses import sample_gamma

__all__ = ["bread", "estimates_covariance", "information", "meat", "moment_gamma", "moment_weight"]

Array = NDArray[np.float64]


def estimates_covariance(compiled: CompiledSEM, optimum: Optimum) -> Array:
    """Covariance matrix of the free parameters, shape (P, P); NaN where the information is singular."""
    if optimum.theta.size == 0:
        return np.zeros((0, 0))
    try:
        if compiled.estimator.errors == "information":
            if optimum.system is not None and _information_is_loss(compiled.loss):
                return optimum.system.inverse()
            return bread(compiled, optimum, information(compiled, optimum))
        A = bread(compiled, optimum, information(compiled, optimum))
        return A @ meat(compiled, optimum) @ A
    except np.linalg.LinAlgError:
        return np.full((optimum.theta.size,) * 2, np.nan)


def _information_is_loss(loss: Loss) -> bool:
    """Whether the optimiser's information is the one that standard errors come from."""
    return not isinstance(loss, FullInformation | LeastSquares)


def information(compiled: CompiledSEM, optimum: Optimum) -> Array:
    """Information of the free parameters, shape (P, P).

    Observed (the Hessian) with incomplete data and for sandwich standard errors, else expected; these are lavaan's
    choices.
    """
    loss, theta = compiled.loss, optimum.theta
    if isinstance(loss, FullInformation) or compiled.estimator.errors == "sandwich":
        return observed_information(loss, theta)
    if isinstance(loss, LeastSquares):
        loss = replace(loss, n=group_sizes(compiled))
    return dense_information(loss.model, loss.evaluate(theta).information)


def group_sizes(compiled: CompiledSEM) -> Array:
    """By how many people each group counts in the information, shape (G,).

    As in lavaan N_g, for least squares times (N - G) / N, though their discrepancies have N_g - 1.
    """
    n = compiled.data.moments.n.astype(float)
    if isinstance(compiled.loss, LeastSquares):
        return n * (n.sum() - n.size) / n.sum()
    return n


def bread(compiled: CompiledSEM, optimum: Optimum, H: Array) -> Array:
    """Inverse information, within the constraints that bind."""
    return restricted_inverse(H, compiled.constraints.active_jacobian(optimum.theta))


def meat(compiled: CompiledSEM, optimum: Optimum) -> Array:
    """Covariance matrix of the gradient of the loss, shape (P, P).

    The cross-products of the rows' scores (sandwich), or n_g Delta' V Gamma V Delta added over groups (Browne, 1984).
    """
    model, theta = compiled.model, optimum.theta
    implied = model.implied(theta)
    Delta = kept_jacobian(compiled, theta)
    if compiled.estimator.errors == "sandwich":
        mu = implied.mu if model.meanstructure else compiled.data.moments.means
        crossed = score_products(compiled, mu, implied.Sigma)
    else:
        V = moment_weight(compiled, optimum)
        crossed = group_sizes(compiled)[:, None, None] * (V @ moment_gamma(compiled) @ V)
    return dense_information(model, Delta.swapaxes(1, 2) @ crossed @ Delta)


def kept_jacobian(compiled: CompiledSEM, theta: Array) -> Array:
    """Derivatives of the moments that the loss compares, shape (G, q, E)."""
    if isinstance(compiled.loss, LeastSquares):
        return compiled.loss.jacobian(theta)
    model = compiled.model
    return moment_jacobian(model.entry_vectors(model.implied(theta)), model.meanstructure)


def moment_weight(compiled: CompiledSEM, optimum: Optimum) -> Array:
    """V of every group, shape (G, q, q): of the least squares, or of the normal likelihood at the implied moments."""
    if isinstance(compiled.loss, LeastSquares):
        return compiled.loss.weight_matrices
    model = compiled.model
    W = inverse_and_log_det(model.implied(optimum.theta).Sigma).W
    return normal_weight(W, meanstructure=model.meanstructure)


def moment_gamma(compiled: CompiledSEM) -> Array:
    """Asymptotic covariance of the moments that the loss compares, from the rows, shape (G, q, q)."""
    if compiled.data.ordinal is not None:
        return compiled.data.ordinal.moment_gamma
    return sample_gamma(compiled.data, compiled.table.covariates, meanstructure=compiled.model.meanstructure)


def score_products(compiled: CompiledSEM, mu: Array, Sigma: Array) -> Array:
    """Sum over rows of the outer products of their scores with respect to the moments, shape (G, q, q)."""
    data, means = compiled.data, compiled.model.meanstructure
    assert data.values is not None and data.codes is not None
    if data.patterns is not None:
        from ..kernels.patterns import row_scores

        scores = row_scores(data.patterns.tables, data.values, data.patterns.pattern_of_row, mu, Sigma)
    else:
        scores = row_moment_scores(data.values, data.codes, mu, inverse_and_log_det(Sigma).W)
    if not means:
        scores = scores[:, mu.shape[1] :]
    begins = np.searchsorted(data.codes, np.arange(len(mu) + 1))
    return np.stack([scores[a:b].T @ scores[a:b] for a, b in pairwise(begins)])
