"""Laplace's approximation of the likelihood of a generalised mixed model, with its exact gradient.

    -2 log L = -2 log f(y | u) + |u|^2 + log |Lambda' Z'WZ Lambda + I|   at the conditional mode of u.

The mode moves with the parameters and the weights with the mode; both are accounted for. With h_r the leverage
z_r' Lambda Omega^-1 Lambda' z_r of a row, w' the slope of its weight and a = h w', the mode's part of the gradient
needs one more solution of the system: t = Omega^-1 Lambda' Z'a.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .families import Family
from .fixed_part import FixedPart, scaled_effects
from .modes import Mode
from .rows import EffectRows
from .system import inverse_entries, solve

__all__ = ["Slope", "laplace_slope"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Slope:
    """Derivatives of -2 log L.

    Attributes
    ----------
    by_lambda
        By the entries of the covariance factors in inner units, shape (F, k, k).
    by_beta
        By the fixed effects in inner units.
    by_log_d
        By the logarithm of the family's parameter; 0 if it has none.
    correction
        What the last Newton step for the modes changes of log |Omega|.
    """

    by_lambda: Array
    by_beta: Array
    by_log_d: float
    correction: float = 0.0


def laplace_slope(rows: EffectRows, family: Family, mode: Mode, joint: FixedPart | None = None) -> Slope:
    """Derivatives of -2 log L at a mode.

    Parameters
    ----------
    rows, family
        The data.
    mode
        Conditional modes.
    joint
        If given, `beta` is the joint mode with u, and moves with the other parameters too: its derivative is 0.
    """
    by_lambda, values, tail = inverse_entries(rows.layout, mode.factor)
    h = rows.leverages(values, tail)
    a = h * family.slope(rows.y, rows.m, mode.eta, mode.d)
    correction = float(a @ mode.move)
    t = solve(rows.layout, mode.factor, rows.sums(a))
    along = rows.random_part(scaled_effects(rows, mode.lam, t))
    if joint is not None:
        t_beta = joint.solve(rows.X.T @ (a - mode.weight * along))
        t = t - joint.solved @ t_beta
        along = rows.random_part(scaled_effects(rows, mode.lam, t)) + rows.X @ t_beta
    q = a - mode.weight * along - 2.0 * mode.score
    by_lambda = by_lambda + _outer(rows, rows.sums(q), mode.u) + _outer(rows, rows.sums(mode.score), t)
    by_beta = np.zeros(rows.X.shape[1]) if joint is not None else rows.X.T @ q
    if not family.parameter:
        return Slope(by_lambda, by_beta, 0.0, correction)
    terms = family.by_dispersion(rows.y, rows.m, mode.eta, mode.d)
    by_log_d = -2.0 * terms.loglik.sum() + h @ terms.weight + along @ terms.score
    return Slope(by_lambda, by_beta, float(by_log_d), correction)


def _outer(rows: EffectRows, left: Array, right: Array) -> Array:
    """For each factor the sum of left right' over its levels, shape (F, k, k)."""
    size, layout = rows.places.size, rows.layout
    k = int(size.max())
    out = np.zeros((len(size), k, k))
    for f, (first, count) in enumerate(zip(layout.offset, layout.n_levels, strict=True)):
        own = size[f]
        at = layout.scalar[first : first + count][:, None] + np.arange(own)
        out[f, :own, :own] = left[at].T @ right[at]
    return out
