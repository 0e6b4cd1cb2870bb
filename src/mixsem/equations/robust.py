"""Tests and fit measures that allow for non-normal data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from ..inference.fitmeasures import rmsea_interval
from ..model.dense import dense_information
from ..model.fit_ml import Optimum
from .baseline import baseline_of
from .covariance import bread, information, kept_jacobian, meat, moment_gamma, moment_weight, score_products
from .incomplete import incomplete_measures, saturated_information
from .losses import covariate_moments
from .measures import baseline_statistic, degrees_of_freedom, n_of_discrepancy
from .robust_measures import Corrected, RobustMeasures, incremental, measures_of, rmsea

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
    mean
        Mean of the distribution of the plain statistic, the trace of U Gamma.
    """

    chisq: float
    df: float
    pvalue: float
    scale: float
    shift: float
    mean: float


@dataclass(frozen=True, slots=True)
class RobustTest:
    """The corrected tests of model and baseline model with the fit measures that follow.

    Attributes
    ----------
    model, baseline
        Corrected tests.
    cfi_scaled, tli_scaled, rmsea_scaled, rmsea_scaled_lower, rmsea_scaled_upper, rmsea_scaled_pvalue
        The formulas for normal data with the corrected statistics in them.
    population
        What the measures would be in normal, complete data; NaN where there is no such correction.
    """

    model: ScaledStatistic
    baseline: ScaledStatistic
    cfi_scaled: float
    tli_scaled: float
    rmsea_scaled: float
    rmsea_scaled_lower: float
    rmsea_scaled_upper: float
    rmsea_scaled_pvalue: float
    population: RobustMeasures


def robust_test(compiled: CompiledSEM, optimum: Optimum) -> RobustTest:
    """Correct the tests of the model and of its baseline model."""
    chisq = 2.0 * float(optimum.loss_per_group.sum())
    df = degrees_of_freedom(compiled, optimum.theta)
    model = scaled_statistic(compiled, optimum, chisq, df)
    baseline_chisq, baseline_df = baseline_statistic(compiled)
    baseline_model, baseline_optimum = baseline_of(compiled)
    baseline = scaled_statistic(baseline_model, baseline_optimum, baseline_chisq, baseline_df)
    n, G = n_of_discrepancy(compiled), compiled.data.moments.n_groups
    scaled = incremental(model.chisq, model.df, baseline.chisq, baseline.df)
    # A statistic that is only scaled is compared with a chi-square of `mean` degrees of freedom instead.
    plain = (model.chisq, model.df) if compiled.estimator.test == "scaled-shifted" else (chisq, model.mean)
    lower, upper, close = rmsea_interval(*plain, n, G)
    return RobustTest(
        model,
        baseline,
        cfi_scaled=scaled[0],
        tli_scaled=scaled[1],
        rmsea_scaled=rmsea(plain[0] - plain[1], plain[1], n, G),
        rmsea_scaled_lower=lower,
        rmsea_scaled_upper=upper,
        rmsea_scaled_pvalue=close,
        population=_robust_measures(compiled, optimum, model, (baseline_model, baseline_optimum, baseline)),
    )


def _robust_measures(
    compiled: CompiledSEM,
    optimum: Optimum,
    model: ScaledStatistic,
    against: tuple[CompiledSEM, Optimum, ScaledStatistic],
) -> RobustMeasures:
    """CFI, TLI and RMSEA of the population values; NaN where there is no such correction."""
    if compiled.data.ordinal is not None or compiled.estimator.test == "mean-var-adjusted":
        return RobustMeasures()
    if compiled.data.patterns is not None:
        return incomplete_measures(compiled, optimum, against[0], against[1])
    chisq, df = 2.0 * float(optimum.loss_per_group.sum()), degrees_of_freedom(compiled, optimum.theta)
    baseline_chisq, baseline_df = baseline_statistic(compiled)
    return measures_of(
        Corrected(chisq, df, model.mean / df if df else 1.0, model.chisq, model.scale),
        Corrected(baseline_chisq, baseline_df, against[2].mean / baseline_df, against[2].chisq, against[2].scale),
        n_of_discrepancy(compiled),
        compiled.data.moments.n_groups,
    )


def scaled_statistic(compiled: CompiledSEM, optimum: Optimum, chisq: float, df: int) -> ScaledStatistic:
    """Correct one test statistic.

    The distribution of the statistic is a sum of chi-squares weighed by the eigenvalues of U Gamma (Satorra & Bentler,
    1994); its trace gives the mean, that of its square the variance. U Gamma is never formed: H, the information, and
    J, the covariance matrix of the gradient, are enough.
    """
    test = compiled.estimator.test
    if df == 0:
        return ScaledStatistic(chisq, 0.0, np.nan, np.nan, 0.0, 0.0)
    if test == "yuan-bentler":
        trace = _yuan_bentler_trace(compiled, optimum)
        return _scaled(chisq, df, trace / df, trace)
    first, second = satorra_bentler_traces(compiled, optimum)
    if test == "satorra-bentler":
        return _scaled(chisq, df, first / df, first)
    if test == "mean-var-adjusted":
        return _scaled(chisq, first**2 / second, second / first, first)
    scale = float(np.sqrt(second / df))
    return _scaled(chisq, df, scale, first, shift=df - first / scale)


def _scaled(chisq: float, df: float, scale: float, mean: float, shift: float = 0.0) -> ScaledStatistic:
    value = chisq / scale + shift
    return ScaledStatistic(value, float(df), float(chdtrc(df, value)), scale, shift, mean)


def satorra_bentler_traces(compiled: CompiledSEM, optimum: Optimum) -> tuple[float, float]:
    """Traces of U Gamma and of its square."""
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
    data, model = compiled.data, compiled.model
    moments = data.moments
    crossed = score_products(compiled, moments.means, moments.covariances)
    A1 = saturated_information(compiled)
    inverse = np.linalg.inv(A1)
    unrestricted = float(np.einsum("gij,gji->", inverse, crossed))
    given = covariate_moments(moments.items, compiled.table.covariates, meanstructure=model.meanstructure)
    if given.any():  # the covariates' own moments are not explained
        sandwich = inverse @ crossed @ inverse
        own = np.linalg.inv(inverse[:, given][:, :, given])
        unrestricted -= float(np.einsum("gij,gji->", own, sandwich[:, given][:, :, given]))
    if not model.n_free:
        return unrestricted
    A0 = bread(compiled, optimum, information(compiled, optimum))
    return unrestricted - float(np.trace(A0 @ meat(compiled, optimum)))
