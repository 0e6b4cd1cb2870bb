"""Fit measures of covariance structure models, from numbers alone; lavaan's definitions."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chdtr, chdtrc, chndtr

__all__ = ["FitMeasures", "fit_measures", "rmsea_interval", "srmr"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FitMeasures:
    """Likelihood-based and descriptive fit of a model to the moments of one or several groups.

    Attributes
    ----------
    chisq, df, pvalue
        Likelihood ratio test against the unrestricted model.
    baseline_chisq, baseline_df
        The same for the model of uncorrelated items.
    cfi, tli, rmsea, rmsea_lower, rmsea_upper, rmsea_pvalue, srmr
        Descriptive measures; the interval has 90% confidence, the p-value tests RMSEA <= .05.
    loglik, unrestricted_loglik
        Normal log-likelihood of the model and of the unrestricted model.
    n_params, nobs, aic, bic, sabic
        Free parameters, people, information criteria.
    """

    chisq: float
    df: int
    pvalue: float
    baseline_chisq: float
    baseline_df: int
    cfi: float
    tli: float
    rmsea: float
    rmsea_lower: float
    rmsea_upper: float
    rmsea_pvalue: float
    srmr: float
    loglik: float
    unrestricted_loglik: float
    n_params: int
    nobs: int
    aic: float
    bic: float
    sabic: float

    def to_dict(self) -> dict[str, float]:
        """Names and values."""
        return asdict(self)


def fit_measures(
    *,
    chisq: float,
    df: int,
    n_params: int,
    loglik: float,
    n: NDArray[np.int64],
    residual_srmr: float,
    S: Array | None = None,
    baseline: tuple[float, int] | None = None,
    has_likelihood: bool = True,
    n_rmsea: int | None = None,
) -> FitMeasures:
    """Assemble all measures.

    Parameters
    ----------
    chisq, df, n_params, loglik
        Of the fitted model.
    n
        People per group, shape (G,).
    residual_srmr
        SRMR, from `srmr`.
    S
        Observed covariances with divisor n, shape (G, p, p): for the baseline model, if it is not given.
    baseline
        Chi-square and degrees of freedom of the baseline model.
    has_likelihood
        Whether `loglik` and `chisq` are those of a likelihood.
    n_rmsea
        The N of RMSEA, if it is not that of the people: least squares multiply discrepancies by N - 1.
    """
    n_groups, nobs = n.size, int(n.sum())
    n_rmsea = n_rmsea or nobs
    if baseline is None:
        assert S is not None
        baseline = _independence(n, S)
    baseline_chisq, baseline_df = baseline
    excess, baseline_excess = max(chisq - df, 0.0), max(baseline_chisq - baseline_df, 0.0)
    worst = max(excess, baseline_excess)
    ratio = baseline_chisq / baseline_df if baseline_df else np.nan
    lower, upper, close = rmsea_interval(chisq, df, n_rmsea, n_groups)
    return FitMeasures(
        chisq=chisq,
        df=df,
        pvalue=float(chdtrc(df, chisq)) if df else np.nan,
        baseline_chisq=baseline_chisq,
        baseline_df=baseline_df,
        cfi=1.0 - excess / worst if worst > 0 else 1.0,
        tli=float((ratio - chisq / df) / (ratio - 1.0)) if df and ratio > 1 else 1.0,
        rmsea=float(np.sqrt(n_groups * excess / (n_rmsea * df))) if df else 0.0,
        rmsea_lower=lower,
        rmsea_upper=upper,
        rmsea_pvalue=close,
        srmr=residual_srmr,
        loglik=loglik,
        unrestricted_loglik=loglik + 0.5 * chisq if has_likelihood else np.nan,
        n_params=n_params,
        nobs=nobs,
        aic=-2 * loglik + 2 * n_params,
        bic=-2 * loglik + n_params * float(np.log(nobs)),
        sabic=-2 * loglik + n_params * float(np.log((nobs + 2) / 24)),
    )


def _independence(n: NDArray[np.int64], S: Array) -> tuple[float, int]:
    """Chi-square and degrees of freedom of the model of uncorrelated variables, by maximum likelihood."""
    n_groups, p, _ = S.shape
    log_variances = np.log(np.diagonal(S, axis1=1, axis2=2)).sum(axis=1)
    return float(n @ (log_variances - np.linalg.slogdet(S)[1])), n_groups * p * (p - 1) // 2


def rmsea_interval(chisq: float, df: float, nobs: int, n_groups: int) -> tuple[float, float, float]:
    """90% confidence limits of RMSEA and the p-value of RMSEA <= .05, by the noncentral chi-square distribution.

    Source: Browne & Cudeck (1993), with the factor sqrt(G) for several groups of Steiger (1998).
    """
    if df == 0:
        return 0.0, 0.0, np.nan
    if not np.isfinite(chisq):
        return np.nan, np.nan, np.nan

    def noncentrality(probability: float) -> float:
        if chdtr(df, chisq) < probability:
            return 0.0
        high = max(chisq, 1.0)
        while chndtr(chisq, df, high) > probability:
            high *= 2
        return float(brentq(lambda nc: chndtr(chisq, df, nc) - probability, 1e-12, high, xtol=1e-10))

    lower, upper = (float(np.sqrt(n_groups * noncentrality(q) / (nobs * df))) for q in (0.95, 0.05))
    return lower, upper, float(1.0 - chndtr(chisq, df, nobs * df * 0.05**2 / n_groups))


def srmr(Sigma: Array, S: Array, n: NDArray[np.int64], mean_residuals: Array | None) -> float:
    """Standardized root mean square residual (Bentler's form), averaged over groups by size.

    Parameters
    ----------
    Sigma, S
        Implied and observed covariances, shape (G, p, p).
    n
        People per group.
    mean_residuals
        Observed minus implied means, shape (G, p), zeros if saturated; None if there is no mean structure.
    """
    p = S.shape[-1]
    scale = np.sqrt(np.diagonal(S, axis1=1, axis2=2))
    residual = (S - Sigma) / (scale[:, :, None] * scale[:, None, :])
    rows, columns = np.tril_indices(p)
    squares = (residual[:, rows, columns] ** 2).sum(axis=1)
    count = p * (p + 1) // 2
    if mean_residuals is not None:
        squares = squares + ((mean_residuals / scale) ** 2).sum(axis=1)
        count += p
    return float((n / n.sum()) @ np.sqrt(squares / count))
