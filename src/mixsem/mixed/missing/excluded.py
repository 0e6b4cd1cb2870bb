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
#: Standard errors that chance alone hardly exceeds.
CHANCE = 2.0
#: Categories of a variable beyond which it is a label, not a covariate.
MOST_CATEGORIES = 12


def compare_rows(used: UsedRows) -> FrameTable:
    """Means and shares of kept and of left-out rows, and their standardised differences.

    The frame has variable (of categories: variable and category), n_out (left-out rows whose value is known), kept,
    left_out (means, or shares), difference (of them, in standard deviations: the root of the mean of the two variances;
    positive if left-out rows have more) and its standard error se, in which rows of a cluster may be alike.
    """
    import pandas as pd

    complete, groups = used.complete, _groups(used)
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
                records.append((f"{name} = {label}", *_compared(flags, inside, outside, groups)))
        else:
            records.append((name, *_compared(column.to_numpy(dtype=float, na_value=np.nan), inside, outside, groups)))
    frame = pd.DataFrame(records, columns=["variable", "n_out", "kept", "left_out", "difference", "se"])
    return FrameTable("Rows kept and rows left out", frame, _notes(frame, too_many))


def _groups(used: UsedRows) -> list[NDArray[np.int64]]:
    """The level of each row of every grouping factor; a missing label is a level of its own."""
    found = [used.frame.groupby(list(names), observed=True, sort=False, dropna=False).ngroup() for names in used.groups]
    return [np.asarray(codes, dtype=np.int64) for codes in found]


def _compared(
    values: NDArray[np.float64], inside: NDArray[np.bool_], outside: NDArray[np.bool_], groups: list[NDArray[np.int64]]
) -> tuple[int, float, float, float, float]:
    a, b = values[inside], values[outside]
    mean_a, mean_b = (float(x.mean()) if len(x) else np.nan for x in (a, b))
    spread = float(np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2.0)) if min(len(a), len(b)) > 1 else np.nan
    if not spread > 0.0:
        return len(b), mean_a, mean_b, np.nan, np.nan
    influence = np.zeros(len(values))
    influence[inside], influence[outside] = (mean_a - a) / len(a), (b - mean_b) / len(b)
    known = inside | outside
    se = max(_spread_of_sums(influence[known], codes[known]) for codes in (np.arange(len(values)), *groups))
    return len(b), mean_a, mean_b, (mean_b - mean_a) / spread, se / spread


def _spread_of_sums(influence: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    """Standard error of a sum whose parts are independent between levels, not within: the cluster-robust one."""
    sums = np.bincount(np.unique(codes, return_inverse=True)[1], influence)
    return float(np.sqrt((sums @ sums) * len(sums) / (len(sums) - 1.0))) if len(sums) > 1 else 0.0


def _notes(frame: pd.DataFrame, too_many: list[str]) -> tuple[str, ...]:
    notes = [
        "difference: in standard deviations; SE: its standard error, rows of a cluster being alike (of several grouping"
        " factors the largest)."
    ]
    size = frame["difference"].abs()
    large = frame.loc[(size > NOTABLE) & (size > CHANCE * frame["se"]), "variable"].tolist()
    if large:
        notes.append(
            f"Left-out rows differ by more than {NOTABLE:g} standard deviations, and by more than {CHANCE:g} standard"
            f" errors, which chance seldom does, in {enumerate_briefly(large)}: results speak of rows like those that"
            " were kept."
        )
    elif size.notna().any():
        notes.append(
            f"No difference is above {NOTABLE:g} standard deviations and beyond chance ({CHANCE:g} standard errors)."
        )
    if (frame["n_out"] < 2).any():
        unknown = frame.loc[frame["n_out"] < 2, "variable"].tolist()
        notes.append(f"Too few left-out rows have a value of {enumerate_briefly(unknown)} to compare.")
    if too_many:
        notes.append(f"More than {MOST_CATEGORIES} categories, not compared: {enumerate_briefly(too_many)}.")
    return tuple(notes)
