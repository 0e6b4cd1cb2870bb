"""Relative changes of lambda, in units in which complete data would have curvature 1: the coordinates of the search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .objective import Evaluation, Objective
from .theta import lower_factor

__all__ = ["RelativeChange", "determined", "newton_step", "relative_basis", "relative_slope", "relative_units"]

Array = NDArray[np.float64]

#: Variances relative to the residual one that keep the units of relative changes from vanishing.
LEAST_VARIANCE = 1e-4
#: Least step of the central differences: the error of the Hessian is of the order of its square.
STEP = 1e-3
#: Eigenvalues of the Hessian nearer to 0 than this belong to directions that the data say nothing about: at boundary
#: fits theta is not determined by the covariances.
FLAT = 1e-5
#: Steps along a direction that are tried.
AWAY = (0.1, 0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True, eq=False)
class RelativeChange:
    """Relative changes of lambda from a point.

    Attributes
    ----------
    objective
        The criterion.
    here
        The point.
    base, basis, unit
        Lambda there, what a change is relative to, and the units.
    """

    objective: Objective
    here: Evaluation
    base: Array
    basis: Array
    unit: Array

    @classmethod
    def around(cls, objective: Objective, here: Evaluation) -> RelativeChange:
        """Changes from a point."""
        base, basis = objective.theta_map.stacked(here.phi), relative_basis(objective, here.phi)
        return cls(objective, here, base, basis, relative_units(objective))

    def moved(self, x: Array) -> Evaluation:
        """Evaluate at a change."""
        theta_map = self.objective.theta_map
        return self.objective.evaluate(theta_map.pick(self.base + self.basis @ theta_map.stacked(x * self.unit)))

    def slope(self, found: Evaluation) -> Array:
        """Derivatives by the change."""
        by_change = np.swapaxes(self.basis, 1, 2) @ found.slope
        return np.asarray(self.objective.theta_map.pick(by_change) * self.unit)

    def hessian(self) -> Array:
        """Second derivatives at the point, by central differences of the exact gradient."""
        # Rounding of the gradient is of the order of the root of that of the criterion.
        h = max(STEP, self.objective.noise**0.25)
        steps = h * np.eye(len(self.unit))
        rows = [(self.slope(self.moved(step)) - self.slope(self.moved(-step))) / (2.0 * h) for step in steps]
        hessian = np.array(rows)
        return np.asarray(0.5 * (hessian + hessian.T))

    def lowest_along(self, direction: Array) -> Evaluation:
        """The best of some points along a direction, to both sides."""
        points = (self.moved(sign * length * direction) for length in AWAY for sign in (1.0, -1.0))
        return min(points, key=lambda found: found.value)


def relative_units(objective: Objective) -> Array:
    """What complete data would determine each relative change of lambda to."""
    theta_map = objective.theta_map
    levels = np.asarray(objective.products.layout.n_levels, dtype=float)[theta_map.factor]
    return np.asarray(1.0 / np.sqrt(levels * np.where(theta_map.is_diagonal, 4.0, 2.0)))


def relative_basis(objective: Objective, phi: Array) -> Array:
    """Units of relative change: lambda itself, kept from being singular."""
    theta_map, lam = objective.theta_map, objective.theta_map.stacked(phi)
    least = np.sqrt(LEAST_VARIANCE) * objective.products.unit
    basis = np.zeros_like(lam)
    for t, shape in enumerate(theta_map.terms):
        at, f = theta_map.places(t), shape.factor
        # The factor of a sum of covariances without the covariances: where one is large the other would be lost.
        root = np.column_stack([lam[f, at, at], least * np.eye(len(shape.names))])
        basis[f, at, at] = lower_factor(root) if shape.correlated else np.diag(np.linalg.norm(root, axis=1))
    return basis


def relative_slope(objective: Objective, found: Evaluation) -> Array:
    """The gradient by relative changes."""
    return RelativeChange.around(objective, found).slope(found)


def determined(objective: Objective, found: Evaluation) -> float:
    """How much the data say about the direction of theta of which they say least; 1 for complete data."""
    hessian = RelativeChange.around(objective, found).hessian()
    return float(np.linalg.eigvalsh(hessian)[0]) if np.isfinite(hessian).all() else 0.0


def newton_step(objective: Objective, best: Evaluation) -> Evaluation | None:
    """A better point by a Newton step, or along the direction of least curvature; None if there is none."""
    change = RelativeChange.around(objective, best)
    hessian = change.hessian()
    if not np.isfinite(hessian).all():
        return None
    values, vectors = np.linalg.eigh(hessian)
    along = vectors.T @ change.slope(best)
    newton = change.moved(-vectors @ (along / np.maximum(np.abs(values), FLAT)))
    found = min(newton, change.lowest_along(vectors[:, 0]), key=lambda found: found.value)
    return found if found.value < best.value - objective.noise else None
