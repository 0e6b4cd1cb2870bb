"""Generalised estimating equations, solved by statsmodels with working correlations of our own."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from .marginal_family import MarginalFamily, require_responses
from .sandwich import determined
from .source import ClusteredRegression

__all__ = ["Errors", "GEENumbers", "Order", "WorkingCorrelation", "solve"]

Array = NDArray[np.float64]
WorkingCorrelation = Literal["independence", "exchangeable", "ar1"]
Errors = Literal["robust", "bias-reduced"]
Order = tuple[NDArray[np.intp], Array]

#: The estimating equations are solved when they are this small, relative to what rounding could leave.
SOLVED = 1e-11
EVALUATIONS = 200


@dataclass(frozen=True, eq=False)
class GEENumbers:
    """What `gee` computes, before it becomes a table; `lone` and `alone` as in `Sandwich`."""

    beta: Array
    vcov: Array
    model_vcov: Array
    correlation: float
    scale: float
    converged: bool
    lone: NDArray[np.bool_]
    alone: NDArray[np.bool_]


def solve(
    source: ClusteredRegression,
    family: MarginalFamily,
    working: WorkingCorrelation,
    order: Order | None,
    se: Errors = "robust",
) -> GEENumbers:
    """Solve the estimating equations, with orthonormal columns and Gaussian responses of variance 1.

    Parameters
    ----------
    order
        For ``"ar1"``: the rows by cluster and time, and the times in this order.
    """
    from statsmodels.genmod.generalized_estimating_equations import GEE

    from .working import Ar1, Exchangeable, Independence

    design, codes = source.design, source.cluster.codes
    require_responses(design.y, family)
    rows = np.argsort(codes, kind="stable") if order is None else order[0]
    weights = None if design.weights is None else design.weights[rows]
    offset = None if design.offset is None else design.offset[rows]
    Q, R = np.linalg.qr(design.X[rows])
    Q, R = Q * np.sqrt(len(Q)), R / np.sqrt(len(Q))  # coefficients of the size of the linear predictor
    y, unit = design.y[rows], 1.0
    if (family.name, family.link) == ("gaussian", "identity"):
        y = y if offset is None else y - offset
        unit, offset = float(y.std()) or 1.0, None
        y = y / unit
    if order is not None:
        structure: Any = Ar1(codes[rows], weights, order[1])
    else:
        structure = (Independence if working == "independence" else Exchangeable)(codes[rows], weights)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what they say is judged below, and said in our words
        equations = GEE(y, Q, codes[rows], offset=offset, family=family.made(), cov_struct=structure)
        tolerance = SOLVED * float(np.linalg.norm(y)) * np.sqrt(len(y))
        try:
            found = equations.fit(
                maxiter=EVALUATIONS,
                ctol=tolerance,
                ddof_scale=0,
                scale="X2",
                cov_type="robust" if se == "robust" else "bias_reduced",
            )
        except (np.linalg.LinAlgError, ValueError) as error:
            raise _no_solution(str(error)) from error
    if found is None or not np.isfinite(found.params).all():
        raise _no_solution("the coefficients run away")
    structure.update(found.params)
    back = unit * np.linalg.inv(R)
    size = float(np.linalg.norm(equations._update_mean_params()[1]))
    robust = found.cov_robust if se == "robust" else found.cov_robust_bc
    vcov = back @ robust @ back.T
    alone, lone = determined(design.X, codes, source.n_clusters)
    vcov[lone], vcov[:, lone] = np.nan, np.nan
    return GEENumbers(
        beta=back @ found.params,
        vcov=vcov,
        model_vcov=back @ (found.cov_naive / found.scale * structure.scale) @ back.T,
        correlation=float(structure.dep_params),
        scale=structure.scale * unit**2,
        converged=size < 1e3 * tolerance,
        lone=lone,
        alone=alone,
    )


def _no_solution(why: str) -> ModelError:
    return ModelError(
        f"the estimating equations have no solution: {why}",
        todo="look for a predictor that separates the responses, or use working='independence'",
    )
