"""Fit measures of a structural equation model, with lavaan's counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..inference.fitmeasures import FitMeasures, fit_measures, srmr
from ..kernels.covariance import inverse_and_log_det, log_likelihood
from ..model.dense import null_space
from ..model.fit_ml import Optimum
from ..model.full_information import FullInformation
from ..model.least_squares import LeastSquares
from ..model.loss import MaximumLikelihood
from .baseline import baseline_of
from .losses import fitted_covariances
from .ordinal import ordinal_srmr

if TYPE_CHECKING:
    from .compiled import CompiledSEM

__all__ = ["baseline_statistic", "degrees_of_freedom", "model_measures", "n_of_discrepancy", "n_restricted"]

Array = NDArray[np.float64]


def model_measures(compiled: CompiledSEM, optimum: Optimum) -> FitMeasures:
    """All measures of a fit; NaN where there is no likelihood."""
    moments, loss, theta = compiled.data.moments, compiled.loss, optimum.theta
    chisq = max(2.0 * float(optimum.loss_per_group.sum()), 0.0)
    baseline_chisq, baseline_df = baseline_statistic(compiled)
    # Thresholds are parameters, though free in every group and outside of the loss.
    n_locations = 0 if compiled.data.ordinal is None else compiled.data.ordinal.n_locations
    return fit_measures(
        chisq=chisq,
        df=degrees_of_freedom(compiled, theta),
        n_params=n_restricted(compiled, theta) + n_locations,
        loglik=model_loglik(compiled, optimum) if compiled.estimator.likelihood else np.nan,
        n=moments.n,
        baseline=(baseline_chisq, baseline_df),
        residual_srmr=_srmr(compiled, optimum),
        has_likelihood=isinstance(loss, MaximumLikelihood | FullInformation),
        n_rmsea=n_of_discrepancy(compiled),
    )


def n_of_discrepancy(compiled: CompiledSEM) -> int:
    """The N by which discrepancies are multiplied: people, less one per group for least squares."""
    moments = compiled.data.moments
    return moments.n_total - moments.n_groups * isinstance(compiled.loss, LeastSquares)


def n_restricted(compiled: CompiledSEM, theta: Array) -> int:
    """Free parameters less the equality constraints among them."""
    jacobian = compiled.constraints.equality(theta)[1]
    return int(null_space(jacobian).shape[1]) if jacobian.shape[0] else compiled.model.n_free


def degrees_of_freedom(compiled: CompiledSEM, theta: Array) -> int:
    """Moments that the model explains, without those of covariates, less its parameters."""
    model, x = compiled.model, len(compiled.table.covariates)
    p = len(model.observed)
    kept = getattr(compiled.loss, "kept", None)
    if compiled.data.ordinal is not None and kept is not None:
        return int(model.n_groups * kept.size) - n_restricted(compiled, theta)
    per_group = (p * (p + 1) - x * (x + 1)) // 2 + (p - x if model.meanstructure else 0)
    return model.n_groups * per_group - n_restricted(compiled, theta)


def model_loglik(compiled: CompiledSEM, optimum: Optimum) -> float:
    """Log-likelihood of the data given the covariates."""
    moments, loss = compiled.data.moments, compiled.loss
    p = len(moments.items)
    if isinstance(loss, FullInformation):
        joint = loss.loglik(optimum.theta)
    else:
        assert isinstance(loss, MaximumLikelihood)
        joint = log_likelihood(2.0 * optimum.loss_per_group / loss.n, loss.n, loss.log_det_S, p)
    return float((joint - covariate_loglik(compiled)).sum())


def covariate_loglik(compiled: CompiledSEM) -> Array:
    """Saturated log-likelihood of the covariates, shape (G,)."""
    moments, covariates = compiled.data.moments, compiled.table.covariates
    if not covariates:
        return np.zeros(moments.n_groups)
    at = [moments.items.index(name) for name in covariates]
    S = moments.covariances[:, at][:, :, at]
    return log_likelihood(np.zeros(len(S)), moments.n.astype(float), inverse_and_log_det(S).log_det, len(at))


def baseline_statistic(compiled: CompiledSEM) -> tuple[float, int]:
    """Chi-square and degrees of freedom of the baseline model: only variables that merely predict are correlated."""
    moments, exogenous = compiled.data.moments, compiled.table.exogenous
    p, x = len(moments.items), len(exogenous)
    df = moments.n_groups * (p * (p - 1) - x * (x - 1)) // 2
    if not isinstance(compiled.loss, MaximumLikelihood):
        _, optimum = baseline_of(compiled)
        return 2.0 * float(optimum.loss_per_group.sum()), df
    S, own = moments.covariances, [i for i, name in enumerate(moments.items) if name not in exogenous]
    at = [i for i in range(p) if i not in own]
    log_det = np.log(np.diagonal(S, axis1=1, axis2=2)[:, own]).sum(axis=1) - compiled.loss.log_det_S
    if at:
        log_det = log_det + inverse_and_log_det(S[:, at][:, :, at]).log_det
    return float(moments.n @ log_det), df


def _srmr(compiled: CompiledSEM, optimum: Optimum) -> float:
    moments, model = compiled.data.moments, compiled.model
    implied = model.implied(optimum.theta)
    S = fitted_covariances(compiled.estimator, compiled.data)
    if compiled.data.ordinal is not None:
        return ordinal_srmr(compiled, optimum.theta)
    deviation = moments.means - implied.mu if model.meanstructure else None
    return srmr(implied.Sigma, S, moments.n, deviation)
