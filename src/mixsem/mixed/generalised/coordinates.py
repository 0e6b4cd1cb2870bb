"""Coordinates in which the criterion of a generalised mixed model is nearly round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine.relative import relative_basis, relative_units
from .fixed_part import eliminate_random
from .objective import Criterion, Point

__all__ = ["Coordinates"]

Array = NDArray[np.float64]

#: Information about a direction of the fixed effects that units are made from at least: columns have length 1 per row,
#: so that no step changes linear predictors by much more than 10. And relative to the largest.
LEAST_INFORMATION, ROUNDING = 0.01, 1e-12


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Changes from a point, in units in which the criterion is nearly round.

    Attributes
    ----------
    criterion
        The criterion.
    here
        The point.
    base, basis, unit
        Covariance factors there, what a change is relative to, and its units.
    spread
        Units of the fixed effects, shape (p, p); (p, 0) if they are not among the coordinates.
    unit_d
        Unit of the logarithm of the family's parameter; 0 if it has none.
    """

    criterion: Criterion
    here: Point
    base: Array
    basis: Array
    unit: Array
    spread: Array
    unit_d: float

    @classmethod
    def around(cls, criterion: Criterion, here: Point, with_beta: bool) -> Coordinates:
        """Coordinates of the changes from a point."""
        base, basis = criterion.theta_map.stacked(here.phi), relative_basis(criterion, here.phi)  # type: ignore[arg-type]
        unit = relative_units(criterion)  # type: ignore[arg-type]
        unit_d = float(np.sqrt(2.0 / len(criterion.products.y))) if criterion.family.parameter else 0.0
        spread = _beta_units(criterion, here) if with_beta else np.zeros((len(here.beta), 0))
        return cls(criterion, here, base, basis, unit, spread, unit_d)

    @property
    def size(self) -> int:
        """Number of coordinates: theta, fixed effects, the family's parameter."""
        return len(self.unit) + self.spread.shape[1] + (self.unit_d > 0.0)

    @property
    def own(self) -> list[int]:
        """Those of theta and the family's parameter."""
        return [*range(len(self.unit)), *([self.size - 1] if self.unit_d > 0.0 else [])]

    def at(self, x: Array, slope: bool = True) -> tuple[Point, Array]:
        """The criterion after a change, with its derivatives."""
        n_theta, p = len(self.unit), self.spread.shape[1]
        if slope and self.here.slope is not None and not x.any():
            return self.here, self._slope(self.here)
        theta_map = self.criterion.theta_map
        phi = theta_map.pick(self.base + self.basis @ theta_map.stacked(x[:n_theta] * self.unit))
        near = self.criterion.near
        start = self.here.beta if near is None or p else near.beta
        log_d = self.here.log_d + (self.unit_d * x[-1] if self.unit_d > 0.0 else 0.0)
        found = self.criterion.at(phi, start + self.spread @ x[n_theta : n_theta + p], log_d, slope)
        return found, self._slope(found)

    def _slope(self, found: Point) -> Array:
        if found.slope is None:
            return np.zeros(self.size)
        by_theta = np.swapaxes(self.basis, 1, 2) @ found.slope.by_lambda
        parts = [self.criterion.theta_map.pick(by_theta) * self.unit, self.spread.T @ found.slope.by_beta]
        return np.concatenate([*parts, [self.unit_d * found.slope.by_log_d]] if self.unit_d > 0.0 else parts)


def _beta_units(criterion: Criterion, best: Point) -> Array:
    """A root of half the inverse information about the fixed effects: the criterion is twice a log-likelihood."""
    mode = best.mode
    assert mode is not None
    schur = eliminate_random(criterion.products, mode.lam, mode.factor, mode.weight).schur
    if not len(schur) or not np.isfinite(schur).all():
        return np.eye(len(schur)) / np.sqrt(len(criterion.products.y))
    values, vectors = np.linalg.eigh(schur)
    # Observed information need not be positive, and along separated predictors there is none.
    least = max(LEAST_INFORMATION, ROUNDING * float(values.max()))
    return np.asarray(vectors / np.sqrt(2.0 * np.maximum(values, least)))
