"""Uncertainty of all parameters of a generalised mixed model, from the second derivatives of its criterion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from .coordinates import Coordinates
from .objective import Criterion

if TYPE_CHECKING:
    from .fit import GeneralisedFit

__all__ = ["JointSpread", "joint_spread", "theta_scales"]

Array = NDArray[np.float64]

#: Step of the central differences; the error of the Hessian is of the order of its square.
STEP = 1e-2
#: Curvature below which a direction is flat, relative to what complete data say; and negative curvature that is more
#: than rounding.
FLAT, SADDLE = 1e-5, 1e-3


@dataclass(frozen=True, eq=False)
class JointSpread:
    """Covariances of the estimates.

    Attributes
    ----------
    fixed
        (p, p) of the fixed effects.
    joint
        Of theta, fixed effects and the logarithm of the family's parameter, NaN for those on a boundary; None if the
        Hessian is not that of a minimum, or was not asked for.
    from_hessian
        Whether `fixed` accounts for the estimation of theta; else theta is taken as known.
    """

    fixed: Array
    joint: Array | None
    from_hessian: bool


def joint_spread(fit: GeneralisedFit) -> JointSpread:
    """Invert the Hessian; where that is not possible, and with ``n_agq=0``, theta is taken as known."""
    from ...threads import few_threads

    known = fit.state.unscaled_vcov
    if fit.n_agq == 0:
        return JointSpread(known, None, False)
    with few_threads(fit.model.rows.layout.blocks.n_tail):
        hessian, units = _hessian(fit)
    if not np.isfinite(hessian).all():
        return JointSpread(known, None, False)
    # At the boundary the criterion says nothing about some directions of theta: these are left out.
    free = _free(fit)
    values, vectors = np.linalg.eigh(hessian[np.ix_(free, free)])
    if values[0] < -SADDLE:
        return JointSpread(known, None, False)
    # Separated predictors, and a size on its way to infinity, leave flat directions; others stay as they are.
    root = units[:, free] @ vectors * np.sqrt(2.0 / np.maximum(values, FLAT))
    joint = root @ root.T
    n_theta, p = len(fit.theta), fit.model.p
    left_out = np.setdiff1d(np.arange(len(joint)), free)
    joint[left_out] = joint[:, left_out] = np.nan
    return JointSpread(joint[n_theta : n_theta + p, n_theta : n_theta + p], joint, True)


def _free(fit: GeneralisedFit) -> NDArray[np.int64]:
    """Coordinates that are not on a boundary: theta without the columns whose diagonal is 0."""
    theta_map = fit.model.theta_map
    zero = {
        (int(f), int(c))
        for f, r, c, value in zip(theta_map.factor, theta_map.row, theta_map.column, fit.theta, strict=True)
        if r == c and value == 0.0
    }
    on_edge = np.array([(int(f), int(c)) in zero for f, c in zip(theta_map.factor, theta_map.column, strict=True)])
    others = fit.model.p + bool(fit.family.parameter)
    return np.flatnonzero(np.concatenate([~on_edge, np.ones(others, dtype=bool)]))


def _hessian(fit: GeneralisedFit) -> tuple[Array, Array]:
    """Second derivatives by coordinates in which complete data have curvature 1, and what these are of the parameters.

    Central differences of the exact gradient. Fixed effects are in units of their information, with theta known.
    """
    model, point = fit.model, fit.point
    criterion = Criterion(model.rows, model.family, model.theta_map, fit.n_agq, near=point.mode)
    spread = Coordinates.around(criterion, point, True).spread
    unit_d = [[np.sqrt(2.0 / model.n)]] if fit.family.parameter else []
    units = block_diag(np.diag(theta_scales(fit)), spread, *unit_d)
    n_theta, p = len(fit.theta), model.p

    def slope(x: Array) -> Array:
        criterion.near = point.mode
        moved = units @ x
        lam = model.inner @ model.theta_map.stacked(fit.theta + moved[:n_theta])
        log_d = point.log_d + (moved[-1] if unit_d else 0.0)
        found = criterion.at_lambda(lam, point.beta + moved[n_theta : n_theta + p], log_d).slope
        if found is None:
            return np.full(len(x), np.nan)
        by_theta = model.theta_map.pick(np.swapaxes(model.inner, 1, 2) @ found.by_lambda)
        return np.asarray(units.T @ np.concatenate([by_theta, found.by_beta, [found.by_log_d] if unit_d else []]))

    steps = STEP * np.eye(len(units))
    hessian = np.array([(slope(step) - slope(-step)) / (2.0 * STEP) for step in steps])
    units[n_theta : n_theta + p] = model.rows.scaling.fixed.from_inner @ units[n_theta : n_theta + p]
    return 0.5 * (hessian + hessian.T), units


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
