"""Leverage: how much each row's fitted value moves with its own response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..engine.quadratic_forms import row_variances
from ..structure.residual_structure import require_plain
from .row_parts import own_rows

if TYPE_CHECKING:
    from ..fit import MixedFit

__all__ = ["hat_values"]


def hat_values(fit: MixedFit) -> NDArray[np.float64]:
    """Diagonal of the hat matrix; see `MixedFit.hat_values`."""
    require_plain(fit, "hat values")
    design = fit.design
    parts = row_variances(fit.model, fit.theta, own_rows(design), range(len(design.terms)))
    total = parts.sum(axis=1)
    return total if design.weights is None else design.weights * total
