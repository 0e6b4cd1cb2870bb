"""How well an estimated clustering agrees with the true one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from ..errors import OptionError

__all__ = ["adjusted_rand_index", "correctly_clustered", "match_labels"]


def adjusted_rand_index(a: ArrayLike, b: ArrayLike) -> float:
    """Agreement of two partitions, corrected for chance.

    Parameters
    ----------
    a, b
        (G,) cluster of each group, labels of any kind.

    Returns
    -------
    float
        1 for the same partition, 0 as expected by chance.

    Notes
    -----
    Hubert & Arabie (1985), Journal of Classification 2, eq. 5. Two partitions that are both of one cluster,
    or both of single groups, agree perfectly.

    Examples
    --------
    >>> adjusted_rand_index([0, 0, 1, 1], [1, 1, 0, 0])
    1.0
    >>> round(adjusted_rand_index([0, 0, 1, 2], [0, 0, 1, 1]), 4)
    0.5714
    """
    first, second = _pair(a, b)
    table = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(table, (first, second), 1)
    together = _pairs(table)
    in_first, in_second = _pairs(table.sum(axis=1)), _pairs(table.sum(axis=0))
    expected = in_first * in_second / _pairs(np.array([len(first)])) if len(first) > 1 else 0.0
    largest = (in_first + in_second) / 2
    return 1.0 if largest == expected else float((together - expected) / (largest - expected))


def match_labels(estimated: ArrayLike, truth: ArrayLike) -> NDArray[np.int64]:
    """Find the renumbering of the estimated clusters that agrees best with the true ones.

    Parameters
    ----------
    estimated, truth
        (G,) cluster of each group, numbered from 0.

    Returns
    -------
    NDArray
        (K,) true cluster of each estimated one, K the larger number of clusters: ``matched[estimated]``
        has the numbers of `truth`, and estimated regressions go to the rows ``B[np.argsort(matched)]``.

    Examples
    --------
    >>> match_labels([2, 2, 0, 1], [0, 0, 1, 2])
    array([1, 2, 0])
    """
    first, second = np.asarray(estimated), np.asarray(truth)
    for labels in (first, second):
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer) or (labels < 0).any():
            raise OptionError("clusters are not numbered from 0", allowed="one whole number per group, 0 or more")
    _pair(first, second)
    k = int(max(first.max(), second.max())) + 1
    table = np.zeros((k, k))
    np.add.at(table, (first, second), 1)
    return linear_sum_assignment(table, maximize=True)[1].astype(np.int64)


def correctly_clustered(estimated: ArrayLike, truth: ArrayLike) -> float:
    """Share of groups in the right cluster, under the best renumbering of the clusters.

    Parameters
    ----------
    estimated, truth
        (G,) cluster of each group, labels of any kind.

    Examples
    --------
    >>> correctly_clustered([1, 1, 0, 0], ["a", "a", "b", "a"])
    0.75
    """
    first, second = _pair(estimated, truth)
    return float(np.mean(match_labels(first, second)[first] == second))


def _pair(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Code two partitions of the same groups."""
    first, second = np.asarray(a), np.asarray(b)
    if first.ndim != 1 or first.shape != second.shape or not first.size:
        raise OptionError(
            f"partitions of shapes {first.shape} and {second.shape}",
            allowed="two of the same groups, one label each",
        )
    return np.unique(first, return_inverse=True)[1], np.unique(second, return_inverse=True)[1]


def _pairs(counts: NDArray[np.float64]) -> float:
    return float((counts * (counts - 1)).sum() / 2)
