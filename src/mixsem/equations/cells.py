"""A model whose every entry in every group is a parameter of its own: what standardizing and score tests look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..model.full_information import FullInformation
from ..model.least_squares import LeastSquares
from ..model.matrices import ModelMap, compile_table
from ..syntax.cells import Key
from ..syntax.table import Row

if TYPE_CHECKING:
    from .fit import SEMFit

__all__ = [
    "CellDerivatives",
    "cell_derivatives",
    "cell_model",
    "cell_values",
    "entry_labels",
    "first_cells",
    "parameters_of",
]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class CellDerivatives:
    """Score and expected information of every entry in every group.

    Attributes
    ----------
    score
        Downhill derivative of the loss, shape (G, E): where the data push the entry.
    information
        Expected information, shape (G, E, E).
    """

    score: Array
    information: Array


def cell_model(fit: SEMFit, extra: Sequence[Key] = ()) -> ModelMap:
    """Free every entry in every group, after adding the parameters `extra`, which the model does not have."""
    table, n = fit.table, len(fit.groups)

    def freed(key: Key) -> Row:
        unbounded = ((-np.inf,) * n, (np.inf,) * n)
        return Row(*key, (None,) * n, ("",) * n, (None,) * n, *unbounded, user=False, line=0, column=0)

    keys = [*((row.lhs, row.op, row.rhs) for row in table.rows), *extra]
    return compile_table(replace(table, rows=tuple(freed(key) for key in keys)), fit.groups)


def cell_values(fit: SEMFit, cells: ModelMap) -> Array:
    """Values of the parameters of a `cell_model` at the estimates: zero for what was added."""
    values = np.zeros(cells.free.shape)
    values[:, : fit.model.matrix.size] = fit.model.entry_values(fit.coef)
    return parameters_of(cells, values)


def parameters_of(cells: ModelMap, values: Array) -> Array:
    """Parameter vector of a `cell_model` with these entries, shape (G, E)."""
    theta = np.empty(cells.free.size)
    theta[cells.free] = values
    return theta


def cell_derivatives(fit: SEMFit, extra: Sequence[Key] = ()) -> CellDerivatives:
    """Scores and information of all entries, those of `extra` included, at the estimates."""
    cells = cell_model(fit, extra)
    theta = cell_values(fit, cells)
    loss: Any = fit.loss
    loss = replace(loss, model=cells)
    return CellDerivatives(-loss.gradient(theta)[cells.free], _information(fit, loss, theta))


def _information(fit: SEMFit, loss: Any, theta: Array) -> Array:
    if isinstance(loss, FullInformation):
        return loss.expected_information(theta)
    if isinstance(loss, LeastSquares):
        # lavaan's score tests weigh the information of the groups by N_g, though their discrepancies by N_g - 1.
        loss = replace(loss, n=fit.data.moments.n.astype(float))
    return np.asarray(loss.evaluate(theta).information)


def first_cells(model: ModelMap) -> tuple[Index, Index]:
    """Group and entry where each free parameter stands first, group by group: two arrays of shape (P,)."""
    flat = model.free.ravel()
    _, at = np.unique(np.where(flat >= 0, flat, model.n_free), return_index=True)
    at = at[: model.n_free]
    return at // model.free.shape[1], at % model.free.shape[1]


def entry_labels(fit: SEMFit) -> dict[str, list[Any]]:
    """Columns group, lhs, op and rhs of all parameters: the groups one after another."""
    rows = fit.table.rows
    return {
        "group": [group for group in fit.groups for _ in rows],
        "lhs": [row.lhs for _ in fit.groups for row in rows],
        "op": [row.op for _ in fit.groups for row in rows],
        "rhs": [row.rhs for _ in fit.groups for row in rows],
    }
