"""What a fit says of itself: boundary of the parameters, convergence, few levels."""

from __future__ import annotations

from dataclasses import replace

from .fit import MixedFit

__all__ = ["fit_notices"]


def fit_notices(fit: MixedFit) -> MixedFit:
    """The fit with its notices."""
    return replace(fit)
