"""What `lmer` can be given."""

from __future__ import annotations

import reprlib

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..options import require_flag
from .engine.optimise import METHODS, Optimizer
from .structure.residual_structure import Residual

__all__ = ["as_numbers", "as_optimizer", "require_reml", "require_structure"]

_STRUCTURES = 'None, Residual(by="column"), Residual(ar1=("group", "time")), or both in one Residual()'


def require_reml(reml: object) -> None:
    """Refuse texts such as ``"ML"``, and None."""
    require_flag("reml", reml, "True for restricted maximum likelihood, False for maximum likelihood")


def as_optimizer(optimizer: object) -> Optimizer:
    """How theta is found: None for the default, the name of a method, or an `Optimizer`."""
    if optimizer is None:
        return Optimizer()
    if isinstance(optimizer, Optimizer):
        return optimizer
    if isinstance(optimizer, str):
        return Optimizer(method=optimizer)  # type: ignore[arg-type]
    raise OptionError(
        f"optimizer={reprlib.repr(optimizer)}", allowed=f"Optimizer(...), or one of {', '.join(METHODS)}, or None"
    )


def require_structure(residual: object) -> None:
    """Refuse what is no structure of residuals."""
    if residual is None or isinstance(residual, Residual):
        return
    raise OptionError(
        f"residual={reprlib.repr(residual)}", allowed=_STRUCTURES, todo="give residual=mixsem.Residual(...)"
    )


def as_numbers(start: object) -> NDArray[np.float64]:
    """Starting values as an array; not a number (NaN) what is no array of numbers."""
    try:
        return np.asarray(start, dtype=np.float64)
    except (TypeError, ValueError):
        return np.array(np.nan)
