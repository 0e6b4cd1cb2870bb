"""One sample of a parametric bootstrap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BOUNDARY", "Draw", "named"]

#: A relative standard deviation, or what a correlation leaves of it, below this is called 0.
BOUNDARY = 1e-4


@dataclass(frozen=True)
class Draw:
    """One sample: values of the parameters and of the statistic, whether the fit is on a boundary, or why it failed."""

    values: NDArray[np.float64]
    statistic: dict[str, float]
    boundary: bool
    failure: str = ""


def named(value: Mapping[str, float] | float) -> dict[str, float]:
    """A statistic as numbers by name."""
    if isinstance(value, Mapping):
        return {str(key): float(number) for key, number in value.items()}
    return {"statistic": float(value)}
