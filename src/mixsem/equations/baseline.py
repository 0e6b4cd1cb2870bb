"""The baseline model: uncorrelated variables, against which fit indices compare."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..model.constraints import compile_constraints
from ..model.fit_ml import Optimum, maximize_likelihood
from ..model.matrices import NU, compile_table
from ..syntax.table import ParameterTable, Row
from .losses import fitted_covariances, loss_of

if TYPE_CHECKING:
    from .compiled import CompiledSEM

__all__ = ["baseline_of"]


def baseline_of(compiled: CompiledSEM) -> tuple[CompiledSEM, Optimum]:
    """Compile and fit the baseline model to the same data with the same estimator.

    Every variable has a variance, and a mean where the model has means; variables that only predict covary, and
    covariates keep their moments.
    """
    table, data = _baseline_table(compiled), compiled.data
    model = compile_table(table, compiled.groups)
    loss = loss_of(compiled.estimator, model, data, table.covariates)
    moments = data.moments
    values = np.where(model.matrix == NU, moments.means[:, model.row], moments.covariances[:, model.row, model.column])
    start = model.add_up(values)  # the estimates themselves, where nothing is missing
    baseline = replace(compiled, table=table, model=model, loss=loss, constraints=compile_constraints(table, model))
    return baseline, maximize_likelihood(loss, start)


def _baseline_table(compiled: CompiledSEM) -> ParameterTable:
    table, moments = compiled.table, compiled.data.moments
    n_groups, covariates, exogenous = table.n_groups, set(table.covariates), set(table.exogenous)
    S = fitted_covariances(compiled.estimator, compiled.data)
    rows = []
    for i, name in enumerate(table.observed):
        given = name in covariates
        rows.append(_row(name, "~~", name, S[:, i, i] if given else None, n_groups))
        for j in range(i):
            other = table.observed[j]
            if name in exogenous and other in exogenous:
                rows.append(_row(name, "~~", other, S[:, i, j] if given else None, n_groups))
        if compiled.model.meanstructure:
            rows.append(_row(name, "~1", "", moments.means[:, i] if given else None, n_groups))
    if compiled.data.ordinal is not None:
        ordered = {x for x, is_ordered in zip(table.observed, compiled.data.ordinal.ordered, strict=True) if is_ordered}
        rows = [row for row in rows if not (row.op == "~~" and row.lhs == row.rhs and row.lhs in ordered)]
    return ParameterTable(
        tuple(rows), (), table.observed, n_groups, (), (), exogenous=table.exogenous, covariates=table.covariates
    )


def _row(lhs: str, op: str, rhs: str, values: np.ndarray | None, n_groups: int) -> Row:
    fixed = (None,) * n_groups if values is None else tuple(values.tolist())
    return Row(
        lhs,
        op,
        rhs,
        fixed=fixed,
        label=("",) * n_groups,
        start=(None,) * n_groups,
        lower=(-np.inf,) * n_groups,
        upper=(np.inf,) * n_groups,
        user=False,
        line=0,
        column=0,
    )
