"""Confidence intervals as a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..derived.frame_table import FrameTable
from .parameters import Parameter

if TYPE_CHECKING:
    import pandas as pd

    from ..require import AnyFit

__all__ = ["ConfidenceIntervals", "intervals_frame", "structure_notes"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ConfidenceIntervals(FrameTable):
    """Confidence intervals of the parameters of a mixed model; prints as a table.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has parameter, kind (``"sd"``, ``"cor"``, ``"sigma"``, ``"dispersion"``, ``"fixed"``),
        estimate, lower, upper; `notes` say how limits were found and which of them are bounds.
    method
        ``"profile"``, ``"wald"`` or ``"bootstrap"``.
    level
        Confidence level.
    """

    method: str
    level: float


def structure_notes(fit: AnyFit) -> tuple[str, ...]:
    """That parameters of a residual structure have no intervals, and what sigma is with it; nothing without one."""
    if fit.residual is None:
        return ()
    named = ", ".join(map(str, fit.residual.parameters.index))
    by, levels = fit.residual.structure.by, fit.residual.levels
    first = "" if by is None else f" sigma is that of {by} = {levels[0]}."
    return (f"No intervals for the structure of the residuals ({named}).{first}",)


def intervals_frame(parameters: Sequence[Parameter], estimate: Array, lower: Array, upper: Array) -> pd.DataFrame:
    """Parameters with their limits."""
    import pandas as pd

    return pd.DataFrame(
        {
            "parameter": [p.name for p in parameters],
            "kind": [p.kind for p in parameters],
            "estimate": estimate,
            "lower": lower,
            "upper": upper,
        }
    )
