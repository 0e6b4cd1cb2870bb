"""Fit measures for incomplete data: what the model would show, had nothing been missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..kernels.covariance import inverse_and_log_det
from ..kernels.fourth_moments import normal_weight
from ..kernels.moment_hessian import pattern_hessian
from ..model.dense import dense_information
from ..model.fit_ml import Optimum
from ..model.full_information import FullInformation
from ..model.loss import MaximumLikelihood
from .covariance import bread, kept_jacobian, score_products
from .losses import covariate_moments
from .measures import baseline_statistic, degrees_of_freedom
from .robust_measures import Corrected, RobustMeasures, measures_of

if TYPE_CHECKING:
    from .compiled import CompiledSEM

__all__ = ["incomplete_measures", "saturated_information"]

Array = NDArray[np.float64]


def saturated_information(compiled: CompiledSEM) -> Array:
    """Information of the unrestricted moments of every group at their estimates, shape (G, q, q).

    Observed if rows are incomplete, else expected.
    """
    moments = compiled.data.moments
    if isinstance(compiled.loss, FullInformation):
        return pattern_hessian(compiled.loss.tables, moments.means, moments.covariances)
    W = inverse_and_log_det(moments.covariances).W
    weight = normal_weight(W, meanstructure=compiled.model.meanstructure)
    return np.asarray(moments.n[:, None, None] * weight)


def incomplete_measures(
    compiled: CompiledSEM, optimum: Optimum, baseline: CompiledSEM, baseline_optimum: Optimum
) -> RobustMeasures:
    """Robust measures of models fitted by full information.

    The statistic is the complete-data discrepancy between unrestricted and implied moments; its mean per degree of
    freedom allows for what is missing and, with a robust estimator, for non-normality.

    References
    ----------
    Zhang & Savalei (2023), New computations for RMSEA and CFI following FIML and TS estimation with missing data.
    Psychological Methods 28, 263-283.
    """
    moments = compiled.data.moments
    df, (_, baseline_df) = degrees_of_freedom(compiled, optimum.theta), baseline_statistic(compiled)
    return measures_of(
        _corrected(compiled, optimum, df),
        _corrected(baseline, baseline_optimum, baseline_df),
        moments.n_total,
        moments.n_groups,
    )


def _corrected(compiled: CompiledSEM, optimum: Optimum, df: int) -> Corrected:
    moments, model = compiled.data.moments, compiled.model
    complete = MaximumLikelihood.of(model, moments.n, moments.covariances, moments.means)
    chisq = 2.0 * complete.value(optimum.theta)
    if not df:
        return Corrected(chisq, 0, 1.0, chisq, 1.0)
    c = _mean(compiled, optimum) / df
    return Corrected(chisq, df, c, chisq / c, c)


def _mean(compiled: CompiledSEM, optimum: Optimum) -> float:
    """Mean of the complete-data statistic: trace of Wc Wm^-1 U Wm^-1, with U Gamma U in place of U if robust.

    Wm is the information of the unrestricted moments in the incomplete data and Wc that in complete data of the same
    size, both times n; U = Wm - Wm Delta E^-1 Delta' Wm with E = Delta' Wm Delta is the residual information.
    """
    moments, model = compiled.data.moments, compiled.model
    given = covariate_moments(moments.items, compiled.table.covariates, meanstructure=True)
    kept = np.flatnonzero(~given)  # the moments of covariates are conditioned on

    def within(matrix: Array) -> Array:
        return matrix[:, kept][:, :, kept]

    Wm = within(saturated_information(compiled))
    W = inverse_and_log_det(moments.covariances).W
    Wc = within(moments.n[:, None, None] * normal_weight(W, meanstructure=True))
    Delta = kept_jacobian(compiled, optimum.theta)[:, kept]
    inverse = np.linalg.inv(Wm)
    robust = compiled.estimator.robust
    J = within(score_products(compiled, moments.means, moments.covariances)) if robust else Wm
    spread = inverse @ J @ inverse  # covariance matrix of the unrestricted estimates
    total = float(np.einsum("gij,gji->", Wc, spread))
    if not model.n_free:
        return total

    def added(inner: Array) -> Array:
        return dense_information(model, Delta.swapaxes(1, 2) @ inner @ Delta)

    E = bread(compiled, optimum, added(Wm))
    first = float(np.trace(E @ added(Wc @ spread @ Wm)))
    second = float(np.trace(E @ added(Wc) @ E @ added(Wm @ spread @ Wm)))
    return total - 2.0 * first + second
