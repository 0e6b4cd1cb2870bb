"""What a design must have so that a mixed model can be fitted to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, enumerate_briefly
from .fixed_part import ModelColumns
from .grouping import GroupingFactor

__all__ = ["check_fixed", "check_term", "check_weights", "require_finite"]

Array = NDArray[np.float64]

#: Weights below this, or above one over it, are refused.
SMALLEST_WEIGHT = 1e-60
#: Columns whose values are all below this, though not zero, are refused: their squares would vanish.
SMALLEST_COLUMN = 1e-100


def require_finite(X: Array, columns: ModelColumns) -> None:
    """Refuse columns that are not finite, such as the logarithm of zero."""
    with np.errstate(over="ignore", invalid="ignore"):
        if not X.size or np.isfinite(np.vdot(X, X)):
            _require_visible(X, columns)
            return
        squares = np.einsum("ij,ij->j", X, X)
    wrong = [name for name, square in zip(columns.names, squares, strict=True) if not np.isfinite(square)]
    if np.isfinite(X).all():
        raise DataError(
            f"{enumerate_briefly(wrong or columns.names)}: values of up to {np.abs(X).max():.0e}",
            allowed="numbers whose squares can be added up",
            todo="use another unit",
        )
    raise DataError(
        f"{enumerate_briefly(wrong)} is not finite in some rows",
        allowed="finite numbers",
        todo="check zeros under log(), and divisions",
    )


def _require_visible(X: Array, columns: ModelColumns) -> None:
    if not X.size:
        return
    tiny = [name for name, c in zip(columns.names, X.T, strict=True) if c @ c < len(c) * SMALLEST_COLUMN**2 and c.any()]
    if tiny:
        raise DataError(
            f"all values of {enumerate_briefly(tiny)} are below {SMALLEST_COLUMN:.0e}",
            allowed="numbers whose squares are not zero",
            todo="change the unit",
        )


def check_weights(weights: Array | None) -> None:
    """Refuse weights that are not positive, or so small or large that their products leave the range of numbers."""
    if weights is None:
        return
    if weights.min() > 0:
        if weights.min() > SMALLEST_WEIGHT and weights.max() < 1.0 / SMALLEST_WEIGHT:
            return
        raise DataError(
            f"weights from {weights.min():.0e} to {weights.max():.0e}",
            allowed=f"weights between {SMALLEST_WEIGHT:.0e} and {1.0 / SMALLEST_WEIGHT:.0e}",
            todo="multiply them by a constant: their scale changes sigma only",
        )
    raise DataError(
        f"{int((weights <= 0).sum()):,} weights are zero or negative",
        allowed="positive weights",
        todo="leave out the rows that should not count",
    )


def check_fixed(n: int, p: int) -> None:
    """Refuse as many fixed effects as rows: nothing would be left for variances."""
    if p >= n:
        raise DataError(
            f"{p:,} fixed effects for {n:,} rows", allowed="fewer fixed effects than rows", todo="simplify the formula"
        )


def check_term(text: str, factor: GroupingFactor, k: int, correlated: bool, n: int) -> None:
    """Refuse a term with as many random coefficients as rows, which the residual cannot be told apart from.

    Coefficients without correlations are terms of their own, as in lme4.
    """
    each = k if correlated else 1
    if factor.n_levels * each < n:
        return
    if factor.n_levels >= n:
        got = f"the grouping factor {factor.name} of {text} has {factor.n_levels:,} levels for {n:,} rows"
        todo = f"take {text} out: the residual is this effect"
    else:
        got = f"{text} has {factor.n_levels * each:,} random coefficients ({factor.n_levels:,} x {each}) for {n:,} rows"
        todo = "take a slope out, or its correlation (||)"
    raise DataError(
        f"{got}: their variances and that of the residual cannot be told apart",
        allowed="levels x coefficients below the number of rows",
        todo=todo,
    )
