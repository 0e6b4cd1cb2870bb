"""Tables of pandas as JSON: columns with their types, labels of rows and columns."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ..errors import OutputError

__all__ = ["is_pandas", "pandas_from_json", "pandas_to_json"]

Write = Callable[[object], Any]

#: Types of columns that are written value by value under their name.
_BY_NAME = re.compile(
    r"(U?Int(8|16|32|64)|Float(32|64)|boolean|str|string(\[(python|pyarrow|pyarrow_numpy)\])?"
    r"|(u?int(8|16|32|64)|float|double|bool|string|large_string|halffloat)\[pyarrow\])"
)


def is_pandas(value: object) -> bool:
    """Whether a value is written here."""
    return (
        isinstance(value, pd.DataFrame | pd.Series | pd.Index | pd.Interval | pd.Timestamp)
        or value is pd.NA
        or value is pd.NaT
    )


def pandas_to_json(value: Any, write: Write) -> dict[str, Any]:
    """A frame, column, index or scalar of pandas.

    Parameters
    ----------
    value
        The value.
    write
        Writes arrays and plain values.

    Raises
    ------
    OutputError
        If a column has a type that cannot be written.
    """
    if isinstance(value, pd.DataFrame):
        columns = [_column(value.iloc[:, i].array, write) for i in range(value.shape[1])]
        return {
            "frame": {"columns": _index(value.columns, write), "index": _index(value.index, write), "data": columns}
        }
    if isinstance(value, pd.Series):
        series = {"data": _column(value.array, write), "index": _index(value.index, write), "name": write(value.name)}
        return {"series": series}
    if isinstance(value, pd.Index):
        return {"index": _index(value, write)}
    if isinstance(value, pd.Interval):
        return {"interval": [write(value.left), write(value.right), value.closed]}
    if isinstance(value, pd.Timestamp):
        return {"timestamp": value.isoformat()}
    return {"missing": "NA" if value is pd.NA else "NaT"}


def _index(index: pd.Index, write: Write) -> dict[str, Any]:
    if isinstance(index, pd.MultiIndex):
        levels = [_index(level, write) for level in index.levels]
        codes = [write(np.asarray(code)) for code in index.codes]
        return {"levels": levels, "codes": codes, "names": [write(name) for name in index.names]}
    if isinstance(index, pd.RangeIndex):
        return {"range": [index.start, index.stop, index.step], "name": write(index.name)}
    return {"values": _column(index.array, write), "name": write(index.name)}


def _column(values: Any, write: Write) -> dict[str, Any]:
    values = values.to_numpy() if isinstance(values, pd.arrays.NumpyExtensionArray) else values
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        categories = _index(dtype.categories, write)
        return {"codes": write(np.asarray(values.codes)), "categories": categories, "ordered": bool(dtype.ordered)}
    if isinstance(dtype, pd.DatetimeTZDtype):
        return {"zone": str(dtype.tz), "utc": write(np.asarray(values.tz_convert("UTC").tz_localize(None)))}
    if isinstance(dtype, np.dtype) and dtype.kind in "biufMm":
        return {"array": write(np.asarray(values))}
    if isinstance(dtype, np.dtype | pd.IntervalDtype):
        return {"objects": [write(v) for v in values]}
    if _BY_NAME.fullmatch(str(dtype)):
        # NaN among them stays what it is; NA becomes null.
        return {"type": str(dtype), "values": [None if v is pd.NA else write(v) for v in values]}
    raise OutputError(
        f"a column of type {dtype} cannot be saved",
        allowed="numbers, text, truth values, categories, dates",
        todo="turn it into one of these before fitting",
    )


def pandas_from_json(kind: str, written: Any, read: Callable[[Any], Any]) -> Any:
    """What `pandas_to_json` wrote; `ValueError`, `TypeError` or `KeyError` for anything else."""
    match kind, written:
        case "frame", {"columns": columns, "index": index, "data": list(data)}:
            rows, names = _read_index(index, read), _read_index(columns, read)
            made = [_series(column, rows, read) for column in data]
            if len(made) != len(names):
                raise ValueError("columns without names")
            frame = pd.concat(made, axis=1) if made else pd.DataFrame(index=rows)
            frame.columns = names
            return frame
        case "series", {"data": data, "index": index, "name": name}:
            return _series(data, _read_index(index, read), read).rename(read(name))
        case "index", dict(index):
            return _read_index(index, read)
        case "interval", [left, right, ("left" | "right" | "both" | "neither") as closed]:
            return pd.Interval(read(left), read(right), closed)
        case "timestamp", str(text):
            return pd.Timestamp(text)
        case "missing", "NA":
            return pd.NA
        case "missing", "NaT":
            return pd.NaT
    raise ValueError(f"no {kind}")


def _series(written: Any, index: pd.Index, read: Callable[[Any], Any]) -> pd.Series:
    values = _read_column(written, read)
    return pd.Series(values, index=index, dtype=values.dtype)  # objects stay objects, though all may be texts


def _read_index(written: Any, read: Callable[[Any], Any]) -> pd.Index:
    match written:
        case {"levels": list(levels), "codes": list(codes), "names": list(names)}:
            made = [_read_index(level, read) for level in levels]
            return pd.MultiIndex(
                made,  # type: ignore[arg-type]
                [read(code) for code in codes],
                names=[read(name) for name in names],
            )
        case {"range": [int(start), int(stop), int(step)], "name": name}:
            return pd.RangeIndex(start, stop, step, name=read(name))
        case {"values": values, "name": name}:
            column = _read_column(values, read)
            return pd.Index(column, name=read(name), dtype=column.dtype)
    raise ValueError("no index")


def _read_column(written: Any, read: Callable[[Any], Any]) -> Any:
    match written:
        case {"array": values}:
            return _flat(read(values))
        case {"codes": codes, "categories": categories, "ordered": bool(ordered)}:
            return pd.Categorical.from_codes(_flat(read(codes)), _read_index(categories, read), ordered=ordered)
        case {"zone": str(zone), "utc": values}:
            return pd.DatetimeIndex(_flat(read(values))).tz_localize("UTC").tz_convert(zone).array
        case {"objects": list(values)}:
            column = _objects([read(value) for value in values])
            intervals = len(values) > 0 and all(isinstance(v, pd.Interval) for v in column)
            return pd.arrays.IntervalArray(column) if intervals else column
        case {"type": str(dtype), "values": list(values)} if _BY_NAME.fullmatch(dtype):
            items = [read(value) for value in values]
            if dtype == "str" and not isinstance(pd.api.types.pandas_dtype(dtype), pd.StringDtype):
                return _objects(items)  # text of pandas 3, read by pandas 2
            return pd.array(items, dtype=dtype)  # type: ignore[call-overload]
    raise ValueError("no column")


def _objects(values: list[Any]) -> Any:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _flat(values: Any) -> Any:
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        raise ValueError("no column of numbers")
    return values
