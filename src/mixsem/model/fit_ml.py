"""Maximise the likelihood of a covariance structure: Fisher scoring first, Newton's method at the end.

Scoring with the expected information is safe from afar, and a step is cheap: the information is a short formula
(see `mixsem.kernels.covariance`) and its arrow shape makes a step linear in the number of groups. Near the maximum the
second derivatives take over, where a loss has them (`mixsem.kernels.hessian`); others get BFGS updates of the scoring
step. Steps are damped as Levenberg and Marquardt do whenever the loss does not fall.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..kernels.arrow import ArrowSystem, factorize
from .fit_groups import maximize_by_group
from .loss import Evaluation, Loss

__all__ = ["Convergence", "Optimum", "factorize_at", "maximize_likelihood"]

Array = NDArray[np.float64]

#: Levenberg-Marquardt damping starts at the first when a step fails, and gives up at the second.
LEAST_DAMPED, MOST_DAMPED = 1e-2, 1e8

#: Steps shorter than this many standard errors are Newton's, from second derivatives.
NEAR = 3.0

#: After a step of Newton's method this short, what is left is of the size of its square.
QUADRATIC = 1e-6

#: Steps in a row that are hardly shorter than the shortest so far: rounding has been reached. Nobody needs
#: estimates to more than the second share of a standard error; with huge and tiny groups rounding allows no more.
STALLED, NEGLIGIBLE = 3, 1e-5


@dataclass(frozen=True, slots=True)
class Convergence:
    """When to stop, and how it went is in `Optimum`.

    Attributes
    ----------
    max_iterations
        Scoring steps at most.
    tolerance
        Length of the last step in units of standard errors (root of the Newton decrement).
    memory
        Pairs of steps and gradient changes that the BFGS updates use.
    """

    max_iterations: int = 300
    tolerance: float = 1e-8
    memory: int = 12


@dataclass(frozen=True, eq=False, slots=True)
class Optimum:
    """Where the optimiser stopped.

    Attributes
    ----------
    theta
        Estimates, shape (P,).
    loss_per_group
        n_g F_g / 2, shape (G,).
    gradient
        Gradient of the loss, shape (P,).
    system
        Factorised expected information at theta, or None if it is singular.
    converged, n_iterations, step
        Whether, after how many steps, and the length of the last step in standard errors.
    unfinished
        Groups that did not converge, where groups are separate problems.
    """

    theta: Array
    loss_per_group: Array
    gradient: Array
    system: ArrowSystem | None
    converged: bool
    n_iterations: int
    step: float
    unfinished: tuple[int, ...] = ()


def maximize_likelihood(loss: Loss, start: Array, settings: Convergence | None = None) -> Optimum:
    """Maximise the likelihood from `start`."""
    settings = settings or Convergence()
    if start.size == 0:
        return Optimum(start, loss.per_group(start), start, None, True, 0, 0.0)
    layout = loss.model.layout
    if loss.model.n_groups > 1 and layout.shared.size == 0:
        return _separately(loss, start, settings)
    theta, state, exact, memory = start, loss.evaluate(start), False, _Memory(settings.memory)
    damping, step, shortest, stalled, iteration = 0.0, np.inf, np.inf, 0, 0
    while iteration < settings.max_iterations and damping < MOST_DAMPED:
        iteration += 1
        move = _newton_step(loss, state) if exact and damping == 0.0 else None
        if move is None:
            state, exact = (loss.evaluate(theta), False) if exact else (state, False)
            system = _try_factorize(loss, state, damping)
            if system is None:
                damping = max(10 * damping, LEAST_DAMPED)
                continue
            move = memory.direction(system, state.gradient)
        step = max(-float(move @ state.gradient), 0.0) ** 0.5
        # Go on below the tolerance until rounding stops the progress: what follows (Phi, log L of the clusters)
        # depends on theta to first order, and must not depend on the order of rows, items or factors.
        stalled = stalled + 1 if step > 0.7 * shortest else 0
        shortest = min(step, shortest)
        if damping == 0.0 and _finished(step, stalled, settings.tolerance):
            break
        taken, moved, exact_there = _sufficient_decrease(loss, theta, move, state, near=step < NEAR)
        if moved is None:
            damping, memory = max(10 * damping, LEAST_DAMPED), _Memory(settings.memory)
            continue
        memory = memory.remember(taken, moved.gradient - state.gradient)
        theta, quadratic = theta + taken, exact and exact_there and damping == 0.0
        state, exact = moved, exact_there
        if quadratic and step < QUADRATIC and stalled == 0:
            step = step**2  # Newton's step squares the distance: the next one would be of this size, rounding
            break
        damping = 0.0 if damping <= LEAST_DAMPED else damping / 10
    return Optimum(
        theta=theta,
        loss_per_group=state.per_group,
        gradient=state.gradient,
        system=_try_factorize(loss, loss.evaluate(theta) if exact else state, 0.0),
        converged=step < NEGLIGIBLE,
        n_iterations=iteration,
        step=step,
    )


def _separately(loss: Loss, start: Array, settings: Convergence) -> Optimum:
    """Groups that share nothing are as many problems."""
    found = maximize_by_group(loss, start, settings.max_iterations)
    state = loss.evaluate(found.theta)
    return Optimum(
        theta=found.theta,
        loss_per_group=state.per_group,
        gradient=state.gradient,
        system=_try_factorize(loss, state, 0.0),
        converged=bool((found.steps < NEGLIGIBLE).all()),
        n_iterations=found.n_iterations,
        step=float(found.steps.max()),
        unfinished=tuple(int(g) for g in np.flatnonzero(found.steps >= NEGLIGIBLE)),
    )


def _finished(step: float, stalled: int, tolerance: float) -> bool:
    """Far below the tolerance, or below it and stalled, or stalled for long where rounding allows no more."""
    patience = STALLED if step <= tolerance else 4 * STALLED
    return step < 1e-3 * tolerance or (step < NEGLIGIBLE and stalled >= patience)


class _Memory:
    """The last steps and changes of the gradient, from which BFGS updates of the scoring step are made.

    Scoring alone converges slowly where the model fits badly, because the expected information is then far from
    the curvature of the likelihood; the memory learns the difference (limited-memory BFGS, two-loop recursion,
    with the inverse expected information in place of the usual multiple of the identity).
    """

    def __init__(self, size: int, pairs: tuple[tuple[Array, Array, float], ...] = ()) -> None:
        self.size, self.pairs = size, pairs

    def remember(self, step: Array, change: Array) -> _Memory:
        """A new memory with one more pair; a pair without positive curvature is not kept."""
        curvature = float(step @ change)
        if not curvature > 1e-10 * float(np.linalg.norm(step) * np.linalg.norm(change)):
            return self
        return _Memory(self.size, (*self.pairs, (step, change, 1.0 / curvature))[-self.size :])

    def direction(self, system: ArrowSystem, gradient: Array) -> Array:
        """The quasi-Newton step."""
        q, weights = gradient.copy(), []
        for step, change, rho in reversed(self.pairs):
            weights.append(rho * float(step @ q))
            q = q - weights[-1] * change
        move = system.solve(q)
        for (step, change, rho), weight in zip(self.pairs, reversed(weights), strict=True):
            move = move + (weight - rho * float(change @ move)) * step
        return -move if float(move @ gradient) > 0 else -system.solve(gradient)


def _newton_step(loss: Loss, observed: Evaluation) -> Array | None:
    """The step from second derivatives; None where they do not lead downhill."""
    system = _try_factorize(loss, observed, 0.0)
    if system is None:
        return None
    move = -system.solve(observed.gradient)
    # Downhill, and with positive curvature for every parameter: otherwise a saddle is nearer than the minimum.
    return move if float(move @ observed.gradient) < 0 and (system.diagonal() > 0).all() else None


def _sufficient_decrease(
    loss: Loss, theta: Array, move: Array, state: Evaluation, *, near: bool
) -> tuple[Array, Evaluation | None, bool]:
    """The longest of a few fractions of the step that lowers the loss enough.

    Returns the step, the loss there (None if none does), and whether that holds second derivatives, as it does near the
    minimum if the loss has them.
    """
    value = float(state.per_group.sum())
    slope = float(move @ state.gradient)
    for fraction in (1.0, 0.5, 0.25, 0.1, 0.03):
        point = theta + fraction * move
        observed = loss.observe(point) if near else None
        moved = loss.evaluate(point) if observed is None else observed
        allowed = value + 1e-4 * fraction * slope + loss.rounding
        if float(moved.per_group.sum()) <= allowed:
            return fraction * move, moved, observed is not None
    return move, None, False


def factorize_at(loss: Loss, theta: Array) -> ArrowSystem | None:
    """The factorised expected information at theta, or None where it is singular."""
    return _try_factorize(loss, loss.evaluate(theta), 0.0)


def _try_factorize(loss: Loss, state: Evaluation, damping: float) -> ArrowSystem | None:
    """The factorised information, or None where it is singular."""
    try:
        return factorize(loss.model.layout, state.information, damping)
    except np.linalg.LinAlgError:
        return None
