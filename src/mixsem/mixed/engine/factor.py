"""The Cholesky factor of Omega = Lambda' A Lambda + I, and its derivative, of any A with the pattern of a layout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .layout import Layout

__all__ = ["Adjoint", "Factor", "factorise", "reverse"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Factor:
    """The Cholesky factor of the system at some lambda.

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
    log_det_levels
        Log-determinant of the sparse levels' part.
    """

    lam: Array
    values: Array
    factors: Array
    whitened: Array
    tail: Array
    diagonal: Array
    log_det_levels: float

    @property
    def log_pivots(self) -> Array:
        """Logarithms of the squared pivots of the tail."""
        with np.errstate(divide="ignore"):
            return np.asarray(2.0 * np.log(np.diagonal(self.tail)))

    @property
    def log_det(self) -> float:
        """Log-determinant of the whole system."""
        return self.log_det_levels + float(self.log_pivots.sum())


@dataclass(frozen=True, eq=False)
class Adjoint:
    """Derivatives of a criterion that weighs the logarithms of the squared pivots.

    Attributes
    ----------
    by_lambda
        By the entries of the covariance factors, shape (F, k, k).
    in_levels, in_tail
        Diagonal blocks of the adjoint of Omega, of the sparse levels and of those of the tail.
    values, tail
        The adjoint of A, of two entries that mirror one another each counted once: values of the sparse levels if they
        were asked for, and the lower triangle of the tail. With weights of 1 that is Lambda Omega^-1 Lambda' where
        columns meet.
    """

    by_lambda: Array
    in_levels: Array
    in_tail: Array
    values: Array
    tail: Array


def factorise(layout: Layout, values: Array, tail: Array, lam: Array, room: Array | None = None) -> Factor | None:
    """Factorise Omega; None if it is not numerically positive definite.

    Parameters
    ----------
    layout
        Where things are.
    values, tail
        A: values of the sparse levels, and the lower triangle of the tail.
    lam
        Covariance factors in inner units.
    room
        Where to put the tail: evaluations that follow one another need no new memory.
    """
    from ...kernels.blocked import eliminate, scale_tail
    from ...kernels.blocked_panels import panel_update
    from ...kernels.blocked_tail import factorize_tail

    blocks = layout.blocks
    values = values.copy() if blocks.chained else values
    tail, diagonal = _copied(tail, room), np.empty(len(tail))
    factors, whitened = np.zeros((len(blocks.factor), *lam.shape[1:])), np.empty(len(values))
    log_det = eliminate(blocks, values, tail, lam, factors, whitened, not layout.by_panels)
    if layout.by_panels:
        panel_update(blocks, whitened, tail)
    scale_tail(blocks, tail, lam, diagonal)
    if not (factorize_tail(tail) and np.isfinite(log_det)):
        return None
    return Factor(lam, values, factors, whitened, tail, diagonal, float(log_det))


def reverse(layout: Layout, factor: Factor, weights: Array, keep: bool = False, room: Array | None = None) -> Adjoint:
    """Differentiate sum_j w_j log L_jj^2, over all pivots of sparse levels with weight 1.

    Parameters
    ----------
    layout, factor
        The factorised system.
    weights
        Of the pivots of the tail, none negative.
    keep
        Whether the adjoint of the sparse levels' values is wanted.
    room
        As in `factorise`, another one.
    """
    from ...kernels.blocked import scale_both_sides
    from ...kernels.blocked_adjoint import back_through_levels, gather_tail, solve_levels, tail_derivatives
    from ...kernels.blocked_panels import panel_gather
    from ...kernels.blocked_tail import weigh_inverse

    blocks, lam = layout.blocks, factor.lam
    tail, derivatives = _copied(factor.tail, room), np.zeros(lam.shape)
    in_tail = np.zeros((len(blocks.tail_factor), *lam.shape[1:]))
    in_levels = np.zeros((len(blocks.factor), *lam.shape[1:]))
    weigh_inverse(tail, weights)
    tail_derivatives(blocks, tail, factor.diagonal, lam, derivatives, in_tail)
    scale_both_sides(blocks, tail, lam, True)
    adjoint = np.empty(len(factor.values) if blocks.chained or keep else 0)
    solved = solve_levels(blocks, factor.factors, factor.whitened)
    gathered = (panel_gather if layout.by_panels else gather_tail)(blocks, solved, tail)
    back_through_levels(blocks, factor.values, factor.factors, solved, gathered, lam, derivatives, in_levels, adjoint)
    return Adjoint(derivatives, in_levels, in_tail, adjoint, tail)


def _copied(values: Array, room: Array | None) -> Array:
    if room is None:
        return values.copy()
    np.copyto(room, values)
    return room
