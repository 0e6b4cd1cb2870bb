"""Finding the estimates of a generalised mixed model.

Fixed effects start at those without random effects. Some EM steps and a search over theta, with beta at its joint mode
(what ``n_agq=0`` reports), lead near the optimum; the search over all parameters follows, in units in which the
criterion is nearly round: relative changes of the covariance factors, fixed effects by their information.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..engine.optimise import ZERO, Trace, em_step
from ..engine.quasi_newton import bfgs
from ..engine.theta import lower_factor
from .coordinates import Coordinates
from .objective import Criterion, Point

__all__ = ["minimise_criterion", "start_point"]

Array = NDArray[np.float64]

#: Standard deviations of the random effects that the search starts from, on the scale of the linear predictor.
START = 0.7
#: Steps of iteratively reweighted least squares for the start, and the relative gain that is worth another one.
GLM_STEPS, GLM_GAIN = 25, 1e-4
#: EM steps at most, and what the last one has to gain.
EM_STEPS, EM_GAIN = 3, 0.5
#: What the first search may leave to gain when a second one follows.
ROUGH = 1e-2
#: Further starts (sizes of theta, and factors of the family's parameter) where the penalised log-likelihood may have
#: several peaks, in problems of so many rows at most; and what they have to gain.
FURTHER, FEW_ROWS, BETTER = ((0.2, 1.0), (2.0, 0.3)), 5_000, 1e-6
#: Restarts from the boundary, and inverse curvature of log d with n rows: 1 / (n / 2).
RESTARTS = 3
#: Relative size of a step inside from the boundary.
INSIDE = 30.0 * ZERO


def start_point(criterion: Criterion, phi: Array | None = None, times: float = 1.0) -> Point:
    """Where the search starts: fixed effects without random ones, random effects of moderate size unless given.

    The family's parameter starts at `times` the one that the responses suggest without predictors.
    """
    rows, family = criterion.products, criterion.family
    d = times * family.start_dispersion(rows.y, rows.m) if family.parameter else 1.0
    beta = _without_random(criterion, d)
    phi = START * criterion.theta_map.start if phi is None else phi
    while True:
        point = criterion.at(phi, beta, float(np.log(d)))
        if np.isfinite(point.value) or np.abs(phi).max() < 1e-3:
            return point
        phi = 0.3 * phi  # with links that are not defined everywhere large random effects may have no mode


def _without_random(criterion: Criterion, d: float) -> Array:
    """Fixed effects by iteratively reweighted least squares."""
    rows, family = criterion.products, criterion.family
    y, m, X = rows.y, rows.m, rows.X
    eta = np.asarray(family.link.forward(family.start(y, m)), dtype=float)
    beta = np.zeros(X.shape[1])
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        before = -np.inf
        for _ in range(GLM_STEPS):
            mean = family.link.terms(eta)
            weight = m * mean.first**2 / family.variance(mean.mu, d)
            working = eta - rows.offset + (y - mean.mu) / mean.first
            weighted = X * weight[:, None]
            moved = np.linalg.lstsq(weighted.T @ X, weighted.T @ working, rcond=None)[0]
            length, value = 1.0, np.nan
            while length > 1e-3:
                trial = beta + length * (moved - beta)
                value = float(family.loglik(y, m, rows.offset + X @ trial, d).sum())
                if np.isfinite(value) and value >= before - 1e-8 * abs(before):
                    break
                length *= 0.5
            if not np.isfinite(value) or length <= 1e-3:
                break
            beta, eta = trial, rows.offset + X @ trial
            if value - before < GLM_GAIN * abs(value):
                break
            before = value
    return beta


def minimise_criterion(criterion: Criterion, start: Array | None, max_evaluations: int) -> tuple[Point, Trace]:
    """Find the minimum of the criterion.

    Parameters
    ----------
    criterion
        What is minimised.
    start
        Inner theta to start from; by default see `start_point`, followed by EM steps.
    max_evaluations
        Stop after about so many.

    Returns
    -------
    tuple
        The best point with its derivatives, covariance factors in canonical form, and how the search went.
    """
    began = time.perf_counter()
    best, working, converged = _from_start(criterion, start, 1.0)
    counts = [working.n_values, working.n_slopes]
    better, starts = 0, _further_starts(criterion) if start is None and best.mode is not None else ()
    for size, times in starts:
        other, again, ended = _from_start(criterion, size * criterion.theta_map.start, times)
        counts = [counts[0] + again.n_values, counts[1] + again.n_slopes]
        if other.value < best.value - BETTER:
            best, working, converged, better = other, again, ended, better + 1
    if best.mode is None:
        return best, _trace(working, began, counts, 0, False)
    working.near = best.mode
    n_before = working.n_values, working.n_slopes
    best, converged, restarts = _from_inside(working, best, converged, criterion.n_agq > 0)
    best = _canonical(working, best)
    counts = [counts[0] + working.n_values - n_before[0], counts[1] + working.n_slopes - n_before[1]]
    trace = _trace(working, began, counts, restarts, converged and sum(counts) <= max_evaluations * (1 + len(starts)))
    return best, replace(trace, better_starts=better, searches=1 + len(starts))


def _further_starts(criterion: Criterion) -> tuple[tuple[float, float], ...]:
    """Sizes of theta and of the family's parameter to start from too, where there may be several optima."""
    small = len(criterion.products.y) <= FEW_ROWS
    return FURTHER if small and not criterion.family.is_concave else ()


def _from_start(criterion: Criterion, start: Array | None, times: float) -> tuple[Point, Criterion, bool]:
    """One search: its end, the criterion that counted its evaluations, and whether it ended by itself."""
    profile = replace(criterion, n_agq=0, near=None, n_values=0, n_slopes=0, steps=0)
    best = start_point(profile, start, times)
    if best.mode is None:
        return best, profile, False
    if start is None:
        best = _em_steps(profile, best)
    best, inverse, converged = _search(profile, best, None, profile.noise if criterion.n_agq == 0 else ROUGH, False)
    if criterion.n_agq == 0:
        return best, profile, converged
    full = replace(profile, n_agq=criterion.n_agq, near=best.mode)
    best = full.at(best.phi, best.beta, best.log_d)
    best, _, converged = _search(full, best, inverse, full.noise, True)
    return best, full, converged


def _trace(criterion: Criterion, began: float, counts: list[int], restarts: int, converged: bool) -> Trace:
    return Trace(
        method="bfgs",
        evaluations=sum(counts),
        gradients=counts[1],
        seconds=time.perf_counter() - began,
        converged=converged,
        message="a Newton step would change nothing" if converged else "no step lowers the criterion any more",
        restarts=restarts,
        gain=0.0 if converged else np.nan,
    )


def _em_steps(criterion: Criterion, best: Point) -> Point:
    """EM steps for the covariances, as long as they gain."""
    for _ in range(EM_STEPS):
        if best.slope is None:
            return best
        moved = criterion.at(em_step(criterion, best.evaluation), best.beta, best.log_d)  # type: ignore[arg-type]
        if not moved.value < best.value:
            return best
        gained, best = best.value - moved.value, moved
        if gained < EM_GAIN:
            return best
    return best


def _search(
    criterion: Criterion, best: Point, inverse: Array | None, noise: float, with_beta: bool
) -> tuple[Point, Array, bool]:
    """BFGS from a point; `inverse` are inverse curvatures of the parameters other than beta."""
    coordinates = Coordinates.around(criterion, best, with_beta)
    own, known, lowest = coordinates.own, np.eye(coordinates.size), [best]
    if inverse is not None:
        known[np.ix_(own, own)] = inverse

    def value_and_slope(x: Array) -> tuple[float, Array]:
        found, slope = coordinates.at(x)
        if found.value < lowest[0].value:
            lowest[0] = found
        return found.value, slope

    _, _, known, converged = bfgs(value_and_slope, np.zeros(coordinates.size), known, noise)
    return lowest[0], known[np.ix_(own, own)], converged


def _from_inside(criterion: Criterion, best: Point, converged: bool, with_beta: bool) -> tuple[Point, bool, int]:
    """Search again from just inside the boundary where that is better."""
    restarts = 0
    while restarts < RESTARTS:
        inside = _step_inside(criterion, best)
        if inside is None:
            break
        best, _, converged = _search(criterion, inside, None, criterion.noise, with_beta)
        restarts += 1
    return best, converged, restarts


def _step_inside(criterion: Criterion, best: Point) -> Point | None:
    """A better point just inside the boundary, if there is one."""
    theta_map, lam = criterion.theta_map, criterion.theta_map.stacked(best.phi)
    for t, shape in enumerate(theta_map.terms):
        at, f = theta_map.places(t), shape.factor
        values, vectors = np.linalg.eigh(lam[f, at, at] @ lam[f, at, at].T)
        for value, vector in zip(values, vectors.T, strict=True):
            if value > ZERO**2:
                continue
            moved = lam.copy()
            root = np.column_stack([lam[f, at, at], INSIDE * vector])
            moved[f, at, at] = lower_factor(root) if shape.correlated else np.diag(np.linalg.norm(root, axis=1))
            found = criterion.at(theta_map.canonical(theta_map.pick(moved)), best.beta, best.log_d)
            if found.value < best.value - 10 * criterion.noise - 1e-8:
                return found
    return None


def _canonical(criterion: Criterion, best: Point) -> Point:
    """The same point with diagonals not below 0, and exactly 0 where that is no worse."""
    theta_map = criterion.theta_map
    phi = theta_map.canonical(best.phi)
    near = theta_map.is_diagonal & (phi < ZERO)
    if near.any():
        zeroed = criterion.at(np.where(near, 0.0, phi), best.beta, best.log_d)
        if zeroed.value <= best.value + 10 * criterion.noise + 1e-9:
            return zeroed
    if np.array_equal(phi, best.phi) and best.slope is not None:
        return best
    return criterion.at(phi, best.beta, best.log_d)
