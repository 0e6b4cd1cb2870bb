"""Group labels: coded once, as plain Python scalars in one fixed order."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError, enumerate_briefly

if TYPE_CHECKING:
    import narwhals as nw

__all__ = [
    "code_labels",
    "factorize_labels",
    "label_from_json",
    "label_to_json",
    "plain_labels",
    "positions",
    "sort_labels",
    "whole_labels",
]


def plain_labels(values: Iterable[object]) -> list[Hashable]:
    """Turn labels of any library into Python scalars.

    Text, numbers, booleans, dates and datetimes keep their type; anything else (intervals, periods)
    is named by its text. Floats become integers when all of them are whole: an integer column that
    once held a missing value arrives as floats.
    """
    return whole_labels([_plain(value) for value in values])


def whole_labels(labels: list[Hashable]) -> list[Hashable]:
    """Turn floats into integers when all labels are whole floats.

    Examples
    --------
    >>> whole_labels([1.0, 2.0]), whole_labels([1.0, 2.5])
    ([1, 2], [1.0, 2.5])
    """
    if labels and all(isinstance(x, float) and x.is_integer() for x in labels):
        return [int(x) for x in labels if isinstance(x, float)]
    return labels


def _plain(value: object) -> Hashable:
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime(warn=False)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if type(value) in (str, int, float, bool, date, datetime):
        return value
    return str(value)


def sort_labels(labels: Iterable[Hashable]) -> tuple[Hashable, ...]:
    """Sort different labels: text with its numbers as numbers, others in their own order.

    Labels of types that cannot be compared are sorted by their text.

    Raises
    ------
    DataError
        If two labels differ in their type only, as 1 and "1" do: all that is written would mix them up.

    Examples
    --------
    >>> sort_labels([10, 9]), sort_labels(["L10", "L9"]), sort_labels(["b", 10, "a"])
    ((9, 10), ('L9', 'L10'), (10, 'a', 'b'))
    """
    unsorted: list[Any] = list(labels)
    _refuse_alike(unsorted)
    if not any(isinstance(label, str) for label in unsorted):
        try:
            return tuple(sorted(unsorted))
        except TypeError:
            pass
    return tuple(sorted(unsorted, key=_natural))


def _natural(label: Hashable) -> tuple[list[Any], str]:
    """Sorting key of the text: runs of digits by their value, whatever the locale; ties by the text."""
    text = str(label)
    parts: list[Any] = re.split("([0-9]+)", text)
    # The longer of two numbers without leading zeros is the larger one.
    parts[1::2] = [(len(digits), digits) for digits in (run.lstrip("0") for run in parts[1::2])]
    return parts, text


def _refuse_alike(labels: Sequence[Hashable]) -> None:
    """Refuse different labels of the same text."""
    by_text: dict[str, list[Hashable]] = {}
    for label in labels:
        by_text.setdefault(str(label), []).append(label)
    alike = [same for same in by_text.values() if len(same) > 1]
    if alike:
        told = [" and ".join(f"{label!r} ({type(label).__name__})" for label in same) for same in alike]
        raise DataError(
            f"group labels that differ in their type only: {enumerate_briefly(told, limit=4)}",
            allowed="labels of one type, all text or all numbers",
            todo="give them one type before anything else, in pandas: data[group] = data[group].astype(str)",
        )


def code_labels(column: nw.Series[Any]) -> tuple[tuple[Hashable, ...], NDArray[np.int64]]:
    """Code a grouping column.

    Parameters
    ----------
    column
        The grouping column.

    Returns
    -------
    labels
        The distinct labels, sorted.
    codes
        (n,) position of each row's label in `labels`; -1 where the label is missing.
    """
    found, appearance = factorize_labels(column)
    whole = whole_labels(found)
    labels = sort_labels(set(whole))
    position = {label: code for code, label in enumerate(labels)}
    # The last element is where a missing label, -1, looks itself up.
    sorted_code = np.array([*(position[label] for label in whole), -1], dtype=np.int64)
    return labels, sorted_code[appearance]


def factorize_labels(column: nw.Series[Any]) -> tuple[list[Hashable], NDArray[np.int64]]:
    """Number the labels of a part of a grouping column as they appear; whole floats stay floats.

    Parameters
    ----------
    column
        The grouping column, or some of its rows.

    Returns
    -------
    found
        The labels as plain Python values; a label that different values share is there more than once.
    codes
        (n,) position of each row's label in `found`; -1 where the label is missing.
    """
    missing = column.is_null()
    if column.dtype.is_float():
        missing = missing | column.is_nan()
    # Missing rows leave first: they would turn an integer column into floats.
    present = column.filter(~missing)
    try:
        appearance, distinct = pd.factorize(present.to_numpy())
    except TypeError as error:
        raise DataError(
            f"column {column.name!r} cannot group rows: its values are of type {column.dtype}",
            allowed="text, whole numbers, booleans, categories, dates",
        ) from error
    # Written from the last row to the first, so that the first row of each label stays.
    backwards = np.arange(len(appearance))[::-1]
    first = np.empty(len(distinct), dtype=np.int64)
    first[appearance[backwards]] = backwards
    found = [_plain(value) for value in present[first.tolist()].to_list()]
    codes = np.full(len(column), -1, dtype=np.int64)
    codes[~missing.to_numpy()] = appearance
    return found, codes


def label_to_json(label: Hashable) -> object:
    """Write a label so that `label_from_json` returns it with its type.

    Examples
    --------
    >>> label_to_json("AUT"), label_to_json(date(2020, 3, 1))
    ('AUT', {'date': '2020-03-01'})
    """
    if isinstance(label, datetime):
        return {"datetime": label.isoformat()}
    if isinstance(label, date):
        return {"date": label.isoformat()}
    return label


def label_from_json(written: object) -> Hashable:
    """Read a label written by `label_to_json`; anything else is a `DataError`."""
    match written:
        case str() | bool() | int() | float():
            return written
        case {"datetime": str(text)}:
            return datetime.fromisoformat(text)
        case {"date": str(text)}:
            return date.fromisoformat(text)
    raise DataError(f"{written!r} is not a group label", allowed="text, number, true or false, date")


def positions(wanted: Sequence[Hashable], among: Sequence[Hashable]) -> NDArray[np.int64]:
    """Position of each wanted label among the known ones; all must be known."""
    where = {label: i for i, label in enumerate(among)}
    return np.array([where[label] for label in wanted], dtype=np.int64)
