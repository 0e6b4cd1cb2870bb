"""Moments as parquet, for many groups: one row per group, the rest as JSON in the metadata of the file."""

from __future__ import annotations

import io
import json
from collections.abc import Hashable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..errors import DataError, OutputError
from .archive import write_whole
from .labels import label_to_json

__all__ = ["holds_moments", "read_parquet", "write_parquet"]

#: Key of the metadata under which everything is that is not a column.
KEY = b"mixsem"

COLUMNS = ("group", "n", "n_dropped", "means", "covariances")

# Labels of one of these types have a column of that type; others, and those of several types, are written as JSON.
_TYPES: Mapping[type, pa.DataType] = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    date: pa.date32(),
    datetime: pa.timestamp("us"),
}

#: Groups that are read at once, so that what a broken file claims is checked before much memory is taken.
ROWS = 4096

#: Numbers that covariance matrices may hold together: two GiB.
MOST_NUMBERS = 2**28

#: Bytes that a row may take beyond its numbers: its label, and what the format adds.
SLACK = 2**16


def write_parquet(
    path: Path, content: Mapping[str, Any], means: NDArray[np.float64], covariances: NDArray[np.float64]
) -> None:
    """Write moments, all of them or nothing.

    Parameters
    ----------
    path
        The file.
    content
        What `SampleMoments.to_dict` gives, without means and covariances; labels as they are.
    means, covariances
        (G, p) and (G, p, p) arrays.

    Raises
    ------
    OutputError
        If the file cannot be written, or a number is not finite.
    """
    if not (np.isfinite(means).all() and np.isfinite(covariances).all()):
        raise OutputError(f"{path} was not written: numbers are not finite", allowed="finite numbers")
    labels = _label_column(content["groups"])
    rest = {name: value for name, value in content.items() if name not in ("groups", "n", "n_dropped")}
    columns = [
        _as_json(content["groups"]) if labels is None else labels,
        pa.array(content["n"], pa.int64()),
        pa.array(content["n_dropped"], pa.int64()),
        _lists(means),
        _lists(covariances.reshape(len(covariances), -1)),
    ]
    rest["labels"] = "json" if labels is None else "plain"
    schema = pa.schema(
        [pa.field(name, column.type, nullable=False) for name, column in zip(COLUMNS, columns, strict=True)],
        metadata={KEY: json.dumps(rest, allow_nan=False)},
    )
    file = io.BytesIO()
    pq.write_table(pa.table(columns, schema=schema), file, compression="zstd", use_dictionary=False)
    write_whole(path, file.getvalue())


def _label_column(labels: Sequence[Hashable]) -> pa.Array | None:
    """The labels as a column of their type; None if they have several, or one that parquet does not have."""
    kinds = {type(label) for label in labels}
    kind = _TYPES.get(kinds.pop()) if len(kinds) == 1 else None
    if kind is None or any(getattr(label, "tzinfo", None) is not None for label in labels):
        return None
    try:
        return pa.array(list(labels), kind)
    except (pa.ArrowInvalid, OverflowError, UnicodeEncodeError):  # whole numbers of more than 64 bits, half characters
        return None


def _as_json(labels: Sequence[Hashable]) -> pa.Array:
    return pa.array([json.dumps(label_to_json(label)) for label in labels], pa.string())


def _lists(rows: NDArray[np.float64]) -> pa.Array:
    """A column whose cells are the rows of a matrix."""
    offsets = np.arange(0, rows.size + 1, rows.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, np.ascontiguousarray(rows).ravel())


def holds_moments(path: str | Path) -> bool:
    """Tell whether a parquet file holds sample moments; False too if it is no parquet file."""
    try:
        return KEY in (pq.read_metadata(path).metadata or {})
    except (pa.ArrowException, OSError, ValueError):
        return False


def read_parquet(path: Path) -> dict[str, object]:
    """Read what `write_parquet` wrote, as content for `moments_fields`, which checks what it means.

    Raises
    ------
    OutputError
        If there is no such file, or it cannot be read.
    DataError
        If its columns are others, or do not have the sizes that the file says.
    """
    try:
        with pq.ParquetFile(path) as file:
            return _content(file)
    except DataError:
        raise
    except FileNotFoundError as error:
        raise OutputError(f"there is no file {path}", todo="check the path") from error
    except (pa.ArrowException, OSError, ValueError, MemoryError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise OutputError(f"{path} cannot be read: {reason}", todo="save the moments again") from error


def _content(file: pq.ParquetFile) -> dict[str, object]:
    metadata = file.metadata
    written = (metadata.metadata or {}).get(KEY)
    rest = {} if written is None else json.loads(written)
    items = rest.get("items") if isinstance(rest, dict) else None
    if not isinstance(items, list) or not items:
        return rest if isinstance(rest, dict) else {}  # what is missing is said where the content is checked
    p, rows = len(items), metadata.num_rows
    _check_claims(file, rows, p)
    batches = list(file.iter_batches(batch_size=ROWS, columns=list(COLUMNS)))
    labels: list[object] = [label for batch in batches for label in batch.column("group").to_pylist()]
    if len(labels) != rows:
        raise _broken(f"{len(labels)} rows in the place of {rows}")
    return rest | {
        "groups": [_written_label(label, rest.get("labels")) for label in labels],
        "n": [count for batch in batches for count in batch.column("n").to_pylist()],
        "n_dropped": [count for batch in batches for count in batch.column("n_dropped").to_pylist()],
        "means": _matrix(batches, "means", p),
        "covariances": _matrix(batches, "covariances", p * p).reshape(-1, p, p),
    }


def _check_claims(file: pq.ParquetFile, rows: int, p: int) -> None:
    """Compare what the file says of its columns and sizes with what moments of so many groups have, before reading."""
    schema = file.schema_arrow
    if schema.names != list(COLUMNS):
        raise _broken(f"the columns are {', '.join(schema.names[:10])}")
    for name in ("means", "covariances"):
        if not (pa.types.is_list(schema.field(name).type) and schema.field(name).type.value_type == pa.float64()):
            raise _broken(f"{name} are of type {schema.field(name).type}")
    metadata = file.metadata
    claimed = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    needed = rows * (2 * 8 * (p * p + p + 2) + SLACK) + SLACK
    if rows * p * p > MOST_NUMBERS or claimed > needed:
        raise _broken(f"{claimed:,} bytes for {rows:,} groups and {p:,} items")


def _written_label(label: object, kind: object) -> object:
    """A label as `label_from_json` takes it."""
    if kind == "json":
        return json.loads(label) if isinstance(label, str) else None
    return label_to_json(label) if type(label) in _TYPES else None


def _matrix(batches: Sequence[pa.RecordBatch], name: str, width: int) -> NDArray[np.float64]:
    """Cells of so many numbers each as the rows of a matrix."""
    parts = []
    for batch in batches:
        column = batch.column(name)
        lengths = pc.list_value_length(column)
        if column.null_count or not (lengths.to_numpy() == width).all() or column.flatten().null_count:
            raise _broken(f"cells of {name} without {width} numbers")
        parts.append(column.flatten().to_numpy().reshape(-1, width))
    return np.concatenate(parts) if parts else np.zeros((0, width))


def _broken(what: str) -> DataError:
    return DataError(
        f"the file of sample moments is broken: {what}",
        allowed=f"one row per group with the columns {', '.join(COLUMNS)}",
        todo="save the moments again",
    )
