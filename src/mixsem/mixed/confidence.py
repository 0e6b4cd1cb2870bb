"""Confidence intervals as a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .frame_table import FrameTable
from .parameters import Parameter

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ConfidenceIntervals", "intervals_frame"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ConfidenceIntervals(FrameTable):
    """Confidence intervals of the parameters of a mixed model; prints as a table.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has parameter, kind (``"sd"``, ``"cor"``, ``"sigma"``, ``"fixed"``), estimate, lower, upper;
        `notes` say how limits were found and which of them are bounds.
    method
        ``"profile"``, ``"wald"`` or ``"bootstrap"``.
    level
        Confidence level.
    """

    method: str
    level: float


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
