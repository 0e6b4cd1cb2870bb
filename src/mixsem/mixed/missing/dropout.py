"""Who is observed at which occasion: drop-out for good, and gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, OptionError
from ...report.values import plural
from ..derived.frame_table import FrameTable

if TYPE_CHECKING:
    import pandas as pd

    from .used_rows import UsedRows

__all__ = ["dropout_table"]

Flags = NDArray[np.bool_]

#: More distinct values than this are no occasions.
MOST_OCCASIONS = 60
#: Standard errors that chance alone hardly exceeds.
CHANCE = 2.0


def dropout_table(used: UsedRows, time: str, person: Sequence[str]) -> FrameTable:
    """Observed levels at each occasion, those who are gone for good, and those with a gap.

    Parameters
    ----------
    used
        The rows.
    time
        Column of the occasions.
    person
        Variables of the grouping factor that is followed over time.

    Returns
    -------
    FrameTable
        One row per occasion: the occasion, observed, share (of all levels), gap (missing now, observed later), gone
        (never observed again), left (gone since the occasion before), and the mean response at the occasion before of
        those who stayed and of those who left.

    Raises
    ------
    DataError
        If no row has both occasion and level.
    OptionError
        If the column has too many values to be one of occasions.
    """
    known = used.frame[[time, *person]].notna().all(axis=1).to_numpy()
    if not known.any():
        raise DataError(
            f"no row has a value of {time} and of {', '.join(person)}", todo="name the columns of occasions and people"
        )
    rows = used.frame[known]
    who = np.asarray(rows.groupby(list(person), observed=True, sort=False).ngroup(), dtype=np.int64)
    occasions, at = np.unique(rows[time].to_numpy(), return_inverse=True)
    when = np.asarray(at, dtype=np.int64)
    if len(occasions) > MOST_OCCASIONS:
        raise OptionError(
            f"time={time!r} has {len(occasions):,} different values",
            allowed=f"a column of occasions, at most {MOST_OCCASIONS}",
            todo="leave time= out, or round times to occasions first",
        )
    seen = np.zeros((int(who.max()) + 1, len(occasions)), dtype=bool)
    complete = used.complete[known]
    seen[who[complete], when[complete]] = True
    has_row = np.zeros_like(seen)
    has_row[who, when] = True
    last = np.where(seen.any(axis=1), len(occasions) - 1 - np.argmax(seen[:, ::-1], axis=1), -1)
    y = _responses(used, rows, who, when, seen.shape)
    frame = _by_occasion(seen, last, occasions, time, y)
    notes = _patterns(seen, has_row, last, person, _leavers(seen, last, y))
    return FrameTable(f"{':'.join(person)} observed by {time}", frame, notes)


def _responses(
    used: UsedRows, rows: pd.DataFrame, who: NDArray[np.int64], when: NDArray[np.int64], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Response of each level at each occasion, the mean of several rows; NaN where there is none."""
    import pandas as pd

    found = np.full(shape, np.nan)
    if len(used.response) == 1 and pd.api.types.is_numeric_dtype(rows[used.response[0]]):
        values = pd.Series(rows[used.response[0]].to_numpy(dtype=float, na_value=np.nan))
        means = values.groupby([who, when]).mean()
        found[means.index.get_level_values(0), means.index.get_level_values(1)] = means.to_numpy()
    return found


def _by_occasion(
    seen: Flags, last: NDArray[np.int64], occasions: NDArray[np.generic], time: str, y: NDArray[np.float64]
) -> pd.DataFrame:
    import pandas as pd

    records = []
    for t, occasion in enumerate(occasions.tolist()):
        missing = ~seen[:, t]
        before = (
            [_mean(y[seen[:, t - 1] & (last > t - 1), t - 1]), _mean(y[last == t - 1, t - 1])] if t else [np.nan] * 2
        )
        left = int((last == t - 1).sum()) if t else 0
        gone, gap = int((missing & (last < t)).sum()), int((missing & (last > t)).sum())
        records.append((str(occasion), int(seen[:, t].sum()), float(seen[:, t].mean()), gap, gone, left, *before))
    columns = [time, "observed", "share", "gap", "gone", "left", "before_stayed", "before_left"]
    return pd.DataFrame(records, columns=columns)


def _mean(values: NDArray[np.float64]) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else np.nan


def _leavers(seen: Flags, last: NDArray[np.int64], y: NDArray[np.float64]) -> float:
    """How far those who leave are from those who stay at the occasion before, in standard errors; NaN if unknown.

    Differences of the occasions are weighted by the inverses of their variances.
    """
    total = information = 0.0
    for t in range(1, seen.shape[1]):
        stayed, left = y[seen[:, t - 1] & (last > t - 1), t - 1], y[last == t - 1, t - 1]
        stayed, left = stayed[~np.isnan(stayed)], left[~np.isnan(left)]
        if min(len(stayed), len(left)) < 1 or len(stayed) + len(left) < 3:
            continue
        squares = sum(((part - part.mean()) ** 2).sum() for part in (stayed, left))
        variance = squares / (len(stayed) + len(left) - 2) * (1.0 / len(stayed) + 1.0 / len(left))
        if variance > 0.0:
            total += (left.mean() - stayed.mean()) / variance
            information += 1.0 / variance
    return total / np.sqrt(information) if information else np.nan


def _leavers_note(z: float) -> str:
    text = (
        "before_stayed and before_left: mean response at the occasion before, of those who went on and of those who"
        " left (as many as left says)."
    )
    if np.isnan(z):
        return text
    if abs(z) <= CHANCE:
        return f"{text} Over all occasions they differ by no more than chance explains ({abs(z):.1f} standard errors)."
    return (
        f"{text} Over all occasions those who left were {'higher' if z > 0 else 'lower'}, by {abs(z):.1f} standard"
        " errors, more than chance explains: leaving depends on what was observed. The model allows for that (MAR), and"
        " means of the rows that are left do not."
    )


def _patterns(seen: Flags, has_row: Flags, last: NDArray[np.int64], person: Sequence[str], z: float) -> tuple[str, ...]:
    """How many drop out for good (monotone), have gaps, or were never seen; and who leaves."""
    n, m = seen.shape
    never = last < 0
    gap = (~seen & (np.arange(m) < last[:, None])).any(axis=1)
    all_there, monotone = ~never & ~gap & (last == m - 1), ~never & ~gap & (last < m - 1)
    counts = f"{all_there.sum():,} are observed at all {m} occasions, {monotone.sum():,} drop out for good (monotone),"
    text = (
        f"Of {n:,} levels of {':'.join(person)} {counts} {gap.sum():,} have gaps (intermittent), {never.sum():,} were"
        " never observed."
    )
    notes = [text, "gap: observed again later; gone: not observed again; left: gone since the occasion before."]
    if monotone.any() or gap.any():
        notes.append(_leavers_note(z))
    absent = int((~has_row).sum())
    if absent:
        notes.append(
            f"{plural(absent, 'pair')} of level and occasion without a row count{'s' * (absent == 1)} as missing: if"
            " levels have different occasions by design, read this table accordingly."
        )
    return tuple(notes)
