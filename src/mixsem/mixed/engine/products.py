"""The cross-products of a design, computed once: all that fitting needs of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .layout import Layout, arrange
from .scaling import Scaling, response_center, scale_design

if TYPE_CHECKING:
    from ..designs.design import Design

__all__ = ["Products", "cross_products"]

Array = NDArray[np.float64]
Codes = NDArray[np.int32]

#: Rows that are centred, scaled and multiplied at a time: few enough to stay in the processor's cache.
CHUNK = 16_384
#: With more values than this, which no longer fit in the cache, rows are taken in the order of the largest factor.
MANY_VALUES = 200_000
#: If fixed effects leave less than this share of the response's sum of squares, their part is subtracted first, at most
#: so many times: else what they leave would carry the rounding of the whole.
NEARLY_ALL, SHIFTS = 1e-3, 2


@dataclass(frozen=True, eq=False)
class Products:
    """A = [Z X y]' W [Z X y], of centred and scaled columns.

    Attributes
    ----------
    layout
        Where things are.
    scaling
        How columns were centred and scaled.
    values
        Values of the sparse levels.
    tail
        The rest, lower triangle, shape (n_columns, n_columns).
    n, p
        Rows and fixed effects.
    log_weights
        Sum of the logarithms of the weights.
    """

    layout: Layout
    scaling: Scaling
    values: Array
    tail: Array
    n: int
    p: int
    log_weights: float

    @property
    def unit(self) -> float:
        """The size of theta at which random effects vary as much as the residual of a row with an average weight.

        Without weights it is 1. The scale of weights is arbitrary, and sigma and theta change with it.
        """
        return float(np.exp(-0.5 * self.log_weights / self.n))


def cross_products(design: Design, y: Array, layout: Layout | None = None, scaling: Scaling | None = None) -> Products:
    """Compute the cross-products of a design with a response.

    Parameters
    ----------
    design
        The design.
    y
        Response without offset, length n.
    layout, scaling
        Those of the same design, if they are known.
    """
    if layout is None:
        factors = design.factors
        layout = arrange([f.codes for f in factors], [len(f.levels) for f in factors], _widths(design), design.p + 1)
    scaling = scaling or scale_design(design, y)
    scaling = replace(scaling, response=response_center(y, scaling.fixed), shift=None)
    products = _added_up(design, y, layout, scaling)
    for _ in range(SHIFTS):
        shift = _explained(products)
        if shift is None:
            break
        shift = shift if scaling.shift is None else scaling.shift + shift
        left = y - design.X @ shift
        scaling = replace(scaling, response=response_center(left, scaling.fixed), shift=shift)
        products = _added_up(design, left, layout, scaling)
    return products


def _explained(products: Products) -> Array | None:
    """Fixed effects by least squares, if they describe nearly all of the response; else None."""
    q, scaling = products.layout.blocks.n_tail, products.scaling
    dense = products.tail[q:, q:]
    if products.p == 0:
        return None
    information = np.tril(dense[:-1, :-1]) + np.tril(dense[:-1, :-1], -1).T
    inner = np.linalg.lstsq(information, dense[-1, :-1], rcond=None)[0]
    if dense[-1, -1] - inner @ dense[-1, :-1] > NEARLY_ALL * dense[-1, -1]:
        return None
    beta = scaling.fixed.from_inner @ inner
    if scaling.fixed.intercept >= 0:
        beta[scaling.fixed.intercept] += scaling.response
    return np.asarray(beta)


def _widths(design: Design) -> list[int]:
    return [sum(len(t.names) for t in design.terms if t.factor == f) for f in range(len(design.factors))]


def _added_up(design: Design, y: Array, layout: Layout, scaling: Scaling) -> Products:
    """Go through the rows."""
    from ...kernels.cross_products import add_rows

    n, p = design.X.shape
    blocks = layout.blocks
    values, border = np.zeros(layout.n_values), np.zeros((blocks.n_tail, p + 1))
    tail = np.zeros((layout.n_columns, layout.n_columns))
    column_of = _column_of(design, _widths(design))
    dense_products = np.zeros((p + 1, p + 1))
    for codes, Z, dense in _chunks(design, y, scaling, layout.n_values > MANY_VALUES):
        inner = dense[:, 1:]
        dense_products += inner.T @ inner
        add_rows(
            blocks, codes, 0, Z, dense, column_of, layout.scalar, layout.level, layout.offset, values, tail, border
        )
    tail[blocks.n_tail :, : blocks.n_tail] = border.T
    tail[blocks.n_tail :, blocks.n_tail :] = dense_products
    log_weights = 0.0 if design.weights is None else float(np.log(design.weights).sum())
    return Products(layout, scaling, values, tail, n, p, log_weights)


def _column_of(design: Design, widths: list[int]) -> NDArray[np.int64]:
    """Column of the joined Z of each random effect of each factor, -1 for intercepts that stand alone."""
    column_of = np.full((len(widths), max(widths)), -1, dtype=np.int64)
    filled, column = [0] * len(widths), 0
    for term in design.terms:
        k = len(term.names)
        if term.Z is not None:
            column_of[term.factor, filled[term.factor] : filled[term.factor] + k] = np.arange(column, column + k)
            column += k
        filled[term.factor] += k
    return column_of


def _chunks(design: Design, y: Array, scaling: Scaling, ordered: bool) -> Iterator[tuple[Codes, Array, Array]]:
    """Levels, random-effect columns, and [sqrt(w), X, y] times sqrt(w) of some rows at a time.

    If `ordered`, rows come in the order of the largest factor, so that what belongs to one level is added up in one go.
    """
    from ...kernels.cross_products import order_rows, take_rows

    n, p = design.X.shape
    largest = design.factors[0]
    order = order_rows(largest.codes, len(largest.levels)) if ordered else np.empty(0, np.int64)
    root = np.empty(0) if design.weights is None else np.sqrt(design.weights)
    slopes = [(t.Z, s) for t, s in zip(design.terms, scaling.random, strict=True) if t.Z is not None]
    response = (y[:, None], np.array([scaling.response]), np.ones(1))
    for begin in range(0, n, CHUNK):
        end = min(begin + CHUNK, n)
        rows: slice | NDArray[np.int64] = order[begin:end] if len(order) else slice(begin, end)
        dense = np.empty((end - begin, p + 2))
        dense[:, 0] = root[rows] if len(root) else 1.0
        take_rows(design.X, order, begin, scaling.fixed.center, scaling.fixed.scale, root, dense, 1)
        take_rows(response[0], order, begin, *response[1:], root, dense, p + 1)
        Z = np.empty((end - begin, sum(columns.shape[1] for columns, _ in slopes)))
        at = 0
        for columns, scale in slopes:
            take_rows(columns, order, begin, scale.center, scale.scale, np.empty(0), Z, at)
            at += columns.shape[1]
        yield np.stack([f.codes[rows] for f in design.factors]), Z, dense
