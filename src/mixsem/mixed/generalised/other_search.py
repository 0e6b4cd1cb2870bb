"""Other optimisers than the default one for generalised mixed models, as checks on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.optimise import Method
from .coordinates import Coordinates
from .objective import Point

__all__ = ["search_with"]

Array = NDArray[np.float64]

#: What is taken for the criterion where there is none, above that at the start.
NOWHERE = 1e10


def search_with(coordinates: Coordinates, method: Method, budget: int) -> tuple[Point, bool, str]:
    """Minimise the criterion by an optimiser of SciPy.

    Parameters
    ----------
    coordinates
        Changes from the start.
    method
        Of `Optimizer`.
    budget
        Evaluations at most, about.

    Returns
    -------
    tuple
        The best point, whether the optimiser ended by itself, and what it said.
    """
    from scipy.optimize import minimize

    with_slope = method in ("lbfgsb", "bfgs", "slsqp", "tnc", "trust-constr")
    options: dict[str, dict[str, Any]] = {
        "lbfgsb": {"maxfun": budget, "ftol": 1e-14, "gtol": 1e-6},
        "bfgs": {"maxiter": budget, "gtol": 1e-5},
        "slsqp": {"maxiter": budget, "ftol": 1e-11},
        "tnc": {"maxfun": budget, "ftol": 1e-12},
        "trust-constr": {"maxiter": budget, "gtol": 1e-6, "xtol": 1e-9},
        "cobyqa": {"maxfev": budget, "final_tr_radius": 1e-6},
        "powell": {"maxfev": budget, "xtol": 1e-7, "ftol": 1e-12},
        "nelder-mead": {"maxfev": budget, "xatol": 1e-6, "fatol": 1e-9, "adaptive": True},
    }
    f0, lowest = coordinates.here.value, [coordinates.here]

    def value_and_slope(x: Array) -> Any:
        found, slope = coordinates.at(x, with_slope)
        if found.value < lowest[0].value:
            lowest[0] = found
        value = min(found.value - f0, NOWHERE)
        return (value, slope) if with_slope else value

    names = {"lbfgsb": "L-BFGS-B", "tnc": "TNC", "bfgs": "BFGS", "slsqp": "SLSQP"}
    result = minimize(
        value_and_slope,
        np.zeros(coordinates.size),
        jac=with_slope or None,
        method=names.get(method, method),
        options=options[method],
    )
    return lowest[0], bool(result.success), str(result.message)
