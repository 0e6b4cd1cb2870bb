"""The arithmetic of moments: from rows, and from moments of parts of the rows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import compress, pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, enumerate_briefly
from ..threads import few_threads
from .labels import positions, sort_labels

if TYPE_CHECKING:
    from .moments import SampleMoments

__all__ = ["PooledMoments", "centred_moments", "check_alike", "pooled_moments"]


def centred_moments(
    values: NDArray[np.float64], n: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute means and covariance matrices of rows sorted by group.

    The corrected two-pass algorithm (Chan, Golub & LeVeque, 1983, The American Statistician 37, eq. 1.7):
    what rounding leaves of the mean after centring is taken out of the cross-products as well, so neither
    the order of the rows nor a large mean matters.

    Parameters
    ----------
    values
        (N, p) rows, sorted by group.
    n
        (G,) rows per group, each 1 or more.

    Returns
    -------
    means, covariances
        (G, p) and (G, p, p), divisor n. An item that is constant within a group has that value as its mean
        there and zeros, not roundings, as its variance and covariances.

    Examples
    --------
    >>> means, covariances = centred_moments(np.array([[1.0], [3.0], [1e9], [1e9 + 1]]), np.array([2, 2]))
    >>> covariances.ravel()
    array([1.  , 0.25])
    """
    ends = np.cumsum(n)
    starts, sizes = ends - n, n[:, None]
    means = np.add.reduceat(values, starts, axis=0) / sizes
    centred = values - np.repeat(means, n, axis=0)
    left = np.add.reduceat(centred, starts, axis=0) / sizes
    with few_threads(values.shape[1]):
        products = np.stack([centred[a:b].T @ centred[a:b] for a, b in pairwise((0, *ends.tolist()))])
    covariances = products / sizes[:, :, None] - left[:, :, None] * left[:, None, :]
    least, largest = (extreme.reduceat(values, starts, axis=0) for extreme in (np.minimum, np.maximum))
    varies = least < largest
    return np.where(varies, means + left, least), covariances * varies[:, :, None] * varies[:, None, :]


class PooledMoments(NamedTuple):
    """Moments of all rows of several parts; the names are those of `SampleMoments`."""

    groups: tuple[Hashable, ...]
    n: NDArray[np.int64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    n_dropped: NDArray[np.int64]


def check_alike(parts: Sequence[SampleMoments]) -> None:
    """Raise `DataError` if parts differ in their items or grouping columns."""
    one, *others = parts
    odd = next((other.items for other in others if set(other.items) != set(one.items)), None)
    if odd is not None:
        raise DataError(
            f"moments of {enumerate_briefly(odd)} cannot be merged with those of " + enumerate_briefly(one.items),
            allowed="the same items in all parts",
            todo="select the items they have in common: moments.select([...])",
        )
    names = sorted({part.group for part in parts if part.group is not None})
    if len(names) > 1:
        raise DataError(
            f"moments grouped by {enumerate_briefly(names)} cannot be merged", allowed="one grouping column"
        )


def pooled_moments(parts: Sequence[SampleMoments]) -> PooledMoments:
    """Pool moments of the same items: squares within the parts plus those between them (Chan et al.).

    Raises
    ------
    DataError
        If a group is in several parts and its means are not known or its moments are those of incomplete rows, or
        labels differ in their type only.
    """
    groups = sort_labels({label for part in parts for label in part.groups})
    at = [positions(part.groups, groups) for part in parts]
    _check_means(parts, at, shared=np.bincount(np.concatenate(at)) > 1)
    n, n_dropped = np.zeros((2, len(groups)), dtype=np.int64)
    for part, g in zip(parts, at, strict=True):
        n[g] += part.n
        n_dropped[g] += part.n_dropped
    # Weighted around the mean of one part, so that the mean of an item that is constant in all stays that constant.
    around = np.zeros((len(groups), len(parts[0].items)))
    for part, g in zip(parts, at, strict=True):
        around[g] = part.means
    means = around.copy()
    for part, g in zip(parts, at, strict=True):
        means[g] += (part.n / n[g])[:, None] * (part.means - around[g])
    covariances = np.zeros((*means.shape, means.shape[1]))
    for part, g in zip(parts, at, strict=True):
        away = part.means - means[g]
        between = away[:, :, None] * away[:, None, :]
        covariances[g] += (part.n / n[g])[:, None, None] * (part.covariances + between)
    if not all(part.has_means for part in parts):
        means = np.zeros_like(means)
    return PooledMoments(groups, n, means, covariances, n_dropped)


def _check_means(parts: Sequence[SampleMoments], at: Sequence[NDArray[np.int64]], shared: NDArray[np.bool_]) -> None:
    for part, g in zip(parts, at, strict=True):
        if part.missing != "listwise" and shared[g].any():
            labels = list(compress(part.groups, shared[g]))
            raise DataError(
                f"parts of {enumerate_briefly(labels)} cannot be pooled: they were estimated from incomplete rows",
                allowed=f"groups that are in one part only, where missing={part.missing!r} was used",
                todo="put the rows of a group in one file or one folder of .parquet files, or use complete rows"
                " (missing='listwise')",
            )
        if not part.has_means and shared[g].any():
            labels = list(compress(part.groups, shared[g]))
            raise DataError(
                f"parts of {enumerate_briefly(labels)} cannot be pooled: their means are not known",
                todo="give the means, or leave these groups out (in Python: moments.subset([...]))",
            )
