"""The system Omega = Lambda' Z'WZ Lambda + I of weights that change while the pattern stays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..engine.factor import Factor, reverse
from ..engine.layout import Layout

__all__ = ["inverse_entries", "solve"]

Array = NDArray[np.float64]


def solve(layout: Layout, factor: Factor, v: Array) -> Array:
    """Solve Omega u = Lambda' v, all in the order of elimination; v of length Q, or shape (Q, p)."""
    from ...kernels.effect_solve import solve_effects

    return solve_effects(layout.blocks, factor.factors, factor.whitened, factor.tail, factor.lam, v)


def inverse_entries(layout: Layout, factor: Factor) -> tuple[Array, Array, Array]:
    """Derivatives of log |Omega| by Lambda, shape (F, k, k), and Lambda Omega^-1 Lambda' where columns meet.

    The second is in the places of the sparse levels' values, the third the lower triangle of the tail.
    """
    found = reverse(layout, factor, np.ones(len(factor.tail)), keep=True)
    return found.by_lambda, found.values, found.tail
