"""Fixed effects in the joint system of random and fixed effects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ..engine.factor import Factor
from .rows import EffectRows
from .system import solve

__all__ = ["FixedPart", "eliminate_random", "scaled_effects"]

Array = NDArray[np.float64]

#: Information about a direction, relative to the largest, that is taken where there is none.
LEAST = 1e-12


@dataclass(frozen=True, eq=False)
class FixedPart:
    """What is left for the fixed effects when random effects are eliminated, in inner units.

    Attributes
    ----------
    border
        Z'WX, shape (Q, p).
    solved
        Omega^-1 Lambda' Z'WX, shape (Q, p).
    schur
        X'WX - X'WZ Lambda Omega^-1 Lambda' Z'WX, shape (p, p): the information about beta, theta known.
    """

    border: Array
    solved: Array
    schur: Array

    def solve(self, v: Array) -> Array:
        """Schur^-1 v; NaN if the fixed effects are not determined."""
        try:
            return np.asarray(cho_solve(cho_factor(self.schur), v))
        except (LinAlgError, ValueError):
            return np.full(np.shape(v), np.nan)

    @property
    def inverse(self) -> Array:
        """Schur^-1; directions without information, or with less than none, have next to none."""
        values, vectors = np.linalg.eigh(self.schur)
        least = LEAST * max(float(values.max(initial=0.0)), LEAST)
        return np.asarray((vectors / np.maximum(values, least)) @ vectors.T)


def eliminate_random(rows: EffectRows, lam: Array, factor: Factor, weight: Array) -> FixedPart:
    """Eliminate the random effects at some weights of the rows."""
    border = rows.border(weight)
    solved = solve(rows.layout, factor, border)
    schur = (rows.X * weight[:, None]).T @ rows.X - border.T @ scaled_effects(rows, lam, solved)
    return FixedPart(border, solved, 0.5 * (schur + schur.T))


def scaled_effects(rows: EffectRows, lam: Array, u: Array) -> Array:
    """Lambda u, for u of length Q or of shape (Q, p)."""
    from ...kernels.effect_solve import multiply_effects

    columns = u if u.ndim == 2 else u[:, None]
    b = np.zeros(columns.shape)
    multiply_effects(rows.layout.blocks, lam, columns, b)
    return b if u.ndim == 2 else b[:, 0]
