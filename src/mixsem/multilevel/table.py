"""The parameter table of a full structural equation model: measurement rows, and what the regressions put in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import ModelError, UnsupportedModelError
from ..structural.path_model import PathModel
from ..syntax.blocks import block_table, partition_factors
from ..syntax.table import ParameterTable, Row

__all__ = ["full_table"]


def full_table(measurement: ParameterTable, path: PathModel) -> ParameterTable:
    """Add the regressions to a measurement table and keep the factor covariances that they leave.

    Variances of outcomes become residual variances; covariances stay among exogenous factors and among residuals
    that the structural model lets covary. Factors without a regression are left out with their items.

    Parameters
    ----------
    measurement
        Table of all factors.
    path
        The compiled structural model of some of them.

    Returns
    -------
    ParameterTable
        Rows of the measurement model, then one row ``outcome ~ predictor`` per regression. A regression with a
        label carries one label for all groups, so that it is equal over them.

    Raises
    ------
    ModelError
        If a factor to leave out cannot be parted from the others.
    UnsupportedModelError
        If the measurement model says something about covariances that are the structural model's.
    """
    _require_separable(measurement, path)
    table = block_table(measurement, path.factors)
    kept = tuple(row for row in table.rows if _stays(row, path))
    return replace(table, rows=(*kept, *_regression_rows(path, table.n_groups)))


def _require_separable(table: ParameterTable, path: PathModel) -> None:
    """Require that factors left out share nothing with those that stay."""
    for part in partition_factors(table, "factor"):
        used = [f for f in part if f in path.factors]
        unused = [f for f in part if f not in path.factors]
        if used and unused:
            raise ModelError(
                f"{unused[0]} is in no regression, but the measurement model ties it to {used[0]}",
                allowed="factors without a regression that share no item, covariance or label with the others",
                todo=f"add a regression with {unused[0]}, or remove it from the measurement model",
            )


def _stays(row: Row, path: PathModel) -> bool:
    """Whether a row of the measurement model has a place in the full model; refuse what contradicts it."""
    if row.op != "~~" or row.lhs not in path.factors:
        return True
    a, b = path.factors.index(row.lhs), path.factors.index(row.rhs)
    outcomes = [j for block in path.blocks for j in block]
    if a not in outcomes and b not in outcomes:
        return True
    constrained = any(value is not None for value in row.fixed) or any(row.label)
    if row.user and (a != b or constrained):
        raise UnsupportedModelError(
            f"line {row.line}, column {row.column}: '{row.lhs} ~~ {row.rhs}' in the measurement model, but"
            f" {path.factors[a if a in outcomes else b]} is an outcome in the structural model",
            allowed="factor (co)variances of exogenous factors; scale an outcome by its marker variable",
            todo="write residual covariances of outcomes into the structural model",
        )
    return a == b or any(a in block and b in block for block in path.blocks)


def _regression_rows(path: PathModel, n_groups: int) -> list[Row]:
    """One row per regression: fixed, equal over groups by a label, or free in every group."""
    rows, labels = [], _labels(path)
    for r, name in enumerate(path.names):
        outcome, predictor = (path.factors[int(x[r])] for x in (path.outcome, path.predictor))
        is_fixed = path.slot[r] < 0
        rows.append(
            Row(
                outcome,
                "~",
                predictor,
                fixed=((float(path.fixed[r]) if is_fixed else None),) * n_groups,
                label=(labels.get(name, ""),) * n_groups,
                start=(None,) * n_groups,
                lower=(float("-inf"),) * n_groups,
                upper=(float("inf"),) * n_groups,
                user=True,
                line=0,
                column=0,
            )
        )
    return rows


def _labels(path: PathModel) -> dict[str, str]:
    """Label of every regression that has one; regressions with the same coefficient share it."""
    first: dict[int, str] = {}
    labels: dict[str, str] = {}
    names: Sequence[str] = path.names
    for name, slot in zip(names, path.slot, strict=True):
        if slot >= 0 and path.equal[slot]:
            labels[name] = first.setdefault(int(slot), f".{name}.")
    return labels
