"""Where the EM iterations begin: random hard or soft partitions, or one given by the user."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, did_you_mean, enumerate_briefly

__all__ = ["Start", "starting_partitions"]

Array = NDArray[np.float64]
Start = str | Mapping[Hashable, int] | Sequence[int] | Array


def starting_partitions(
    start: Start, groups: Sequence[Hashable], k: int, n_starts: int, rng: np.random.Generator
) -> Array | NDArray[np.bool_]:
    """Starting responsibilities, or whether a group belongs to a cluster (many starts are large), shape (s, K, G).

    Parameters
    ----------
    start
        ``"hard"``: random partitions with no empty cluster; ``"soft"``: random probabilities, uniform on the
        simplex; or a partition: a dict from group to cluster (1..K), one cluster per group in the order of
        the groups, or probabilities of shape (G, K). A given start is used alone.
    groups
        Labels of the groups.
    k
        Number of clusters.
    n_starts
        Number of random starts.
    rng
        Source of randomness.
    """
    n_groups = len(groups)
    if isinstance(start, str):
        if k == 1:
            return np.ones((1, 1, n_groups))
        if start == "hard":
            return _hard(n_groups, k, n_starts, rng)
        if start == "soft":
            return rng.dirichlet(np.ones(k), size=(n_starts, n_groups)).swapaxes(1, 2)
        raise OptionError(
            f"start={start!r}",
            allowed="'hard', 'soft', a dict from group to cluster, or probabilities of shape (G, K)",
            todo=did_you_mean(start, ("hard", "soft")),
        )
    return _given(start, groups, k)[None]


def _hard(n_groups: int, k: int, n_starts: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Random partitions; the first k groups of a random order make sure that no cluster is empty."""
    cluster = rng.integers(k, size=(n_starts, n_groups))
    order = np.argsort(rng.random((n_starts, n_groups)), axis=1)[:, :k]
    np.put_along_axis(cluster, order, np.arange(k)[None, :], axis=1)
    return np.asarray(cluster.astype(np.min_scalar_type(k))[:, None, :] == np.arange(k)[None, :, None])


def _given(start: Start, groups: Sequence[Hashable], k: int) -> Array:
    """Check a given start and return responsibilities, shape (K, G)."""
    if isinstance(start, Mapping):
        missing = [g for g in groups if g not in start]
        if missing:
            raise OptionError(
                f"start= has no cluster for {len(missing)} groups: {enumerate_briefly(missing)}",
                allowed="a cluster for every group",
                todo="add them; labels are compared as they are, 1 is not '1'",
            )
        values = np.array([start[g] for g in groups])
    else:
        values = np.asarray(start, dtype=float)
    if values.shape == (len(groups), k) and k > 1:
        if not (np.isfinite(values).all() and (values >= 0).all() and np.allclose(values.sum(axis=1), 1)):
            raise OptionError("start= has rows that are not probabilities", allowed="rows that add up to 1")
        return values.T
    if values.shape != (len(groups),):
        raise OptionError(
            f"start= has shape {values.shape}",
            allowed=f"({len(groups)},) for clusters 1..{k}, or ({len(groups)}, {k}) for probabilities",
            todo="give one entry or one row per group, in the order of the groups",
        )
    empty = sorted(set(range(1, k + 1)) - set(values.tolist()))
    if empty or not set(values.tolist()) <= set(range(1, k + 1)):
        raise OptionError(
            f"start= uses the clusters {enumerate_briefly(sorted(set(values.tolist())))} for k={k}",
            allowed=f"every cluster from 1 to {k}, none empty",
            todo="number the clusters from 1",
        )
    return (values[None, :] == np.arange(1, k + 1)[:, None]).astype(float)
