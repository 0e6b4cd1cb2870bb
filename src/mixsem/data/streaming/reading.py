"""From rows to `SampleMoments`, whether they pass by or lie in memory, with the same errors and notices."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import narwhals as nw
import numpy as np

from ..columns import FrameLike, no_rows
from ..grouped import check_names, open_rows, read_grouped
from ..missing import check_missing, read_moments
from ..moments import SampleMoments
from .blocks import BLOCK, Reduction
from .clusters import is_on_cluster, reduce_on_cluster
from .finish import finished
from .parts import Part, merged_parts
from .sources import stream

__all__ = ["table_moments"]

#: Threads that reduce blocks; more would wait for what is read.
MOST_THREADS = 4


def table_moments(
    data: FrameLike,
    items: Sequence[str],
    group: str | None = None,
    *,
    min_size: int | None = None,
    missing: str = "listwise",
) -> SampleMoments:
    """Do what `SampleMoments.from_frame` does without a warning: the notices are the caller's to issue."""
    check_missing(missing)
    reduction = Reduction(check_names(items, group, min_size), group, missing)
    part = _streamed(data, reduction)
    if part is None and missing == "listwise":
        return SampleMoments.from_grouped(read_grouped(data, items, group, min_size=min_size))
    if part is None and missing == "ml":
        return read_moments(data, items, group, min_size=min_size)
    return finished(part or _in_memory(data, reduction), reduction, min_size)


def _streamed(data: FrameLike, reduction: Reduction) -> Part | None:
    """Reduce what is lazy; None if the table is in memory."""
    if is_on_cluster(data):
        return reduce_on_cluster(data, reduction)
    blocks = stream(data, reduction.columns)
    if blocks is None:
        return None
    part = merged_parts(_reduced(blocks, reduction))
    if part is None:
        raise no_rows()
    return part


def _reduced(blocks: Iterable[nw.DataFrame[Any]], reduction: Reduction) -> Iterator[Part]:
    """Reduce blocks in threads, a few at a time; parts come in the order of the rows, so that results repeat."""
    from threadpoolctl import threadpool_limits

    threads = min(os.cpu_count() or 1, MOST_THREADS)
    waiting: deque[Future[Part]] = deque()
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        for block in blocks:
            waiting.append(pool.submit(reduction, block))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _in_memory(data: FrameLike, reduction: Reduction) -> Part:
    """Reduce a table in memory, as far as it was not read by a way of its own."""
    table = open_rows(data, reduction.items, reduction.group)
    parts = (
        reduction.of_columns(
            table.labels, table.codes[at : at + BLOCK], list(np.ascontiguousarray(table.values[at : at + BLOCK].T))
        )
        for at in range(0, len(table.values), BLOCK)
    )
    part = merged_parts(parts)
    assert part is not None  # a table without rows was refused
    return part
