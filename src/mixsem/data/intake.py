"""Whatever a method was given, as sample moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import compress
from typing import TypeAlias

from ..errors import DataError, OptionError
from .account import dropped_notices
from .columns import FrameLike
from .grouped import GroupedData
from .missing import check_missing
from .moments import SampleMoments
from .streaming.reading import table_moments
from .variation import require_definite, require_variation

__all__ = ["Data", "as_moments", "moments_of"]

Data: TypeAlias = "FrameLike | GroupedData | SampleMoments"
"""What every ``fit`` takes: a table, rows that were read, or moments."""


def as_moments(
    data: Data,
    items: Sequence[str],
    group: str | None = None,
    *,
    min_size: int | None = None,
    missing: str = "listwise",
) -> SampleMoments:
    """Return the moments of these items for a fit, without a warning.

    The notices are kept on the moments; the method that calls this passes them on.

    Parameters
    ----------
    data
        A table (see `GroupedData.from_frame`), rows already read, or moments.
    items
        Names of the p items; a selection if `data` are rows or moments already.
    group
        Name of the grouping column; not needed if `data` are rows or moments already.
    min_size
        Leave out groups with fewer complete rows than this.
    missing
        ``"listwise"``, ``"ml"`` or ``"pairwise"``, see `SampleMoments.from_frame`.

    Raises
    ------
    OptionError
        If moments were given together with the name of another grouping column, or another `missing` with moments or
        rows from which incomplete rows were dropped already.
    DataError
        If the table cannot be used, the moments lack an item or a group large enough, or an item does not
        vary in a group; with ``missing="pairwise"`` also if a covariance matrix is not positive definite.

    Examples
    --------
    >>> moments = SampleMoments.from_covariances({"A": [[2.0]], "B": [[4.0]]}, n=10, items=["x"])
    >>> as_moments(moments, ["x"]).groups
    ('A', 'B')
    """
    moments = moments_of(data, items, group, min_size=min_size, missing=missing)
    require_variation(moments)
    if moments.missing == "pairwise":
        require_definite(moments)
    return moments


def moments_of(
    data: Data,
    items: Sequence[str],
    group: str | None = None,
    *,
    min_size: int | None = None,
    missing: str = "listwise",
) -> SampleMoments:
    """Do what `as_moments` does for data that may be a part only: items may be constant within a group."""
    check_missing(missing)
    if missing != "listwise" and isinstance(data, GroupedData | SampleMoments):
        _require_incomplete_rows(data, missing)
    if isinstance(data, GroupedData):
        data = SampleMoments.from_grouped(data)
    if not isinstance(data, SampleMoments):
        return table_moments(data, items, group, min_size=min_size, missing=missing)
    if group is not None and data.group is not None and group != data.group:
        raise OptionError(f"group={group!r}, but the moments are grouped by {data.group!r}", todo="omit group=")
    return (data if min_size is None else _without_small(data, min_size)).select(items)


def _require_incomplete_rows(data: GroupedData | SampleMoments, missing: str) -> None:
    """Moments and rows already read hold complete rows only, unless the moments were computed from all of them."""
    if isinstance(data, SampleMoments) and data.missing == missing:
        return
    raise OptionError(
        f"missing={missing!r} came with {'moments' if isinstance(data, SampleMoments) else 'complete rows'}",
        allowed=f"a table with its missing values, or moments that were computed from it with missing={missing!r}",
        todo="give the table, or leave missing= out",
    )


def _without_small(moments: SampleMoments, min_size: int) -> SampleMoments:
    large = list(compress(moments.groups, moments.n >= min_size))
    if not large:
        raise DataError(
            f"no group has {min_size} complete rows; the largest has {moments.n.max()}", todo="lower min_size"
        )
    left = moments.subset(large)
    notices = dropped_notices(
        moments.groups,
        moments.n,
        moments.n_dropped,
        group=moments.group,
        n_unlabelled=0,
        n_rows=moments.n_total,
        min_size=min_size,
    )
    return replace(left, notices=notices + left.notices)
