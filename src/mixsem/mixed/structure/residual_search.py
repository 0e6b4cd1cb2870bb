"""Finding theta and the parameters of the residual structure together: EM steps for theta, then L-BFGS-B for both."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...errors import BoundaryWarning, DataError, Notice, OptionError
from ...threads import few_threads
from ..engine.deviance import criterion, decompose, product_gradient
from ..engine.objective import Evaluation, Objective
from ..engine.optimise import (
    EM_STEPS,
    NEWTON_TOLERANCE,
    Optimizer,
    Trace,
    canonical_solution,
    em_step,
    step_inside,
)
from ..engine.relative import relative_basis
from ..engine.theta import ThetaMap
from .residual_products import StructuredProducts
from .residual_structure import ResidualEstimate

__all__ = ["JointEvaluation", "JointObjective", "minimise_jointly", "residual_estimate", "residual_notices"]

Array = NDArray[np.float64]

#: Bounds of log ratios, and of atanh(phi): beyond them a ratio is 0 or infinite, and phi is -1 or 1.
LARGEST_LOG, LARGEST_Z = float(np.log(1e4)), 8.0
#: A range of log ratios that is tried at its bound.
NEARLY_ZERO = 5.0
#: At the bound of a ratio the criterion still falls by about the level's rows per unit if the likelihood is unbounded,
#: and not at all if random effects take over.
FALLING = 0.1
#: Correlations of neighbours, at the smallest gap, from which the search sets out: the deviance may have one minimum
#: with a strong AR(1) process and little variance between groups, and another the other way round.
STARTS = (0.0, 0.5, -0.3)
#: From each start the search goes on until a Newton step would gain less than the square of this; the best goes on.
SCREENING = 0.03
#: L-BFGS-B is started again at its solution, in units that fit there, at most so often.
ROUNDS = 6


@dataclass(frozen=True, eq=False)
class JointEvaluation:
    """The criterion at one point.

    Attributes
    ----------
    phi, eta
        Theta of the centred and scaled columns, and the residual parameters.
    value
        The criterion; infinite if it cannot be computed there.
    slope
        Derivatives by the entries of the relative covariance factors, shape (F, k, k).
    by_eta
        Derivatives by the residual parameters.
    """

    phi: Array
    eta: Array
    value: float
    slope: Array
    by_eta: Array


@dataclass(eq=False)
class JointObjective:
    """The profiled criterion as a function of theta and the residual parameters.

    Attributes
    ----------
    structured, theta_map, reml
        What is evaluated.
    n_slopes
        Evaluations so far, each with derivatives.
    best
        The best evaluation since it was last cleared.
    """

    structured: StructuredProducts
    theta_map: ThetaMap
    reml: bool
    n_slopes: int = 0
    best: JointEvaluation | None = field(default=None)

    def evaluate(self, phi: Array, eta: Array) -> JointEvaluation:
        """Evaluate at phi and eta."""
        self.n_slopes += 1
        phi, structured = np.array(phi, dtype=float), self.structured.at(eta)
        lam, products = self.theta_map.stacked(phi), structured.products
        parts = decompose(products, lam) if np.isfinite(phi).all() else None
        if parts is None or not parts.r2 > 0.0:
            return JointEvaluation(phi, structured.eta, np.inf, np.zeros_like(lam), np.zeros(len(eta)))
        slope, values, tail = product_gradient(products, parts, self.reml)
        value = criterion(products, parts, self.reml)
        found = JointEvaluation(phi, structured.eta, value, slope, structured.slope(values, tail))
        if self.best is None or value < self.best.value:
            self.best = found
        return found

    def for_theta(self, eta: Array) -> Objective:
        """The criterion as a function of theta alone."""
        return Objective(self.structured.at(eta).products, self.theta_map, self.reml)


def minimise_jointly(
    structured: StructuredProducts, theta_map: ThetaMap, reml: bool, optimizer: Optimizer, start: Array | None = None
) -> tuple[JointEvaluation, Trace]:
    """Find the theta and the residual parameters with the smallest criterion.

    Parameters
    ----------
    structured
        Cross-products as a function of the residual parameters.
    theta_map
        Where theta stands in the relative covariance factors.
    reml
        Which criterion.
    optimizer
        How: ``"lbfgsb"``, and after how many evaluations to stop.
    start
        Where theta starts; by default 1 on diagonals and 0 elsewhere.

    Raises
    ------
    OptionError
        If another optimiser is asked for.
    """
    if optimizer.method != "lbfgsb":
        raise OptionError(f"method={optimizer.method!r} with a residual structure", allowed='"lbfgsb"')
    began = time.perf_counter()
    objective = JointObjective(structured, theta_map, reml)
    found, extra, restarts = [], 0, 0
    with few_threads(len(structured.base.tail)):
        for eta in _starts(structured):
            plain = objective.for_theta(eta)
            theta = _em(plain, plain.evaluate(theta_map.start * plain.products.unit if start is None else start))
            found.append(_quasi_newton(objective, optimizer, objective.evaluate(theta.phi, eta), SCREENING)[0])
            extra += plain.n_slopes
        best, converged, message = _search(objective, optimizer, min(found, key=lambda one: one.value))
        at_zero = _without_residual(objective, best)
        if at_zero is not None:
            best, converged, message = _search(objective, optimizer, at_zero)
        while optimizer.restart and restarts < 3:
            plain = objective.for_theta(best.eta)
            inside = step_inside(plain, Evaluation(best.phi, best.value, best.slope))
            extra += plain.n_slopes
            if inside is None:
                break
            best, converged, message = _search(objective, optimizer, objective.evaluate(inside.phi, best.eta))
            restarts += 1
        plain = objective.for_theta(best.eta)
        theta = canonical_solution(plain, Evaluation(best.phi, best.value, best.slope))
        extra += plain.n_slopes
    best = JointEvaluation(theta.phi, best.eta, theta.value, theta.slope, best.by_eta)
    evaluations = objective.n_slopes + extra
    seconds = time.perf_counter() - began
    return best, Trace(optimizer.method, evaluations, evaluations, seconds, converged, message, restarts)


def _starts(structured: StructuredProducts) -> list[Array]:
    """Residual parameters to start from: no structure, and correlations where there may be some."""
    weighing, n_eta = structured.weighing, structured.rows.n_eta
    if not weighing.ar:
        return [np.zeros(n_eta)]
    smallest = int(weighing.distances.min())
    found = []
    for rho in STARTS:
        if (smallest > 1) if rho == 0.0 else (rho < 0.0 and smallest % 2 == 0):
            continue  # phi^d does not change with phi at 0, or has no such value
        eta = np.zeros(n_eta)
        eta[-1] = np.arctanh(np.sign(rho) * abs(rho) ** (1.0 / smallest))
        found.append(eta)
    return found


def _em(objective: Objective, best: Evaluation) -> Evaluation:
    for _ in range(EM_STEPS):
        moved = objective.evaluate(em_step(objective, best))
        if moved.value >= best.value:
            break
        best = moved
    return best


def _search(
    objective: JointObjective, optimizer: Optimizer, best: JointEvaluation
) -> tuple[JointEvaluation, bool, str]:
    """L-BFGS-B, again from its solution until that is one in the units of the solution too."""
    converged, message = False, ""
    for _ in range(ROUNDS):
        moved, converged, message = _quasi_newton(objective, optimizer, best, NEWTON_TOLERANCE)
        gain = best.value - moved.value
        best = moved
        if not gain > 1e-10 * max(1.0, abs(best.value)):
            break
    return best, converged, message


def _quasi_newton(
    objective: JointObjective, optimizer: Optimizer, first: JointEvaluation, tolerance: float
) -> tuple[JointEvaluation, bool, str]:
    """L-BFGS-B in coordinates in which the deviance is nearly round at `first`; see `optimise`.

    It ends when a Newton step would lower the criterion by less than the square of `tolerance`.
    """
    from scipy.optimize import minimize

    theta_map, structured = objective.theta_map, objective.structured
    plain = objective.for_theta(first.eta)
    base, basis = theta_map.stacked(first.phi), relative_basis(plain, first.phi)
    levels = np.asarray(structured.base.layout.n_levels, dtype=float)[theta_map.factor]
    curvature = structured.weighing.curvature(first.eta)
    n, m = len(theta_map), len(first.eta)
    unit = 1.0 / np.sqrt(np.append(levels * np.where(theta_map.is_diagonal, 4.0, 2.0), np.maximum(curvature, 1.0)))

    def slope_of(found: JointEvaluation) -> Array:
        by_theta = theta_map.pick(np.swapaxes(basis, 1, 2) @ found.slope)
        return np.asarray(np.append(by_theta, found.by_eta) * unit)

    limit = _limits(structured)
    at_edge = np.append(np.zeros(n, dtype=bool), np.abs(first.eta) >= limit)
    newton = float(np.linalg.norm(np.where(at_edge, 0.0, slope_of(first))))
    tolerance = max(tolerance, float(np.sqrt(plain.noise)))  # a line search cannot see less
    if newton < tolerance:
        return first, True, "a Newton step would change nothing"
    unit *= newton  # so that the first step, of length 1, is the Newton step
    objective.best = first

    def value_and_slope(x: Array) -> tuple[float, Array]:
        found = first
        if x.any():
            moved = theta_map.pick(base + basis @ theta_map.stacked(x[:n] * unit[:n]))
            found = objective.evaluate(moved, first.eta + x[n:] * unit[n:])
        return min(found.value - first.value, 1e10), slope_of(found)

    low, high = (-limit - first.eta) / unit[n:], (limit - first.eta) / unit[n:]
    result = minimize(
        value_and_slope,
        np.zeros(n + m),
        jac=True,
        method="L-BFGS-B",
        bounds=[(None, None)] * n + list(zip(low, high, strict=True)),
        options={
            "ftol": plain.noise,
            "gtol": newton * tolerance,
            "maxfun": optimizer.max_evaluations,
            "maxiter": optimizer.max_evaluations,
            "maxls": 30,
        },
    )
    return objective.best, result.status != 1, str(result.message)


def _without_residual(objective: JointObjective, best: JointEvaluation) -> JointEvaluation | None:
    """The same with a nearly vanishing residual variance at its bound, if that is better: the way there is flat."""
    logs, _ = objective.structured.weighing.split(best.eta)
    lowest, shift = int(np.argmin(logs)), LARGEST_LOG - float(np.ptp(logs))
    if np.ptp(logs) < NEARLY_ZERO or shift <= 0.0:
        return None
    phi, eta, n = best.phi, best.eta.copy(), len(logs) - 1
    if lowest:
        eta[lowest - 1] -= shift
    else:  # all is relative to the first level: its residuals vanish where everything else grows
        phi, eta[:n] = phi * np.exp(shift), eta[:n] + shift
    found = objective.evaluate(phi, eta)
    return found if found.value <= best.value else None


def _limits(structured: StructuredProducts) -> Array:
    """Bounds of the absolute values of eta."""
    limit = np.full(structured.rows.n_eta, LARGEST_LOG)
    if structured.weighing.ar:
        limit[-1] = LARGEST_Z
    return limit


def residual_estimate(structured: StructuredProducts, sigma: float) -> ResidualEstimate:
    """What the current parameters mean; sigma is the residual standard deviation of the first stratum."""
    logs, phi = structured.weighing.split(structured.eta)
    rows = structured.rows
    return ResidualEstimate(rows.structure, rows.levels, np.exp(logs), phi if structured.weighing.ar else None, sigma)


def residual_notices(structured: StructuredProducts, best: JointEvaluation) -> tuple[Notice, ...]:
    """What a reader of the estimates should know.

    Raises
    ------
    DataError
        If the likelihood has no maximum, because the model describes every row of a level of `by`.
    """
    rows = structured.rows
    logs, phi = structured.weighing.split(best.eta)
    texts = []
    if np.ptp(logs) > 0.9 * LARGEST_LOG:
        lowest = int(np.argmin(logs))
        slope = best.by_eta[lowest - 1] if lowest else best.by_eta[: len(logs) - 1].sum()
        level = f"{rows.structure.by} = {rows.levels[lowest]}"
        if abs(slope) > FALLING:
            raise DataError(
                f"the residual variance of {level} is zero and the likelihood has no maximum: fixed effects and random "
                f"effects describe its {structured.weighing.n_rows[lowest]:,} rows",
                todo="join levels of by=, or use fewer predictors",
            )
        texts.append(
            f"boundary fit: the residual variance of {level} is zero. The random effects pass through its rows: drop a "
            "random effect, or join levels of by=."
        )
    if rows.structure.ar1 is not None and abs(np.arctanh(phi)) > 0.95 * LARGEST_Z:
        texts.append(
            f"boundary fit: the AR(1) correlation of the residuals within {rows.structure.ar1[0]} is "
            f"{'1' if phi > 0 else '-1'}. A residual that stays where it is cannot be told from a random intercept of "
            f"{rows.structure.ar1[0]}: drop that, or the AR(1) structure."
        )
    return tuple(Notice(BoundaryWarning, text) for text in texts)
