"""Any data frame in, the wanted columns out."""

from __future__ import annotations

import numbers
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import narwhals as nw
import numpy as np
import pandas as pd
from narwhals.exceptions import DuplicateError
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, OptionError, did_you_mean, enumerate_briefly

if TYPE_CHECKING:
    from narwhals.typing import IntoFrame
    from pyarrow import RecordBatchReader
    from pyarrow.dataset import Dataset

__all__ = [
    "LARGEST",
    "FrameLike",
    "check_items",
    "is_arrow_source",
    "no_rows",
    "numbers_by_column",
    "open_columns",
    "open_table",
    "refuse_extremes",
    "require_columns",
    "to_floats",
]

FrameLike: TypeAlias = "IntoFrame | Mapping[str, ArrayLike] | Dataset | RecordBatchReader"
"""A pandas, polars or pyarrow table, a mapping of columns, or a lazy table: a polars lazy frame, a pyarrow dataset or
reader of record batches, a DuckDB relation, a Dask or PySpark data frame."""

_NUMBER = (numbers.Real, Decimal, np.bool_)


def check_items(items: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the items as a tuple, or raise `OptionError` if they cannot be such."""
    if isinstance(items, str):
        raise OptionError(
            f"items is the text {items!r}", allowed="a sequence of column names", todo=f"items=[{items!r}]"
        )
    if not isinstance(items, Iterable):
        raise OptionError(f"items={items!r}", allowed="a sequence of column names")
    names = tuple(items)
    if not names:
        raise OptionError("no items were given", allowed="one column name or more")
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise OptionError(f"items given twice: {enumerate_briefly(repeated)}", todo="name each item once")
    return names


#: Squares of larger values, and their sums, would leave the range of floating-point numbers.
LARGEST = 1e100


def open_columns(data: FrameLike, wanted: Sequence[str]) -> nw.DataFrame[Any]:
    """Take the wanted columns of a table; lazy tables are collected with these columns only.

    Raises
    ------
    DataError
        If `data` is not a table, a wanted column is missing or there twice, or there are no rows.
    """
    if isinstance(data, pd.DataFrame) and data.columns.is_unique and len(data) and set(wanted) <= set(data.columns):
        return nw.from_native(data[list(wanted)], eager_only=True)
    if is_arrow_source(data):
        data = read_arrow_source(data, wanted)
    frame = open_table(data)
    require_columns(wanted, frame.collect_schema().names(), index=getattr(getattr(data, "index", None), "names", ()))
    chosen = frame.select(*wanted)
    eager = chosen.collect() if isinstance(chosen, nw.LazyFrame) else chosen
    if len(eager) == 0:
        raise no_rows()
    return eager


def no_rows() -> DataError:
    """Return the error about a table without rows."""
    return DataError(
        "the table has no rows", allowed="one row or more", todo="check how the table was made or filtered"
    )


def is_arrow_source(data: object) -> bool:
    """Tell whether data are a pyarrow dataset or a reader of record batches, which come as a stream."""
    if "pyarrow" not in sys.modules:
        return False
    import pyarrow as pa
    import pyarrow.dataset as pads

    return isinstance(data, pads.Dataset | pa.RecordBatchReader)


def read_arrow_source(data: Any, wanted: Sequence[str]) -> Any:
    """All rows of these columns of a pyarrow dataset or reader as one table."""
    require_columns(wanted, data.schema.names)
    columns = list(wanted)
    return data.to_table(columns=columns) if hasattr(data, "to_table") else data.read_all().select(columns)


def require_columns(wanted: Sequence[str], columns: Sequence[str], index: Sequence[object] = ()) -> None:
    """Raise `DataError` if a wanted column is not among those of a table, or is there twice."""
    unknown = [name for name in wanted if name not in columns]
    if unknown:
        raise _unknown_columns(unknown, columns, index)
    if len(set(columns)) < len(columns):
        raise _repeated_columns(columns)


def open_table(data: Any) -> nw.DataFrame[Any] | nw.LazyFrame[Any]:
    """Any table as one of narwhals; nothing of it is read.

    Raises
    ------
    DataError
        If `data` is not a table, or holds a column twice or columns of different rows.
    """
    if isinstance(data, Mapping):
        _require_aligned(data)
    try:
        frame: Any = nw.from_native(pd.DataFrame(data) if isinstance(data, Mapping) else data)
    except DuplicateError as error:
        # A pyarrow table has both: its `columns` are arrays.
        raise _repeated_columns(getattr(data, "column_names", None) or data.columns) from error
    except (TypeError, ValueError) as error:
        path = isinstance(data, (str, Path))
        raise DataError(
            f"the data cannot be used as a table: {error}",
            allowed="a pandas, polars or pyarrow table, a DuckDB relation, columns of one length by name",
            todo="read the file first: read_table(path), or scan_table(path) for parquet of any size"
            if path
            else "make it a table with named columns",
        ) from error
    # DuckDB lets a name in twice and its schema keeps one of the two.
    if frame.implementation is nw.Implementation.DUCKDB and len(set(data.columns)) < len(data.columns):
        raise _repeated_columns(data.columns)
    return frame


def _require_aligned(columns: Mapping[Any, Any]) -> None:
    """Refuse pandas columns with different indexes, which pandas would put together by label, with gaps."""
    series = {name: column for name, column in columns.items() if isinstance(column, pd.Series)}
    first = next(iter(series), None)
    for name, column in series.items():
        if not column.index.equals(series[first].index):
            lengths = f"{len(series[first]):,} and {len(column):,} rows"
            raise DataError(
                f"the columns {first!r} and {name!r} ({lengths}) have different row labels",
                allowed="columns of the same rows",
                todo="make one table of them, or give arrays: {name: column.to_numpy(), ...}",
            )


def _unknown_columns(unknown: Sequence[str], columns: Sequence[object], index: Sequence[object]) -> DataError:
    as_text = next((name for name in unknown if name in [str(c) for c in columns]), None)
    if unknown[0] in index:
        todo = f"{unknown[0]!r} is the index, make it a column: data.reset_index()"
    elif as_text is not None:
        todo = f"make {as_text} text, as names must be: data.columns = data.columns.astype(str)"
    else:
        todo = "; ".join(filter(None, (did_you_mean(str(name), map(str, columns)) for name in unknown[:3])))
    return DataError(
        "the table has no column " + ", ".join(repr(name) for name in unknown),
        allowed=enumerate_briefly(columns, limit=20),
        todo=todo or "check the spelling of the names",
    )


def _repeated_columns(columns: Iterable[object]) -> DataError:
    return DataError(
        "the table has more than one column named "
        + enumerate_briefly([name for name, count in Counter(columns).items() if count > 1]),
        todo="rename or drop the copies",
    )


def to_floats(frame: nw.DataFrame[Any], items: Sequence[str]) -> NDArray[np.float64]:
    """Read the items as numbers.

    Parameters
    ----------
    frame
        A table that holds the items.
    items
        Names of the p items.

    Returns
    -------
    NDArray
        (n, p) values, NaN where missing (null and NaN alike).

    Raises
    ------
    DataError
        If an item holds something else than numbers, or infinite values.
    """
    values = _plain_numbers(frame, items)
    if values is None:
        values = numbers_by_column(frame, items)
    infinite = np.isinf(values).sum(axis=0)
    refuse_extremes(items, infinite, np.any(np.abs(values) > LARGEST, axis=0))
    return values


def refuse_extremes(items: Sequence[str], infinite: NDArray[np.int64], huge: NDArray[np.bool_]) -> None:
    """Raise `DataError` if items hold infinite values (their numbers, (p,)) or are `huge` somewhere (p,)."""
    if infinite.any():
        counts = [f"{item!r} ({count:,})" for item, count in zip(items, infinite, strict=True) if count]
        raise DataError(
            f"infinite values in {enumerate_briefly(counts)}",
            todo="correct them, or make them missing",
        )
    if huge.any():
        named = [repr(item) for item, hit in zip(items, huge, strict=True) if hit]
        raise DataError(
            f"values larger than {LARGEST:.0e} in {enumerate_briefly(named)}",
            allowed="numbers whose squares can be added up",
            todo="correct them, make them missing, or use another unit",
        )


def _plain_numbers(frame: nw.DataFrame[Any], items: Sequence[str]) -> NDArray[np.float64] | None:
    """All items at once, where they are pandas columns of NumPy's own number types; None otherwise."""
    native = frame.to_native()
    if not isinstance(native, pd.DataFrame):
        return None
    chosen = native if list(native.columns) == list(items) else native[list(items)]
    if not all(isinstance(dtype, np.dtype) and dtype.kind in "biuf" for dtype in chosen.dtypes):
        return None
    return np.array(chosen.to_numpy(), dtype=float)  # a copy of its own: tables share their memory


def numbers_by_column(frame: nw.DataFrame[Any], items: Sequence[str]) -> NDArray[np.float64]:
    """Read the items (n, p) of a table of any library one by one; infinite and huge values are not refused yet."""
    values = np.full((len(frame), len(items)), np.nan)
    refused: dict[str, list[object]] = {}
    for j, item in enumerate(items):
        missing = frame[item].is_null()
        present = frame[item].filter(~missing)
        # Numbers and booleans convert as a whole; objects, categories and text are looked at one by one.
        if present.dtype.is_numeric() or present.dtype == nw.Boolean:
            values[~missing.to_numpy(), j] = present.cast(nw.Float64).to_numpy()
        elif all(isinstance(value, _NUMBER) for value in present.to_list()):
            values[~missing.to_numpy(), j] = [_as_float(value) for value in present.to_list()]
        else:
            refused[item] = present.to_list()
    if refused:
        raise _not_numbers(refused)
    return values


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of more digits than a float can have
        return np.inf


def _not_numbers(refused: Mapping[str, Sequence[object]]) -> DataError:
    """Say which values keep a column from being numbers, and what to do about it."""
    complaints, todo = [], ""
    for item, present in refused.items():
        odd = [v for v in present if not isinstance(v, _NUMBER)]
        unreadable = [v for v in odd if not _reads_as_number(v, float)]
        text = any(isinstance(v, str) for v in odd)
        if not unreadable:
            complaints.append(f"column {item!r} holds numbers written as text, such as {odd[0]!r}")
            todo = todo or f"convert it first, in pandas: data[{item!r}] = pandas.to_numeric(data[{item!r}])"
        elif all(_reads_as_number(v, lambda s: float(s.replace(",", "."))) for v in unreadable):
            complaints.append(f"column {item!r} holds numbers with a decimal comma, such as {unreadable[0]!r}")
            todo = todo or "write decimal points in the file, or in pandas read it with decimal=','"
        else:
            counts = [f"{value!r} ({count:,})" for value, count in Counter(map(str, unreadable)).most_common()]
            kind = "text" if text else f"values of type {type(odd[0]).__name__}"
            complaints.append(
                f"column {item!r} holds {kind}: {enumerate_briefly(counts, limit=3)};"
                f" {len(unreadable):,} of {len(present):,} values"
            )
            todo = todo or (
                "replace them in the file (empty cells, '.', 'NA' and 'NaN' count as missing), or leave the item out"
            )
    return DataError(
        enumerate_briefly(complaints, limit=3),
        allowed="numbers: integers, floats, decimals, booleans, categories that are numbers",
        todo=todo,
    )


def _reads_as_number(value: object, read: Callable[[str], float]) -> bool:
    if not isinstance(value, str):
        return False
    try:
        read(value)
    except ValueError:
        return False
    return True
