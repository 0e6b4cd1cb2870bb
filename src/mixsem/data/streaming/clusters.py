"""Rows that lie on other machines are reduced where they are: only moments travel (Dask, PySpark)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import narwhals as nw

from ...errors import DataError
from ..columns import FrameLike, no_rows, require_columns
from .blocks import BLOCK, Reduction
from .parts import Part, merged_parts
from .sources import blocks_of, lazy_frame

__all__ = ["is_on_cluster", "reduce_on_cluster"]

#: Parts that one task of Dask merges: the tree is flat, and no task holds many parts.
MERGED_AT_ONCE = 8


def is_on_cluster(data: FrameLike) -> bool:
    """Tell whether data are a Dask or PySpark data frame, without reading them."""
    return type(data).__module__.startswith(("dask", "pyspark"))


def reduce_on_cluster(data: FrameLike, reduction: Reduction) -> Part:
    """Reduce every partition where it is and merge the parts.

    Raises
    ------
    DataError
        If a column is missing, there are no rows, or as `Reduction` for a partition.
    """
    part = _with_spark(data, reduction) if _is_spark(data) else _with_dask(data, reduction)
    if part is None or part.n_rows == 0:
        raise no_rows()
    return part


def _is_spark(data: FrameLike) -> bool:
    return type(data).__module__.startswith("pyspark")


def reduced_frames(frames: Iterable[nw.DataFrame[Any]], reduction: Reduction) -> Part | None:
    """Reduce the tables of one partition; None if they are empty."""
    return merged_parts(reduction(block) for block in blocks_of(frames, BLOCK))


def _with_dask(data: Any, reduction: Reduction) -> Part | None:
    """Dask is asked without narwhals, which gives its support of Dask to another package."""
    from dask import compute, delayed

    if not hasattr(data, "to_delayed") or not hasattr(data, "columns"):
        raise DataError(f"{type(data).__name__} is no data frame", allowed="a Dask or PySpark data frame")
    require_columns(reduction.columns, list(data.columns))
    native = data[list(reduction.columns)]
    reduce_one = delayed(_reduce_partition, pure=False)
    merge = delayed(_merge, pure=False)
    parts = [reduce_one(partition, reduction) for partition in native.to_delayed()]
    while len(parts) > 1:
        parts = [merge(parts[at : at + MERGED_AT_ONCE]) for at in range(0, len(parts), MERGED_AT_ONCE)]
    (part,) = compute(*parts)
    return part


def _reduce_partition(partition: Any, reduction: Reduction) -> Part | None:
    return reduced_frames([nw.from_native(partition, eager_only=True)], reduction)


def _merge(parts: Sequence[Part | None]) -> Part | None:
    return merged_parts(part for part in parts if part is not None)


def _with_spark(data: FrameLike, reduction: Reduction) -> Part | None:
    frame = lazy_frame(data)
    if frame is None:
        raise DataError(f"{type(data).__name__} is no data frame", allowed="a Dask or PySpark data frame")
    require_columns(reduction.columns, frame.collect_schema().names())
    native: Any = frame.select(*reduction.columns).to_native()
    reduced = native.mapInArrow(partial(_reduce_batches, reduction=reduction), "part binary, error string")
    try:
        rows = reduced.collect()
    except Exception as error:
        if "No module named 'mixsem'" in str(error):
            raise DataError(
                "the Python of Spark's workers has no mixsem",
                allowed="mixsem installed wherever partitions are read",
                todo="install it there, or name the Python that has it in the environment variable PYSPARK_PYTHON",
            ) from error
        raise
    for row in rows:
        if row["error"] is not None:
            raise DataError(**json.loads(row["error"]))
    return merged_parts(Part.from_bytes(bytes(row["part"])) for row in rows)


def _reduce_batches(batches: Iterable[Any], reduction: Reduction) -> Iterator[Any]:
    """One partition of Spark: record batches in, one row out with the part, or with what is wrong."""
    import pyarrow as pa

    frames = (nw.from_native(pa.Table.from_batches([batch]), eager_only=True) for batch in batches)
    written, wrong = None, None
    try:
        part = reduced_frames(frames, reduction)
        if part is None:
            return
        written = part.to_bytes()
    except DataError as error:
        wrong = json.dumps({"got": error.got, "allowed": error.allowed, "todo": error.todo})
    yield pa.RecordBatch.from_pydict(
        {"part": pa.array([written], pa.binary()), "error": pa.array([wrong], pa.string())}
    )
