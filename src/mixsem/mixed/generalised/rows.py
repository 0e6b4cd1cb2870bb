"""The rows of a generalised mixed model, in the order and the units in which they are computed with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..engine.layout import Layout, arrange
from ..engine.scaling import ColumnScale, Scaling, scale_design
from .families import Family

if TYPE_CHECKING:
    from ...kernels.effect_rows import RowPlaces
    from ..designs.design import Design

__all__ = ["EffectRows", "compile_rows"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ColumnPairs:
    """Pairs of random-effect columns of a row.

    Attributes
    ----------
    positions
        Where the product of each pair belongs in each row, shape (P, n); see `kernels.effect_rows.locate_pairs`.
    left, right
        Columns of Z, -1 for an intercept.
    times
        How often the product occurs in z' C z.
    """

    positions: NDArray[np.signedinteger]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    times: Array


@dataclass(frozen=True, eq=False)
class OrthogonalColumns(ColumnScale):
    """Columns that were made orthogonal after they were centred and scaled.

    Products of predictors that are far from 0 are nearly collinear whatever is done to each column alone.

    Attributes
    ----------
    turn
        What coefficients of centred and scaled columns are multiplied by, shape (p, p).
    """

    turn: Array

    @property
    def to_inner(self) -> Array:
        return np.asarray(self.turn @ super().to_inner)

    @property
    def from_inner(self) -> Array:
        return np.asarray(super().from_inner @ np.linalg.inv(self.turn))


@dataclass(frozen=True, eq=False)
class EffectRows:
    """Rows sorted by the largest grouping factor, columns centred and scaled.

    Attributes
    ----------
    layout
        Order of elimination.
    places
        Where rows find their random effects.
    pairs
        Where products of random-effect columns belong.
    X
        Fixed-effect columns in inner units, shape (n, p).
    offset
        Known part of the linear predictor, length n.
    y, m
        Responses, and numbers of trials or weights.
    order
        Position of each row in the design.
    scaling
        How columns were centred and scaled.
    constant
        What of the log-likelihood depends on the responses alone.
    """

    layout: Layout
    places: RowPlaces
    pairs: ColumnPairs
    X: Array
    offset: Array
    y: Array
    m: Array
    order: NDArray[np.int64]
    scaling: Scaling
    constant: float

    @property
    def unit(self) -> float:
        """The size of theta that counts as moderate, as in `engine.products`: 1 on the scale of a linear predictor."""
        return 1.0

    @property
    def n_effects(self) -> int:
        """Random effects of all levels, Q."""
        return self.layout.blocks.n_sparse + self.layout.blocks.n_tail

    def predictor(self, base: Array, effects: Array) -> Array:
        """Base + Z b of each row."""
        from ...kernels.effect_rows import add_effects

        eta = base.copy()
        add_effects(self.places, effects, eta)
        return eta

    def random_part(self, effects: Array) -> Array:
        """Z b of each row."""
        return self.predictor(np.zeros(len(self.y)), effects)

    def sums(self, values: Array) -> Array:
        """Z' values, length Q; of (n, p) values shape (Q, p)."""
        from ...kernels.effect_rows import sum_rows

        out = np.zeros(self.n_effects)
        sum_rows(self.places, values, out)
        return out

    def border(self, weights: Array) -> Array:
        """Z' diag(weights) X, shape (Q, p)."""
        from ...kernels.effect_rows import sum_columns

        out = np.zeros((self.n_effects, self.X.shape[1]))
        sum_columns(self.places, weights, self.X, out)
        return out

    def weigh(self, weights: Array) -> tuple[Array, Array]:
        """Z' diag(weights) Z: values of the sparse levels, and the tail."""
        from ...kernels.effect_rows import weigh_rows

        n_values, n_tail = self.layout.n_values, self.layout.blocks.n_tail
        flat = np.zeros(n_values + n_tail**2)
        weigh_rows(self.pairs.positions, self.pairs.left, self.pairs.right, self.places.Z, weights, flat)
        return flat[:n_values], flat[n_values:].reshape(n_tail, n_tail)

    def leverages(self, values: Array, tail: Array) -> Array:
        """Leverage z' C z of each row, C given where columns meet."""
        from ...kernels.effect_rows import leverages

        pairs, out = self.pairs, np.zeros(len(self.y))
        flat = np.concatenate([values, tail.ravel()])
        leverages(pairs.positions, pairs.left, pairs.right, pairs.times, self.places.Z, flat, out)
        return out

    def unsorted(self, values: Array) -> Array:
        """Values of the rows in the order of the design."""
        out = np.empty_like(values)
        out[self.order] = values
        return out


def compile_rows(design: Design, family: Family) -> EffectRows:
    """Sort, centre and scale the rows of a design, of which y are responses and weights m."""
    from ...kernels.cross_products import order_rows
    from ...kernels.effect_rows import RowPlaces

    factors, n = design.factors, design.n
    widths = [sum(len(t.names) for t in design.terms if t.factor == f) for f in range(len(factors))]
    layout = arrange([f.codes for f in factors], [len(f.levels) for f in factors], widths, 0)
    scaling = scale_design(design, design.y)
    order = order_rows(factors[0].codes, len(factors[0].levels))
    order = order if len(order) else np.arange(n)
    column_of, Z = _slopes(design, scaling, widths, order)
    places = RowPlaces(
        codes=np.ascontiguousarray(np.stack([f.codes[order] for f in factors])),
        Z=Z,
        column_of=column_of,
        size=np.asarray(widths, dtype=np.int64),
        offset=layout.offset,
        scalar=layout.scalar,
        level=layout.level,
    )
    X, fixed = _orthogonal((design.X[order] - scaling.fixed.center) / scaling.fixed.scale, scaling.fixed)
    scaling = replace(scaling, fixed=fixed)
    offset = np.zeros(n) if design.offset is None else design.offset[order]
    y, m = design.y[order], np.ones(n) if design.weights is None else design.weights[order]
    pairs = _column_pairs(layout, places)
    return EffectRows(layout, places, pairs, X, offset, y, m, order, scaling, family.constant(y, m))


def _orthogonal(X: Array, scale: ColumnScale) -> tuple[Array, ColumnScale]:
    """Columns with X'X = n I, and how they came about; one predictor beside the intercept is orthogonal already."""
    n, p = X.shape
    if p < 2 or (p == 2 and scale.intercept >= 0):
        return X, scale
    Q, R = np.linalg.qr(X)
    signs = np.where(np.diagonal(R) < 0.0, -1.0, 1.0)
    turn = signs[:, None] * R / np.sqrt(n)
    columns = np.ascontiguousarray(np.sqrt(n) * Q * signs)
    return columns, OrthogonalColumns(scale.center, scale.scale, scale.intercept, turn)


def _column_pairs(layout: Layout, places: RowPlaces) -> ColumnPairs:
    """All pairs: of different factors each once, within a factor in both orders."""
    from ...kernels.effect_rows import locate_pairs

    effects = [(f, a) for f, k in enumerate(places.size) for a in range(k)]
    pairs = [(f, a, g, b) for f, a in effects for g, b in effects if f <= g]
    blocks = layout.blocks
    largest = layout.n_values + blocks.n_tail**2
    positions = np.empty((len(pairs), places.codes.shape[1]), np.int32 if largest < 2**31 - 2 else np.int64)
    at = np.array(pairs, dtype=np.int64)
    locate_pairs(blocks, places, at, positions)
    left, right = places.column_of[at[:, 0], at[:, 1]], places.column_of[at[:, 2], at[:, 3]]
    return ColumnPairs(positions, left, right, np.where(at[:, 0] == at[:, 2], 1.0, 2.0))


def _slopes(
    design: Design, scaling: Scaling, widths: list[int], order: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Array]:
    """Where the columns of Z are, and the columns in inner units."""
    column_of = np.full((len(widths), max(widths)), -1, dtype=np.int64)
    filled = [0] * len(widths)
    columns: list[Array] = []
    for term, scale in zip(design.terms, scaling.random, strict=True):
        k, f = len(term.names), term.factor
        if term.Z is not None:
            column_of[f, filled[f] : filled[f] + k] = np.arange(len(columns), len(columns) + k)
            columns += list(((term.Z[order] - scale.center) / scale.scale).T)
        filled[f] += k
    return column_of, np.stack(columns, axis=1) if columns else np.zeros((design.n, 0))
