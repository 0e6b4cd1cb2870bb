"""Whatever is lazy, as a stream of blocks of rows with the wanted columns only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import narwhals as nw

from ...errors import DataError, MixsemError
from ..columns import FrameLike, is_arrow_source, open_table, require_columns
from .blocks import BLOCK

__all__ = ["blocks_of", "lazy_frame", "stream"]

#: Blocks that pyarrow reads ahead, and files that it opens ahead: enough to keep its threads busy.
AHEAD, FILES_AHEAD = 4, 1


def lazy_frame(data: FrameLike) -> nw.LazyFrame[Any] | None:
    """Return a lazy table as one of narwhals; None for a table in memory and for what pyarrow streams itself.

    Raises
    ------
    DataError
        If `data` is not a table.
    """
    if is_arrow_source(data):
        return None
    frame = open_table(data)
    return frame if isinstance(frame, nw.LazyFrame) else None


def stream(data: FrameLike, wanted: Sequence[str]) -> Iterator[nw.DataFrame[Any]] | None:
    """Open a stream of blocks of rows; None if the table is in memory, or its library gives it as a whole only.

    Raises
    ------
    DataError
        If `data` is not a table, or a wanted column is missing or there twice.
    """
    if is_arrow_source(data):
        source: Any = data
        require_columns(wanted, source.schema.names)
        return blocks_of(_readable(_arrow_batches(source, list(wanted))), BLOCK)
    frame = lazy_frame(data)
    if frame is None:
        return None
    require_columns(wanted, frame.collect_schema().names())
    native: Any = frame.select(*wanted).to_native()
    opened = _OPENERS.get(frame.implementation)
    return None if opened is None else blocks_of(_readable(opened(native)), BLOCK)


def _arrow_batches(source: Any, wanted: list[str]) -> Iterable[Any]:
    """Record batches of a pyarrow dataset or reader."""
    import pyarrow.dataset as pads

    if isinstance(source, pads.Dataset):
        return source.to_batches(
            columns=wanted, batch_size=BLOCK, batch_readahead=AHEAD, fragment_readahead=FILES_AHEAD
        )
    return (batch.select(wanted) for batch in source)


def _polars_batches(native: Any) -> Iterable[Any]:
    if hasattr(native, "collect_batches"):
        return native.collect_batches(chunk_size=BLOCK, maintain_order=True, engine="streaming")
    return (query.collect() for query in (native,))  # an older polars has the rows at once


def _duckdb_batches(native: Any) -> Iterable[Any]:
    names = ("to_arrow_reader", "fetch_record_batch", "fetch_arrow_reader")  # the newest first
    reader = next(getattr(native, name) for name in names if hasattr(native, name))
    batches: Iterable[Any] = reader(BLOCK)
    return batches


_OPENERS: dict[nw.Implementation, Callable[[Any], Iterable[Any]]] = {
    nw.Implementation.POLARS: _polars_batches,
    nw.Implementation.DUCKDB: _duckdb_batches,
}


def _readable(batches: Iterable[Any]) -> Iterator[nw.DataFrame[Any]]:
    """Each batch as a table; what another library finds wrong on the way is an error about the data."""
    source = iter(batches)
    while True:
        try:
            batch = next(source, None)
        except MixsemError:
            raise
        except Exception as error:  # whatever a query, a file system or a decoder raises
            reason = " ".join(str(error).split())
            raise DataError(f"the data cannot be read: {reason}", todo="try to read them without mixsem") from error
        if batch is None:
            return
        yield nw.from_native(_as_table(batch), eager_only=True)


def _as_table(batch: Any) -> Any:
    """A record batch of pyarrow as a table, which narwhals knows."""
    if not hasattr(batch, "to_struct_array"):
        return batch
    import pyarrow as pa

    return batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])


def blocks_of(frames: Iterable[nw.DataFrame[Any]], rows: int) -> Iterator[nw.DataFrame[Any]]:
    """Cut and join tables into blocks of so many rows; the last one may be smaller, and none is empty.

    Examples
    --------
    >>> import pyarrow as pa
    >>> parts = [nw.from_native(pa.table({"x": list(range(n))}), eager_only=True) for n in (2, 0, 5)]
    >>> [block["x"].to_list() for block in blocks_of(parts, rows=3)]
    [[0, 1, 0], [1, 2, 3], [4]]
    """
    held: list[nw.DataFrame[Any]] = []
    length = 0
    for frame in frames:
        at = 0
        while at < len(frame):
            piece = frame[at : at + rows - length]
            held.append(piece)
            at, length = at + len(piece), length + len(piece)
            if length == rows:
                yield _joined(held)
                held, length = [], 0
    if held:
        yield _joined(held)


def _joined(frames: list[nw.DataFrame[Any]]) -> nw.DataFrame[Any]:
    return frames[0] if len(frames) == 1 else nw.concat(frames)
