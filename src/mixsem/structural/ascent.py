"""EM from many starts, a few at a time: what stays of each is its log L and its partition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..kernels.mixture import EMData
from .em import EMSettings, EMState, initial_weights, run_em, settle, start_from

__all__ = ["Ascent", "ascend"]

Array = NDArray[np.float64]

#: Starts advance together in batches whose arrays hold about this many densities, or one start: enough that the cost of
#: a call does not matter, and few enough that the arrays stay in the processor's cache.
BATCH = 200_000


@dataclass(frozen=True, eq=False, slots=True)
class Ascent:
    """Where the starts ended.

    Attributes
    ----------
    best
        The best solution (one start).
    logliks
        log L of every start, shape (s,).
    iterations
        Iterations of every start, shape (s,).
    clusters
        Modal cluster of every group in every start, numbered from 0, shape (s, G).
    """

    best: EMState
    logliks: Array
    iterations: NDArray[np.int64]
    clusters: NDArray[np.integer]


def ascend(
    data: EMData,
    partitions: NDArray[np.bool_] | Array,
    settings: EMSettings,
    progress: Callable[[int, int], None] | None = None,
) -> Ascent:
    """Run EM from every start.

    Parameters
    ----------
    data
        What the iterations work on.
    partitions
        Responsibilities to start from, or whether a group belongs to a cluster, shape (s, K, G).
    settings
        When EM stops.
    progress
        Called as ``progress(done, total)``.
    """
    n_starts, k, n_groups = partitions.shape
    weights = initial_weights(data, k)
    logliks, iterations = np.empty(n_starts), np.empty(n_starts, dtype=np.int64)
    clusters = np.empty((n_starts, n_groups), dtype=np.min_scalar_type(k))
    best: EMState | None = None
    size = max(1, BATCH // (k * n_groups))
    for first in range(0, n_starts, size):
        batch = slice(first, first + size)
        ended = settle(data, run_em(data, start_from(data, partitions[batch].astype(float), weights), settings))
        logliks[batch], iterations[batch], clusters[batch] = ended.loglik, ended.iterations, ended.z.argmax(axis=1)
        top = ended.take(np.array([ended.loglik.argmax()]))
        best = top if best is None or top.loglik[0] > best.loglik[0] else best
        if progress is not None:
            progress(min(first + size, n_starts), n_starts)
    assert best is not None  # there is at least one start
    return Ascent(best, logliks, iterations, clusters)
