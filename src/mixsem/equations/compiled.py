"""From a specification and data to a model that can be estimated: table, matrices, loss, constraints."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, replace

from ..data.intake import Data
from ..errors import DataError, MixsemError
from ..model.constraints import Constraints, compile_constraints
from ..model.loss import Loss
from ..model.matrices import ModelMap, compile_table
from ..options import as_names
from ..syntax.defaults import Defaults
from ..syntax.sem import parse_model
from ..syntax.table import ParameterTable, Row, build_table
from ..syntax.terms import ModelSyntax
from ..syntax.variables import classify
from .data import SEMData, read_data
from .estimators import Estimator
from .losses import fitted_covariances, loss_of
from .options import check_options, require_groups
from .ordinal import ordinal_table, require_ordinal
from .specification import SEM
from .support import ordered_items, require_sem

__all__ = ["CompiledSEM", "compile_sem"]


@dataclass(frozen=True, eq=False, slots=True)
class CompiledSEM:
    """A model with its data, ready to be estimated.

    Attributes
    ----------
    estimator
        What is minimised, and how its uncertainty is judged.
    data
        Moments, and rows where they are needed.
    table
        All parameters; values of covariates' moments are filled in.
    model
        Which entry of which matrix is which parameter.
    loss
        What is minimised.
    constraints
        What parameters must satisfy besides; defined parameters.
    """

    estimator: Estimator
    data: SEMData
    table: ParameterTable
    model: ModelMap
    loss: Loss
    constraints: Constraints

    @property
    def groups(self) -> tuple[Hashable, ...]:
        """Labels of the groups."""
        return self.data.groups


def compile_sem(specification: SEM, data: Data | SEMData, group: str | None) -> CompiledSEM:
    """Read the model, then the data it needs, and put them together.

    Data that were read for another model of the same variables, estimator and way with missing values are used again.

    Raises
    ------
    ModelSyntaxError, ModelError, UnsupportedModelError, DataError, OptionError
        As `SEM.fit` says.
    """
    estimator = check_options(specification)
    syntax = parse_model(specification.model)
    require_sem(syntax)
    ordered = ordered_items(specification.ordered, syntax)
    if ordered:
        require_ordinal(specification)
    variables = classify(syntax)
    content = (
        data
        if isinstance(data, SEMData)
        else read_data(
            data,
            variables.observed,
            group,
            estimator,
            missing=specification.missing,
            ordered=ordered,
            complete=variables.covariates if takes_x_as_given(specification, estimator) else (),
        )
    )
    require_groups(specification, content.groups)
    means = not ordered and _meanstructure(specification, content, syntax)
    table = _table(specification, estimator, syntax, content.groups, means=means)
    table = ordinal_table(table, ordered) if ordered else fill_sample_values(table, estimator, content)
    model = compile_table(table, content.groups)
    return CompiledSEM(
        estimator=estimator,
        data=content,
        table=table,
        model=model,
        loss=loss_of(estimator, model, content, table.covariates),
        constraints=compile_constraints(table, model),
    )


def takes_x_as_given(specification: SEM, estimator: Estimator) -> bool:
    """Whether the moments of covariates are fixed; by default, as in lavaan, for the estimators of the ML family."""
    return estimator.likelihood if specification.fixed_x is None else specification.fixed_x


def _meanstructure(specification: SEM, data: SEMData, syntax: ModelSyntax) -> bool:
    """Decide as lavaan does whether means are modelled."""
    needed = (
        specification.kind == "growth"
        or bool({"intercepts", "means"} & set(as_names(specification.group_equal)))
        or any(term.op == "~1" for term in syntax.terms)
    )
    if needed and not data.moments.has_means:
        raise DataError(
            "the model has intercepts or means, but the moments have none",
            allowed="SampleMoments.from_covariances(..., means=...)",
            todo="give the means, or leave them out of the model",
        )
    if specification.meanstructure is not None:
        return bool(specification.meanstructure) or needed
    several = data.moments.n_groups > 1
    return needed or (data.moments.has_means and (several or specification.missing == "ml"))


def _table(
    specification: SEM, estimator: Estimator, syntax: ModelSyntax, groups: tuple[Hashable, ...], *, means: bool
) -> ParameterTable:
    equal = as_names(specification.group_equal) if len(groups) > 1 else ()
    growth = specification.kind == "growth"
    defaults = Defaults(
        std_lv=specification.std_lv,
        meanstructure=means,
        free_variances="loadings" in equal and "lv.variances" not in equal,
        free_means="intercepts" in equal and "means" not in equal,
        fixed_x=takes_x_as_given(specification, estimator),
        orthogonal=specification.orthogonal,
        free_intercepts=not growth,
        factor_means=growth,
    )
    partial = as_names(specification.group_partial) if equal else ()
    try:
        return build_table(syntax, groups, defaults, equal=equal, partial=partial)
    except MixsemError as error:
        raise _with_own_names(error) from error


def _with_own_names(error: MixsemError) -> MixsemError:
    """The error with the names that the options have here: ``group_equal=`` for ``equal=``."""

    def renamed(text: str) -> str:
        return re.sub(r"(?<![\w.])(equal|partial)=", r"group_\1=", text)

    return type(error)(renamed(error.got), allowed=error.allowed, todo=renamed(error.todo))


def fill_sample_values(table: ParameterTable, estimator: Estimator, data: SEMData) -> ParameterTable:
    """Fix the moments of covariates at each group's own."""
    at = {name: i for i, name in enumerate(table.observed)}
    moments, S = data.moments, fitted_covariances(estimator, data)

    def filled(row: Row) -> Row:
        if not any(value is not None and value != value for value in row.fixed):
            return row
        values = moments.means[:, at[row.lhs]] if row.op == "~1" else S[:, at[row.lhs], at[row.rhs]]
        own = (v if f is not None and f != f else f for f, v in zip(row.fixed, values.tolist(), strict=True))
        return replace(row, fixed=tuple(own))

    return replace(table, rows=tuple(filled(row) for row in table.rows))
