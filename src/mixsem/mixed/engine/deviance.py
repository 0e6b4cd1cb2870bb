"""The profiled deviance and its gradient, from cross-products: no evaluation sees a row.

Bates, Maechler, Bolker & Walker (2015), Fitting linear mixed-effects models using lme4, eq. 34 and 42.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .factor import Factor, factorise, reverse
from .products import Products

__all__ = ["Decomposition", "criterion", "decompose", "gradient", "inverse_blocks", "product_gradient"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Decomposition(Factor):
    """The Cholesky factor of the system, with fixed effects and response as its last columns.

    Attributes
    ----------
    log_det_random
        log |Lambda' Z'WZ Lambda + I|.
    log_det_fixed
        log |R_X|^2 in inner units.
    r2
        Penalised residual sum of squares.
    """

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
    found = factorise(products.layout, products.values, products.tail, lam, room)
    if found is None:
        return None
    logs, q = found.log_pivots, products.layout.blocks.n_tail
    return Decomposition(
        found.lam,
        found.values,
        found.factors,
        found.whitened,
        found.tail,
        found.diagonal,
        found.log_det_levels,
        log_det_random=found.log_det_levels + float(logs[:q].sum()),
        log_det_fixed=float(logs[q:-1].sum()),
        r2=float(found.tail[-1, -1] ** 2),
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
    weights = _pivot_weights(products, parts, reml, sigma)
    return reverse(products.layout, parts, weights, room=room).by_lambda


def product_gradient(products: Products, parts: Decomposition, reml: bool) -> tuple[Array, Array, Array]:
    """Derivatives of `criterion` by the entries of lambda, and by the values and the tail of the cross-products.

    Of two entries of the cross-products that mirror one another each has its own derivative, and the tail's are in its
    lower triangle.
    """
    found = reverse(products.layout, parts, _pivot_weights(products, parts, reml, None), True)
    return found.by_lambda, found.values, np.tril(found.tail)


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
    found = reverse(products.layout, parts, weights)
    return found.in_levels, found.in_tail
