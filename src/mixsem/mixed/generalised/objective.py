"""The criterion of a generalised mixed model as a search sees it: parameters in, value and slope out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..engine.objective import Evaluation
from ..engine.theta import ThetaMap
from .families import Family
from .fixed_part import eliminate_random
from .laplace import Slope, laplace_slope
from .modes import EXACT, TOLERANCE, Mode, find_mode
from .quadrature import integrate, quadrature_slope
from .rows import EffectRows

__all__ = ["Criterion", "Point"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Point:
    """The criterion at one point, in inner units.

    Attributes
    ----------
    phi, beta, log_d
        Covariance parameters, fixed effects, logarithm of the family's parameter.
    value
        -2 log L; infinite where there is none.
    slope
        Its derivatives; None if they were not asked for.
    mode
        Conditional modes; None where there are none.
    """

    phi: Array
    beta: Array
    log_d: float
    value: float
    slope: Slope | None
    mode: Mode | None

    @property
    def evaluation(self) -> Evaluation:
        """What the searches of linear mixed models know a point as."""
        slope = np.zeros((1, 1, 1)) if self.slope is None else self.slope.by_lambda
        return Evaluation(self.phi, self.value, slope)


@dataclass(eq=False)
class Criterion:
    """-2 log L of a generalised mixed model.

    Attributes
    ----------
    products
        The rows; the name is that of `engine.objective.Objective`, of which helpers of the search are shared.
    family, theta_map
        The model.
    n_agq
        Nodes: 0 for beta at its joint mode with the random effects, 1 for Laplace's approximation, more for adaptive
        quadrature.
    n_values, n_slopes, steps
        Evaluations so far, without and with derivatives, and Newton steps for modes.
    near
        The last mode, from which the next search for one starts.
    """

    products: EffectRows
    family: Family
    theta_map: ThetaMap
    n_agq: int
    n_values: int = 0
    n_slopes: int = 0
    steps: int = 0
    near: Mode | None = field(default=None, repr=False)

    def at(self, phi: Array, beta: Array, log_d: float, slope: bool = True) -> Point:
        """Evaluate; with ``n_agq=0`` beta is a start and the joint mode comes back."""
        return self.at_lambda(self.theta_map.stacked(phi), beta, log_d, slope)

    def at_lambda(self, lam: Array, beta: Array, log_d: float, slope: bool = True) -> Point:
        """As `at`, with covariance factors, which need not be triangular."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self._at(lam, beta, log_d, slope)

    def _at(self, lam: Array, beta: Array, log_d: float, slope: bool) -> Point:
        phi = self.theta_map.pick(lam)
        rows, family = self.products, self.family
        self.n_values += not slope
        self.n_slopes += slope
        joint = self.n_agq == 0
        nowhere = Point(phi, beta, log_d, np.inf, None, None)
        if not np.isfinite(lam).all() or not np.isfinite(beta).all() or abs(log_d) > 50.0:
            return nowhere
        mode = find_mode(rows, family, lam, beta, float(np.exp(log_d)), self.near, joint, TOLERANCE if slope else EXACT)
        if mode is None:
            return nowhere
        self.near, self.steps = mode, self.steps + mode.steps
        if self.n_agq > 1:
            integral = integrate(rows, family, mode, self.n_agq)
            value = integral.value
            found = quadrature_slope(rows, family, integral) if slope else None
        else:
            part = eliminate_random(rows, lam, mode.factor, mode.weight) if slope and joint else None
            found = laplace_slope(rows, family, mode, part) if slope else None
            value = mode.laplace + (0.0 if found is None else found.correction)
        if not np.isfinite(value):
            return nowhere
        return Point(phi, mode.beta, log_d, value, found, mode)

    @property
    def noise(self) -> float:
        """Differences of values below this are rounding."""
        return 1e-9 if self.near is None else 1e-10 + 1e-14 * abs(self.near.loglik)
