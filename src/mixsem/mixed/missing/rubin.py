"""Rubin's rules: estimates of several imputed data sets as one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import OptionError

__all__ = ["Pooled", "pool_estimates"]

Array = NDArray[np.float64]

#: Least share of the variance that is between imputations, so that degrees of freedom stay finite: that of mice.
LEAST = 1e-4


@dataclass(frozen=True, eq=False)
class Pooled:
    """Pooled estimates, arrays of length p.

    Attributes
    ----------
    estimate
        Means over the imputations.
    within, between, total
        Mean sampling variance, variance of the estimates over imputations, and total variance.
    df
        Degrees of freedom of t.
    fmi
        Fraction of missing information.
    m
        Number of imputations.
    """

    estimate: Array
    within: Array
    between: Array
    total: Array
    df: Array
    fmi: Array
    m: int

    @property
    def se(self) -> Array:
        """Standard errors."""
        return np.sqrt(self.total)

    @property
    def p_value(self) -> Array:
        """Of the hypothesis that each is 0."""
        from scipy.stats import t

        return np.asarray(2.0 * t.sf(np.abs(self.estimate) / self.se, self.df))


def pool_estimates(estimates: ArrayLike, variances: ArrayLike, df_complete: ArrayLike = np.inf) -> Pooled:
    """Pool by Rubin's rules, with the degrees of freedom of Barnard and Rubin.

    Parameters
    ----------
    estimates, variances
        (m, p) estimates of each imputed data set and their squared standard errors.
    df_complete
        Degrees of freedom that complete data would have, one number or (p,).

    Returns
    -------
    Pooled

    Raises
    ------
    OptionError
        If there are fewer than two imputations, or shapes differ.

    References
    ----------
    Rubin (1987), Multiple Imputation for Nonresponse in Surveys, chapter 3. Barnard & Rubin (1999), doi
    10.1093/biomet/86.4.948.

    Examples
    --------
    >>> found = pool_estimates([[1.0], [1.2], [0.8]], [[0.04], [0.05], [0.03]], 50.0)
    >>> found.estimate.round(3), found.se.round(4), found.df.round(2), found.fmi.round(3)
    (array([1.]), array([0.3055]), array([4.72]), array([0.682]))
    """
    q, u = np.atleast_2d(np.asarray(estimates, dtype=float)), np.atleast_2d(np.asarray(variances, dtype=float))
    if len(q) < 2 or q.shape != u.shape:
        raise OptionError(
            f"estimates of shape {q.shape} and variances of shape {u.shape}",
            allowed="two imputations or more, one row for each in both",
        )
    m = len(q)
    within, between = u.mean(axis=0), q.var(axis=0, ddof=1)
    added = (1.0 + 1.0 / m) * between
    total = within + added
    share = np.maximum(added / total, LEAST)
    old = (m - 1) / share**2
    complete = np.broadcast_to(np.asarray(df_complete, dtype=float), old.shape)
    with np.errstate(invalid="ignore"):
        observed = (complete + 1.0) / (complete + 3.0) * complete * (1.0 - share)
        df = np.where(np.isfinite(complete), old * observed / (old + observed), old)
    relative = added / within
    return Pooled(q.mean(axis=0), within, between, total, df, (relative + 2.0 / (df + 3.0)) / (relative + 1.0), m)
