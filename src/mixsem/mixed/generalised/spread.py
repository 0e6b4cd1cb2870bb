"""Uncertainty of all parameters of a generalised mixed model, from the second derivatives of its criterion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .objective import Criterion

if TYPE_CHECKING:
    from .fit import GeneralisedFit

__all__ = ["JointSpread", "joint_spread", "theta_scales"]

Array = NDArray[np.float64]

#: Steps of the central differences, in standard errors with theta known for fixed effects; the error of the Hessian is
#: of the order of their square.
STEP = 1e-2
#: Smallest eigenvalue of the scaled Hessian relative to its largest that counts as positive.
POSITIVE = 1e-8


@dataclass(frozen=True, eq=False)
class JointSpread:
    """Covariances of the estimates.

    Attributes
    ----------
    fixed
        (p, p) of the fixed effects.
    joint
        Of theta, fixed effects and the logarithm of the family's parameter; None if the Hessian is not positive
        definite or was not asked for.
    hessian
        Second derivatives of -2 log L by them; None if not asked for.
    from_hessian
        Whether `fixed` accounts for the estimation of theta; else theta is taken as known.
    """

    fixed: Array
    joint: Array | None
    hessian: Array | None
    from_hessian: bool


def joint_spread(fit: GeneralisedFit) -> JointSpread:
    """Invert the Hessian; where that is not possible, and with ``n_agq=0``, theta is taken as known."""
    known = fit.state.unscaled_vcov
    if fit.n_agq == 0:
        return JointSpread(known, None, None, False)
    hessian = _hessian(fit)
    scale = np.sqrt(np.maximum(np.abs(np.diagonal(hessian)), 1e-300))
    # At the boundary the criterion says nothing about some directions of theta: these are left out.
    free = _free(fit)
    part = (hessian / np.outer(scale, scale))[np.ix_(free, free)]
    values = np.linalg.eigvalsh(part) if np.isfinite(part).all() else np.array([-1.0])
    if not values[0] > POSITIVE * values[-1]:
        return JointSpread(known, None, hessian, False)
    joint = np.full(hessian.shape, np.nan)
    joint[np.ix_(free, free)] = 2.0 * np.linalg.inv(part) / np.outer(scale[free], scale[free])
    n_theta, p = len(fit.theta), fit.model.p
    return JointSpread(joint[n_theta : n_theta + p, n_theta : n_theta + p], joint, hessian, True)


def _free(fit: GeneralisedFit) -> NDArray[np.int64]:
    """Parameters that are not on a boundary: theta without the columns whose diagonal is 0."""
    theta_map = fit.model.theta_map
    zero = {
        (int(f), int(c))
        for f, r, c, value in zip(theta_map.factor, theta_map.row, theta_map.column, fit.theta, strict=True)
        if r == c and value == 0.0
    }
    on_edge = np.array([(int(f), int(c)) in zero for f, c in zip(theta_map.factor, theta_map.column, strict=True)])
    others = fit.model.p + bool(fit.family.parameter)
    return np.flatnonzero(np.concatenate([~on_edge, np.ones(others, dtype=bool)]))


def _hessian(fit: GeneralisedFit) -> Array:
    """Central differences of the exact gradient, in the units of the user."""
    model, at = fit.model, _parameters(fit)
    criterion = Criterion(model.rows, model.family, model.theta_map, fit.n_agq, near=fit.point.mode)
    steps = STEP * np.concatenate(
        [theta_scales(fit), np.sqrt(np.diagonal(fit.state.unscaled_vcov)), *([[0.3]] if fit.family.parameter else [])]
    )
    rows = []
    for j, h in enumerate(steps):
        slopes = []
        for sign in (1.0, -1.0):
            moved = at.copy()
            moved[j] += sign * h
            criterion = replace(criterion, near=fit.point.mode)
            slopes.append(_slope(fit, criterion, moved))
        rows.append((slopes[0] - slopes[1]) / (2.0 * h))
    hessian = np.array(rows)
    return np.asarray(0.5 * (hessian + hessian.T))


def _parameters(fit: GeneralisedFit) -> Array:
    log_d = [] if fit.dispersion is None else [np.log(fit.dispersion)]
    return np.concatenate([fit.theta, fit.beta, log_d])


def _slope(fit: GeneralisedFit, criterion: Criterion, at: Array) -> Array:
    """Gradient in the units of the user; theta need not be canonical."""
    model, n_theta, p = fit.model, len(fit.theta), fit.model.p
    lam = model.inner @ model.theta_map.stacked(at[:n_theta])
    log_d = float(at[-1]) if model.family.parameter else 0.0
    found = criterion.at_lambda(lam, model.rows.scaling.fixed.to_inner @ at[n_theta : n_theta + p], log_d)
    return model.outer_slope(found)


def theta_scales(fit: GeneralisedFit) -> Array:
    """What complete data would determine each element of theta to."""
    theta_map = fit.model.theta_map
    levels = np.asarray(fit.model.rows.layout.n_levels, dtype=float)[theta_map.factor]
    size = np.empty(len(fit.theta))
    for t in range(len(theta_map.terms)):
        here = theta_map.term == t
        sds = np.sqrt((theta_map.term_lambda(fit.theta, t) ** 2).sum(axis=1))
        typical = np.where(sds > 0.0, sds, max(float(sds.max()), 0.1))
        size[here] = typical[theta_map.row[here] - theta_map.first[t]]
    return size / np.sqrt(levels)
