"""Minimise a loss under equalities, inequalities and bounds.

SciPy's sequential quadratic programming finds which inequalities bind; steps of Newton's method on the conditions of
Karush, Kuhn and Tucker, with the expected information as Hessian, then take the estimates to full precision.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ..errors import ModelError, enumerate_briefly
from .constraints import Constraints
from .dense import dense_information
from .fit_ml import NEGLIGIBLE, Optimum
from .loss import Loss

__all__ = ["minimize_constrained"]

Array = NDArray[np.float64]

#: A constraint that is missed by more than this after the first stage cannot be satisfied.
VIOLATED = 1e-3

#: Steps of the last stage; each gains digits as scoring does, so few are needed.
POLISHING = 100


def minimize_constrained(loss: Loss, start: Array, constraints: Constraints) -> Optimum:
    """Minimise `loss` from `start` under `constraints`.

    Returns
    -------
    Optimum
        Without a factorised information: standard errors under constraints need the dense matrix.
    """
    theta = np.clip(start, constraints.lower, constraints.upper)
    root = _whitening(loss, theta)
    found = minimize(
        lambda x: _finite(loss.value(root @ x)),
        np.linalg.solve(root, theta),
        jac=lambda x: root.T @ loss.gradient(root @ x),
        method="SLSQP",
        constraints=_for_scipy(constraints, root),
        options={"maxiter": 500, "ftol": 1e-12},
    )
    theta = np.clip(root @ found.x, constraints.lower, constraints.upper)
    _require_feasible(constraints, theta, loss)
    return _polish(loss, theta, constraints, n_done=int(found.nit))


def _require_feasible(constraints: Constraints, theta: Array, loss: Loss) -> None:
    """Refuse constraints that no estimate satisfies."""
    gaps, _ = constraints.equality(theta)
    slack, _ = constraints.inequality(theta)
    broken = [str(c) for c, gap in zip(constraints.equalities, gaps, strict=True) if abs(gap) > VIOLATED]
    broken += [str(c) for c, room in zip(constraints.inequalities, slack, strict=False) if room < -VIOLATED]
    if broken or not np.isfinite(loss.value(theta)):
        what = enumerate_briefly([repr(text) for text in broken]) or "the constraints"
        raise ModelError(
            f"no values of the parameters were found that satisfy {what}",
            allowed="constraints that can hold together, with positive definite covariance matrices",
            todo="remove one of the constraints, or give starting values that satisfy them with start()",
        )


def _finite(value: float) -> float:
    """SciPy's line search retreats from large values, not from infinity."""
    return value if np.isfinite(value) else 1e12


def _whitening(loss: Loss, theta: Array) -> Array:
    """Coordinates in which the loss is about a sum of squares: a root of the inverse information."""
    H = dense_information(loss.model, loss.evaluate(theta).information)
    values, vectors = np.linalg.eigh(H)
    return vectors / np.sqrt(np.maximum(values, 1e-8 * values[-1]))


def _for_scipy(constraints: Constraints, root: Array) -> list[dict[str, object]]:
    parts = []
    for kind, of in (("eq", constraints.equality), ("ineq", constraints.inequality)):
        if of(np.zeros(constraints.n_free) + 0.5)[0].size:
            parts.append(
                {
                    "type": kind,
                    "fun": lambda x, of=of: of(root @ x)[0],
                    "jac": lambda x, of=of: of(root @ x)[1] @ root,
                }
            )
    return parts


def _polish(loss: Loss, theta: Array, constraints: Constraints, n_done: int) -> Optimum:
    """Newton's method on the optimality conditions, with the constraints that bind held as equalities."""
    step, shortest, stalled = np.inf, np.inf, 0
    for _ in range(POLISHING):
        state = loss.evaluate(theta)
        H = dense_information(loss.model, state.information)
        gap, jacobian = _binding(theta, constraints, state.gradient, H)
        move, _ = _kkt_step(H, jacobian, state.gradient, gap)
        step = max(float(move @ H @ move), 0.0) ** 0.5
        stalled = stalled + 1 if step > 0.7 * shortest else 0
        shortest = min(step, shortest)
        if step < 1e-11 or (step < 1e-8 and stalled >= 3) or stalled >= 12:
            break
        theta = theta + _acceptable(loss, theta, move)
    state = loss.evaluate(theta)
    return Optimum(
        theta=np.clip(theta, constraints.lower, constraints.upper),
        loss_per_group=state.per_group,
        gradient=state.gradient,
        system=None,
        converged=step < NEGLIGIBLE,
        n_iterations=n_done,
        step=step,
    )


def _binding(theta: Array, constraints: Constraints, gradient: Array, H: Array) -> tuple[Array, Array]:
    """Values and Jacobian of equalities and of inequalities at their limit that the gradient presses against."""
    values, jacobian = constraints.equality(theta)
    slack, slopes = constraints.inequality(theta)
    near = slack <= 1e-6 * (1.0 + np.abs(slopes) @ np.abs(theta))
    while near.any():
        gap = np.concatenate([values, slack[near]])
        held = np.vstack([jacobian, slopes[near]])
        _, dual = _kkt_step(H, held, gradient, gap)
        released = dual[values.size :] < 0  # the loss falls into the allowed side: no longer binding
        if not released.any():
            return gap, held
        near[np.flatnonzero(near)[released]] = False
    return values, jacobian


def _kkt_step(H: Array, jacobian: Array, gradient: Array, gap: Array) -> tuple[Array, Array]:
    """Solve [H -J'; J 0] (move, dual) = -(gradient, gap): the step and the multipliers of the constraints."""
    n, c = H.shape[0], jacobian.shape[0]
    system = np.block([[H, -jacobian.T], [jacobian, np.zeros((c, c))]])
    solution = np.linalg.lstsq(system, -np.concatenate([gradient, gap]), rcond=1e-13)[0]
    return solution[:n], solution[n:]


def _acceptable(loss: Loss, theta: Array, move: Array) -> Array:
    """The longest of a few fractions of the step at which the loss is finite and does not rise by much."""
    value = loss.value(theta)
    for fraction in (1.0, 0.5, 0.25, 0.1):
        if loss.value(theta + fraction * move) <= value + 0.1 * abs(value) + loss.rounding:
            return fraction * move
    return 0.03 * move
