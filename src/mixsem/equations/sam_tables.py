"""The parts of a model that are estimated one after the other: measurement blocks, then the structural part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from ..errors import UnsupportedModelError
from ..syntax.table import ParameterTable, Row

__all__ = ["block_rows", "is_measurement", "measured_part", "require_two_steps", "structural_rows", "with_values"]

_INFINITE = float("inf")


def is_measurement(table: ParameterTable, row: Row) -> bool:
    """Whether a parameter belongs to step 1: loadings, residual (co)variances and intercepts of items."""
    if row.op == "=~":
        return True
    among_factors = {*table.factors, *table.structural}
    return row.op in ("~~", "~1") and row.lhs not in among_factors


def require_two_steps(table: ParameterTable) -> None:
    """Refuse what cannot be estimated in two steps.

    Raises
    ------
    UnsupportedModelError
        Factors of factors, a model without regressions or factors, constraints that reach into the measurement part.
    """
    for row in table.rows:
        if row.op == "=~" and (row.rhs in table.factors or row.rhs in table.structural):
            raise UnsupportedModelError(
                f"sam() got {row.lhs} =~ {row.rhs}, where {row.rhs} is a factor or an outcome",
                allowed="factors that are measured by items of their own",
                todo="use sem(), or measure the factors of the lower level only",
            )
    if not table.factors:
        raise UnsupportedModelError("sam() got a model without factors", todo="use sem()")
    own = {label for row in table.rows if is_measurement(table, row) for label in row.label if label}
    for constraint in table.constraints:
        names = {*constraint.lhs.names, *constraint.rhs.names}
        if any(table.aliases.get(name, name) in own for name in names):
            raise UnsupportedModelError(
                f"{constraint.place}: '{constraint}' constrains the measurement part, which sam() estimates in blocks",
                allowed="constraints on regressions and factor (co)variances; equal labels anywhere",
                todo="use sem(), or equal labels in place of '=='",
            )


def measured_part(table: ParameterTable) -> ParameterTable:
    """The rows of step 1, without factor (co)variances and means."""
    rows = tuple(row for row in table.rows if is_measurement(table, row))
    items = {row.rhs for row in rows if row.op == "=~"}
    observed = tuple(name for name in table.observed if name in items)
    return ParameterTable(rows, table.factors, observed, table.n_groups, (), ())


def block_rows(joint: ParameterTable, block: ParameterTable, lower: float = -_INFINITE) -> ParameterTable:
    """Add factor (co)variances, all free, to the measurement rows of a block.

    A variance stays fixed where it is what scales the factor; means stay as they are in the joint model.

    Parameters
    ----------
    joint
        Parameters of the whole model.
    block
        Measurement rows of the block.
    lower
        Lower bound of residual variances.
    """
    rows = [_bounded(row, lower) for row in block.rows]
    every = {(row.op, row.lhs, row.rhs): row for row in joint.rows}
    for factor in block.factors:
        row = every["~~", factor, factor]
        scaled = [any(_marks(r, factor, g) for r in block.rows) for g in range(joint.n_groups)]
        fixed = tuple(None if mark else value for mark, value in zip(scaled, row.fixed, strict=True))
        rows.append(_plain(row, fixed))
    for one, other in combinations(block.factors, 2):
        rows.append(_plain(replace(every["~~", one, one], rhs=other), (None,) * joint.n_groups))
    for factor in block.factors:
        if ("~1", factor, "") in every:
            row = every["~1", factor, ""]
            rows.append(_plain(row, row.fixed))
    return replace(block, rows=tuple(rows))


def _marks(row: Row, factor: str, g: int) -> bool:
    """Whether a loading is fixed and so scales its factor in group g."""
    return row.op == "=~" and row.lhs == factor and row.fixed[g] not in (None, 0.0)


def _bounded(row: Row, lower: float) -> Row:
    if row.op != "~~" or row.lhs != row.rhs or lower == -_INFINITE:
        return row
    return replace(row, lower=tuple(max(lower, own) for own in row.lower))


def _plain(row: Row, fixed: tuple[float | None, ...]) -> Row:
    """A row without labels and bounds."""
    n = len(fixed)
    return replace(
        row, fixed=fixed, label=("",) * n, start=(None,) * n, lower=(-_INFINITE,) * n, upper=(_INFINITE,) * n
    )


def structural_rows(table: ParameterTable) -> ParameterTable:
    """The structural part as a model of its own: factors and outcomes as if they were observed.

    Means that nobody asked for are free, so that they do not bear on the rest.
    """
    names = (*table.factors, *table.structural)
    rows = []
    for row in table.rows:
        if is_measurement(table, row):
            continue
        unasked = row.op == "~1" and not row.user and row.lhs not in table.covariates
        rows.append(_plain(row, (None,) * table.n_groups) if unasked else row)
    return ParameterTable(
        rows=tuple(rows),
        factors=(),
        observed=names,
        n_groups=table.n_groups,
        constraints=table.constraints,
        definitions=(),
        structural=names,
        covariates=table.covariates,
        aliases=table.aliases,
    )


def with_values(table: ParameterTable, values: Sequence[Sequence[float]]) -> ParameterTable:
    """Fix the measurement rows at their estimates.

    Parameters
    ----------
    table
        Parameters of the whole model.
    values
        Value of every entry, shape (G, E).
    """
    rows = []
    for e, row in enumerate(table.rows):
        if is_measurement(table, row):
            row = _plain(row, tuple(float(of_group[e]) for of_group in values))
        rows.append(row)
    return replace(table, rows=tuple(rows), definitions=())
