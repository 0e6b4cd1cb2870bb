"""The profile of one parameter: the other parameters are fitted again at values that move away from the estimate.

Each constrained fit goes on from where the last ones ended, by a quasi-Newton method that also keeps what it has
learnt of the curvature; a few evaluations are enough then, and none of them reads a row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..engine.model import CompiledMixedModel
from ..engine.quasi_newton import bfgs, inverse_curvature
from ..generalised.fit import GeneralisedFit
from .generalised_coordinates import GeneralisedCoordinates, generalised_coordinates
from .parameters import Parameter
from .profile_coordinates import Coordinates, coordinates

__all__ = ["Path", "Point", "generalised_path", "path_of"]

Array = NDArray[np.float64]
AnyCoordinates: TypeAlias = "Coordinates | GeneralisedCoordinates"

#: How far from 0 a vanishing entry is tried, in units of its scale.
NUDGE = 0.03
#: A limit is found when zeta is this near to its target; zeta moves by 1 in about a standard error.
ZETA = 1e-9
#: The same for generalised models, of which the likelihood is as good as modes are.
GENERALISED_ZETA = 1e-7
#: Values tried for one limit. Each step outwards is at most this many times as long as what was gone so far.
MOST_TRIALS, STRETCH = 80, 4.0


@dataclass(frozen=True, eq=False)
class Point:
    """A constrained fit.

    Attributes
    ----------
    value
        Value of the parameter.
    zeta
        Signed square root of what -2 log L is above its minimum.
    x
        The other parameters in the coordinates of the path.
    """

    value: float
    zeta: float
    x: Array


@dataclass(eq=False)
class Path:
    """Constrained fits along the values of one parameter; it remembers them.

    Attributes
    ----------
    coordinates
        The free parameters at a value.
    center
        The point of the estimate.
    deviance
        Smallest -2 log L.
    step
        A first guess of the standard error.
    inverse
        Inverse of the curvatures of -2 log L in the coordinates, as far as it is known.
    points
        Constrained fits so far, by value.
    lowest
        Smallest -2 log L that was met on the way.
    tolerance
        How near to its target zeta has to be.
    """

    coordinates: AnyCoordinates
    center: Point
    deviance: float
    step: float
    inverse: Array
    points: list[Point] = field(default_factory=list)
    lowest: float = np.inf
    tolerance: float = ZETA

    @property
    def parameter(self) -> Parameter:
        """Whose path it is."""
        return self.coordinates.parameter

    def visit(self, value: float) -> Point:
        """Fit the other parameters with this one at a value."""
        known = [p for p in self.points if p.value == value]
        if known:
            return known[0]
        deviance, x = self._fit(value, self._guess(value))
        for place in self.coordinates.entries.near_zero(x):
            # What is 0 may be so because the slope vanishes there, on whatever side the minimum is.
            nudged = x.copy()
            nudged[place] = NUDGE * self.coordinates.scales[place]
            if self.coordinates.evaluate(value, nudged, slope=False)[0] < deviance - 10.0 * self._noise - 1e-8:
                deviance, x = self._fit(value, nudged)
        self.lowest = min(self.lowest, deviance)
        above = np.sqrt(max(deviance - self.deviance, 0.0))
        point = Point(value, float(np.copysign(above, value - self.center.value)), x)
        self.points = sorted([*self.points, point], key=lambda p: p.value)
        return point

    def reach(self, target: float) -> tuple[Point, bool]:
        """Find where zeta is `target`, and whether it is; else the point is the end of the parameter's values."""
        side = 1.0 if target > 0.0 else -1.0
        bound = self.coordinates.bounds[1 if side > 0 else 0]
        if self.center.value == bound:
            return self.center, False
        for _ in range(MOST_TRIALS):
            here = self._side(side)
            inside = [p for p in here if side * p.zeta < abs(target)]
            near = inside[-1]
            beyond = [p for p in here if side * (p.value - near.value) > 0.0]
            far = beyond[0] if beyond else None
            best = min(here, key=lambda p: abs(p.zeta - target))
            if abs(best.zeta - target) < self.tolerance or (far is not None and self._same(near.value, far.value)):
                return best, True
            if near.value == bound:
                return near, False
            self.visit(self._next(here, near, far, target, side, bound))
        return near, False

    def at_zeta(self, target: float) -> Point:
        """A point where zeta is about `target`, within what has been visited."""
        here = self._side(1.0 if target > 0.0 else -1.0)
        value = _interpolate(here, target)
        low, high = sorted((here[0].value, here[-1].value))
        return self.visit(float(np.clip(value, low, high))) if np.isfinite(value) else here[-1]

    def _fit(self, value: float, x: Array) -> tuple[float, Array]:
        """Minimise over the other parameters.

        Standard deviations of either sign are the same, but a correlation changes with one of them. Where the minimum
        is beyond 0, it is sought again without going there, and with that standard deviation at 0.
        """

        def evaluate(x: Array) -> tuple[float, Array]:
            return self.coordinates.evaluate(value, x)

        deviance, found, inverse, _ = bfgs(evaluate, x, self.inverse, self._noise)
        beyond = self.coordinates.entries.reversed_signs(found)
        if len(beyond) % 2 == 0:
            self.inverse = inverse
            return deviance, found

        def inside(x: Array) -> tuple[float, Array]:
            return evaluate(x) if not len(self.coordinates.entries.reversed_signs(x)) else (np.inf, np.zeros(len(x)))

        begin, flat, held = x.copy(), found.copy(), self.inverse.copy()
        begin[self.coordinates.entries.reversed_signs(x)] *= -1.0
        flat[beyond] = held[beyond] = held[:, beyond] = 0.0
        tried = [bfgs(inside, begin, self.inverse, self._noise), bfgs(evaluate, flat, held, self._noise)]
        return min(((deviance, x) for deviance, x, *_ in tried), key=lambda pair: pair[0])

    def _side(self, side: float) -> list[Point]:
        """Points on one side, from the centre outwards."""
        found = [p for p in self.points if side * (p.value - self.center.value) > 0.0]
        return [self.center, *(found if side > 0 else found[::-1])]

    def _next(
        self, here: list[Point], near: Point, far: Point | None, target: float, side: float, bound: float
    ) -> float:
        """The value to try next: by interpolation of the value as a function of zeta, kept within what is known."""
        gone = abs(near.value - self.center.value)
        first = gone == 0.0
        guess = near.value + side * abs(target) * self.step if first else _interpolate(here, target)
        if far is None:
            farthest = near.value + side * (max(STRETCH * gone, self.step) if not first else np.inf)
            guess = side * min(side * guess, side * farthest)
            if not side * guess > side * near.value:  # zeta hardly rises
                guess = farthest
            return float(side * min(side * guess, side * bound))
        low, high = near.value, far.value
        width = high - low
        if not (0.0 < (guess - low) / width < 1.0) or len(here) > MOST_TRIALS // 4:
            guess = low + 0.5 * width
        return float(guess)

    def _guess(self, value: float) -> Array:
        """Where the other parameters are likely to be: on the line through the two nearest points."""
        nearest = sorted([self.center, *self.points], key=lambda p: abs(p.value - value))[:2]
        if len(nearest) < 2 or nearest[0].value == nearest[1].value:
            return nearest[0].x
        share = (value - nearest[0].value) / (nearest[1].value - nearest[0].value)
        return nearest[0].x + np.clip(share, -3.0, 1.0) * (nearest[1].x - nearest[0].x)

    def _same(self, a: float, b: float) -> bool:
        return abs(a - b) <= 1e-11 * max(abs(a - self.center.value), abs(b - self.center.value))

    @property
    def _noise(self) -> float:
        """Differences of -2 log L below this are rounding."""
        return self.coordinates.noise(self.deviance)


def path_of(
    model: CompiledMixedModel,
    parameter: Parameter,
    estimate: float,
    theta: Array,
    sigma: float,
    deviance: float,
    standard_error: float,
) -> Path:
    """Begin the path of a parameter at the maximum of the likelihood.

    Parameters
    ----------
    model
        The model.
    parameter
        The parameter.
    estimate
        Its value; NaN for a correlation that has none is taken as 0.
    theta, sigma, deviance
        The maximum and -2 log L there.
    standard_error
        A guess.
    """
    places = coordinates(model, parameter, theta)
    value = estimate if np.isfinite(estimate) else 0.0
    x = places.pack(theta, sigma)
    return _begin(places, value, x, deviance, standard_error, ZETA)


def generalised_path(fit: GeneralisedFit, parameter: Parameter, estimate: float, standard_error: float) -> Path:
    """Begin the path of a parameter of a generalised model at the maximum; arguments as those of `path_of`."""
    places = generalised_coordinates(fit, parameter)
    value = estimate if np.isfinite(estimate) else 0.0
    return _begin(places, value, places.start(), fit.objective, standard_error, GENERALISED_ZETA)


def _begin(
    places: AnyCoordinates, value: float, x: Array, deviance: float, standard_error: float, tolerance: float
) -> Path:
    x[places.entries.near_zero(x)] = 0.0
    inverse = inverse_curvature(lambda x: places.evaluate(value, x), x, places.scales)
    return Path(places, Point(value, 0.0, x), deviance, standard_error, inverse, lowest=deviance, tolerance=tolerance)


def _interpolate(points: list[Point], target: float) -> float:
    """Value at which zeta is `target`: polynomial in zeta through the four nearest points; NaN if there is none."""
    nearest = sorted(points, key=lambda p: abs(p.zeta - target))
    chosen: list[Point] = []
    for point in nearest:
        if all(abs(point.zeta - other.zeta) > 1e-6 * abs(target) for other in chosen):
            chosen.append(point)
    chosen = chosen[:4]
    if len(chosen) < 2:
        return np.nan
    total = 0.0
    for i, point in enumerate(chosen):
        others = [p.zeta for j, p in enumerate(chosen) if j != i]
        total += point.value * float(np.prod([(target - z) / (point.zeta - z) for z in others]))
    return total
