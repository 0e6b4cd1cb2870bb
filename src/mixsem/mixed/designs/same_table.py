"""Whether a table is the one that a model was fitted to: rows are matched by what they hold, not by trust."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data.columns import FrameLike
from ...errors import DataError, enumerate_briefly
from .design import Design
from .rows import open_frame

__all__ = ["further_columns", "require_same_rows", "require_table_of"]

#: Numbers that differ by less than this, relative to the largest of their column, have been through a text file.
SAME = 1e-9


def further_columns(design: Design, data: FrameLike, wanted: Sequence[str]) -> pd.DataFrame:
    """Columns of the table that a model was fitted to, for the rows of the fit.

    Parameters
    ----------
    design
        The design of the fit.
    data
        Its table, rows in the same order.
    wanted
        Names of the columns.

    Raises
    ------
    DataError
        If it is another table, or the same one in another order, or a column is missing in rows of the fit.

    Examples
    --------
    >>> from mixsem.mixed.designs.design import read_design
    >>> table = {"y": [1.0, 2.0, 4.0, 3.0], "g": list("aabb"), "site": list("pqpq")}
    >>> further_columns(read_design("y ~ 1 + (1 | g)", table), table, ["site"])["site"].tolist()
    ['p', 'q', 'p', 'q']
    """
    frame = require_table_of(design, data, wanted)
    frame = frame if design.rows is None else frame.take(design.rows).reset_index(drop=True)
    absent = [name for name in wanted if frame[name].isna().any()]
    if absent:
        raise DataError(
            f"{enumerate_briefly(absent)} is missing in rows of the fit", todo="fit to the rows that have it"
        )
    return frame[list(wanted)]


def require_table_of(design: Design, data: FrameLike, wanted: Sequence[str] = ()) -> pd.DataFrame:
    """The used and the wanted columns of all rows, if the table is that of the fit; see `further_columns`."""
    frame = open_frame(data, list(dict.fromkeys([*map(str, design.frame.columns), *wanted])))
    if len(frame) != design.n_rows:
        raise DataError(
            f"data has {len(frame):,} rows and the fit was given {design.n_rows:,}",
            todo="give the table that the fit was made with",
        )
    require_same_rows(design, frame)
    return frame


def require_same_rows(design: Design, frame: pd.DataFrame) -> None:
    """Refuse a table whose rows hold something else than those of the fit, and name the first difference.

    Parameters
    ----------
    design
        The design of the fit.
    frame
        All rows of the table, columns that the fit used among them.
    """
    rows = np.arange(design.n) if design.rows is None else design.rows
    first: tuple[int, str] | None = None
    for name in design.frame.columns:
        apart = _apart(design.frame[name], frame[name].take(rows).reset_index(drop=True))
        at = int(np.argmax(apart)) if apart.any() else design.n
        if apart.any() and (first is None or at < first[0]):
            first = at, str(name)
    if first is None:
        return
    at, name = first
    raise DataError(
        f"data is not the table of the fit, or its rows are in another order: row {rows[at] + 1:,} has {name} ="
        f" {frame[name].iloc[rows[at]]}, the fit has {design.frame[name].iloc[at]}",
        allowed="the table that the model was fitted to, rows in the same order",
        todo="put the rows back in order, or fit again to this table",
    )


def _apart(known: pd.Series, given: pd.Series) -> NDArray[np.bool_]:
    """Where two columns hold different values; numbers, texts and categories of them are compared by what they say."""
    a, b = (_plain(column) for column in (known, given))
    if pd.api.types.is_numeric_dtype(a) and pd.api.types.is_numeric_dtype(b):
        x, y = (column.to_numpy(dtype=np.float64, na_value=np.nan) for column in (a, b))
        return ~(np.abs(x - y) <= SAME * np.abs(x).max(initial=0.0))
    return np.asarray(a.astype(str) != b.astype(str), dtype=np.bool_)


def _plain(column: pd.Series) -> pd.Series:
    return column.astype(object).infer_objects() if column.dtype == object or _categorical(column) else column


def _categorical(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype)
