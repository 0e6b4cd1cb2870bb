"""Fit indices that compare chi-square statistics with those of a baseline model or with sample sizes."""

from __future__ import annotations

import numpy as np
from scipy.special import chdtri, chndtr

__all__ = ["critical_n", "incremental_indices", "rmsea_not_close"]


def incremental_indices(chisq: float, df: float, baseline_chisq: float, baseline_df: float) -> dict[str, float]:
    """RFI, NFI, PNFI, IFI and RNI; NaN where an index has no value.

    Examples
    --------
    >>> round(incremental_indices(85.306, 24, 918.852, 36)["nfi"], 4)
    0.9072

    References
    ----------
    Bentler & Bonett (1980), Bollen (1986, 1989), McDonald & Marsh (1990); definitions as in lavaan.
    """
    gain = baseline_chisq - chisq
    nfi = (gain / baseline_chisq if df > 0 else 1.0) if baseline_chisq > 0 and df <= baseline_df else np.nan
    rfi = 1.0
    if df > 0 and baseline_df > 0:
        ratio = baseline_chisq / baseline_df
        rfi = (ratio - chisq / df) / ratio if ratio > 0 else np.nan
        rfi = 1.0 if ratio - chisq / df < 0 else rfi
    rest = baseline_chisq - df
    null = baseline_chisq - baseline_df
    return {
        "rfi": rfi if df <= baseline_df else np.nan,
        "nfi": nfi,
        "pnfi": df / baseline_df * gain / baseline_chisq if baseline_df > 0 and baseline_chisq > 0 else np.nan,
        "ifi": gain / rest if rest > 0 else 1.0 if rest < 0 else np.nan,
        "rni": 1.0 - (chisq - df) / null if abs(null) > 1e-12 else np.nan,
    }


def critical_n(chisq: float, df: int, nobs: float, alpha: float) -> float:
    """Hoelter's critical N: the sample size at which the chi-square test at level alpha would just reject."""
    if df == 0 or chisq <= 0:
        return np.nan
    return float(chdtri(df, alpha) / (chisq / nobs) + 1.0)


def rmsea_not_close(chisq: float, df: float, nobs: float, n_groups: int, bound: float = 0.08) -> float:
    """P-value of the hypothesis RMSEA >= `bound`."""
    if df == 0:
        return np.nan
    return float(chndtr(chisq, df, nobs * df * bound**2 / n_groups))
