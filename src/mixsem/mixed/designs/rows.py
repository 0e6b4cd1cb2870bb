"""The rows that a mixed model is fitted to: the used columns of any table, complete rows only, with an account."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ...data.columns import FrameLike, open_columns, open_table
from ...errors import DataError, MissingDataWarning, Notice, OptionError, enumerate_briefly

__all__ = ["Rows", "count_rows", "missing_values", "open_frame", "read_rows", "row_values"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rows:
    """Complete rows.

    Attributes
    ----------
    frame
        The used columns.
    values
        Arrays of the length of the table that came along, their complete rows; None for those that are absent.
    kept
        Positions of the rows in the table; None if all are complete.
    n_rows
        Rows of the table.
    notices
        What was left out.
    """

    frame: pd.DataFrame
    values: tuple[Array | None, ...]
    kept: NDArray[np.int64] | None
    n_rows: int
    notices: tuple[Notice, ...]


def open_frame(data: FrameLike, wanted: Sequence[str]) -> pd.DataFrame:
    """The wanted columns of any table as pandas columns; nothing else of the table is read."""
    if isinstance(data, Mapping) and set(wanted) <= set(data):
        data = {name: data[name] for name in wanted}
    opened = open_columns(data, list(wanted))
    frame = _as_pandas(opened).reset_index(drop=True)
    if opened.implementation is nw.Implementation.POLARS:
        # Their order is that of appearance: polars' Enum is the type that has an order.
        for name in (n for n, dtype in opened.schema.items() if dtype == nw.Categorical):
            column = frame[name].cat
            frame[name] = column.reorder_categories(sorted(column.categories))
    return frame


def _as_pandas(opened: nw.DataFrame[Any]) -> pd.DataFrame:
    """The same columns in pandas; what a pyarrow table says of the pandas types it once had is no reason to fail."""
    native = opened.to_native()
    ways = [opened.to_pandas]
    if hasattr(native, "replace_schema_metadata"):
        ways.append(lambda: native.replace_schema_metadata(None).to_pandas())
    for way in ways:
        try:
            frame: pd.DataFrame = way()
        except (TypeError, ValueError, NotImplementedError) as error:
            reason = " ".join(str(error).split())
        else:
            return frame
    raise DataError(
        f"columns cannot be read: {reason}",
        allowed="numbers, text, booleans, categories of these, dates",
        todo="convert the others first",
    )


def count_rows(data: FrameLike) -> int:
    """Number of rows of a table of which no column is needed."""
    opened = open_table(data)
    if isinstance(opened, nw.LazyFrame):
        return int(opened.select(nw.len()).collect().item())
    return len(opened)


def read_rows(
    data: FrameLike, wanted: Sequence[str], groups: Sequence[Sequence[str]], values: Mapping[str, Array | None]
) -> Rows:
    """Take the rows in which none of the columns is missing.

    Parameters
    ----------
    data
        A table.
    wanted
        Names of the columns.
    groups
        Variables of each grouping factor, for the account of levels that are lost.
    values
        Further values, each of the table's length, by what they are called.

    Raises
    ------
    DataError
        If a column is missing or holds infinite values, or no row is complete.
    """
    frame = open_frame(data, wanted)
    n = len(frame)
    for name, array in values.items():
        if array is not None and len(array) != n:
            raise DataError(
                f"{name} has {len(array):,} values and the table {n:,} rows",
                allowed="one value per row of the table, or the name of a column",
            )
    absent = {name: missing for name in frame.columns if (missing := missing_values(frame[name])) is not None}
    for name, array in values.items():
        missing = None if array is None else missing_values(pd.Series(array, name=name, copy=False))
        if missing is not None:
            absent[name] = missing
    if not absent:
        return Rows(frame, tuple(values.values()), None, n, ())
    complete = ~np.logical_or.reduce(list(absent.values()))
    kept = np.flatnonzero(complete)
    counts = [f"{name} ({missing.sum():,})" for name, missing in absent.items()]
    if not len(kept):
        raise DataError(
            f"no row is complete: missing values in {enumerate_briefly(counts)}",
            todo="leave out the variable with the most missing values",
        )
    notice = Notice(MissingDataWarning, _account(frame, complete, counts, groups))
    chosen = tuple(None if array is None else array[kept] for array in values.values())
    return Rows(frame.take(kept).reset_index(drop=True), chosen, kept, n, (notice,))


def missing_values(column: pd.Series) -> NDArray[np.bool_] | None:
    """Where the column has no value, None if everywhere; infinite values are refused."""
    dtype = column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind == "c":
        raise DataError(
            f"{str(column.name)!r} holds complex numbers", allowed="real numbers", todo="take a part of them"
        )
    if isinstance(dtype, np.dtype) and dtype.kind in "biu":
        return None
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        values = column.to_numpy()
        # One pass without a copy: the sum of squares is finite if all values are, and no larger than can be used.
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(np.dot(values, values)):
                return None
    else:
        numbers = _as_floats_if_numbers(column)
        if numbers is None:
            absent: NDArray[np.bool_] = column.isna().to_numpy()
            return absent if absent.any() else None
        values = numbers
    missing: NDArray[np.bool_] = np.isnan(values)
    infinite = int(np.isinf(values).sum())
    if infinite:
        raise DataError(
            f"infinite values in {str(column.name)!r} ({infinite:,})", todo="correct them, or make them missing"
        )
    return missing if missing.any() else None


def _as_floats_if_numbers(column: pd.Series) -> NDArray[Any] | None:
    """Nullable numbers as floats, NaN where missing; None for anything else."""
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return None


def _account(
    frame: pd.DataFrame, complete: NDArray[np.bool_], counts: Sequence[str], groups: Sequence[Sequence[str]]
) -> str:
    n, lost = len(complete), int((~complete).sum())
    text = f"{lost:,} of {n:,} rows ({lost / n:.1%}) are left out: values are missing in {enumerate_briefly(counts)}"
    whole = []
    for variables in dict.fromkeys(map(tuple, groups)):
        try:
            labels = frame[list(variables)].drop_duplicates().dropna()
            stayed = frame.loc[complete, list(variables)].drop_duplicates()
        except (TypeError, NotImplementedError):  # lists and the like, which are refused as labels later
            continue
        if len(stayed) < len(labels):
            whole.append(f"{len(labels) - len(stayed):,} of {len(labels):,} levels of {':'.join(variables)}")
    text += f". No row is left of {enumerate_briefly(whole)}" if whole else ""
    return text + (
        ". The estimates hold if responses are missing at random, given what is in the model, and if values of"
        " predictors are missing independently of the response, given the predictors."
    )


def row_values(what: str, given: object) -> tuple[str | None, Array | None]:
    """An argument that is the name of a column or an array: the name, or the array.

    Raises
    ------
    OptionError
        If it is neither.
    """
    allowed = "a column's name, or one number per row"
    if given is None:
        return None, None
    if isinstance(given, str):
        return given, None
    try:
        if np.iscomplexobj(plain := _plain(given)):
            raise TypeError("complex numbers")
        array = np.array(plain, dtype=np.float64)  # a copy: the caller may go on to write into theirs
    except (TypeError, ValueError) as error:
        raise OptionError(f"{what}={reprlib.repr(given)} is not numeric", allowed=allowed) from error
    if array.ndim != 1:
        raise OptionError(
            f"{what} has shape {array.shape}",
            allowed=allowed,
            todo="give one dimension",
        )
    return None, array


def _plain(given: Any) -> ArrayLike:
    """Columns of any library as something that NumPy turns into numbers, missing ones into NaN."""
    if isinstance(given, pd.Series):
        return given.to_numpy(dtype=np.float64, na_value=np.nan)
    return given.to_numpy() if hasattr(given, "to_numpy") else given
