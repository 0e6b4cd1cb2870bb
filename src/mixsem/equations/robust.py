"""Tests and fit measures that allow for non-normal data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from ..inference.fitmeasures import rmsea_interval
from ..model.fit_ml import Optimum
from ..model.full_information import FullInformation
from .baseline import baseline_of
from .covariance import bread, information, meat, moment_gamma, moment_weight, score_products
from .measures import baseline_statistic, degrees_of_freedom

if TYPE_CHECKING:
    from .compiled import CompiledSEM

__all__ = ["RobustTest", "ScaledStatistic", "robust_test", "scaled_statistic"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScaledStatistic:
    """A chi-square statistic corrected for non-normality: chisq = plain / scale + shift.

    Attributes
    ----------
    chisq, df, pvalue
        The corrected test; `df` is a fraction for the test adjusted in mean and variance.
    scale, shift
        The correction.
    """

    chisq: float
    df: float
    pvalue: float
    scale: float
    shift: float


@dataclass(frozen=True, slots=True)
class RobustTest:
    """The corrected tests of model and baseline model with the fit measures that follow.

    Attributes
    ----------
    model, baseline
        Corrected tests.
    cfi_scaled, tli_scaled, rmsea_scaled, rmsea_scaled_lower, rmsea_scaled_upper, rmsea_scaled_pvalue
        The formulas for normal data with the corrected statistics in them.
    cfi_robust, tli_robust, rmsea_robust, rmsea_robust_lower, rmsea_robust_upper
        Estimates of the normal-data population values (Brosseau-Liard, Savalei & Li, 2012; Brosseau-Liard & Savalei,
        2014): these are the ones to compare with the usual cut-offs.
    """

    model: ScaledStatistic
    baseline: ScaledStatistic
    cfi_scaled: float
    tli_scaled: float
    rmsea_scaled: float
    rmsea_scaled_lower: float
    rmsea_scaled_upper: float
    rmsea_scaled_pvalue: float
    cfi_robust: float
    tli_robust: float
    rmsea_robust: float
    rmsea_robust_lower: float
    rmsea_robust_upper: float


def robust_test(compiled: CompiledSEM, optimum: Optimum) -> RobustTest:
    """Correct the tests of the model and of its baseline model."""
    chisq = 2.0 * float(optimum.loss_per_group.sum())
    df = degrees_of_freedom(compiled, optimum.theta)
    model = scaled_statistic(compiled, optimum, chisq, df)
    baseline_chisq, baseline_df = baseline_statistic(compiled)
    baseline = scaled_statistic(*baseline_of(compiled), baseline_chisq, baseline_df)
    n, G = compiled.data.moments.n_total, compiled.data.moments.n_groups
    scaled = _incremental(model.chisq, model.df, baseline.chisq, baseline.df)
    noncentrality = (max(chisq - model.scale * df, 0.0), max(baseline_chisq - baseline.scale * baseline_df, 0.0))
    lower, upper, close = rmsea_interval(model.chisq, model.df, n, G)
    root = float(np.sqrt(model.scale))
    return RobustTest(
        model,
        baseline,
        cfi_scaled=scaled[0],
        tli_scaled=scaled[1],
        rmsea_scaled=_rmsea(model.chisq - model.df, model.df, n, G),
        rmsea_scaled_lower=lower,
        rmsea_scaled_upper=upper,
        rmsea_scaled_pvalue=close,
        cfi_robust=1.0 - noncentrality[0] / max(*noncentrality, 1e-300),
        tli_robust=_tli(chisq - model.scale * df, df, baseline_chisq - baseline.scale * baseline_df, baseline_df),
        rmsea_robust=_rmsea(noncentrality[0], df, n, G),
        rmsea_robust_lower=lower * root,
        rmsea_robust_upper=upper * root,
    )


def _rmsea(noncentrality: float, df: float, n: int, n_groups: int) -> float:
    return float(np.sqrt(n_groups * max(noncentrality, 0.0) / (n * df))) if df else 0.0


def _incremental(chisq: float, df: float, baseline: float, baseline_df: float) -> tuple[float, float]:
    worst = max(chisq - df, baseline - baseline_df, 0.0)
    cfi = 1.0 - max(chisq - df, 0.0) / worst if worst > 0 else 1.0
    return cfi, _tli(chisq - df, df, baseline - baseline_df, baseline_df)


def _tli(excess: float, df: float, baseline_excess: float, baseline_df: float) -> float:
    if not df or baseline_excess <= 0:
        return 1.0
    return 1.0 - (excess / df) * (baseline_df / baseline_excess)


def scaled_statistic(compiled: CompiledSEM, optimum: Optimum, chisq: float, df: int) -> ScaledStatistic:
    """Correct one test statistic.

    The distribution of the statistic is a sum of chi-squares weighed by the eigenvalues of U Gamma (Satorra & Bentler,
    1994); its trace gives the mean, that of its square the variance. U Gamma is never formed: H, the information, and
    J, the covariance matrix of the gradient, are enough.
    """
    test = compiled.estimator.test
    if df == 0:
        return ScaledStatistic(chisq, 0.0, np.nan, np.nan, 0.0)
    if test == "yuan-bentler":
        return _scaled(chisq, df, _yuan_bentler_trace(compiled, optimum) / df)
    first, second = satorra_bentler_traces(compiled, optimum)
    if test == "satorra-bentler":
        return _scaled(chisq, df, first / df)
    if test == "mean-var-adjusted":
        adjusted = first**2 / second
        return _scaled(chisq, adjusted, second / first)
    scale = float(np.sqrt(second / df))
    return _scaled(chisq, df, scale, df - first / scale)


def _scaled(chisq: float, df: float, scale: float, shift: float = 0.0) -> ScaledStatistic:
    value = chisq / scale + shift
    return ScaledStatistic(value, float(df), float(chdtrc(df, value)), scale, shift)


def satorra_bentler_traces(compiled: CompiledSEM, optimum: Optimum) -> tuple[float, float]:
    """Traces of U Gamma and of its square."""
    from ..model.dense import dense_information
    from .covariance import kept_jacobian

    model = compiled.model
    V, gamma = moment_weight(compiled, optimum), moment_gamma(compiled)
    Delta = kept_jacobian(compiled, optimum.theta)
    n = compiled.data.moments.n.astype(float)[:, None, None]
    VG = V @ gamma

    def added(inner: Array) -> Array:
        return dense_information(model, n * (Delta.swapaxes(1, 2) @ inner @ Delta))

    if model.n_free:
        inverse = bread(compiled, optimum, added(V))
        AJ, AK = inverse @ added(VG @ V), inverse @ added(VG @ VG @ V)
    else:
        AJ = AK = np.zeros((1, 1))
    first = float(np.einsum("gii->", VG) - np.trace(AJ))
    second = float(np.einsum("gij,gji->", VG, VG) - 2.0 * np.trace(AK) + np.trace(AJ @ AJ))
    return first, second


def _yuan_bentler_trace(compiled: CompiledSEM, optimum: Optimum) -> float:
    """Trace of B1 A1^-1 of the unrestricted model less that of B0 A0^-1 of the model (Asparouhov & Muthén, 2005)."""
    from ..kernels.covariance import inverse_and_log_det
    from ..kernels.fourth_moments import normal_weight
    from ..kernels.patterns import pattern_information

    data, model = compiled.data, compiled.model
    moments = data.moments
    crossed = score_products(compiled, moments.means, moments.covariances)
    if isinstance(compiled.loss, FullInformation):
        A1 = pattern_information(compiled.loss.tables, moments.covariances)
    else:
        W = inverse_and_log_det(moments.covariances).W
        A1 = moments.n[:, None, None] * normal_weight(W, meanstructure=model.meanstructure)
    unrestricted = float(np.einsum("gii->", np.linalg.solve(A1, crossed)))
    x = len(compiled.table.covariates)
    if x:
        unrestricted -= _covariate_trace(compiled, crossed, A1)
    if not model.n_free:
        return unrestricted
    A0 = bread(compiled, optimum, information(compiled, optimum))
    return unrestricted - float(np.trace(A0 @ meat(compiled, optimum)))


def _covariate_trace(compiled: CompiledSEM, crossed: Array, A1: Array) -> float:
    """The part of the unrestricted trace that belongs to the covariates' own moments."""
    items = compiled.data.moments.items
    p = len(items)
    rows, columns = np.triu_indices(p)
    inside = np.array([name in compiled.table.covariates for name in items])
    kept = inside[rows] & inside[columns]
    kept = np.concatenate([inside, kept]) if compiled.model.meanstructure else kept
    inverse = np.linalg.inv(A1)
    sandwich = inverse @ crossed @ inverse
    own = np.linalg.inv(inverse[:, kept][:, :, kept])
    return float(np.einsum("gij,gji->", own, sandwich[:, kept][:, :, kept]))
