"""What an estimator minimises, made from the data; the moments and weights that least squares compare."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..data.variation import require_definite
from ..errors import DataError, enumerate_briefly
from ..kernels.fourth_moments import adf_gamma, vech
from ..model.full_information import FullInformation
from ..model.least_squares import LeastSquares, unbiased
from ..model.loss import Loss, MaximumLikelihood
from ..model.matrices import ModelMap
from .data import SEMData
from .estimators import Estimator
from .ordinal import ordinal_loss

__all__ = ["covariate_moments", "fitted_covariances", "loss_of", "sample_gamma"]

Array = NDArray[np.float64]


def loss_of(estimator: Estimator, model: ModelMap, data: SEMData, covariates: Sequence[str] = ()) -> Loss:
    """What an estimator minimises.

    Parameters
    ----------
    covariates
        Observed variables whose moments are given: least squares do not compare them.

    Raises
    ------
    DataError
        If a covariance matrix, or the weight matrix of WLS, is singular.
    """
    moments = data.moments
    if data.patterns is not None:
        return FullInformation.of(model, data.patterns, data.saturated)
    if data.ordinal is not None:
        return ordinal_loss(estimator, model, data.ordinal)
    require_definite(data.moments)
    if estimator.discrepancy == "ML":
        return MaximumLikelihood.of(model, moments.n, moments.covariances, moments.means)
    n, S = unbiased(moments.n, moments.covariances)
    given = covariate_moments(moments.items, covariates, meanstructure=model.meanstructure)
    kept = np.flatnonzero(~given)
    if estimator.discrepancy == "ULS":
        return LeastSquares.unweighted(model, n, S, moments.means, kept)
    if estimator.discrepancy == "GLS":
        return LeastSquares.generalized(model, n, S, moments.means, kept)
    gamma = sample_gamma(data, covariates, meanstructure=model.meanstructure)[:, kept][:, :, kept]
    if estimator.discrepancy == "DWLS":
        return LeastSquares.diagonal(model, n, S, moments.means, np.einsum("gqq->gq", gamma), kept)
    _require_weights(gamma, data)
    return LeastSquares.weighted(model, n, S, moments.means, gamma, kept)


def fitted_covariances(estimator: Estimator, data: SEMData) -> Array:
    """The covariance matrices that are fitted: of divisor n, for least squares of continuous data n - 1."""
    moments = data.moments
    if estimator.likelihood or data.ordinal is not None:
        return moments.covariances
    return unbiased(moments.n, moments.covariances)[1]


def covariate_moments(items: Sequence[str], covariates: Sequence[str], *, meanstructure: bool) -> NDArray[np.bool_]:
    """Which moments are those of covariates alone, shape (q,): given, not explained."""
    inside = np.array([name in covariates for name in items], dtype=bool)
    pairs = vech(inside[:, None] & inside)
    moments = np.concatenate([inside, pairs]) if meanstructure else pairs
    return np.asarray(moments, dtype=bool)


def sample_gamma(data: SEMData, covariates: Sequence[str] = (), *, meanstructure: bool) -> Array:
    """Distribution-free covariance of each group's moments, shape (G, q, q).

    Given covariates, it is that of the moments less those of what the covariates predict: where the rows happened to
    have unusual covariates is no uncertainty.
    """
    groups = range(len(data.groups))
    if not covariates:
        return np.stack([adf_gamma(data.values_of(g), meanstructure=meanstructure) for g in groups])
    at = [data.moments.items.index(name) for name in covariates]
    return np.stack([_conditional_gamma(data.values_of(g), at, meanstructure) for g in groups])


def _conditional_gamma(values: Array, at: Sequence[int], meanstructure: bool) -> Array:
    centred = values - values.mean(axis=0)
    X = centred[:, at]
    predicted = X @ np.linalg.lstsq(X, centred, rcond=None)[0]
    predicted[:, at] = X
    rows, columns = np.triu_indices(values.shape[1])
    products = centred[:, rows] * centred[:, columns] - predicted[:, rows] * predicted[:, columns]
    stacked = np.hstack([centred - predicted, products]) if meanstructure else products
    stacked = stacked - stacked.mean(axis=0)
    return np.asarray(stacked.T @ stacked / len(values))


def _require_weights(gamma: Array, data: SEMData) -> None:
    few = [g for g, n in zip(data.groups, data.moments.n, strict=True) if n <= gamma.shape[-1]]
    if few:
        raise DataError(
            f"the weight matrix of WLS ({gamma.shape[-1]} moments) is singular in {enumerate_briefly(few)}",
            allowed="groups with more rows than moments",
            todo="use estimator='MLR' or 'DWLS'",
        )
