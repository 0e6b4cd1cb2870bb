"""All fit measures of a structural equation model, by lavaan's names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from ..inference.fitmeasures import rmsea_interval
from ..inference.incremental import critical_n, incremental_indices, rmsea_not_close
from ..inference.residual_indices import residual_indices
from ..kernels.fourth_moments import vech
from ..model.full_information import FullInformation
from ..model.least_squares import LeastSquares
from .covariance import information, moment_weight
from .inputs import require_fit

if TYPE_CHECKING:
    import pandas as pd

    from .fit import SEMFit

__all__ = ["fit_measures", "modelled_moments", "sample_size"]


def fit_measures(fit: SEMFit) -> pd.Series:
    """Return the fit measures of a model, by lavaan's names.

    Parameters
    ----------
    fit
        A fitted `cfa`, `sem` or `growth`. ``fit.measures`` has the usual ones as attributes.

    Returns
    -------
    Series
        ``npar``, ``chisq``, ``cfi``, ``rmsea``, ``srmr`` and so on. Robust estimators add ``.scaled`` measures, in
        whose formulas the corrected statistics stand, and ``.robust`` ones, which estimate the population values and
        are the ones to compare with cut-offs. Measures of the likelihood are left out for least squares, and those
        that are not defined for an estimator are left out too.

    Raises
    ------
    UnsupportedModelError
        For anything but such a fit.

    Examples
    --------
    >>> import mixsem as mx
    >>> fit = mx.cfa("visual =~ x1 + x2 + x3; speed =~ x7 + x8 + x9", mx.data.holzinger_swineford_1939())
    >>> mx.fit_measures(fit)[["chisq", "df", "cfi", "rmsea", "srmr", "gfi"]].round(3)
    chisq    47.413
    df        8.000
    cfi       0.879
    rmsea     0.128
    srmr      0.079
    gfi       0.949
    dtype: float64

    References
    ----------
    West, Taylor & Wu (2012), Model fit and model selection in structural equation modeling. In Hoyle (ed.), Handbook of
    structural equation modeling.
    """
    require_fit(fit, "fit_measures")
    import pandas as pd

    found = {**_statistics(fit), **_likelihood(fit), **_rmsea(fit), **_robust(fit), **_residuals(fit), **_absolute(fit)}
    return pd.Series({name: float(value) for name, value in found.items()})


def _statistics(fit: SEMFit) -> dict[str, float]:
    m = fit.measures
    found: dict[str, float] = {
        "npar": m.n_params,
        "fmin": m.chisq / (2.0 * fit.nobs),
        "chisq": m.chisq,
        "df": m.df,
        "pvalue": m.pvalue,
        "baseline.chisq": m.baseline_chisq,
        "baseline.df": m.baseline_df,
        "baseline.pvalue": float(chdtrc(m.baseline_df, m.baseline_chisq)) if m.baseline_df else np.nan,
        "cfi": m.cfi,
        "tli": m.tli,
        "nnfi": m.tli,
        **incremental_indices(m.chisq, m.df, m.baseline_chisq, m.baseline_df),
    }
    if (robust := fit.robust) is None:
        return found
    model, baseline = robust.model, robust.baseline
    found |= {
        "chisq.scaled": model.chisq,
        "df.scaled": model.df,
        "pvalue.scaled": model.pvalue,
        "chisq.scaling.factor": model.scale,
        "baseline.chisq.scaled": baseline.chisq,
        "baseline.df.scaled": baseline.df,
        "baseline.pvalue.scaled": baseline.pvalue,
        "baseline.chisq.scaling.factor": baseline.scale,
        "cfi.scaled": robust.cfi_scaled,
        "tli.scaled": robust.tli_scaled,
        "nnfi.scaled": robust.tli_scaled,
    }
    others = incremental_indices(model.chisq, model.df, baseline.chisq, baseline.df)
    found |= {f"{name}.scaled": value for name, value in others.items()}
    return found


def _robust(fit: SEMFit) -> dict[str, float]:
    """Estimates of the population values for normal, complete data, where the estimator or the data need them."""
    robust = fit.robust_measures
    if robust is None or np.isnan(robust.rmsea_robust):
        return {}
    return {
        "cfi.robust": robust.cfi_robust,
        "tli.robust": robust.tli_robust,
        "nnfi.robust": robust.tli_robust,
        "rni.robust": robust.rni_robust,
        "rmsea.robust": robust.rmsea_robust,
        "rmsea.ci.lower.robust": robust.rmsea_robust_lower,
        "rmsea.ci.upper.robust": robust.rmsea_robust_upper,
        "rmsea.pvalue.robust": robust.rmsea_robust_pvalue,
        "rmsea.notclose.pvalue.robust": robust.rmsea_robust_notclose,
    }


def sample_size(fit: SEMFit) -> int:
    """People; without one per group for least squares, as the statistic counts."""
    n, groups = fit.nobs, len(fit.groups)
    return n - groups if isinstance(fit.loss, LeastSquares) else n


def _likelihood(fit: SEMFit) -> dict[str, float]:
    m = fit.measures
    if not fit.compiled.estimator.likelihood:
        return {}
    found = {
        "logl": m.loglik,
        "unrestricted.logl": m.unrestricted_loglik,
        "aic": m.aic,
        "bic": m.bic,
        "ntotal": m.nobs,
        "bic2": m.sabic,
    }
    if fit.robust is None or fit.compiled.estimator.test != "yuan-bentler":
        return found
    # Corrections of the two log-likelihoods whose difference is the test (Asparouhov & Muthén, 2005).
    trace = float(np.trace(fit.vcov @ information(fit.compiled, fit.optimum)))
    found["scaling.factor.h1"] = (trace + fit.robust.model.scale * m.df) / (m.n_params + m.df) if m.df else np.nan
    found["scaling.factor.h0"] = trace / m.n_params if m.n_params else np.nan
    return found


def _rmsea(fit: SEMFit) -> dict[str, float]:
    m, n, n_groups = fit.measures, sample_size(fit), len(fit.groups)
    lower, upper, close = rmsea_interval(m.chisq, m.df, n, n_groups)
    found = {
        "rmsea": float(np.sqrt(n_groups * max(m.chisq - m.df, 0.0) / (n * m.df))) if m.df else 0.0,
        "rmsea.ci.lower": lower,
        "rmsea.ci.upper": upper,
        "rmsea.pvalue": close,
        "rmsea.notclose.pvalue": rmsea_not_close(m.chisq, m.df, n, n_groups),
    }
    if (robust := fit.robust) is None:
        return found
    model = robust.model
    plain = (model.chisq, model.df) if fit.compiled.estimator.test == "scaled-shifted" else (m.chisq, model.mean)
    return {
        **found,
        "rmsea.scaled": robust.rmsea_scaled,
        "rmsea.ci.lower.scaled": robust.rmsea_scaled_lower,
        "rmsea.ci.upper.scaled": robust.rmsea_scaled_upper,
        "rmsea.pvalue.scaled": robust.rmsea_scaled_pvalue,
        "rmsea.notclose.pvalue.scaled": rmsea_not_close(*plain, n, n_groups),
    }


def _residuals(fit: SEMFit) -> dict[str, float]:
    if fit.data.ordinal is not None:
        return {"srmr": fit.measures.srmr}
    moments, implied = fit.data.moments, fit.implied
    means = (moments.means, implied.mu) if fit.model.meanstructure else None
    S = moments.covariances
    if isinstance(fit.loss, LeastSquares):
        n = moments.n.astype(float)
        S = S * (n / (n - 1.0))[:, None, None]
    return residual_indices(S, implied.Sigma, moments.n, means)


def _absolute(fit: SEMFit) -> dict[str, float]:
    m, n = fit.measures, sample_size(fit)
    p = len(fit.observed)
    count = len(fit.groups) * (p * (p + 1) // 2 + (p if fit.model.meanstructure else 0))
    found: dict[str, float] = {
        "cn_05": critical_n(m.chisq, m.df, n, 0.05),
        "cn_01": critical_n(m.chisq, m.df, n, 0.01),
        "mfi": float(np.exp(-0.5 * (m.chisq - m.df) / n)),
        "ecvi": (m.chisq + 2.0 * m.n_params) / n,
    }
    if fit.data.ordinal is not None:
        return found
    gfi = goodness_of_fit(fit)
    agfi = 1.0 - count / m.df * (1.0 - gfi) if m.df else 1.0
    return {**found, "gfi": gfi, "agfi": agfi, "pgfi": m.df / count * gfi}


def goodness_of_fit(fit: SEMFit) -> float:
    """Jöreskog and Sörbom's GFI: weighed squares of the residuals beside those of the moments."""
    moments = fit.data.moments
    if isinstance(fit.loss, LeastSquares):
        observed, residual = fit.loss.moments, fit.loss.residuals(fit.coef)
    else:
        observed, implied = vech(moments.covariances), vech(fit.implied.Sigma)
        if fit.model.meanstructure:
            observed = np.concatenate([moments.means, observed], axis=1)
            implied = np.concatenate([fit.implied.mu, implied], axis=1)
        residual = observed - implied
    V = moment_weight(fit.compiled, fit.optimum)
    if isinstance(fit.loss, FullInformation):
        V = fit.loss.moment_information(fit.coef) / moments.n[:, None, None]
    if not isinstance(fit.loss, LeastSquares):  # which leave the covariates' moments out themselves
        V = V * modelled_moments(fit)[:, None] * modelled_moments(fit)
    explained = np.einsum("gq,gqr,gr->g", residual, V, residual) / np.einsum("gq,gqr,gr->g", observed, V, observed)
    return float(1.0 - moments.n @ explained / moments.n.sum())


def modelled_moments(fit: SEMFit) -> NDArray[np.float64]:
    """1 for each moment, 0 for those of covariates among themselves, which the model takes as they are."""
    given = np.array([name in fit.table.covariates for name in fit.observed], dtype=bool)
    rows, columns = np.triu_indices(given.size)
    inside = given[rows] & given[columns]
    inside = np.concatenate([given, inside]) if fit.model.meanstructure else inside
    return np.where(inside, 0.0, 1.0)
