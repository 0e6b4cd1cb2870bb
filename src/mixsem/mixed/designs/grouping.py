"""Grouping factors: labels coded as integers, once, without a text or a dummy for any row."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data.labels import plain_labels, sort_labels
from ...errors import DataError, did_you_mean

__all__ = ["GroupingFactor", "code_column", "code_groups", "label_hint", "recode"]

Codes = NDArray[np.int32]
Labels = tuple[Hashable, ...]


@dataclass(frozen=True, eq=False)
class GroupingFactor:
    """A grouping factor.

    Attributes
    ----------
    name
        As in ``"Subject"`` or ``"cask:batch"``.
    variables
        The columns it is made of.
    levels
        Labels of the levels that have rows: sorted, categories in their own order; of an interaction texts such as
        ``"a:A"``, the first variable varying slowest.
    codes
        (n,) position of each row's level, int32.
    parts
        Of an interaction: for each level the labels of its variables.
    """

    name: str
    variables: tuple[str, ...]
    levels: Labels
    codes: Codes
    parts: tuple[Labels, ...] = ()

    @property
    def n_levels(self) -> int:
        """Number of levels."""
        return len(self.levels)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Rows of each level."""
        return np.bincount(self.codes, minlength=self.n_levels)


def code_groups(
    frame: pd.DataFrame, variables: Sequence[str], coded: dict[str, tuple[Labels, Codes]] | None = None
) -> GroupingFactor:
    """Code the grouping factor of one or more columns.

    Parameters
    ----------
    frame
        The columns, none missing.
    variables
        Names of the columns.
    coded
        Columns that were coded before; it takes in those that are coded now.

    Examples
    --------
    >>> frame = pd.DataFrame({"a": ["y", "x", "y"], "b": [2, 10, 2]})
    >>> factor = code_groups(frame, ["a", "b"])
    >>> factor.levels, factor.codes
    (('x:10', 'y:2'), array([1, 0, 1], dtype=int32))
    """
    names = tuple(variables)
    known = {} if coded is None else coded
    known |= {name: code_column(frame[name]) for name in names if name not in known}
    labels, codes = known[names[0]]
    if len(names) == 1:
        return GroupingFactor(names[0], names, labels, codes)
    parts: list[Labels] = [(label,) for label in labels]
    for more_labels, more in (known[name] for name in names[1:]):
        wide = codes.astype(np.int64) * len(more_labels) + more
        found, codes = _code_integers(wide)
        first, second = np.divmod(found, len(more_labels))
        parts = [(*parts[i], more_labels[j]) for i, j in zip(first.tolist(), second.tolist(), strict=True)]
    levels = tuple(":".join(map(str, labels)) for labels in parts)
    return GroupingFactor(":".join(names), names, levels, codes, tuple(parts))


def code_column(column: pd.Series) -> tuple[Labels, Codes]:
    """Labels of a column in order, and the position of each row's; the column has no missing values.

    Raises
    ------
    DataError
        If its values cannot be labels.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        used, codes = _code_integers(column.cat.codes.to_numpy())
        return tuple(plain_labels(column.cat.categories[used].tolist())), codes
    values = _whole_numbers(column)
    if values is not None:
        found, codes = _code_integers(values)
        labels = tuple(found.tolist())
        return (tuple(bool(x) for x in labels) if pd.api.types.is_bool_dtype(column) else labels), codes
    try:
        appearance, distinct = pd.factorize(column)
    except (TypeError, NotImplementedError) as error:
        raise DataError(
            f"column {str(column.name)!r} cannot group rows: its values are of type {column.dtype}",
            allowed="text, whole numbers, booleans, categories, dates",
        ) from error
    found_labels = plain_labels(distinct.tolist())
    ordered = _in_order(set(found_labels))
    position = {label: code for code, label in enumerate(ordered)}
    places = np.array([position[label] for label in found_labels], dtype=np.int32)
    return ordered, places[appearance]


def _in_order(labels: set[Hashable]) -> Labels:
    try:
        return tuple(sorted(labels))  # type: ignore[type-var]
    except TypeError:  # numbers among texts
        return sort_labels(labels)


def _whole_numbers(column: pd.Series) -> NDArray[Any] | None:
    """The values as integers, where they are such: floats too, as whole numbers with missing ones arrive."""
    if not pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return None
    values: NDArray[Any] = column.to_numpy()
    if values.dtype == object:
        values = column.to_numpy(dtype=np.float64)
    if values.dtype.kind == "b":
        return values.view(np.int8)
    if values.dtype.kind in "iu":
        return values
    whole = values.astype(np.int64) if np.abs(values).max(initial=0.0) < 2.0**53 else None
    return whole if whole is not None and (whole == values).all() else None


def _code_integers(values: NDArray[Any]) -> tuple[NDArray[Any], Codes]:
    """Distinct values in order, and the position of each row's: by a table of all integers between, if it is small."""
    low, high = int(values.min()), int(values.max())
    span = high - low + 1
    if span > max(4 * len(values), 2**16) or high > np.iinfo(np.int64).max:
        appearance, distinct = pd.factorize(values)
        order = np.argsort(distinct)
        place = np.empty(len(order), dtype=np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)
        return distinct[order], place[appearance]
    if low == 0:
        places = values
    else:  # the range of a short type may be wider than the type
        places = (values.astype(np.int32) if values.dtype.itemsize < 4 else values) - values.dtype.type(low)
    there = np.zeros(span, dtype=bool)
    there[places] = True
    position = np.cumsum(there, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(there) + low, position[places]


def recode(factor: GroupingFactor, frame: pd.DataFrame) -> Codes:
    """Position of the level of each new row, -1 for levels that the factor does not know and for missing labels.

    Parameters
    ----------
    factor
        A grouping factor.
    frame
        Its variables for m new rows.
    """
    codes = np.full(len(frame), -1, dtype=np.int32)
    present = frame[list(factor.variables)].notna().all(axis=1).to_numpy()
    if not present.any():
        return codes
    new = code_groups(frame[present], factor.variables)
    known = {label: i for i, label in enumerate(factor.parts or factor.levels)}
    codes[present] = np.array([known.get(label, -1) for label in new.parts or new.levels], dtype=np.int32)[new.codes]
    return codes


def label_hint(label: object, factor: GroupingFactor) -> str:
    """What may be meant by a label that is no level: the number where its text came, a level with a similar name."""
    same = next((level for level in factor.levels if str(level) == str(label)), None)
    if same is None:
        return did_you_mean(str(label), map(str, factor.levels))
    return f"the fit has {same!r} ({type(same).__name__}), not {label!r} ({type(label).__name__})"
