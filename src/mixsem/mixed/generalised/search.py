"""Finding the estimates of a generalised mixed model.

Fixed effects start at those without random effects. Some EM steps and a search over theta, with beta at its joint mode
(what ``n_agq=0`` reports), lead near the optimum; the search over all parameters follows, in units in which the
criterion is nearly round: relative changes of the covariance factors, fixed effects by their information.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..engine.optimise import ZERO, Method, Optimizer, Trace, em_step
from ..engine.quasi_newton import bfgs
from ..engine.theta import lower_factor
from .coordinates import Coordinates
from .objective import Criterion, Point
from .other_search import search_with

__all__ = ["minimise_criterion", "start_point"]

Array = NDArray[np.float64]
#: Whether a search ended by itself, and what it said.
Said: TypeAlias = "tuple[bool, str]"

#: What a search says that found no start.
NOWHERE: Said = (False, "no start with a likelihood")
#: The name of the default method, which here is BFGS.
DEFAULT: Method = "lbfgsb"

#: Standard deviations of the random effects that the search starts from, on the scale of the linear predictor.
START = 0.7
#: Shares of these that are tried if there is no likelihood.
SHRUNK = (1.0, 0.3, 0.1, 0.03, 1e-2, 1e-3)
#: Steps of iteratively reweighted least squares for the start, and the relative gain that is worth another one.
GLM_STEPS, GLM_GAIN = 25, 1e-4
#: The largest change of a linear predictor that one of them may make.
LONG = 5.0
#: What keeps their system from being singular, and a linear predictor that is far enough for a start: with separated
#: responses there is no end.
RIDGE, FAR = 1e-12, 15.0
#: EM steps at most, and what the last one has to gain.
EM_STEPS, EM_GAIN = 3, 0.5
#: What the first search may leave to gain when a second one follows.
ROUGH = 1e-2
#: Further starts: sizes of theta, and factors of the family's parameter; and what they have to gain.
FURTHER, BETTER = ((0.2, 1.0), (2.0, 0.3), (1.0, 3.0)), 1e-6
#: They are tried in problems of so many rows at most where the penalised log-likelihood may have several peaks, or the
#: search ends at a standard deviation, or a logarithm of the family's parameter, above these; with a parameter, in
#: problems of so few rows always.
FEW_ROWS, WIDE, EXTREME, VERY_FEW_ROWS = 5_000, 4.0, 7.0, 500
#: Restarts from the boundary.
RESTARTS = 3
#: Relative size of a step inside from the boundary.
INSIDE = 30.0 * ZERO


def start_point(criterion: Criterion, phi: Array | None = None, times: float = 1.0) -> Point:
    """Where the search starts: fixed effects without random ones, random effects of moderate size unless given.

    The family's parameter starts at `times` the one that the responses suggest without predictors.
    """
    rows, family = criterion.products, criterion.family
    d = times * family.start_dispersion(rows.y, rows.m) if family.parameter else 1.0
    first = START * criterion.theta_map.start if phi is None else phi
    point = None
    for beta in (_without_random(criterion, d), _constant(criterion)):
        # With links that are not defined everywhere large random effects, or slopes, may have no mode.
        for size in SHRUNK:
            point = criterion.at(size * first, beta, float(np.log(d)))
            if np.isfinite(point.value):
                return point
    assert point is not None
    return point


def _constant(criterion: Criterion) -> Array:
    """Fixed effects with which all means are as near to that of the responses as they can be."""
    rows, family = criterion.products, criterion.family
    mean = np.average(family.start(rows.y, rows.m), weights=rows.m)
    eta = family.link.forward(np.full(len(rows.y), mean))
    return np.asarray(np.linalg.lstsq(rows.X, eta - rows.offset, rcond=None)[0], dtype=float)


def _without_random(criterion: Criterion, d: float) -> Array:
    """Fixed effects by iteratively reweighted least squares."""
    rows, family = criterion.products, criterion.family
    y, m, X = rows.y, rows.m, rows.X
    eta: Array = np.asarray(family.link.forward(family.start(y, m)), dtype=float)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        beta: Array = np.asarray(np.linalg.lstsq(X, eta - rows.offset, rcond=None)[0], dtype=float)
        eta, before = rows.offset + X @ beta, -np.inf
        for _ in range(GLM_STEPS):
            score, weight = family.newton(y, m, eta, d)
            if not family.is_concave:
                weight = family.expected(m, eta, d)
            if not np.isfinite(score @ score + weight @ weight):
                break
            information = (X * weight[:, None]).T @ X
            information += RIDGE * np.trace(information) * np.eye(len(beta))
            step = np.linalg.lstsq(information, X.T @ score, rcond=None)[0]
            length, value = min(1.0, LONG / max(float(np.abs(X @ step).max()), LONG)), np.nan
            while length > 1e-3:
                trial = beta + length * step
                value = float(family.loglik(y, m, rows.offset + X @ trial, d).sum())
                if np.isfinite(value) and value >= before - 1e-8 * abs(before):
                    break
                length *= 0.5
            if not np.isfinite(value) or length <= 1e-3:
                break
            beta, eta = trial, rows.offset + X @ trial
            if value - before < GLM_GAIN * abs(value) or np.abs(eta).max() > FAR:
                break
            before = value
    return beta


def minimise_criterion(criterion: Criterion, start: Array | None, optimizer: Optimizer) -> tuple[Point, Trace]:
    """Find the minimum of the criterion.

    Parameters
    ----------
    criterion
        What is minimised.
    start
        Inner theta to start from; by default see `start_point`, followed by EM steps.
    optimizer
        How; the default method is BFGS, which starts with what complete data would know of the curvature.

    Returns
    -------
    tuple
        The best point with its derivatives, covariance factors in canonical form, and how the search went.
    """
    began = time.perf_counter()
    best, working, said = _from_start(criterion, start, 1.0, optimizer)
    counts = [working.n_values, working.n_slopes]
    better, starts = 0, _further_starts(criterion, optimizer, best) if start is None and best.mode is not None else ()
    for size, times in starts:
        other, again, words = _from_start(criterion, size * criterion.theta_map.start, times, optimizer)
        counts = [counts[0] + again.n_values, counts[1] + again.n_slopes]
        if other.value < best.value - BETTER:
            best, working, said, better = other, again, words, better + 1
    if best.mode is None:
        return best, _trace(optimizer, began, counts, 0, said)
    working.near = best.mode
    n_before = working.n_values, working.n_slopes
    best, said, restarts = _from_inside(working, best, said, optimizer)
    best = _canonical(working, best)
    counts = [counts[0] + working.n_values - n_before[0], counts[1] + working.n_slopes - n_before[1]]
    trace = _trace(optimizer, began, counts, restarts, said)
    return best, replace(trace, better_starts=better, searches=1 + len(starts))


def _further_starts(criterion: Criterion, optimizer: Optimizer, best: Point) -> tuple[tuple[float, float], ...]:
    """Sizes of theta and of the family's parameter to start from too, where there may be several optima."""
    if optimizer.further_starts is not None:
        return FURTHER[: optimizer.further_starts]
    family, n = criterion.family, len(criterion.products.y)
    wide = float(np.abs(best.phi).max()) > WIDE or abs(best.log_d) > EXTREME
    doubtful = wide or not family.is_concave or (bool(family.parameter) and n <= VERY_FEW_ROWS)
    return FURTHER if doubtful and n <= FEW_ROWS else ()


def _from_start(
    criterion: Criterion, start: Array | None, times: float, optimizer: Optimizer
) -> tuple[Point, Criterion, Said]:
    """One search: its end, the criterion that counted its evaluations, and how it ended."""
    profile = replace(criterion, n_agq=0, near=None, n_values=0, n_slopes=0, steps=0)
    best = start_point(profile, start, times)
    if best.mode is None and criterion.n_agq > 0:
        # Where fixed effects have no joint mode inside of what is possible, the whole search may still find one.
        full = replace(profile, n_agq=criterion.n_agq)
        best = start_point(full, start, times)
        if best.mode is not None:
            best, _, said = _search(full, best, None, full.noise, optimizer)
            return best, full, said
    if best.mode is None:
        return best, profile, NOWHERE
    if start is None:
        best = _em_steps(profile, best)
    if criterion.n_agq == 0:
        best, _, said = _search(profile, best, None, profile.noise, optimizer)
        return best, profile, said
    best, inverse, _ = _search(profile, best, None, ROUGH, replace(optimizer, method=DEFAULT))
    full = replace(profile, n_agq=criterion.n_agq, near=best.mode)
    best = full.at(best.phi, best.beta, best.log_d)
    if best.mode is None:
        return best, full, NOWHERE
    best, _, said = _search(full, best, inverse, full.noise, optimizer)
    return best, full, said


def _trace(optimizer: Optimizer, began: float, counts: list[int], restarts: int, said: Said) -> Trace:
    converged, message = said
    return Trace(
        method="bfgs" if optimizer.method == DEFAULT else optimizer.method,
        evaluations=sum(counts),
        gradients=counts[1],
        seconds=time.perf_counter() - began,
        converged=converged,
        message=message,
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
    criterion: Criterion, best: Point, inverse: Array | None, noise: float, optimizer: Optimizer
) -> tuple[Point, Array, Said]:
    """Search from a point; `inverse` are inverse curvatures of the parameters other than beta."""
    coordinates = Coordinates.around(criterion, best, criterion.n_agq > 0)
    own, known, lowest = coordinates.own, np.eye(coordinates.size), [best]
    if optimizer.method != DEFAULT:
        found, ended, words = search_with(coordinates, optimizer.method, optimizer.max_evaluations)
        return found, known[np.ix_(own, own)], (ended, words)
    if inverse is not None:
        known[np.ix_(own, own)] = inverse

    def value_and_slope(x: Array) -> tuple[float, Array]:
        if criterion.n_slopes >= optimizer.max_evaluations:
            return np.inf, np.zeros(coordinates.size)
        found, slope = coordinates.at(x)
        if found.value < lowest[0].value:
            lowest[0] = found
        return found.value, slope

    _, _, known, converged = bfgs(value_and_slope, np.zeros(coordinates.size), known, noise)
    message = "a Newton step would change nothing" if converged else "no step lowers the criterion any more"
    if criterion.n_slopes >= optimizer.max_evaluations:
        converged, message = False, "the number of evaluations reached max_evaluations"
    return lowest[0], known[np.ix_(own, own)], (converged, message)


def _from_inside(criterion: Criterion, best: Point, said: Said, optimizer: Optimizer) -> tuple[Point, Said, int]:
    """Search again from just inside the boundary where that is better."""
    restarts = 0
    while optimizer.restart and restarts < RESTARTS:
        inside = _step_inside(criterion, best)
        if inside is None:
            break
        best, _, said = _search(criterion, inside, None, criterion.noise, optimizer)
        restarts += 1
    return best, said, restarts


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
    found = criterion.at(phi, best.beta, best.log_d)
    return best if found.mode is None else found
