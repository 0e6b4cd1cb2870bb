"""The cross-products with one fixed effect held at a value: derived from those of the model, no row is read again.

With beta_j = v, the response is y - v x_j and column j leaves the model. Both are linear combinations of columns that
the cross-products have, so that those of the new columns follow by the same combinations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .products import Products
from .scaling import ColumnScale

__all__ = ["WithoutColumn", "without_column"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WithoutColumn:
    """A model without one fixed effect, whose response is still to be shifted.

    Attributes
    ----------
    column
        The fixed effect that was taken out, counted in the model.
    products
        Cross-products of the other columns, with a response that is not shifted.
    values, tail
        Those of the column that was taken out with what the response stands beside: what a unit of the coefficient
        subtracts from the last column of `products`, and, last in `tail`, its product with itself.
    levels
        Where the response stands in ``products.values``, one place per column of the sparse levels.
    center
        What a unit of the coefficient takes off the centre of the response.
    origin
        The coefficient whose part the response of `products` does not have any more.
    """

    column: int
    products: Products
    values: Array
    tail: Array
    levels: NDArray[np.int64]
    center: float
    origin: float

    def at(self, value: float) -> Products:
        """The cross-products with the coefficient at a value."""
        products = self.products
        values, tail = products.values.copy(), products.tail.copy()
        shift = value - self.origin
        values[self.levels] -= shift * self.values
        # the last row of A: y'[Z X y] becomes (y - v x)'[Z X (y - v x)]
        tail[-1, -1] += shift * (shift * self.tail[-1] - 2.0 * self.tail[-2])
        tail[-1, :-1] -= shift * self.tail[:-2]
        scaling = replace(products.scaling, response=products.scaling.response - shift * self.center)
        return replace(products, values=values, tail=tail, scaling=scaling)


def without_column(products: Products, column: int) -> WithoutColumn:
    """Take a fixed effect out of the cross-products.

    Parameters
    ----------
    products
        Those of the model.
    column
        Position of the fixed effect.
    """
    combine, scale, center, origin = _combination(products, column)
    m, q = products.p + 1, products.layout.blocks.n_tail
    places = _dense_places(products)
    dense = products.values[places] @ combine
    border = np.tril(products.tail)[q:, :q]
    square = np.tril(products.tail)[q:, q:]
    square = combine.T @ (square + np.tril(square, -1).T) @ combine
    # columns are now: fixed effects that stay, response, column that was taken out
    kept = np.ones(len(products.values), dtype=bool)
    kept[places[:, -1]] = False
    values = products.values.copy()
    values[places[:, :-1]] = dense[:, :-1]
    blocks = products.layout.blocks
    rows = blocks.size[blocks.factor]
    layout = replace(
        products.layout,
        blocks=blocks._replace(values=blocks.values - np.concatenate([[0], np.cumsum(rows)]), n_dense=m - 1),
    )
    tail = np.zeros((q + m - 1, q + m - 1))
    tail[:q, :q] = products.tail[:q, :q]
    tail[q:, :q] = combine.T[:-1] @ border
    tail[q:, q:] = square[:-1, :-1]
    response = 0.0 if column == products.scaling.fixed.intercept else products.scaling.response
    scaling = replace(products.scaling, fixed=scale, response=response)
    if scaling.shift is not None:
        origin += scaling.shift[column]
        scaling = replace(scaling, shift=np.delete(scaling.shift, column))
    reduced = replace(products, layout=layout, scaling=scaling, values=values[kept], tail=tail, p=products.p - 1)
    taken = np.concatenate([combine.T[-1] @ border, square[-1, :]])
    return WithoutColumn(column, reduced, dense[:, -1], taken, _dense_places(reduced)[:, -1], center, origin)


def _combination(products: Products, column: int) -> tuple[Array, ColumnScale, float, float]:
    """How the new columns follow from the old ones: a matrix, scales, and `center` and `origin` of `WithoutColumn`.

    The matrix takes inner columns [X y] to [others, y, column]. Where the intercept leaves, the others cannot be
    centred any more; the response stays centred, as with the intercept at its mean. Elsewhere the column taken out is
    centred, so that the centre of the response moves.
    """
    fixed, p = products.scaling.fixed, products.p
    others = np.delete(np.arange(p), column)
    combine = np.zeros((p + 1, p + 1))
    combine[others, np.arange(p - 1)] = 1.0
    combine[p, p - 1] = 1.0
    combine[column, p] = fixed.scale[column]
    center, scale = np.delete(fixed.center, column), np.delete(fixed.scale, column)
    if column != fixed.intercept:
        intercept = fixed.intercept - (column < fixed.intercept) if fixed.intercept >= 0 else -1
        return combine, ColumnScale(center, scale, intercept), float(fixed.center[column]), 0.0
    combine[column, : p - 1] = center / scale
    return combine, ColumnScale(np.zeros(p - 1), scale, -1), 0.0, products.scaling.response


def _dense_places(products: Products) -> NDArray[np.int64]:
    """Where the products with [X y] stand in the values: one row per column of the sparse levels."""
    blocks = products.layout.blocks
    level = blocks.owner
    stride = blocks.size[blocks.factor] + np.diff(blocks.pointer) + blocks.n_dense
    within = np.arange(blocks.n_sparse) - blocks.start[level]
    ends = blocks.values[level] + (within + 1) * stride[level]
    return np.asarray(ends[:, None] + np.arange(-blocks.n_dense, 0))
