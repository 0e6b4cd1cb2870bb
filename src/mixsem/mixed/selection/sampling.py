"""Work on some of the clusters first, and on all of them when the model stands."""

from __future__ import annotations

import narwhals as nw
import numpy as np
import pandas as pd

from ...data.columns import FrameLike, open_table
from ...errors import OptionError, did_you_mean, enumerate_briefly
from ...options import as_name, require_seed, require_whole

__all__ = ["sample_clusters"]


def sample_clusters(data: FrameLike, by: str, n: int, seed: int | None = 0) -> pd.DataFrame:
    """Take all rows of some clusters, drawn at random.

    With large data a model is found on a sample, and fitted once to all rows: its theta is a good start there.

    Parameters
    ----------
    data
        Any table.
    by
        The column of the clusters. With crossed factors take one that has few rows per level: levels of the others
        lose rows.
    n
        Number of clusters; all of them if there are fewer.
    seed
        Makes the draw repeatable.

    Returns
    -------
    pandas.DataFrame
        The rows, in their order, with their index; rows without a label are left out.

    Raises
    ------
    OptionError
        If there is no such column, or n is no positive number.

    Examples
    --------
    >>> import mixsem as mx
    >>> data = mx.data.sleepstudy()
    >>> some = sample_clusters(data, "Subject", 9, seed=1)
    >>> first = mx.lmer("Reaction ~ Days + (Days | Subject)", some)
    >>> full = mx.lmer("Reaction ~ Days + (Days | Subject)", data, start=first.theta)
    >>> len(some), full.trace.converged
    (90, True)
    """
    require_whole("n", n, 1)
    require_seed(seed)
    by = as_name(by, "by")
    frame = data if isinstance(data, pd.DataFrame) else _collected(data)
    if by not in frame.columns:
        names = [str(name) for name in frame.columns]
        raise OptionError(
            f"by={by!r}", allowed=enumerate_briefly(names), todo=did_you_mean(str(by), names) or "choose a column"
        )
    codes, levels = pd.factorize(frame[by], sort=True)
    taken = np.zeros(len(levels) + 1, dtype=bool)
    taken[np.random.default_rng(seed).permutation(len(levels))[:n]] = True
    return frame[taken[codes]]  # a missing label has code -1: the last place, which is never taken


def _collected(data: FrameLike) -> pd.DataFrame:
    table = open_table(data)
    return (table.collect() if isinstance(table, nw.LazyFrame) else table).to_pandas()
