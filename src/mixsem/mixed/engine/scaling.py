"""Columns centred and scaled inside, so that units and origins of predictors leave no trace in the arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..designs.design import Design, RandomTerm

__all__ = ["ColumnScale", "Scaling", "response_center", "scale_design"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ColumnScale:
    """Centre and scale of some columns, of which one may be the intercept.

    Attributes
    ----------
    center, scale
        What is subtracted from each column, and what it is divided by then.
    intercept
        The column of ones that takes up what is subtracted, -1 if there is none: then nothing is.
    """

    center: Array
    scale: Array
    intercept: int

    @property
    def to_inner(self) -> Array:
        """The matrix T with inner coefficients = T coefficients, shape (k, k)."""
        T = np.diag(self.scale)
        if self.intercept >= 0:
            T[self.intercept] += self.center
        return T

    @property
    def from_inner(self) -> Array:
        """Its inverse."""
        inverse = np.diag(1.0 / self.scale)
        if self.intercept >= 0:
            inverse[self.intercept] -= self.center / self.scale
        return inverse


@dataclass(frozen=True, eq=False)
class Scaling:
    """Scales of all columns.

    Attributes
    ----------
    fixed
        Of the fixed effects.
    random
        Of the random effects of each term.
    response
        What is subtracted from the response.
    shift
        Coefficients whose part of the response is subtracted before, in the units of the user, length p; None for
        none. The likelihood does not change, but sums of squares of what is left are free of the rounding of large
        ones.
    """

    fixed: ColumnScale
    random: tuple[ColumnScale, ...]
    response: float
    shift: Array | None = None

    @property
    def log_scale(self) -> float:
        """Log-determinant of the matrix that takes inner fixed-effect columns to those of the user."""
        return float(np.log(self.fixed.scale).sum())


def scale_design(design: Design, y: Array) -> Scaling:
    """Choose centres and scales.

    Fixed effects are centred if there is an intercept; slopes of a random term are if it has an intercept that they
    may covary with, because the model changes otherwise.
    """
    names = design.fixed_names
    fixed = _column_scale(design.X, names.index("(Intercept)") if "(Intercept)" in names else -1)
    return Scaling(fixed, tuple(map(_term_scale, design.terms)), response_center(y, fixed))


def response_center(y: Array, fixed: ColumnScale) -> float:
    """What is subtracted from a response: its mean, if there is an intercept to take it up."""
    return float(y.mean()) if fixed.intercept >= 0 else 0.0


def _term_scale(term: RandomTerm) -> ColumnScale:
    if term.Z is None:
        return ColumnScale(np.zeros(1), np.ones(1), -1)
    intercept = term.names.index("(Intercept)") if term.correlated and "(Intercept)" in term.names else -1
    return _column_scale(term.Z, intercept)


def _column_scale(columns: Array, intercept: int) -> ColumnScale:
    center = np.zeros(columns.shape[1])
    if intercept >= 0:
        center = columns.mean(axis=0)
        center[intercept] = 0.0
    # With a centre, the spread around it; column by column, so that no copy of all of them is made.
    scale = np.array([_root_mean_square(column - c) for column, c in zip(columns.T, center, strict=True)])
    if intercept >= 0:
        scale[intercept] = 1.0
    return ColumnScale(center, np.where(scale > 0.0, scale, 1.0), intercept)


def _root_mean_square(values: Array) -> float:
    return float(np.sqrt(values @ values / len(values)))
