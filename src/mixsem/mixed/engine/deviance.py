"""The profiled deviance and its gradient, from cross-products: no evaluation sees a row.

Bates, Maechler, Bolker & Walker (2015), Fitting linear mixed-effects models using lme4, eq. 34 and 42.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .products import Products

__all__ = ["Decomposition", "criterion", "decompose", "gradient", "inverse_blocks", "product_gradient"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Decomposition:
    """The Cholesky factor of the system at some lambda.

    Attributes
    ----------
    lam
        Relative covariance factors in inner units, shape (F, k, k).
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
    log_det_random
        log |Lambda' Z'WZ Lambda + I|.
    log_det_fixed
        log |R_X|^2 in inner units.
    r2
        Penalised residual sum of squares.
    """

    lam: Array
    values: Array
    factors: Array
    whitened: Array
    tail: Array
    diagonal: Array
    log_det_random: float
    log_det_fixed: float
    r2: float


def decompose(products: Products, lam: Array, room: Array | None = None) -> Decomposition | None:
    """Factorise the system; None if it is not numerically positive definite.

    Parameters
    ----------
    products
        The cross-products.
    lam
        Relative covariance factors in inner units.
    room
        Where to put the tail, of the shape of the tail of `products`: evaluations that follow one another need no new
        memory.
    """
    from ...kernels.blocked import eliminate, scale_tail
    from ...kernels.blocked_panels import panel_update
    from ...kernels.blocked_tail import factorize_tail

    blocks = products.layout.blocks
    values = products.values.copy() if blocks.chained else products.values
    tail, diagonal = _copied(products.tail, room), np.empty(len(products.tail))
    factors = np.zeros((len(blocks.factor), *lam.shape[1:]))
    whitened = np.empty(len(values))
    by_panels = products.layout.by_panels
    log_det = eliminate(blocks, values, tail, lam, factors, whitened, not by_panels)
    if by_panels:
        panel_update(blocks, whitened, tail)
    scale_tail(blocks, tail, lam, diagonal)
    if not (factorize_tail(tail) and np.isfinite(log_det)):
        return None
    pivots = np.diagonal(tail)
    with np.errstate(divide="ignore"):
        logs = 2.0 * np.log(pivots)
    q = blocks.n_tail
    return Decomposition(
        lam,
        values,
        factors,
        whitened,
        tail,
        diagonal,
        log_det_random=log_det + float(logs[:q].sum()),
        log_det_fixed=float(logs[q:-1].sum()),
        r2=float(pivots[-1] ** 2),
    )


def criterion(products: Products, parts: Decomposition, reml: bool, sigma: float | None = None) -> float:
    """-2 log-likelihood, or the REML criterion; profiled over sigma if none is given."""
    df = products.n - (products.p if reml else 0)
    value = parts.log_det_random - products.log_weights
    if reml:
        value += parts.log_det_fixed + 2.0 * products.scaling.log_scale
    if sigma is None:
        return value + df * (1.0 + np.log(2.0 * np.pi * parts.r2 / df))
    return value + df * np.log(2.0 * np.pi * sigma**2) + parts.r2 / sigma**2


def gradient(
    products: Products, parts: Decomposition, reml: bool, sigma: float | None = None, room: Array | None = None
) -> Array:
    """Derivatives of `criterion` by the entries of lambda, shape (F, k, k); `room` as in `decompose`, another one."""
    return _reverse(products, parts, _pivot_weights(products, parts, reml, sigma), room=room)[0]


def product_gradient(products: Products, parts: Decomposition, reml: bool) -> tuple[Array, Array, Array]:
    """Derivatives of `criterion` by the entries of lambda, and by the values and the tail of the cross-products.

    Of two entries of the cross-products that mirror one another each has its own derivative, and the tail's are in its
    lower triangle.
    """
    derivatives, _, _, values, tail = _reverse(products, parts, _pivot_weights(products, parts, reml, None), True)
    return derivatives, values, np.tril(tail)


def _pivot_weights(products: Products, parts: Decomposition, reml: bool, sigma: float | None) -> Array:
    """How much the criterion weighs the logarithm of each squared pivot of the tail."""
    df = products.n - (products.p if reml else 0)
    weights = np.ones(len(parts.tail))
    q = products.layout.blocks.n_tail
    weights[q:-1] = 1.0 if reml else 0.0
    weights[-1] = df if sigma is None else parts.r2 / sigma**2
    return weights


def inverse_blocks(products: Products, parts: Decomposition) -> tuple[Array, Array]:
    """Diagonal blocks of Omega^-1, fixed effects taken as known: of the sparse levels, and of those of the tail."""
    weights = np.ones(len(parts.tail))
    weights[products.layout.blocks.n_tail :] = 0.0
    return _reverse(products, parts, weights)[1:3]


def _reverse(
    products: Products, parts: Decomposition, weights: Array, keep: bool = False, room: Array | None = None
) -> tuple[Array, Array, Array, Array, Array]:
    """Derivatives by lambda, diagonal blocks of the adjoint of Omega, and the adjoint of A, of its values if kept."""
    from ...kernels.blocked import scale_both_sides
    from ...kernels.blocked_adjoint import back_through_levels, gather_tail, solve_levels, tail_derivatives
    from ...kernels.blocked_panels import panel_gather
    from ...kernels.blocked_tail import weigh_inverse

    blocks, shape = products.layout.blocks, parts.lam.shape[1:]
    tail, derivatives = _copied(parts.tail, room), np.zeros(parts.lam.shape)
    in_tail = np.zeros((len(blocks.tail_factor), *shape))
    in_levels = np.zeros((len(blocks.factor), *shape))
    weigh_inverse(tail, weights)
    tail_derivatives(blocks, tail, parts.diagonal, parts.lam, derivatives, in_tail)
    scale_both_sides(blocks, tail, parts.lam, True)
    adjoint = np.empty(len(parts.values) if blocks.chained or keep else 0)
    solved = solve_levels(blocks, parts.factors, parts.whitened)
    gathered = (panel_gather if products.layout.by_panels else gather_tail)(blocks, solved, tail)
    back_through_levels(
        blocks, parts.values, parts.factors, solved, gathered, parts.lam, derivatives, in_levels, adjoint
    )
    return derivatives, in_levels, in_tail, adjoint, tail


def _copied(values: Array, room: Array | None) -> Array:
    if room is None:
        return values.copy()
    np.copyto(room, values)
    return room
