"""Variances of what is said of rows: x'beta + z'b, given the response and theta."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

if TYPE_CHECKING:
    from ..derived.row_parts import RowParts
    from ..generalised.model import CompiledGeneralisedModel
    from .deviance import Decomposition
    from .model import CompiledMixedModel
    from .scaling import ColumnScale

__all__ = ["random_columns", "row_variances"]

Array = NDArray[np.float64]

#: Rows taken at a time: their columns stay in the processor's cache.
CHUNK = 16_384


def row_variances(model: CompiledMixedModel, theta: Array, rows: RowParts, terms: Collection[int]) -> Array:
    """Variances of rows divided by sigma^2, with theta known.

    With M the system of the fit and v = [Lambda'z; x], the error of x'beta + z'b has variance v' M^-1 v: the first part
    is what b leaves when beta is known, the second what the estimation of beta adds. Henderson (1975), Best linear
    unbiased estimation and prediction under a selection model, Biometrics 31, 423-447.

    Parameters
    ----------
    model
        The model.
    theta
        Its parameters.
    rows
        The rows, none with NaN.
    terms
        Random terms that count; z is 0 in the others.

    Returns
    -------
    NDArray
        (m, 2) the two parts.
    """
    from ...kernels.half_solve import quadratic_forms

    parts, layout = model.decompose(theta), model.products.layout
    inverse, root = _tail(model, parts)
    codes = np.full((len(layout.n_levels), rows.m), -1, dtype=np.int32)
    for f, code in enumerate(rows.codes):
        if len(code):
            codes[f] = code
    place, out = (layout.offset, layout.level, layout.scalar), np.empty((rows.m, 2))
    order = np.argsort(codes[0], kind="stable")  # what the levels of the first factor bring is solved once for each
    for begin in range(0, rows.m, CHUNK):
        at = order[begin : begin + CHUNK]
        x, z = _inner(rows.X[at], model.products.scaling.fixed), random_columns(model, rows, terms, at)
        found = np.empty((len(at), 2))
        quadratic_forms(layout.blocks, parts.values, parts.lam, inverse, root, place, codes[:, at], z, x, found)
        out[at] = found
    return out


def _tail(model: CompiledMixedModel, parts: Decomposition) -> tuple[Array, Array]:
    """Inverse of the tail's random part, and the rows of L^-1 of the fixed effects; both times Lambda."""
    from ...kernels.blocked import scale_both_sides
    from ...kernels.blocked_tail import weigh_inverse

    blocks = model.products.layout.blocks
    q, end = blocks.n_tail, blocks.n_tail + model.p
    unit = np.zeros((end, model.p))
    unit[q:] = np.eye(model.p)
    root = np.asarray(solve_triangular(parts.tail[:end, :end], unit, lower=True, trans="T"))
    for f, (k, relative) in enumerate(zip(blocks.size, parts.lam, strict=True)):
        at = blocks.tail_start[blocks.tail_factor == f][:, None] + np.arange(k)
        root[at] = relative[:k, :k] @ root[at]
    inverse = parts.tail.copy()
    weigh_inverse(inverse, np.repeat([1.0, 0.0], [q, len(inverse) - q]))
    scale_both_sides(blocks, inverse, parts.lam, True)
    for r in range(1, q):  # the other triangle, without a copy
        inverse[:r, r] = inverse[r, :r]
    return inverse, root


def _inner(columns: Array, scale: ColumnScale) -> Array:
    """Centre and scale; without an intercept nothing is centred."""
    return np.ascontiguousarray((columns - scale.center) / scale.scale)


def random_columns(
    model: CompiledMixedModel | CompiledGeneralisedModel, rows: RowParts, terms: Collection[int], at: NDArray[np.int64]
) -> Array:
    """The z of each row and factor, in inner units, shape (rows, F, k)."""
    sizes = model.theta_map.sizes
    z = np.zeros((len(at), len(sizes), max(sizes)))
    for t in terms:
        shape, Z = model.theta_map.terms[t], rows.Z[t]
        columns = np.ones((len(at), 1)) if Z is None else _inner(Z[at], model.scaling.random[t])
        z[:, shape.factor, model.theta_map.places(t)] = columns
    return z
