"""Other optimisers than the default one, as checks on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .objective import Evaluation, Objective

if TYPE_CHECKING:
    from .optimise import Optimizer

__all__ = ["search_plainly"]

Array = NDArray[np.float64]


def search_plainly(objective: Objective, optimizer: Optimizer, best: Evaluation) -> tuple[Evaluation, bool, str]:
    """Another optimiser from where `best` is, with bounds on the diagonals where it knows bounds."""
    from scipy.optimize import minimize

    theta_map, method = objective.theta_map, optimizer.method
    bounded = method not in ("bfgs",)
    with_slope = method in ("bfgs", "slsqp", "tnc", "trust-constr")
    budget = optimizer.max_evaluations
    options: dict[str, dict[str, Any]] = {
        "bfgs": {"maxiter": budget, "gtol": 1e-5},
        "slsqp": {"maxiter": budget, "ftol": 1e-11},
        "tnc": {"maxfun": budget, "ftol": 1e-12},
        "trust-constr": {"maxiter": budget, "gtol": 1e-6, "xtol": 1e-9},
        "cobyqa": {"maxfev": budget, "final_tr_radius": 1e-7},
        "powell": {"maxfev": budget, "xtol": 1e-8, "ftol": 1e-13},
        "nelder-mead": {"maxfev": budget, "xatol": 1e-7, "fatol": 1e-9},
    }
    f0 = best.value

    def value_and_slope(phi: Array) -> Any:
        found = objective.evaluate(phi, slope=with_slope)
        value = min(found.value - f0, 1e10)
        return (value, theta_map.pick(found.slope)) if with_slope else value

    result = minimize(
        value_and_slope,
        best.phi,
        jac=with_slope or None,
        method={"tnc": "TNC", "bfgs": "BFGS", "slsqp": "SLSQP"}.get(method, method),
        bounds=list(zip(theta_map.lower, [np.inf] * len(theta_map), strict=True)) if bounded else None,
        options=options[method],
    )
    found = objective.evaluate(result.x)
    return (found if found.value <= best.value else best), bool(result.success), str(result.message)
