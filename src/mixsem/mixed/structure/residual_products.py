"""Cross-products of a design with structured residuals, one for each set of rows: no evaluation sees a row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..engine.layout import MEMORY_SHARE, Layout, available_gigabytes
from ..engine.products import CHUNK, Products
from .residual_sets import Positions, ResidualRows, Weighing

if TYPE_CHECKING:
    from ..designs.design import Design

__all__ = ["StructuredProducts", "structured_products"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StructuredProducts:
    """A = sum_m c_m(eta) A_m.

    Attributes
    ----------
    rows
        Strata and order of the rows.
    weighing
        The coefficients c_m.
    base
        Layout, scaling and numbers; its own cross-products are not used.
    stacked
        Each A_m: values of the sparse levels, then the tail (lower triangle), (M, n_values + n_columns^2).
    multiplicity
        How often A has each of these: 2 off the diagonal, of entries that mirror one another and are kept once.
    eta
        The current residual parameters: log ratios of all strata but the first, then atanh(phi).
    """

    rows: ResidualRows
    weighing: Weighing
    base: Products
    stacked: Array
    multiplicity: Array
    eta: Array

    def at(self, eta: Array) -> StructuredProducts:
        """The same with other residual parameters."""
        return replace(self, eta=np.array(eta, dtype=float))

    def with_response(self, design: Design, y: Array) -> StructuredProducts:
        """The same for another response."""
        return replace(structured_products(design, y, self.base, self.rows), eta=self.eta)

    @cached_property
    def products(self) -> Products:
        """The cross-products at the current residual parameters."""
        joined, n = self.weighing.coefficients(self.eta) @ self.stacked, self.base.layout.n_values
        return replace(
            self.base,
            values=joined[:n],
            tail=joined[n:].reshape(self.base.tail.shape),
            log_weights=self.base.log_weights + self.weighing.log_det(self.eta),
        )

    def slope(self, values: Array, tail: Array) -> Array:
        """Derivatives of the criterion by eta, from those by the entries of A.

        Parameters
        ----------
        values, tail
            Derivatives by the values of sparse levels and by the tail (lower triangle), each of a pair of entries that
            mirror one another.
        """
        inner = self.stacked @ (self.multiplicity * np.concatenate([values, tail.ravel()]))
        return np.asarray(self.weighing.derivatives(self.eta) @ inner - self.weighing.log_det_derivatives(self.eta))


def structured_products(design: Design, y: Array, base: Products, rows: ResidualRows) -> StructuredProducts:
    """Compute the cross-products of every set of rows.

    Raises
    ------
    DataError
        If they would not fit in memory.
    """
    sets, layout = rows.sets(), base.layout
    _require_memory(rows, len(sets), layout)
    columns = _Columns(design, y, base)
    stacked = np.zeros((len(sets), layout.n_values + layout.n_columns**2))
    for products, chosen in zip(stacked, sets, strict=True):
        if chosen.others is None:
            columns.add(products, chosen.rows)
            continue
        # 2 (xz' + zx') = (x + z)(x + z)' - (x - z)(x - z)'
        columns.add(products, chosen.rows, chosen.others, -1.0)
        products *= -1.0
        columns.add(products, chosen.rows, chosen.others, 1.0)
        products *= 0.5
    return StructuredProducts(rows, Weighing.of(rows, sets), base, stacked, _multiplicity(layout), np.zeros(rows.n_eta))


def _multiplicity(layout: Layout) -> Array:
    """2 of all entries but those on the tail's diagonal, and in the levels' own blocks, which are kept whole."""
    blocks = layout.blocks
    values = np.full(layout.n_values, 2.0)
    size = blocks.size[blocks.factor]
    stride = size + np.diff(blocks.pointer) + blocks.n_dense
    for k in np.unique(size):
        own = size == k
        rows = blocks.values[:-1][own, None, None] + stride[own, None, None] * np.arange(k)[:, None]
        values[rows + np.arange(k)] = 1.0
    tail = np.tril(np.full((layout.n_columns, layout.n_columns), 2.0), -1) + np.eye(layout.n_columns)
    return np.concatenate([values, tail.ravel()])


class _Columns:
    """Centred, scaled and weighted rows of [Z X y], and their cross-products."""

    def __init__(self, design: Design, y: Array, base: Products) -> None:
        shift = base.scaling.shift
        self.design, self.base = design, base
        self.y = y if shift is None else y - design.X @ shift
        self.codes = np.stack([f.codes for f in design.factors])
        widths = [sum(len(t.names) for t in design.terms if t.factor == f) for f in range(len(design.factors))]
        self.column_of = np.full((len(widths), max(widths)), -1, dtype=np.int64)
        filled, column = [0] * len(widths), 0
        for term in design.terms:  # intercepts too: the difference of two rows has no weight to stand for them
            k = len(term.names)
            self.column_of[term.factor, filled[term.factor] : filled[term.factor] + k] = np.arange(column, column + k)
            filled[term.factor] += k
            column += k
        self.width = column

    def read(self, rows: Positions) -> Array:
        """Rows of [Z X y], (len(rows), width + p + 1)."""
        design, scaling = self.design, self.base.scaling
        parts = [
            np.ones((len(rows), 1)) if term.Z is None else (term.Z[rows] - scale.center) / scale.scale
            for term, scale in zip(design.terms, scaling.random, strict=True)
        ]
        fixed = (design.X[rows] - scaling.fixed.center) / scaling.fixed.scale
        joined = np.hstack([*parts, fixed, (self.y[rows] - scaling.response)[:, None]])
        return joined if design.weights is None else joined * np.sqrt(design.weights[rows])[:, None]

    def add(self, products: Array, rows: Positions, others: Positions | None = None, sign: float = 1.0) -> None:
        """Add the cross-products of these rows, plus `sign` times others in the same levels, to values and tail."""
        from ...kernels.cross_products import add_rows

        layout, q = self.base.layout, self.base.layout.blocks.n_tail
        values, tail = products[: layout.n_values], products[layout.n_values :].reshape(self.base.tail.shape)
        border = np.zeros((q, layout.blocks.n_dense))
        for begin in range(0, len(rows), CHUNK):
            here = rows[begin : begin + CHUNK]
            joined = self.read(here)
            if others is not None:
                joined += sign * self.read(others[begin : begin + CHUNK])
            dense = joined[:, self.width - 1 :].copy()
            dense[:, 0] = 1.0  # the weight
            tail[q:, q:] += np.tril(dense[:, 1:].T @ dense[:, 1:])
            Z, codes = np.ascontiguousarray(joined[:, : self.width]), np.ascontiguousarray(self.codes[:, here])
            add_rows(
                layout.blocks, codes, 0, Z, dense, self.column_of, layout.scalar, layout.level, layout.offset, values,
                tail, border,
            )  # fmt: skip
        tail[q:, :q] += border.T


def _require_memory(rows: ResidualRows, n_sets: int, layout: Layout) -> None:
    needed = layout.gigabytes + 8e-9 * (n_sets + 3) * (layout.n_values + layout.n_columns**2)
    room = MEMORY_SHARE * available_gigabytes()
    if needed > room:
        gaps = len(np.unique(rows.gaps[rows.before >= 0]))
        raise DataError(
            f"the residual structure needs {needed:,.1f} GB: {n_sets:,} sets of rows with cross-products of their own, "
            f"from {len(rows.levels):,} residual variances and {gaps:,} distinct gaps in time",
            allowed=f"{room:,.1f} GB on this machine",
            todo="count time in larger units so that fewer gaps differ, or join levels of by=",
        )
