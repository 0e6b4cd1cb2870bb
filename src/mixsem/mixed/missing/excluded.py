"""Rows that are kept and rows that are left out, compared on what is known of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import enumerate_briefly
from ..derived.frame_table import FrameTable

if TYPE_CHECKING:
    import pandas as pd

    from .used_rows import UsedRows

__all__ = ["compare_rows"]

#: Standardised difference from which two groups count as differing (Austin 2009, doi 10.1002/sim.3697).
NOTABLE = 0.1
#: Categories of a variable beyond which it is a label, not a covariate.
MOST_CATEGORIES = 12


def compare_rows(used: UsedRows) -> FrameTable:
    """Means and shares of kept and of left-out rows, and their standardised differences.

    The frame has variable (of categories: variable and category), n_out (left-out rows whose value is known), kept,
    left_out (means, or shares) and difference (of them, in standard deviations: the root of the mean of the two
    variances; positive if left-out rows have more).
    """
    import pandas as pd

    complete = used.complete
    records: list[tuple[object, ...]] = []
    too_many = []
    for name in used.covariates:
        column = used.frame[name]
        known = column.notna().to_numpy()
        inside, outside = complete & known, ~complete & known
        if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            labels = column.astype(object)
            distinct = sorted(dict.fromkeys(labels[known]), key=str)
            if len(distinct) > MOST_CATEGORIES:
                too_many.append(name)
                continue
            for label in distinct if len(distinct) != 2 else distinct[1:]:  # of two, one says all
                flags = (labels == label).to_numpy(dtype=float)
                records.append((f"{name} = {label}", *_compared(flags, inside, outside)))
        else:
            records.append((name, *_compared(column.to_numpy(dtype=float, na_value=np.nan), inside, outside)))
    frame = pd.DataFrame(records, columns=["variable", "n_out", "kept", "left_out", "difference"])
    return FrameTable("Rows kept and rows left out", frame, _notes(frame, too_many))


def _compared(
    values: NDArray[np.float64], inside: NDArray[np.bool_], outside: NDArray[np.bool_]
) -> tuple[int, float, float, float]:
    a, b = values[inside], values[outside]
    mean_a, mean_b = (float(x.mean()) if len(x) else np.nan for x in (a, b))
    spread = float(np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2.0)) if min(len(a), len(b)) > 1 else np.nan
    return len(b), mean_a, mean_b, (mean_b - mean_a) / spread if spread > 0.0 else np.nan


def _notes(frame: pd.DataFrame, too_many: list[str]) -> tuple[str, ...]:
    notes = ["difference: in standard deviations. Rows of a cluster are alike, so that no p-value is given."]
    large = frame.loc[frame["difference"].abs() > NOTABLE, "variable"].tolist()
    if large:
        notes.append(
            f"Left-out rows differ by more than {NOTABLE:g} standard deviations in {enumerate_briefly(large)}: results"
            " speak of rows like those that were kept."
        )
    if (frame["n_out"] < 2).any():
        unknown = frame.loc[frame["n_out"] < 2, "variable"].tolist()
        notes.append(f"Too few left-out rows have a value of {enumerate_briefly(unknown)} to compare.")
    if too_many:
        notes.append(f"More than {MOST_CATEGORIES} categories, not compared: {enumerate_briefly(too_many)}.")
    return tuple(notes)
