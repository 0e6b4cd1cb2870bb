"""Long tables (a row per person and occasion) to wide ones (a row per person) and back, with an account."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from ...data.columns import FrameLike, open_columns
from ...data.labels import plain_labels
from ...errors import DataError, OptionError, enumerate_briefly
from ...options import Names, as_name, as_names, shown
from ..derived.frame_table import FrameTable
from ..designs.grouping import GroupingFactor, code_groups
from ..designs.rows import missing_values, open_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Reshaped", "occasion_rows", "to_long", "to_wide"]

Positions = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Reshaped(FrameTable):
    """A table in its other shape, and what became of its rows; prints the account.

    Attributes
    ----------
    title, frame, notes
        The account: `frame` has, per value and occasion, its column in the wide table, how many people have a value
        there (``people``), and how many do not (``missing``).
    data
        The table, of the library that the input came from (pandas for a mapping of columns).
    n_people, n_occasions
        Their numbers.
    """

    data: Any
    n_people: int
    n_occasions: int


def to_wide(data: FrameLike, id: str, time: str, values: Names, *, keep: Names = ()) -> Reshaped:
    """Turn a long table into a wide one: a row per person, a column per occasion.

    Parameters
    ----------
    data
        Any table, a row per person and occasion.
    id
        Column that names the person.
    time
        Column that names the occasion: the same values for all people.
    values
        Column or columns that become one column per occasion, named ``value_time``.
    keep
        Columns that are the same in all rows of a person, and stay one column.

    Returns
    -------
    Reshaped
        ``.data`` is the wide table, people and occasions sorted; printing shows the account.

    Raises
    ------
    DataError
        If a person has two rows of one occasion, or differing values of a column to keep.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> wide = to_wide(sleepstudy(), "Subject", "Days", "Reaction")
    >>> wide.data.shape, wide.n_people, wide.n_occasions
    ((18, 11), 18, 10)
    >>> wide.data.iloc[:2, :3].round(1)
       Subject  Reaction_0  Reaction_1
    0      308       249.6       258.7
    1      309       222.7       205.3
    """
    import pandas as pd

    id, time = as_name(id, "id"), as_name(time, "time")
    values, keep = as_names(values, "values"), as_names(keep, "keep")
    if not values:
        raise OptionError("values=() names no column", allowed="one column or more")
    frame = open_frame(data, list(dict.fromkeys([id, time, *values, *keep])))
    frame, notes = _labelled(frame, [id, time])
    people, occasions = code_groups(frame, [id]), code_groups(frame, [time])
    cells = occasion_rows(people, occasions)
    first = cells[np.arange(len(cells)), (cells >= 0).argmax(axis=1)]
    columns: dict[str, pd.Series] = {}
    for name in (id, *keep):
        _require_constant(frame, people, name)
        columns[name] = frame[name].iloc[first].reset_index(drop=True)
    account = []
    for value in values:
        for t, label in enumerate(occasions.levels):
            column = frame[value].reindex(cells[:, t]).reset_index(drop=True)
            name = f"{value}_{_plain(label)}"
            if name in columns:
                raise DataError(f"two columns of the wide table would be called {name!r}", todo="rename one of them")
            columns[name] = column
            account.append((value, label, name, int(column.notna().sum()), int(column.isna().sum())))
    holes = int((cells < 0).sum())
    notes += [
        f"{len(frame):,} rows of {people.n_levels:,} people at {occasions.n_levels:,} occasions; "
        + (f"{holes:,} combinations have no row, and are missing here." if holes else "every person has every one.")
    ]
    table = pd.DataFrame(account, columns=["value", time, "column", "people", "missing"])
    wide = _like(data, id, pd.DataFrame(columns))
    return Reshaped("Long to wide", table, tuple(notes), wide, people.n_levels, occasions.n_levels)


def to_long(
    data: FrameLike,
    id: str,
    columns: Sequence[str] | Mapping[str, Sequence[str]],
    *,
    time: str = "time",
    times: Sequence[Hashable] | None = None,
    value: str = "value",
    keep: Names = (),
    drop_missing: bool = True,
) -> Reshaped:
    """Turn a wide table into a long one: a row per person and occasion.

    Parameters
    ----------
    data
        Any table, a row per person.
    id
        Column that names the person.
    columns
        The columns of one value, in the order of the occasions; of several values by name:
        ``{"gpa": ["gpa_0", "gpa_1"], "job": ["job_0", "job_1"]}``.
    time
        What to call the column of occasions.
    times
        The occasions; by default the numbers at the end of the columns' names.
    value
        What to call the column of values, where `columns` is no mapping.
    keep
        Columns that are repeated in each row of the person.
    drop_missing
        Leave out rows in which every value is missing: a mixed model has no use for them.

    Returns
    -------
    Reshaped
        ``.data`` is the long table, the rows of a person together; printing shows the account.

    Raises
    ------
    DataError
        If two rows have the same id.
    OptionError
        If the occasions cannot be read from the names, or do not fit them.

    Examples
    --------
    >>> wide = {"who": ["a", "b"], "t0": [1.0, 2.0], "t1": [3.0, None], "sex": ["f", "m"]}
    >>> to_long(wide, "who", ["t0", "t1"], value="y", keep="sex").data
      who  time    y sex
    0   a     0  1.0   f
    1   a     1  3.0   f
    2   b     0  2.0   m
    """
    import pandas as pd

    given = columns.items() if isinstance(columns, Mapping) else [(value, columns)]
    sets = {str(name): list(_columns(names)) for name, names in given}
    id, keep, labels = as_name(id, "id"), as_names(keep, "keep"), _times(sets, times)
    frame = open_frame(data, list(dict.fromkeys([id, *(name for names in sets.values() for name in names), *keep])))
    _require_free([id, time, *sets, *keep])
    frame, notes = _labelled(frame, [id])
    repeated = frame[id][frame[id].duplicated()]
    if len(repeated):
        raise DataError(
            f"{id} {plain_labels(repeated.unique())[0]!r} has two rows of the wide table",
            allowed="one row per person",
            todo="give each row its own id, or check whether the table is long already",
        )
    n, k = len(frame), len(labels)
    person, occasion = np.repeat(np.arange(n), k), np.tile(np.arange(k), n)
    long = {id: frame[id].iloc[person].reset_index(drop=True), time: pd.Series(labels).iloc[occasion].array}
    account = []
    for name, wide in sets.items():
        stacked = pd.concat([frame[column] for column in wide], ignore_index=True)
        long[name] = stacked.iloc[occasion * n + person].reset_index(drop=True)
        account += [
            (name, label, column, int(frame[column].notna().sum()), int(frame[column].isna().sum()))
            for label, column in zip(labels, wide, strict=True)
        ]
    for name in keep:
        long[name] = frame[name].iloc[person].reset_index(drop=True)
    result = pd.DataFrame(long)
    empty = result[list(sets)].isna().all(axis=1)
    if drop_missing and empty.any():
        gone = n - result.loc[~empty, id].nunique()
        result = result[~empty].reset_index(drop=True)
        whole = f", and with them {gone:,} of {n:,} people." if gone else "; every person has a row left."
        notes.append(f"{int(empty.sum()):,} of {n * k:,} rows have no value, and were left out{whole}")
    notes.append(f"{len(result):,} rows of {result[id].nunique():,} people at {k:,} occasions.")
    table = pd.DataFrame(account, columns=["value", time, "column", "people", "missing"])
    return Reshaped("Wide to long", table, tuple(notes), _like(data, id, result), n, k)


def _plain(label: object) -> str:
    """A label as part of a name: of a date without hours the day alone."""
    return str(label).removesuffix(" 00:00:00")


def _columns(names: object) -> tuple[str, ...]:
    found = tuple(names) if isinstance(names, Iterable) and not isinstance(names, str) else ()
    if not found or not all(isinstance(name, str) for name in found):
        raise OptionError(f"columns={shown(names)}", allowed="names of columns in a list, or lists by names of values")
    again = sorted({name for name in found if found.count(name) > 1})
    if again:
        raise OptionError(f"columns= names {enumerate_briefly(again)} twice", allowed="each column once")
    return found


def _labelled(frame: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """The rows that have an id, and a time."""
    absent = [m for name in names if (m := missing_values(frame[name])) is not None]
    if not absent:
        return frame, []
    lost = np.logical_or.reduce(absent)
    return frame[~lost].reset_index(drop=True), [
        f"{lost.sum():,} of {len(lost):,} rows lack {' or '.join(names)}, and were left out."
    ]


def occasion_rows(people: GroupingFactor, occasions: GroupingFactor) -> Positions:
    """The row of each person at each occasion, (people, occasions), -1 where there is none.

    Raises
    ------
    DataError
        If a person has two rows of one occasion.
    """
    at = people.codes.astype(np.int64) * occasions.n_levels + occasions.codes
    _, first = np.unique(at, return_index=True)
    if len(first) < len(at):
        again = np.setdiff1d(np.arange(len(at)), first)
        who = [people.levels[code] for code in np.unique(people.codes[again])]
        when = occasions.levels[occasions.codes[again[0]]]
        raise DataError(
            f"{people.name} {people.levels[people.codes[again[0]]]!r} has more than one row with {occasions.name} ="
            f" {when}; {len(again):,} rows repeat an occasion, of {people.name} {enumerate_briefly(who, 5)}",
            allowed="one row per person and occasion",
            todo="remove copies, average them, or take another column as the time",
        )
    cells = np.full((people.n_levels, occasions.n_levels), -1, dtype=np.int64)
    cells[people.codes, occasions.codes] = np.arange(len(at))
    return cells


def _require_constant(frame: pd.DataFrame, people: GroupingFactor, name: str) -> None:
    counts = frame.groupby(people.codes)[name].nunique(dropna=False).to_numpy()
    if (counts > 1).any():
        raise DataError(
            f"{name} differs between the rows of {people.name} {people.levels[int(counts.argmax())]!r}",
            allowed="columns to keep that are the same in all rows of a person",
            todo=f"add {name!r} to values=, so that it has a column per occasion",
        )


def _times(sets: Mapping[str, Sequence[str]], times: Sequence[Hashable] | None) -> list[Hashable]:
    lengths = {len(names) for names in sets.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise OptionError("the values have different numbers of columns", allowed="one column per value and occasion")
    if times is not None:
        labels = list(times)
        if len(labels) != lengths.pop() or len(set(labels)) < len(labels):
            raise OptionError(f"times={times!r}", allowed="a different value for each column of a value")
        return labels
    read = [[re.search(r"-?\d+(\.\d+)?$", name) for name in names] for names in sets.values()]
    numbers = [[float(found.group().lstrip("-")) for found in row if found] for row in read]
    if any(row != numbers[0] for row in numbers) or len(set(numbers[0])) < max(lengths):
        raise OptionError(
            f"no occasions can be read from {enumerate_briefly([name for names in sets.values() for name in names])}",
            allowed="names that end in a number, the same for each value",
            todo="give times=, one for each column",
        )
    return [int(t) if t.is_integer() else t for t in numbers[0]]


def _require_free(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise OptionError(f"two columns of the long table would be called {name!r}", todo="use time= or value=")


def _like(data: FrameLike, id: str, made: pd.DataFrame) -> Any:
    """The table in the library that the data came from."""
    import pandas as pd

    if isinstance(data, Mapping | pd.DataFrame):
        return made
    backend = open_columns(data, [id]).implementation
    columns = {str(name): [None if pd.isna(v) else v for v in made[name].tolist()] for name in made.columns}
    return nw.from_dict(columns, backend=backend).to_native()
