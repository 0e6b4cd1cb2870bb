"""Errors of linear predictors: what the estimation of random effects and of all parameters leaves uncertain.

With all parameters known, z'b has the variance z'Lambda Omega^-1 Lambda'z. The conditional modes move with the
parameters: with p all of them and V their covariance, the error of x'beta + z'b has the variance

    z'Lambda Omega^-1 Lambda'z + g'Vg,   g = d(x'beta + z'b(p)) / dp,

as in Kass & Steffey (1989), JASA 84, doi 10.1080/01621459.1989.10478825, and in TMB's sdreport.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..engine.quadratic_forms import CHUNK, random_columns
from .fixed_part import eliminate_random, scaled_effects
from .modes import Mode, find_mode
from .spread import theta_scales
from .system import solve

if TYPE_CHECKING:
    from ..derived.row_parts import RowParts
    from .fit import GeneralisedFit

__all__ = ["effect_slopes", "effect_variances", "parameter_covariance"]

Array = NDArray[np.float64]

#: Steps of the central differences by theta, in what complete data would determine it to.
STEP = 1e-3


def effect_variances(fit: GeneralisedFit, rows: RowParts, terms: Sequence[int]) -> Array:
    """Variance of z'b of rows given the responses, (m,), all parameters known; new levels have that of any level."""
    from ...kernels.half_solve import quadratic_forms

    model, mode = fit.model, _mode(fit)
    layout = model.rows.layout
    if not terms:
        return np.zeros(rows.m)
    codes = np.full((len(layout.n_levels), rows.m), -1, dtype=np.int32)
    for f, code in enumerate(rows.codes):
        if len(code):
            codes[f] = code
    inverse, out = _tail_inverse(fit), np.empty((rows.m, 2))
    place, root = (layout.offset, layout.level, layout.scalar), np.zeros((layout.blocks.n_tail, 0))
    order = np.argsort(codes[0], kind="stable")
    for begin in range(0, rows.m, CHUNK):
        at = order[begin : begin + CHUNK]
        z, found = random_columns(model, rows, terms, at), np.empty((len(at), 2))
        no_fixed = np.zeros((len(at), 0))
        quadratic_forms(
            layout.blocks, mode.factor.values, mode.lam, inverse, root, place, codes[:, at], z, no_fixed, found
        )
        out[at] = found
    return out[:, 0]


def effect_slopes(fit: GeneralisedFit) -> tuple[tuple[Array, ...], ...]:
    """Derivatives of the random effects by each of theta, beta and the logarithm of the family's parameter.

    Each has the random effects of all factors, (n_f, k_f), in the user's units.
    """
    model, mode = fit.model, _mode(fit)
    rows = model.rows
    columns = [_by_theta(fit, j) for j in range(len(fit.theta))]
    part = eliminate_random(rows, mode.lam, mode.factor, mode.weight)
    columns += list((-scaled_effects(rows, mode.lam, part.solved) @ rows.scaling.fixed.to_inner).T)
    if model.family.parameter:
        score = model.family.by_dispersion(rows.y, rows.m, mode.eta, mode.d).score
        columns.append(scaled_effects(rows, mode.lam, solve(rows.layout, mode.factor, rows.sums(score))))
    return tuple(model.by_factor(column) for column in columns)


def _by_theta(fit: GeneralisedFit, j: int) -> Array:
    """Derivative of the random effects by an element of theta, by central differences of the modes."""
    model, mode, h = fit.model, _mode(fit), STEP * float(theta_scales(fit)[j])
    ends = []
    for step in (h, -h):
        theta = fit.theta.copy()
        theta[j] += step
        lam = model.inner @ model.theta_map.stacked(theta)
        moved = find_mode(model.rows, model.family, lam, mode.beta, mode.d, mode)
        ends.append(np.full(len(mode.b), np.nan) if moved is None else moved.b)
    return np.asarray((ends[0] - ends[1]) / (2.0 * h))


def parameter_covariance(fit: GeneralisedFit) -> Array:
    """Covariance matrix of theta, beta and the logarithm of the family's parameter.

    What is taken as known has zeros: elements of theta on the boundary, and all but beta where the Hessian is not used.
    """
    spread, n_theta, p = fit.spread, len(fit.theta), fit.model.p
    if spread.joint is not None:
        return np.nan_to_num(spread.joint)
    size = n_theta + p + bool(fit.model.family.parameter)
    joint = np.zeros((size, size))
    joint[n_theta : n_theta + p, n_theta : n_theta + p] = spread.fixed
    return joint


def _tail_inverse(fit: GeneralisedFit) -> Array:
    """Lambda Omega^-1 Lambda' of the tail, both triangles."""
    from ...kernels.blocked import scale_both_sides
    from ...kernels.blocked_tail import weigh_inverse

    mode, blocks = _mode(fit), fit.model.rows.layout.blocks
    inverse = mode.factor.tail.copy()
    if len(inverse):
        weigh_inverse(inverse, np.ones(len(inverse)))
        scale_both_sides(blocks, inverse, mode.lam, True)
        for r in range(1, len(inverse)):
            inverse[:r, r] = inverse[r, :r]
    return inverse


def _mode(fit: GeneralisedFit) -> Mode:
    assert fit.point.mode is not None
    return fit.point.mode
