"""Degrees of freedom by Satterthwaite's method: of the chi-square that varies like the estimated variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..engine.curvature import Curvature

__all__ = ["Satterthwaite", "pooled_df"]

Array = NDArray[np.float64]

#: Relative differences of degrees of freedom below this are rounding, so that they are equal.
EQUAL = 1e-8
#: Share of the largest eigenvalue below which a row of a hypothesis follows from the others.
RANK = 1e-10


@dataclass(frozen=True, eq=False)
class Satterthwaite:
    """Tests with Satterthwaite's degrees of freedom.

    Attributes
    ----------
    beta
        Fixed effects, length p.
    vcov
        Their covariance matrix, shape (p, p).
    curvature
        How well the variances are known.

    References
    ----------
    Satterthwaite (1946), Biometrics Bulletin 2, 110-114. Fai & Cornelius (1996), Journal of Statistical Computation
    and Simulation 54, 363-378, for several rows. Kuznetsova, Brockhoff & Christensen (2017), doi
    10.18637/jss.v082.i13.
    """

    beta: Array
    vcov: Array
    curvature: Curvature

    label = "Satterthwaite"

    def df(self, L: Array) -> Array:
        """Degrees of freedom of each row of L (m, p); infinite where the variance is known."""
        variance = np.einsum("mi,ij,mj->m", L, self.vcov, L)
        slope = np.einsum("mi,kij,mj->mk", L, self.curvature.jacobian, L)
        uncertainty = np.einsum("mk,kl,ml->m", slope, self.curvature.covariance, slope)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(uncertainty > 0.0, 2.0 * variance**2 / uncertainty, np.inf)

    def joint(self, L: Array, rhs: Array) -> tuple[float, int, float]:
        """F, and its degrees of freedom, of the hypothesis L beta = rhs; rows may follow from others."""
        values, vectors = np.linalg.eigh(L @ self.vcov @ L.T)
        kept = values > RANK * values.max(initial=0.0)
        rotation = vectors[:, kept].T
        t2 = (rotation @ (L @ self.beta - rhs)) ** 2 / values[kept]
        q = len(t2)
        if q == 0:
            return np.nan, 0, np.nan
        return float(t2.sum() / q), q, pooled_df(self.df(rotation @ L))


def pooled_df(df: Array) -> float:
    """Denominator degrees of freedom of an F that is the mean of squares of independent t with these.

    The F distribution with the same expectation: E = sum of df / (df - 2), and 2 E / (E - q).

    Examples
    --------
    >>> pooled_df(np.array([10.0, 10.0])), round(pooled_df(np.array([10.0, 30.0])), 3), pooled_df(np.array([1.5, 9.0]))
    (10.0, 14.444, 2.0)
    """
    q = len(df)
    if np.isinf(df).all() or np.ptp(df) <= EQUAL * df.min():
        return float(df.mean())
    if (df <= 2.0).any():
        return 2.0
    excess = float((2.0 / (df - 2.0)).sum())  # E - q, without cancellation
    return 2.0 * (excess + q) / excess
