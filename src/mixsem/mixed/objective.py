"""The criterion as an optimiser sees it: one vector in, value and slope out, every evaluation counted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .engine import criterion, decompose, gradient
from .products import Products
from .theta import ThetaMap

__all__ = ["Evaluation", "Objective"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The criterion at one point.

    Attributes
    ----------
    phi
        The point: theta of the centred and scaled columns.
    value
        The criterion; infinite if it cannot be computed there.
    slope
        Derivatives by the entries of the relative covariance factors, shape (F, k, k); empty if not asked for.
    """

    phi: Array
    value: float
    slope: Array


@dataclass(eq=False)
class Objective:
    """The profiled criterion as a function of phi, theta of the centred and scaled columns.

    Attributes
    ----------
    products, theta_map, reml
        What is evaluated.
    n_values, n_slopes
        Evaluations so far, without and with derivatives.
    best
        The best evaluation so far.
    """

    products: Products
    theta_map: ThetaMap
    reml: bool
    n_values: int = 0
    n_slopes: int = 0
    best: Evaluation | None = field(default=None)

    def evaluate(self, phi: Array, slope: bool = True) -> Evaluation:
        """Evaluate at phi."""
        phi = np.array(phi, dtype=float)
        self.n_values += not slope
        self.n_slopes += slope
        lam = self.theta_map.stacked(phi)
        parts = decompose(self.products, lam) if np.isfinite(phi).all() else None
        if parts is None or not parts.r2 > 0.0:
            return Evaluation(phi, np.inf, np.zeros_like(lam))
        value = criterion(self.products, parts, self.reml)
        found = Evaluation(phi, value, gradient(self.products, parts, self.reml) if slope else np.zeros(0))
        if self.best is None or value < self.best.value:
            self.best = found
        return found

    @property
    def noise(self) -> float:
        """Differences of values below this are rounding: sums over rows carry a relative error of about 1e-15."""
        value = 1.0 if self.best is None else abs(self.best.value)
        return 4e-15 * max(value, float(self.products.n))
