"""From a specification and data to a model that can be estimated: table, matrices, loss, constraints."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..data.intake import Data
from ..errors import DataError, OptionError, enumerate_briefly
from ..kernels.covariance import inverse_and_log_det
from ..kernels.fourth_moments import adf_gamma
from ..model.constraints import Constraints, compile_constraints
from ..model.full_information import FullInformation
from ..model.least_squares import LeastSquares, unbiased
from ..model.loss import Loss, MaximumLikelihood
from ..model.matrices import ModelMap, compile_table
from ..options import as_names
from ..syntax.defaults import Defaults
from ..syntax.sem import parse_model
from ..syntax.table import ParameterTable, Row, build_table
from ..syntax.terms import ModelSyntax
from ..syntax.variables import classify
from .data import SEMData, read_data
from .estimators import Estimator, estimator_of
from .specification import SEM
from .support import ordered_items, require_sem

__all__ = ["CompiledSEM", "compile_sem", "loss_of"]

Array = NDArray[np.float64]


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


def compile_sem(specification: SEM, data: Data, group: str | None) -> CompiledSEM:
    """Read the model, then the data it needs, and put them together.

    Raises
    ------
    ModelSyntaxError, ModelError, UnsupportedModelError, DataError, OptionError
        As `SEM.fit` says.
    """
    estimator = _estimator(specification)
    syntax = parse_model(specification.model)
    require_sem(syntax)
    ordered = ordered_items(specification.ordered, syntax)
    variables = classify(syntax)
    content = read_data(
        data,
        variables.observed,
        group,
        estimator,
        missing=specification.missing,
        ordered=ordered,
        complete=variables.covariates if specification.fixed_x else (),
    )
    means = _meanstructure(specification, estimator, content, syntax)
    table = _table(specification, syntax, content.groups, means=means)
    table = fill_sample_values(table, content)
    model = compile_table(table, content.groups)
    return CompiledSEM(
        estimator, content, table, model, loss_of(estimator, model, content), compile_constraints(table, model)
    )


def _estimator(specification: SEM) -> Estimator:
    """Check the options that say how to estimate."""
    estimator = estimator_of(specification.estimator)
    if specification.missing not in ("listwise", "ml"):
        raise OptionError(f"missing={specification.missing!r}", allowed="'listwise' or 'ml'")
    if specification.missing == "ml" and estimator.name not in ("ML", "MLR"):
        raise OptionError(
            f"missing='ml' with estimator {estimator.name}",
            allowed="estimators ML and MLR, which use incomplete rows",
            todo="use estimator='MLR', or missing='listwise'",
        )
    if specification.ordered is not False and specification.ordered != () and estimator.discrepancy == "ML":
        raise OptionError(
            f"ordered= with estimator {estimator.name}",
            allowed="WLSMV, WLSM, DWLS, WLS, ULS or ULSMV, on polychoric correlations",
            todo="use estimator='WLSMV'",
        )
    return estimator


def _meanstructure(specification: SEM, estimator: Estimator, data: SEMData, syntax: ModelSyntax) -> bool:
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
    robust = estimator.likelihood and estimator.robust
    return needed or (data.moments.has_means and (several or robust or data.patterns is not None))


def _table(specification: SEM, syntax: ModelSyntax, groups: tuple[Hashable, ...], *, means: bool) -> ParameterTable:
    equal = as_names(specification.group_equal) if len(groups) > 1 else ()
    growth = specification.kind == "growth"
    defaults = Defaults(
        std_lv=specification.std_lv,
        meanstructure=means,
        free_variances="loadings" in equal and "lv.variances" not in equal,
        free_means="intercepts" in equal and "means" not in equal,
        fixed_x=specification.fixed_x,
        orthogonal=specification.orthogonal,
        free_intercepts=not growth,
        factor_means=growth,
    )
    partial = as_names(specification.group_partial) if equal else ()
    return build_table(syntax, groups, defaults, equal=equal, partial=partial)


def fill_sample_values(table: ParameterTable, data: SEMData) -> ParameterTable:
    """Fix the moments of covariates at each group's own."""
    at = {name: i for i, name in enumerate(table.observed)}
    moments = data.moments

    def filled(row: Row) -> Row:
        if not any(value is not None and value != value for value in row.fixed):
            return row
        if row.op == "~1":
            values = moments.means[:, at[row.lhs]]
        else:
            values = moments.covariances[:, at[row.lhs], at[row.rhs]]
        own = (v if f is not None and f != f else f for f, v in zip(row.fixed, values.tolist(), strict=True))
        return replace(row, fixed=tuple(own))

    return replace(table, rows=tuple(filled(row) for row in table.rows))


def loss_of(estimator: Estimator, model: ModelMap, data: SEMData) -> Loss:
    """What an estimator minimises.

    Raises
    ------
    DataError
        If a covariance matrix, or the weight matrix of WLS, is singular.
    """
    moments = data.moments
    if data.patterns is not None:
        return FullInformation.of(model, data.patterns, data.saturated)
    if data.ordinal is not None:
        from .ordinal import ordinal_loss

        return ordinal_loss(estimator, model, data.ordinal)
    require_definite(data)
    if estimator.discrepancy == "ML":
        return MaximumLikelihood.of(model, moments.n, moments.covariances, moments.means)
    n, S = unbiased(moments.n, moments.covariances)
    if estimator.discrepancy == "ULS":
        return LeastSquares.unweighted(model, n, S, moments.means)
    if estimator.discrepancy == "GLS":
        return LeastSquares.generalized(model, n, S, moments.means)
    gamma = sample_gamma(data, meanstructure=model.meanstructure)
    if estimator.discrepancy == "DWLS":
        return LeastSquares.diagonal(model, n, S, moments.means, np.einsum("gqq->gq", gamma))
    _require_weights(gamma, data)
    return LeastSquares.weighted(model, n, S, moments.means, gamma)


def sample_gamma(data: SEMData, *, meanstructure: bool) -> Array:
    """Distribution-free covariance of each group's moments, shape (G, q, q)."""
    return np.stack([adf_gamma(data.values_of(g), meanstructure=meanstructure) for g in range(len(data.groups))])


def require_definite(data: SEMData) -> None:
    """Name the groups whose covariance matrix is singular."""
    S = data.moments.covariances
    scale = np.sqrt(np.einsum("gii->gi", S))
    if inverse_and_log_det(S / (scale[:, :, None] * scale[:, None, :])).proper.all():
        return
    smallest = np.linalg.eigvalsh(S / (scale[:, :, None] * scale[:, None, :]))[:, 0]
    bad = [g for g, value in zip(data.groups, smallest, strict=True) if value < 1e-10]
    if bad:
        items = data.moments.items
        raise DataError(
            f"the covariance matrix of {', '.join(items)} is singular in"
            f" {len(bad)} group{'s' * (len(bad) > 1)}: {enumerate_briefly(bad)}",
            allowed=f"groups with more than {len(items)} rows and no variable that others determine",
            todo="drop these groups, or variables that copy one another",
        )


def _require_weights(gamma: Array, data: SEMData) -> None:
    few = [g for g, n in zip(data.groups, data.moments.n, strict=True) if n <= gamma.shape[-1]]
    if few:
        raise DataError(
            f"the weight matrix of WLS ({gamma.shape[-1]} moments) is singular in {enumerate_briefly(few)}",
            allowed="groups with more rows than moments",
            todo="use estimator='MLR' or 'DWLS'",
        )
