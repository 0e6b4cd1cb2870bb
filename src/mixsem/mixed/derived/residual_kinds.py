"""Residuals: as they are, weighted, in standard deviations, and made independent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError, did_you_mean
from ..structure.residual_rows import relative_sd, whiten

if TYPE_CHECKING:
    from ..fit import MixedFit

__all__ = ["KINDS", "ResidualKind", "residuals_of"]

ResidualKind = Literal["response", "pearson", "scaled", "normalized"]
KINDS: tuple[ResidualKind, ...] = ("response", "pearson", "scaled", "normalized")


def residuals_of(fit: MixedFit, kind: ResidualKind) -> NDArray[np.float64]:
    """Residuals of the rows of a fit; see `MixedFit.residuals`."""
    if kind not in KINDS:
        raise OptionError(
            f"kind={kind!r}", allowed=", ".join(KINDS), todo=did_you_mean(str(kind), KINDS) or 'choose "response"'
        )
    raw = np.asarray(fit.model.y - fit.design.X @ fit.beta - fit.random_part)
    if kind == "response":
        return raw
    if kind == "normalized":
        return whiten(fit.model, raw) / fit.sigma
    pearson = raw / relative_sd(fit.model)
    return pearson / fit.sigma if kind == "scaled" else pearson
