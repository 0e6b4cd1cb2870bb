"""The criterion as an optimiser sees it: one vector in, value and slope out, every evaluation counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .deviance import criterion, decompose, gradient
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
        The criterion, with the penalty if there is one; infinite if it cannot be computed there.
    slope
        Derivatives by the entries of the relative covariance factors, shape (F, k, k); empty if not asked for.
    r2
        Penalised residual sum of squares.
    penalty
        What of the value is penalty.
    """

    phi: Array
    value: float
    slope: Array
    r2: float = np.nan
    penalty: float = 0.0


@dataclass(eq=False)
class Objective:
    """The profiled criterion as a function of phi, theta of the centred and scaled columns.

    Attributes
    ----------
    products, theta_map, reml
        What is evaluated.
    penalty
        What is added to the criterion: value and slope as a function of the relative covariance factors, (F, k, k).
    n_values, n_slopes
        Evaluations so far, without and with derivatives.
    best
        The best evaluation so far.
    """

    products: Products
    theta_map: ThetaMap
    reml: bool
    penalty: Callable[[Array], tuple[float, Array]] | None = None
    n_values: int = 0
    n_slopes: int = 0
    best: Evaluation | None = field(default=None)
    _rooms: tuple[Array, Array] | None = field(default=None, repr=False)

    def evaluate(self, phi: Array, slope: bool = True) -> Evaluation:
        """Evaluate at phi."""
        phi = np.array(phi, dtype=float)
        self.n_values += not slope
        self.n_slopes += slope
        lam = self.theta_map.stacked(phi)
        if self._rooms is None:
            self._rooms = np.empty_like(self.products.tail), np.empty_like(self.products.tail)
        parts = decompose(self.products, lam, self._rooms[0]) if np.isfinite(phi).all() else None
        if parts is None or not parts.r2 > 0.0:
            return Evaluation(phi, np.inf, np.zeros_like(lam))
        value = criterion(self.products, parts, self.reml)
        derivatives = gradient(self.products, parts, self.reml, room=self._rooms[1]) if slope else np.zeros(0)
        added = 0.0
        if self.penalty is not None:
            added, by_factor = self.penalty(lam)
            value, derivatives = value + added, derivatives + by_factor if slope else derivatives
        found = Evaluation(phi, value, derivatives, parts.r2, added)
        if self.best is None or value < self.best.value:
            self.best = found
        return found

    @property
    def noise(self) -> float:
        """Differences of values below this are rounding.

        The residual sum of squares is what elimination leaves of the response's, with the relative error of that.
        """
        if self.best is None:
            return 0.0
        lost = self.products.tail[-1, -1] / self.best.r2
        return 1e-14 * (abs(self.best.value) + self.products.n * float(lost))
