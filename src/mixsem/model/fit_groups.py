"""Maximise a likelihood whose groups share no parameter: every group has steps of its own.

One step length for all groups would be that of the most difficult one. Here a group whose likelihood is awkward, or has
no maximum, holds nobody else up, and is known by name in the end.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .loss import Evaluation, Loss

__all__ = ["GroupOptima", "maximize_by_group"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: As in `fit_ml`: when to trust second derivatives, how long a last step may be, what damping starts and ends with.
NEAR, TOLERANCE, NEGLIGIBLE = 3.0, 1e-10, 1e-5
LEAST_DAMPED, MOST_DAMPED = 1e-2, 1e8
PATIENCE = 6

#: Iterations after which the groups that are done are set aside.
ROUND = 30


class GroupOptima(NamedTuple):
    """Where every group stopped."""

    theta: Array  # (P,)
    steps: Array  # (G,) length of the last step in standard errors
    n_iterations: int


def maximize_by_group(loss: Loss, start: Array, max_iterations: int = 300) -> GroupOptima:
    """Maximise the likelihood of each group from `start`; no parameter may be in two groups.

    Every `ROUND` iterations the groups that are done are left out, so that the last ones cost little.
    """
    theta, steps = start.copy(), np.zeros(loss.model.n_groups)
    groups, done = np.arange(steps.size), 0
    while groups.size and done < max_iterations:
        part, used = loss.of_groups(groups) if groups.size < steps.size else (loss, np.arange(start.size))
        found = _round(part, theta[used], ROUND)
        theta[used], steps[groups] = found.theta, found.steps
        done += found.n_iterations
        groups = groups[found.steps >= NEGLIGIBLE] if found.n_iterations == ROUND else groups[:0]
    return GroupOptima(theta, steps, done)


def _round(loss: Loss, start: Array, max_iterations: int) -> GroupOptima:
    """Some iterations for all groups."""
    theta, value = start.copy(), loss.per_group(start)
    G = value.size
    damping, shortest, stalled = np.zeros(G), np.full(G, np.inf), np.zeros(G, dtype=int)
    step, active, iteration = np.full(G, np.inf), np.ones(G, dtype=bool), 0
    rounding = np.full(G, loss.rounding / G)
    while active.any() and iteration < max_iterations:
        iteration += 1
        gradient, move = _moves(loss, theta, damping, step)
        slope = (gradient * move).sum(axis=1)
        step = np.where(active, np.sqrt(np.maximum(-slope, 0.0)), step)
        stalled = np.where(step > 0.7 * shortest, stalled + 1, 0)
        shortest = np.minimum(step, shortest)
        finished = (step < TOLERANCE) | ((step < NEGLIGIBLE) & (stalled >= PATIENCE))
        active &= ~(finished & (damping == 0.0))
        theta, value, moved = _line_search(loss, theta, value, move, slope, active, rounding)
        damping = np.where(
            active & ~moved,
            np.maximum(10 * damping, LEAST_DAMPED),
            np.where(damping <= LEAST_DAMPED, 0.0, damping / 10),
        )
        active &= damping < MOST_DAMPED
    return GroupOptima(theta, step, iteration)


def _moves(loss: Loss, theta: Array, damping: Array, step: Array) -> tuple[Array, Array]:
    """Gradient and step of every group's own parameters, shape (G, m): Newton's where it leads downhill."""
    state = loss.evaluate(theta)
    local = loss.model.layout.local
    gradient = np.where(local >= 0, state.gradient[np.maximum(local, 0)], 0.0)
    move = _solve(_own(loss, state, damping), gradient)
    near = (step < NEAR) & (damping == 0.0)
    observed = loss.observe(theta) if near.any() else None
    if observed is not None:
        H = _own(loss, observed, damping)
        scale = np.sqrt(np.abs(np.einsum("gii->gi", H))) + 1e-300
        convex = np.linalg.eigvalsh(H / (scale[:, :, None] * scale[:, None, :]))[:, 0] > 1e-10
        usable = near & convex
        H[~usable] = np.eye(H.shape[-1])
        move = np.where(usable[:, None], _solve(H, gradient), move)
    return gradient, move


def _own(loss: Loss, state: Evaluation, damping: Array) -> Array:
    """Each group's matrix over its own parameters, shape (G, m, m); padding gets an identity block."""
    layout = loss.model.layout
    H = layout.gather.swapaxes(1, 2) @ state.information @ layout.gather
    diagonal = np.einsum("gii->gi", H)
    diagonal *= 1.0 + damping[:, None]
    diagonal += layout.local < 0
    return H


def _solve(H: Array, gradient: Array) -> Array:
    """Minus H^-1 gradient; steepest descent in a group whose matrix is singular."""
    try:
        return np.asarray(-np.linalg.solve(H, gradient[:, :, None])[:, :, 0], dtype=float)
    except np.linalg.LinAlgError:
        diagonal = np.maximum(np.abs(np.einsum("gii->gi", H)), 1e-300)
        return -gradient / diagonal


def _line_search(
    loss: Loss, theta: Array, value: Array, move: Array, slope: Array, active: Mask, rounding: Array
) -> tuple[Array, Array, Mask]:
    """Take the longest of a few fractions of each group's step that lowers its loss."""
    local = loss.model.layout.local
    accepted = ~active
    for fraction in (1.0, 0.5, 0.25, 0.1, 0.03):
        waiting = ~accepted
        if not waiting.any():
            break
        trial = theta.copy()
        chosen = waiting[:, None] & (local >= 0)
        trial[local[chosen]] += fraction * move[chosen]
        reached = loss.per_group(trial)
        better = waiting & (reached <= value + 1e-4 * fraction * slope + rounding)
        keep = better[:, None] & (local >= 0)
        theta = theta.copy()
        theta[local[keep]] = trial[local[keep]]
        value = np.where(better, reached, value)
        accepted |= better
    return theta, value, accepted
