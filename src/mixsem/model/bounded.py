"""Minimise a loss under bounds of single parameters, however many there are.

An active-set method: parameters that leave their bounds are held there, the rest is optimised as if it were all, and
what the loss pulls back inside is released. Every round is an ordinary fit of a smaller model, so the work stays linear
in the number of groups.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels.arrow import arrow_layout
from .constraints import Constraints
from .fit_ml import Optimum, factorize_at, maximize_likelihood
from .loss import Loss
from .matrices import ModelMap

__all__ = ["hold_parameters", "minimize_bounded"]

Array = NDArray[np.float64]

#: Rounds of holding and releasing; a handful is enough unless the model is unidentified.
ROUNDS = 50


def minimize_bounded(loss: Loss, start: Array, constraints: Constraints) -> Optimum:
    """Minimise `loss` within the bounds of `constraints`, which holds nothing else.

    Returns
    -------
    Optimum
        Of the whole model: the gradient of a parameter at its bound need not vanish.
    """
    lower, upper = constraints.lower, constraints.upper
    theta, held = np.clip(start, lower, upper), lower == upper
    optimum, released = None, np.zeros(theta.size, dtype=int)
    for _ in range(ROUNDS):
        part = _with_model(loss, hold_parameters(loss.model, held, theta))
        optimum = maximize_likelihood(part, theta[~held])
        theta = theta.copy()
        theta[~held] = optimum.theta
        outside = (theta < lower) | (theta > upper)
        if outside.any():
            theta = np.clip(theta, lower, upper)
            held = held | outside
            continue
        gradient = loss.gradient(theta)
        inward = held & (lower < upper) & np.where(theta <= lower, gradient < 0, gradient > 0)
        inward &= released < 3  # rounding must not let a parameter go to and fro
        if not inward.any():
            break
        held, released = held & ~inward, released + inward
    assert optimum is not None
    return replace(
        optimum,
        theta=theta,
        loss_per_group=loss.per_group(theta),
        gradient=loss.gradient(theta),
        system=factorize_at(loss, theta),
    )


def hold_parameters(model: ModelMap, held: NDArray[np.bool_], theta: Array) -> ModelMap:
    """The same model with some parameters fixed at their values in theta."""
    number = np.append(np.where(held, -1, np.cumsum(~held) - 1), -1)
    free = number[model.free]
    at_value = (model.free >= 0) & (free < 0)
    fixed = np.where(at_value, theta[np.maximum(model.free, 0)] if theta.size else 0.0, model.fixed)
    names = tuple(name for name, out in zip(model.names, held, strict=True) if not out)
    return replace(model, free=free, fixed=fixed, names=names, layout=arrow_layout(free, len(names)))


def _with_model(loss: Any, model: ModelMap) -> Loss:
    """The loss of another model of the same data; every loss is a frozen dataclass."""
    changed: Loss = replace(loss, model=model)
    return changed
