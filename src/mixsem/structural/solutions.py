"""The distinct solutions that the starts reached: where else a mixture might have ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LocalSolution", "distinct_solutions"]

Array = NDArray[np.float64]

#: So many solutions are kept, the best ones.
KEPT = 10


@dataclass(frozen=True, eq=False, slots=True)
class LocalSolution:
    """One solution that some starts reached.

    Attributes
    ----------
    loglik
        Its log L.
    clusters
        Cluster of each group, shape (G,), numbered from 0 in no particular order.
    n_starts
        Starts that reached it.
    """

    loglik: float
    clusters: NDArray[np.int64]
    n_starts: int


def distinct_solutions(logliks: Array, clusters: NDArray[np.integer], same: float) -> tuple[LocalSolution, ...]:
    """The best solutions of all starts, the best first; costs one sort.

    Parameters
    ----------
    logliks
        log L that each start reached, shape (s,).
    clusters
        Modal cluster of every group in each start, numbered from 0, shape (s, G).
    same
        Solutions whose log L differ by no more than this are the same one.
    """
    order = np.argsort(-logliks, kind="stable")
    first = np.concatenate([[True], -np.diff(logliks[order]) > same])
    number = np.cumsum(first) - 1
    counts = np.bincount(number)
    return tuple(
        LocalSolution(float(logliks[s]), clusters[s].astype(np.int64), int(counts[i]))
        for i, s in enumerate(order[first][:KEPT])
    )
