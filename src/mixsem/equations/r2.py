"""Explained variance of items and outcomes."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UnsupportedModelError
from ..model.matrices import PSI, THETA
from .fit import SEMFit
from .sam_fit import SAMFit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["r2"]


@singledispatch
def r2(fit: object) -> pd.DataFrame:
    """R-squared of models with latent variables; see `mixsem.explained.r2`, which mixed models go through too."""
    allowed = "a fit of cfa(), sem() or growth(), a MixtureFit, or a fit of lmer()"
    raise UnsupportedModelError(f"r2() got {type(fit).__name__}", allowed=allowed)


@r2.register(SEMFit)
@r2.register(SAMFit)
def _sem_r2(fit: SEMFit | SAMFit) -> pd.DataFrame:
    import pandas as pd

    model, implied = fit.model, fit.model.implied(fit.coef)
    residual = np.einsum("gii->gi", model.values_of(THETA, fit.coef))
    total = np.einsum("gii->gi", implied.Sigma)
    if fit.data.ordinal is not None:
        ordered = fit.data.ordinal.ordered
        residual, total = np.where(ordered, 1.0 - total, residual), np.where(ordered, 1.0, total)
    disturbance = np.einsum("gii->gi", model.values_of(PSI, fit.coef))
    factors = np.einsum("gii->gi", implied.Phi)
    dependent = {row.lhs for row in fit.table.rows if row.op == "~"} | {
        row.rhs for row in fit.table.rows if row.op == "=~"
    }
    structural = set(fit.table.structural)
    parts = [(name, residual[:, i], total[:, i]) for i, name in enumerate(model.observed) if name not in structural]
    inner = [(name, disturbance[:, q], factors[:, q]) for q, name in enumerate(model.factors)]
    parts += [part for part in inner if part[0] in structural]
    parts += [part for part in inner if part[0] not in structural]
    kept = [part for part in parts if part[0] in dependent]
    with np.errstate(invalid="ignore", divide="ignore"):
        explained = np.array([1.0 - left / whole for _, left, whole in kept]).reshape(len(kept), len(fit.groups))
    return pd.DataFrame(
        {
            "group": [group for group in fit.groups for _ in kept],
            "variable": [name for _ in fit.groups for name, _, _ in kept],
            "r2": explained.T.ravel(),
        }
    )
