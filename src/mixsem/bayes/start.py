"""Where the chains start: near the mode of the posterior with modest random effects, and scattered around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ..kernels.posterior import density
from ..kernels.problem import BETA, CORRELATION, LAMBDA, PSI, THETA, Problem
from .posterior import Posterior
from .scales import factor_units

__all__ = ["Evaluator", "central_point", "rough_point", "scattered_point"]

Array = NDArray[np.float64]

#: Standard deviations of random effects while the mode is looked for: of loadings (relative to their size), of
#: regressions, of log variances, of correlations. The joint mode over them is far from where the mass is.
TYPICAL_SPREAD = {"loading": 0.2, "regression": 0.1, "variance": 0.2, "correlation": 0.1}


class Evaluator:
    """Log posterior and gradient as a function of x, for optimisers that minimise."""

    def __init__(self, posterior: Posterior) -> None:
        self.problem = posterior.problem
        self.n_evaluations = 0

    def __call__(self, x: Array) -> tuple[float, Array]:
        """Negative log posterior and its gradient; infinite where there is no density."""
        gradient = np.empty_like(x)
        value = density(self.problem, np.ascontiguousarray(x), gradient)
        self.n_evaluations += 1
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return np.inf, np.zeros_like(x)
        return -value, -gradient


def central_point(posterior: Posterior) -> Array:
    """Maximise the posterior with the spread of random effects held at typical values, shape (P,)."""
    x = rough_point(posterior)
    moving = np.array([what != "sd" for what in posterior.what])
    objective = Evaluator(posterior)

    def masked(y: Array) -> tuple[float, Array]:
        full = x.copy()
        full[moving] = y
        value, gradient = objective(full)
        return (value if np.isfinite(value) else 1e100), gradient[moving]

    options = {"maxiter": 300, "maxcor": 20, "ftol": 1e-7}  # a start need not be the mode to the last digit
    result = minimize(masked, x[moving], jac=True, method="L-BFGS-B", options=options)
    x[moving] = result.x
    return x


def rough_point(posterior: Posterior) -> Array:
    """Half of every item's variance is unique, and loadings follow the items' scales."""
    problem = posterior.problem
    variances = np.average(np.diagonal(problem.S, axis1=1, axis2=2), axis=0, weights=problem.nu)
    size = np.sqrt(np.maximum(variances, 1e-12))
    marker = factor_units(posterior, size)
    x = np.zeros(posterior.n_params)
    pooled = np.average(problem.S, axis=0, weights=problem.nu)
    for i in range(x.size):
        e, what = int(posterior.entry[i]), posterior.what[i]
        kind, row, column = int(problem.kind[e]), int(problem.row[e]), int(problem.column[e])
        correlation = problem.link[e] == CORRELATION
        if what == "deviation":
            continue
        if what == "sd":
            kinds = {LAMBDA: "loading", BETA: "regression"}
            spread = TYPICAL_SPREAD[kinds.get(kind, "correlation" if correlation else "variance")]
            x[i] = np.log(spread * (size[row] / marker[column] if kind == LAMBDA else 1.0))
        elif kind == LAMBDA:
            sign = _sign(problem, pooled, row, column)
            x[i] = 0.7 * sign * size[row] / marker[column]
        elif kind == THETA and not correlation:
            x[i] = np.log(0.5 * variances[row])
        elif kind == PSI and not correlation:
            x[i] = np.log(0.5 * marker[row] ** 2)
    return x


def _sign(problem: Problem, pooled: Array, item: int, factor: int) -> float:
    """Sign of an item's covariance with the marker of its factor."""
    for e in np.flatnonzero((problem.kind == LAMBDA) & (problem.column == factor)):
        marker = problem.fixed[0, e]
        if problem.base[0, e] < 0 and marker != 0.0:
            return float(np.sign(pooled[item, problem.row[e]] * marker) or 1.0)
    return 1.0


def scattered_point(posterior: Posterior, centre: Array, rng: np.random.Generator) -> Array:
    """A point around the centre, about as far from it as the posterior's own draws are; shape (P,)."""
    kinds = posterior.problem.kind[posterior.entry]
    loading = (kinds == LAMBDA) | (kinds == BETA)
    what = np.array(posterior.what)
    scale = np.where(loading, 0.1 * np.maximum(np.abs(centre), 0.3), 0.1)
    scale = np.where(what == "deviation", 0.5, np.where(what == "sd", 0.4, scale))
    direction = scale * rng.standard_normal(centre.size)
    objective = Evaluator(posterior)
    for halvings in range(20):
        point = centre + 0.5**halvings * direction
        if np.isfinite(objective(point)[0]):
            return np.asarray(point)
    return centre
