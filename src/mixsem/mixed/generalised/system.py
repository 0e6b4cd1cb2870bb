"""The system Omega = Lambda' Z'WZ Lambda + I of weights that change while the pattern stays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine.layout import Layout

__all__ = ["Factor", "factorise", "inverse_entries", "solve"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Factor:
    """Cholesky factor of Omega.

    Attributes
    ----------
    lam
        Covariance factors in inner units, shape (F, k, k).
    values
        Values of the sparse levels, each as it was when it was eliminated.
    factors
        Cholesky factors of the sparse levels' blocks, shape (n_levels, k, k).
    whitened
        L^-1 Lambda' A_i,later of the sparse levels, in the places of `values`.
    tail
        Cholesky factor of the tail below the diagonal and on it, the unscaled tail above.
    diagonal
        Diagonal of the unscaled tail.
    log_det
        log |Omega|.
    """

    lam: Array
    values: Array
    factors: Array
    whitened: Array
    tail: Array
    diagonal: Array
    log_det: float


def factorise(layout: Layout, values: Array, tail: Array, lam: Array) -> Factor | None:
    """Factorise Omega; None if it is not positive definite.

    Parameters
    ----------
    layout
        Where things are, without dense columns.
    values, tail
        Z'WZ: values of the sparse levels, and the lower triangle of the tail.
    lam
        Covariance factors in inner units.
    """
    from ...kernels.blocked import eliminate, scale_tail
    from ...kernels.blocked_panels import panel_update
    from ...kernels.blocked_tail import factorize_tail

    blocks = layout.blocks
    values = values.copy() if blocks.chained else values
    tail, diagonal = tail.copy(), np.empty(len(tail))
    factors, whitened = np.zeros((len(blocks.factor), *lam.shape[1:])), np.empty(len(values))
    log_det = eliminate(blocks, values, tail, lam, factors, whitened, not layout.by_panels)
    if layout.by_panels:
        panel_update(blocks, whitened, tail)
    if len(tail):
        scale_tail(blocks, tail, lam, diagonal)
        if not factorize_tail(tail):
            return None
        log_det += 2.0 * float(np.log(np.diagonal(tail)).sum())
    if not np.isfinite(log_det):
        return None
    return Factor(lam, values, factors, whitened, tail, diagonal, float(log_det))


def solve(layout: Layout, factor: Factor, v: Array) -> Array:
    """Solve Omega u = Lambda' v, all in the order of elimination; v of length Q, or shape (Q, p)."""
    from ...kernels.effect_solve import solve_effects

    return solve_effects(layout.blocks, factor.factors, factor.whitened, factor.tail, factor.lam, v)


def inverse_entries(layout: Layout, factor: Factor) -> tuple[Array, Array, Array]:
    """Derivatives of log |Omega| by Lambda, shape (F, k, k), and Lambda Omega^-1 Lambda' where columns meet.

    The second is in the places of the sparse levels' values, the third the lower triangle of the tail.
    """
    from ...kernels.blocked import scale_both_sides
    from ...kernels.blocked_adjoint import back_through_levels, gather_tail, solve_levels, tail_derivatives
    from ...kernels.blocked_panels import panel_gather
    from ...kernels.blocked_tail import weigh_inverse

    blocks, lam = layout.blocks, factor.lam
    tail, derivatives = factor.tail.copy(), np.zeros(lam.shape)
    in_tail = np.zeros((len(blocks.tail_factor), *lam.shape[1:]))
    in_levels = np.zeros((len(blocks.factor), *lam.shape[1:]))
    if len(tail):
        weigh_inverse(tail, np.ones(len(tail)))
        tail_derivatives(blocks, tail, factor.diagonal, lam, derivatives, in_tail)
        scale_both_sides(blocks, tail, lam, True)
    adjoint = np.empty(len(factor.values))
    solved = solve_levels(blocks, factor.factors, factor.whitened)
    gathered = (panel_gather if layout.by_panels else gather_tail)(blocks, solved, tail)
    back_through_levels(blocks, factor.values, factor.factors, solved, gathered, lam, derivatives, in_levels, adjoint)
    return derivatives, adjoint, tail
