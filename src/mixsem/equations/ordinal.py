"""Ordered items in structural equation models: least squares on polychoric correlations.

Delta parameterisation: every ordered item has variance 1, so its residual variance is no parameter but follows from
the rest, Theta_jj = 1 - (Lambda Phi Lambda')_jj. Thresholds are free in every group and do not enter the fit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..data.ordinal import OrdinalMoments
from ..errors import ModelError, OptionError, UnsupportedModelError, enumerate_briefly
from ..inference.fitmeasures import srmr
from ..kernels.covariance import Implied
from ..model.least_squares import LeastSquares
from ..model.matrices import ModelMap
from ..options import as_names
from ..syntax.table import ParameterTable
from .estimators import Estimator
from .specification import SEM

if TYPE_CHECKING:
    from .compiled import CompiledSEM

__all__ = ["complete_implied", "ordinal_loss", "ordinal_srmr", "ordinal_table", "require_ordinal"]

Array = NDArray[np.float64]


def require_ordinal(specification: SEM) -> None:
    """Refuse options that ordered items do not go with."""
    wrong = sorted({"intercepts", "means", "residuals", "thresholds"} & set(as_names(specification.group_equal)))
    if wrong:
        raise OptionError(
            f"group_equal={wrong[0]!r} with ordered items",
            allowed="'loadings', 'lv.variances', 'lv.covariances', 'regressions', 'residual.covariances'",
            todo="thresholds are free in every group; treat the items as continuous to compare intercepts",
        )
    if specification.kind == "growth" or specification.meanstructure:
        raise OptionError(
            "a mean structure with ordered items",
            allowed="thresholds that are free in every group",
            todo="treat the items as continuous, or leave out meanstructure=",
        )
    if specification.missing != "listwise":
        raise OptionError("missing='ml' with ordered items", allowed="missing='listwise'")


def ordinal_table(table: ParameterTable, ordered: tuple[str, ...]) -> ParameterTable:
    """The table without residual variances of ordered items.

    Raises
    ------
    UnsupportedModelError
        For observed variables in regressions, and variances or intercepts written for ordered items.
    """
    if table.structural:
        raise UnsupportedModelError(
            f"observed variables in the structural part, {enumerate_briefly(table.structural)}, with ordered items",
            allowed="regressions and covariances among factors",
            todo="give a continuous variable a factor of its own, F_age =~ age, which models it jointly with the items",
        )
    for row in table.rows:
        own = row.op == "~~" and row.lhs == row.rhs
        if row.user and row.lhs in ordered and (own or row.op == "~1"):
            raise UnsupportedModelError(
                f"line {row.line}, column {row.column}: {row.name} is written for an ordered item",
                allowed="ordered items have variance 1 and mean 0 in every group; thresholds are free",
                todo="remove it",
            )
    rows = tuple(r for r in table.rows if not (r.op == "~~" and r.lhs == r.rhs and r.lhs in ordered))
    return replace(table, rows=rows)


def ordinal_loss(estimator: Estimator, model: ModelMap, ordinal: OrdinalMoments) -> LeastSquares:
    """The loss on the correlations, with the weight of the estimator."""
    n, S, means, kept = ordinal.n - 1.0, ordinal.covariances, ordinal.means, ordinal.kept
    if not kept.size:
        raise ModelError(
            "the model has one ordered item and no other variable: there is no correlation to fit",
            allowed="two variables or more",
            todo="add items",
        )
    gamma = ordinal.moment_gamma
    if estimator.discrepancy == "DWLS":
        return LeastSquares.diagonal(model, n, S, means, np.einsum("gqq->gq", gamma), kept)
    if estimator.discrepancy == "WLS":
        return LeastSquares.weighted(model, n, S, means, gamma, kept)
    if estimator.discrepancy == "ULS":
        return LeastSquares.unweighted(model, n, S, means, kept)
    raise OptionError(
        f"estimator {estimator.name} with ordered items",
        allowed="WLSMV, WLSM, DWLS, WLS, ULS, ULSMV",
        todo="use estimator='WLSMV'",
    )


def complete_implied(compiled: CompiledSEM, implied: Implied) -> Implied:
    """Implied moments with the variances of ordered items, which are those of the data."""
    ordinal = compiled.data.ordinal
    if ordinal is None:
        return implied
    Sigma = implied.Sigma.copy()
    at = np.flatnonzero(ordinal.ordered)
    Sigma[:, at, at] = 1.0
    return implied._replace(Sigma=Sigma)


def ordinal_srmr(compiled: CompiledSEM, theta: Array) -> float:
    """SRMR of the correlations; variances of ordered items, which fit by definition, count as zeros."""
    ordinal = compiled.data.ordinal
    assert ordinal is not None
    Sigma = complete_implied(compiled, compiled.model.implied(theta)).Sigma
    return srmr(Sigma, ordinal.covariances, ordinal.n, None)
