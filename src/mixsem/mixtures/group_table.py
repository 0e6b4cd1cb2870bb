"""Variables of the groups from a table: one row per group, put into the order of the fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from ..data.columns import FrameLike, open_columns
from ..errors import DataError, MissingDataWarning, Notice, enumerate_briefly

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["complete_rows", "group_table"]


def group_table(
    data: FrameLike, wanted: Sequence[str], groups: Sequence[Hashable], group: str | None, usual: str | None
) -> pd.DataFrame:
    """Read the wanted columns, one row per group of the fit in its order; rows of other groups are passed over.

    Parameters
    ----------
    data
        A table with one row per group.
    wanted
        Names of the variables.
    groups
        Labels of the groups of the fit.
    group
        Column of the labels; None looks for it.
    usual
        Name of the grouping column in step 1, looked for first.

    Raises
    ------
    DataError
        If a column or a group is missing, or a group stands in several rows.
    """
    name = _label_column(data, groups, usual) if group is None else group
    frame = open_columns(data, tuple(dict.fromkeys((name, *wanted)))).to_pandas()
    labels = frame[name].tolist()
    repeated = [label for label, count in Counter(labels).items() if count > 1 and label in set(groups)]
    if repeated:
        raise DataError(
            f"{len(repeated)} groups have more than one row: {enumerate_briefly(repeated)}",
            allowed="one row per group",
            todo="aggregate the table to groups first",
        )
    place = {label: row for row, label in enumerate(labels)}
    missing = [g for g in groups if g not in place]
    if missing:
        as_text = {str(label) for label in labels}
        alike = all(str(g) in as_text for g in missing)
        raise DataError(
            f"the table has no row for {len(missing)} of {len(groups)} groups: {enumerate_briefly(missing)}",
            allowed=f"one row for every group of the fit, its label in the column {name!r}",
            todo="labels are compared as they are, 1 is not '1'" if alike else "add rows; their values may be missing",
        )
    ordered = frame.iloc[[place[g] for g in groups]].reset_index(drop=True)
    return ordered[list(dict.fromkeys(wanted))]


def _label_column(data: FrameLike, groups: Sequence[Hashable], usual: str | None) -> str:
    """The column that holds the labels: the one of step 1, or the only one that has them all."""
    columns = _names(data)
    if usual is not None and usual in columns:
        return usual
    frame = open_columns(data, columns)
    holding = [name for name in columns if set(groups) <= set(_hashable(frame[name].to_list()))]
    if len(holding) != 1:
        raise DataError(
            f"{'several columns hold' if holding else 'no column holds'} the labels of all groups",
            allowed=enumerate_briefly(holding or columns, limit=20),
            todo="name the column of the labels in group=",
        )
    return holding[0]


def _names(data: Any) -> list[str]:
    """Names of the columns of any table; what is no table is refused when it is opened."""
    if isinstance(data, Mapping):
        return [str(name) for name in data]
    try:
        return list(nw.from_native(data).collect_schema().names())
    except TypeError:
        open_columns(data, ())
        raise


def _hashable(values: list[Any]) -> list[Hashable]:
    return [value for value in values if isinstance(value, Hashable)]


def complete_rows(frame: pd.DataFrame, groups: Sequence[Hashable]) -> tuple[NDArray[np.bool_], tuple[Notice, ...]]:
    """Which groups have a value of every variable, shape (G,), and a notice that names the others."""
    missing = np.asarray(frame.isna().to_numpy(), dtype=np.bool_)
    complete: NDArray[np.bool_] = ~np.any(missing, axis=1)
    if complete.all():
        return complete, ()
    if not complete.any():
        raise DataError("no group has a value of every variable", todo="leave out variables with few values")
    out = [groups[int(g)] for g in np.flatnonzero(~complete)]
    names = [str(frame.columns[int(c)]) for c in np.flatnonzero(missing.any(axis=0))]
    text = (
        f"{len(out)} of {len(groups)} groups have no value of {' or '.join(names)} and are left out here:"
        f" {enumerate_briefly(out)}."
    )
    return complete, (Notice(MissingDataWarning, text, tuple(out)),)
