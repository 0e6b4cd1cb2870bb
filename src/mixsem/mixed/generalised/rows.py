"""The rows of a generalised mixed model, in the order and the units in which they are computed with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..engine.layout import Layout, arrange
from ..engine.scaling import Scaling, scale_design
from .families import Family

if TYPE_CHECKING:
    from ...kernels.effect_rows import RowPlaces
    from ..designs.design import Design

__all__ = ["EffectRows", "compile_rows"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EffectRows:
    """Rows sorted by the largest grouping factor, columns centred and scaled.

    Attributes
    ----------
    layout
        Order of elimination.
    places
        Where rows find their random effects.
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

        blocks = self.layout.blocks
        values, tail = np.zeros(self.layout.n_values), np.zeros((blocks.n_tail, blocks.n_tail))
        weigh_rows(blocks, self.places, weights, values, tail)
        return values, tail

    def leverages(self, values: Array, tail: Array) -> Array:
        """z' C z of each row, C given where columns meet."""
        from ...kernels.effect_rows import leverages

        out = np.empty(len(self.y))
        leverages(self.layout.blocks, self.places, values, tail, out)
        return out

    def unsorted(self, values: Array) -> Array:
        """Values of the rows in the order of the design."""
        out = np.empty_like(values)
        out[self.order] = values
        return out


def compile_rows(design: Design, family: Family) -> EffectRows:
    """Sort, centre and scale the rows of a design, of which y are responses and weights m."""
    from ...kernels.effect_rows import RowPlaces

    factors, n = design.factors, design.n
    widths = [sum(len(t.names) for t in design.terms if t.factor == f) for f in range(len(factors))]
    layout = arrange([f.codes for f in factors], [len(f.levels) for f in factors], widths, 0)
    scaling = scale_design(design, design.y)
    order = np.argsort(factors[0].codes, kind="stable")
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
    X = (design.X[order] - scaling.fixed.center) / scaling.fixed.scale
    offset = np.zeros(n) if design.offset is None else design.offset[order]
    y, m = design.y[order], np.ones(n) if design.weights is None else design.weights[order]
    return EffectRows(layout, places, X, offset, y, m, order, scaling, family.constant(y, m))


def _slopes(
    design: Design, scaling: Scaling, widths: list[int], order: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Array]:
    """Where the columns of Z are, and the columns in inner units."""
    column_of = np.full((len(widths), max(widths)), -1, dtype=np.int64)
    filled, columns = [0] * len(widths), []
    for term, scale in zip(design.terms, scaling.random, strict=True):
        k, f = len(term.names), term.factor
        if term.Z is not None:
            column_of[f, filled[f] : filled[f] + k] = np.arange(len(columns), len(columns) + k)
            columns += list(((term.Z[order] - scale.center) / scale.scale).T)
        filled[f] += k
    return column_of, np.stack(columns, axis=1) if columns else np.zeros((design.n, 0))
