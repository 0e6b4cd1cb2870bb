"""Estimate a compiled model, and name what is wrong with the result."""

from __future__ import annotations

import numpy as np

from ..data.intake import Data
from ..errors import ModelError, enumerate_briefly, notify
from ..model.bounded import minimize_bounded
from ..model.constrained import minimize_constrained
from ..model.fit_ml import Optimum, maximize_likelihood
from ..model.identification import unidentified_parameters
from ..model.start import starting_values
from ..threads import few_threads
from .checks import sem_notices
from .compiled import CompiledSEM, compile_sem
from .fit import SEMFit
from .measures import degrees_of_freedom
from .specification import SEM

__all__ = ["estimate", "fit_sem"]


def fit_sem(specification: SEM, data: Data, group: str | None = None) -> SEMFit:
    """Compile, estimate, check: what `SEM.fit` does."""
    compiled = compile_sem(specification, data, group)
    with few_threads(len(compiled.table.observed)):
        optimum = estimate(compiled)
        notices = (*compiled.data.notices, *sem_notices(compiled, optimum))
    notify(notices)
    return SEMFit(specification, compiled, optimum, notices)


def estimate(compiled: CompiledSEM) -> Optimum:
    """Estimate the parameters, under constraints where there are any.

    Raises
    ------
    ModelError
        If the model has more parameters than moments, or parameters that the moments do not determine.
    """
    moments = compiled.data.moments
    start = starting_values(compiled.model, compiled.table, moments.n.astype(float), moments.covariances, moments.means)
    if compiled.constraints.only_bounds:
        _require_identified(compiled, start)
        return minimize_bounded(compiled.loss, start, compiled.constraints)
    if compiled.constraints.any:
        return minimize_constrained(compiled.loss, start, compiled.constraints)
    _require_identified(compiled, start)
    return maximize_likelihood(compiled.loss, start)


def _require_identified(compiled: CompiledSEM, start: np.ndarray) -> None:
    df = degrees_of_freedom(compiled, start)
    loose = unidentified_parameters(compiled.loss, start)
    if df >= 0 and not loose:
        return
    named = f"; not determined: {enumerate_briefly(loose, 6)}" if loose else ""
    why = f"{-df} more parameters than moments" if df < 0 else "no unique solution"
    raise ModelError(
        f"the model is not identified: {why}{named}",
        allowed="a scale for every factor (marker variable or unit variance), three items per factor or two with"
        " correlated factors, and factor means only where intercepts are fixed or equal over groups",
        todo="fix or equate parameters, or add items",
    )
