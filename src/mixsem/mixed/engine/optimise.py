"""Finding theta: moment estimates, an EM step, then L-BFGS-B in coordinates in which the deviance is nearly round.

An EM step needs nothing but the gradient, and from anywhere it lands near the optimum when groups are informative. It
also tells the curvature: with complete information the second derivative of the deviance by a relative change of a
standard deviation is 4 n_f, with n_f levels, and by that of a covariance 2 n_f. L-BFGS-B in these units starts with a
Newton step.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...options import require_choice, require_flag, require_whole
from ...threads import few_threads
from .further_starts import further_starts, is_near
from .moment_start import moment_start
from .objective import Evaluation, Objective
from .other_methods import search_plainly
from .relative import determined, newton_step, relative_basis, relative_slope, relative_units
from .theta import lower_factor

__all__ = ["METHODS", "Method", "Optimizer", "Trace", "minimise"]

Array = NDArray[np.float64]
#: A solution, whether the search ended by itself, what the optimiser said, and restarts from the boundary.
Found: TypeAlias = "tuple[Evaluation, bool, str, int]"
Method = Literal["lbfgsb", "bfgs", "slsqp", "tnc", "trust-constr", "cobyqa", "powell", "nelder-mead"]
METHODS: tuple[Method, ...] = ("lbfgsb", "bfgs", "slsqp", "tnc", "trust-constr", "cobyqa", "powell", "nelder-mead")

#: EM steps before the quasi-Newton ones: each costs an evaluation.
EM_STEPS = 1
#: The search ends when a Newton step would lower the criterion by less than the square of this.
NEWTON_TOLERANCE = 1e-5
#: What L-BFGS-B's own Hessian may promise at the end before the search goes on.
PROMISE = 1e-7
#: A further start is better if it lowers the criterion by more than this. It is given so many evaluations, and 10 for
#: each element of theta, to show it.
BETTER, ROUGH = 1e-6, 50
#: Share of what complete data would say about theta from which on one search is enough: of random small designs with
#: several optima, none had more than 0.04 at the worse one.
DETERMINED = 0.1
#: Standard deviations relative to the residual one from which on that does not count.
WIDE = 10.0
#: The search goes on from its solution, with a new idea of the curvature, so often at most while that helps.
AGAIN = 10
#: Share of the response's sum of squares below which residuals count as none.
VANISHED = 1e-12
#: Standard deviations, relative to the residual one, that are called zero if that costs nothing.
ZERO = 1e-4


@dataclass(frozen=True)
class Optimizer:
    """How theta is found.

    Attributes
    ----------
    method
        ``"lbfgsb"`` (the default: EM steps, then L-BFGS-B, exact gradients), or, from the plain start, another
        gradient method (``"bfgs"``, ``"slsqp"``, ``"tnc"``, ``"trust-constr"``) or one without gradients
        (``"cobyqa"``, ``"powell"``, ``"nelder-mead"``).
    max_evaluations
        Stop after about so many.
    restart
        Whether a solution on the boundary of the parameters is tried again from just inside it.
    further_starts
        Starting values that the default method tries after moment estimates where the problem is so small that a
        search takes a few milliseconds, because with few levels there may be several optima: 4, and 2 for each element
        of theta, but at most 16, by default, and none where the data determine theta well. They are not tried where a
        start is given.
    """

    method: Method = "lbfgsb"
    max_evaluations: int = 1000
    restart: bool = True
    further_starts: int | None = None

    def __post_init__(self) -> None:
        require_choice("method", self.method, METHODS, "lbfgsb")
        require_whole("max_evaluations", self.max_evaluations, 1)
        require_flag("restart", self.restart)
        require_whole("further_starts", 0 if self.further_starts is None else self.further_starts, 0)


@dataclass(frozen=True, eq=False)
class Trace:
    """How the search went.

    Attributes
    ----------
    method
        The optimiser.
    evaluations
        Evaluations of the criterion, with or without gradient.
    gradients
        Those with gradient.
    seconds
        Time of the search.
    converged
        Whether it ended by itself.
    message
        What the optimiser said.
    restarts
        Restarts from the boundary that found a better solution.
    gain
        By how much a Newton step would lower the criterion at the end, with the curvature of complete data.
    better_starts
        Further starting values that led to a better solution than the ones before.
    searches
        Searches from different starting values; the evaluations are those of all of them.
    """

    method: str
    evaluations: int
    gradients: int
    seconds: float
    converged: bool
    message: str
    restarts: int
    gain: float = np.nan
    better_starts: int = 0
    searches: int = 1


def minimise(objective: Objective, optimizer: Optimizer, start: Array | None = None) -> tuple[Evaluation, Trace]:
    """Find the phi with the smallest criterion.

    Parameters
    ----------
    objective
        The criterion.
    optimizer
        How.
    start
        Where to start; by default moment estimates, and for other methods than the default 1 on diagonals and 0
        elsewhere.

    Returns
    -------
    tuple
        The best evaluation, signs and zeros made canonical, and how the search went.
    """
    began = time.perf_counter()
    better, n_further = 0, 0
    if start is not None and objective.penalty is not None:  # it is infinite on the boundary
        start = objective.theta_map.pick(relative_basis(objective, start))
    with few_threads(len(objective.products.tail)):
        found = _search(objective, optimizer, _first_start(objective, optimizer) if start is None else start)
        if start is None and optimizer.method == "lbfgsb":
            found, better, n_further = _search_further(objective, optimizer, found)
        best, converged, message, restarts = found
        best = canonical_solution(objective, best)
    trace = Trace(
        optimizer.method,
        objective.n_values + objective.n_slopes,
        objective.n_slopes,
        time.perf_counter() - began,
        converged,
        message,
        restarts,
        float((relative_slope(objective, best) ** 2).sum() / 2.0),
        better,
        1 + n_further,
    )
    return best, trace


def _search_further(objective: Objective, optimizer: Optimizer, found: Found) -> tuple[Found, int, int]:
    """Small problems from further starts, and once more from where that ends.

    Returns what was found, how many starts led to something better, and how many there were.
    """
    theta_map, products = objective.theta_map, objective.products
    starts = list(further_starts(products.layout, theta_map, optimizer.further_starts))
    if starts and optimizer.further_starts is None:
        # Two large effects that cancel, such as an intercept and a slope far from 0, may be a trap that looks safe.
        small = float(np.abs(found[0].phi).max()) < WIDE * products.unit
        if small and determined(objective, found[0]) > DETERMINED:
            return found, 0, 0
    rough = replace(optimizer, max_evaluations=min(optimizer.max_evaluations, ROUGH + 10 * len(theta_map)))
    better = 0
    for phi in starts:
        objective.best = None  # a search of its own
        other = _search(objective, rough, phi * products.unit, found[0])
        # Where the residuals vanish the likelihood may be infinite: an optimum inside is worth more.
        if other[0].value < found[0].value - BETTER and other[0].r2 > VANISHED * products.tail[-1, -1]:
            found = other if other[1] else _search(objective, optimizer, other[0].phi)
            better += 1
    for _ in range(AGAIN if starts else 0):
        objective.best = None
        better_point = newton_step(objective, found[0])
        other = _search(objective, optimizer, (better_point or found[0]).phi)
        gained = found[0].value - other[0].value
        found = other if gained > 0.0 else found
        if better_point is None and gained < BETTER:
            break
    return found, better, len(starts)


def _first_start(objective: Objective, optimizer: Optimizer) -> Array:
    """Moment estimates for the default method; the others are checks, and start as lme4 does."""
    if optimizer.method == "lbfgsb":
        return moment_start(objective.products, objective.theta_map)
    return objective.theta_map.start * objective.products.unit


def _search(objective: Objective, optimizer: Optimizer, start: Array, known: Evaluation | None = None) -> Found:
    """One search, with restarts from the boundary; it is given up when it leads to an optimum that is known."""
    search: Callable[[Objective, Optimizer, Evaluation], tuple[Evaluation, bool, str]]
    search = partial(_from_em, known=known) if optimizer.method == "lbfgsb" else search_plainly
    restarts = 0
    best, converged, message = search(objective, optimizer, objective.evaluate(start))
    while optimizer.restart and restarts < 3:
        inside = step_inside(objective, best)
        if inside is None:
            break
        best, converged, message = search(objective, optimizer, inside)
        restarts += 1
    return best, converged, message, restarts


def _from_em(
    objective: Objective, optimizer: Optimizer, best: Evaluation, known: Evaluation | None = None
) -> tuple[Evaluation, bool, str]:
    """EM steps, then L-BFGS-B, unless that leads to a known optimum."""
    from scipy.optimize import minimize

    for _ in range(EM_STEPS):
        moved = objective.evaluate(em_step(objective, best))
        if moved.value >= best.value:
            break
        best = moved
    if known is not None and is_near(objective.theta_map, best, known):
        return best, True, "it leads to a known optimum"
    base, basis = objective.theta_map.stacked(best.phi), relative_basis(objective, best.phi)
    theta_map, f0 = objective.theta_map, best.value
    unit = relative_units(objective)

    def slope_of(found: Evaluation, unit: Array) -> Array:
        return theta_map.pick(np.swapaxes(basis, 1, 2) @ found.slope) * unit

    newton = float(np.linalg.norm(slope_of(best, unit)))  # square root of what a Newton step would gain
    tolerance = max(NEWTON_TOLERANCE, 0.3 * np.sqrt(objective.noise))
    if newton < tolerance:
        return best, True, "a Newton step would change nothing"
    unit = unit * newton  # L-BFGS-B makes its first step of length 1: now that is the Newton step
    first = best

    def value_and_slope(x: Array) -> tuple[float, Array]:
        found = first if not x.any() else objective.evaluate(theta_map.pick(base + basis @ theta_map.stacked(x * unit)))
        return min(found.value - f0, 1e10), slope_of(found, unit)

    def give_up(_: Array) -> None:
        if known is not None and objective.best is not None and is_near(theta_map, objective.best, known):
            raise StopIteration

    options = {"ftol": objective.noise, "gtol": newton * tolerance, "maxfun": optimizer.max_evaluations, "maxls": 12}
    result = minimize(
        value_and_slope, np.zeros(len(theta_map)), jac=True, method="L-BFGS-B", callback=give_up, options=options
    )
    if result.status == 0 and result.jac @ (result.hess_inv @ result.jac) / 2.0 > PROMISE + objective.noise:
        # In a direction of which the data say next to nothing a small gradient may be far from the optimum.
        options["gtol"] *= 1e-3
        result = minimize(value_and_slope, result.x, jac=True, method="L-BFGS-B", options=options)
    best = objective.best or best
    # An abnormal end is a line search among rounding errors: what was found is then as good as it gets.
    return best, result.status != 1, str(result.message)


def em_step(objective: Objective, best: Evaluation) -> Array:
    """One EM step: Sigma - Sigma G Sigma / n_f with G the derivative by Sigma, in terms of lambda and its slope."""
    theta_map, lam = objective.theta_map, objective.theta_map.stacked(best.phi)
    moved = lam.copy()
    for t, shape in enumerate(theta_map.terms):
        at, f = theta_map.places(t), shape.factor
        factor = lam[f, at, at]
        inner = factor.T @ best.slope[f, at, at] / (2.0 * objective.products.layout.n_levels[f])
        step = np.eye(len(factor)) - 0.5 * (inner + inner.T)
        if not shape.correlated:
            step = np.diag(np.diagonal(step))
        values, vectors = np.linalg.eigh(step)
        root = factor @ (vectors * np.sqrt(np.maximum(values, 1e-4)))
        moved[f, at, at] = lower_factor(root) if shape.correlated else np.abs(root @ vectors.T)
    return theta_map.canonical(theta_map.pick(moved))


def step_inside(objective: Objective, best: Evaluation) -> Evaluation | None:
    """A better point just inside the boundary, if there is one: an edge can trap a search."""
    theta_map, lam, zero = objective.theta_map, objective.theta_map.stacked(best.phi), ZERO * objective.products.unit
    for t, shape in enumerate(theta_map.terms):
        at, f = theta_map.places(t), shape.factor
        values, vectors = np.linalg.eigh(lam[f, at, at] @ lam[f, at, at].T)
        for value, vector in zip(values, vectors.T, strict=True):
            if value > zero**2:
                continue
            moved = lam.copy()
            root = np.column_stack([lam[f, at, at], 30 * zero * vector])
            moved[f, at, at] = lower_factor(root) if shape.correlated else np.diag(np.linalg.norm(root, axis=1))
            found = objective.evaluate(theta_map.canonical(theta_map.pick(moved)))
            if found.value < best.value - 10 * objective.noise - 1e-8:
                return found
    return None


def canonical_solution(objective: Objective, best: Evaluation) -> Evaluation:
    """The same solution with diagonals not below 0, and exactly 0 where that is no worse."""
    theta_map = objective.theta_map
    phi = theta_map.canonical(best.phi)
    near = theta_map.is_diagonal & (phi < ZERO * objective.products.unit)
    # Lower triangular factors become canonical by turning the signs of columns.
    turned = np.where(np.diagonal(theta_map.stacked(best.phi), axis1=1, axis2=2) < 0.0, -1.0, 1.0)
    best = replace(best, phi=phi, slope=best.slope * turned[:, None, :])
    if not near.any():
        return best
    zeroed = objective.evaluate(np.where(near, 0.0, phi))
    no_worse = zeroed.value <= best.value + 10 * objective.noise + 1e-9
    return zeroed if no_worse else best
