"""The scale of the factors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..kernels.problem import LAMBDA
from .posterior import Posterior

__all__ = ["factor_units"]

Array = NDArray[np.float64]


def factor_units(posterior: Posterior, size: Array) -> Array:
    """Standard deviation each factor would have if its marker variable were the factor, shape (m,)."""
    problem = posterior.problem
    unit = np.ones(int(problem.shape[0]))
    for q in range(unit.size):
        for e in np.flatnonzero((problem.kind == LAMBDA) & (problem.column == q)):
            value = problem.fixed[0, e]
            if problem.base[0, e] < 0 and value != 0.0:
                unit[q] = size[problem.row[e]] / abs(value)
                break
    return unit
