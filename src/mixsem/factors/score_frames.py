"""Tables of factor scores: which rows belong to which group of a fit, and scores as columns beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from ..data.columns import FrameLike, open_columns, to_floats
from ..data.grouped import GroupedData
from ..data.labels import code_labels
from ..data.moments import SampleMoments
from ..errors import DataError, OptionError, did_you_mean, enumerate_briefly

__all__ = ["ScoredRows", "group_column", "read_rows"]

Array = NDArray[np.float64]


class ScoredRows:
    """The rows of a table that is to get scores.

    Attributes
    ----------
    values
        Items, shape (N, p), NaN where missing.
    codes
        Group of each row in the fit, -1 where it has none, shape (N,).
    """

    def __init__(self, frame: nw.DataFrame[Any], items: Sequence[str], column: str | None, codes: Any, values: Array):
        self._frame, self._items, self._column = frame, tuple(items), column
        self.codes, self.values = codes, values

    def with_scores(self, columns: dict[str, Array]) -> Any:
        """A table of the kind that was read, rows in its order: the column of the group, if any, and these columns.

        Raises
        ------
        OptionError
            If two columns would have one name.
        """
        frame, column = self._frame, self._column
        _require_different([*columns, *([] if column is None else [column])])
        series = [
            nw.new_series(name, _with_nulls(values), nw.Float64, backend=frame.implementation)
            for name, values in columns.items()
        ]
        scored = frame.select(self._items[0] if column is None else column).with_columns(*series)
        return scored.select(*columns).to_native() if column is None else scored.to_native()


def read_rows(
    data: FrameLike,
    items: Sequence[str],
    groups: Sequence[Hashable],
    column: str | None,
    *,
    partial: bool = False,
) -> ScoredRows:
    """Read the items of all rows, and the group of each in a fit.

    Parameters
    ----------
    data
        The table.
    items
        Items of the fit.
    groups
        Labels of the fit's groups.
    column
        Column of the group; None if there is a single group.
    partial
        Whether incomplete rows can have scores.

    Raises
    ------
    DataError
        If a column is missing, or a group is not one of the fit.
    """
    if isinstance(data, SampleMoments | GroupedData):
        raise DataError(
            f"factor_scores() got {type(data).__name__}",
            allowed="a table with one row per person",
            todo="give the table itself; moments do not hold people",
        )
    frame = open_columns(data, items if column is None else (*items, column))
    values = to_floats(frame, items)
    if column is None:
        return ScoredRows(frame, items, column, np.zeros(len(values), dtype=np.int64), values)
    known = ~np.isnan(values)
    usable = np.flatnonzero(known.any(axis=1) if partial else known.all(axis=1))
    return ScoredRows(frame, items, column, _codes(frame[column], groups, usable), values)


def group_column(known: str | None, n_groups: int, group: str | None) -> str | None:
    """Name of the grouping column: the one given, or that of the fit; None if the fit has a single group.

    Raises
    ------
    OptionError
        If the fit has several groups and the name of their column is not known.
    """
    column = known if group is None else group
    if column is None and n_groups > 1:
        raise OptionError("no column of the group is known", allowed="the name of a column", todo="name it with group=")
    return None if n_groups == 1 and known is None else column


def _with_nulls(values: Array) -> list[float | None]:
    """Numbers as Python has them, None where there is none: every dataframe library reads that alike."""
    return [None if missing else value for value, missing in zip(values.tolist(), np.isnan(values), strict=True)]


def _codes(column: nw.Series[Any], groups: Sequence[Hashable], usable: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of each row's group in the fit, or -1 where it is missing."""
    labels, codes = code_labels(column)
    where = {label: g for g, label in enumerate(groups)}
    answered = set(codes[usable].tolist())
    # A group without any usable row was in no fit, and has no scores to be missed.
    unknown = [label for k, label in enumerate(labels) if label not in where and k in answered]
    if unknown:
        raise DataError(
            f"the fit has no group {enumerate_briefly(unknown)}",
            allowed=enumerate_briefly(groups),
            todo=did_you_mean(str(unknown[0]), [str(g) for g in groups]) or "leave these rows out",
        )
    position = np.array([*(where.get(label, -1) for label in labels), -1], dtype=np.int64)
    return position[codes]  # a missing label has code -1, the last entry


def _require_different(names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise OptionError(
            f"two columns of the scores would be named {enumerate_briefly(twice)}",
            allowed="names of the group and of factors F that differ from all F, F_sd and F_se",
            todo="rename the factor, or the column of the group",
        )
