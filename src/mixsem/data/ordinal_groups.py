"""Thresholds and polychoric correlations of all groups from complete rows, and the trouble they show."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import compress, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import (
    DataError,
    NonPositiveDefiniteWarning,
    Notice,
    PolychoricWarning,
    SparseCategoriesWarning,
    enumerate_briefly,
)
from ..kernels.bivariate import FAR
from ..kernels.ordinal_gamma import GroupItems, gamma_matrix
from ..kernels.polychoric import cutpoints, keep_margins, polychoric, polyserial
from .grouped import GroupedData

__all__ = ["NEAR_ONE", "GroupEstimates", "estimate_groups", "ordinal_notices"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

NEAR_ONE = 0.99
"""Correlations beyond this are told."""


class GroupEstimates(NamedTuple):
    """Estimates of all groups, as in `OrdinalMoments`, and how many tables of two items have empty cells, (G,)."""

    counts: NDArray[np.int64]
    thresholds: Array
    means: Array
    covariances: Array
    Gamma: tuple[Array, ...]
    tables_empty: NDArray[np.int64]


class _Coded(NamedTuple):
    """One group's answers by category: all categories of the item, and those that the group has."""

    codes: Index  # (n, p) among the categories present, 0 for continuous items
    counts: Index  # (p, K) of all categories
    present: Index  # (p, K) of those present, filled from the left


def estimate_groups(
    grouped: GroupedData, ordered: NDArray[np.bool_], categories: Sequence[Sequence[float]]
) -> GroupEstimates:
    """Two-step estimates of every group; a category that a group lacks is left out of its tables.

    Raises
    ------
    DataError
        If an item has one category only in a group, or does not vary there.
    """
    K = max((len(values) for values in categories), default=1) or 1
    edges = np.concatenate([[0], np.cumsum(grouped.n)])
    values = [grouped.values[a:b] for a, b in pairwise(edges.tolist())]
    coded = [_coded(rows, ordered, categories, K) for rows in values]
    _require_variation(grouped, ordered, values, coded)
    cuts = cutpoints(np.stack([group.present for group in coded]).astype(float)) if ordered.any() else None
    if cuts is None:
        cuts = np.tile([-FAR, FAR], (len(values), ordered.size, 1))
    cuts = np.where(ordered[:, None], cuts, np.where(np.arange(K + 1) == 0, -FAR, FAR))
    means = np.where(ordered, 0.0, np.stack([rows.mean(axis=0) for rows in values]))
    sd = np.where(ordered, 1.0, np.stack([rows.std(axis=0) for rows in values]))
    z = [np.where(ordered, 0.0, (rows - means[g]) / sd[g]) for g, rows in enumerate(values)]
    R, empty = _ordered_correlations(ordered, coded, cuts)
    for g, group in enumerate(coded):
        _other_correlations(R[g], ordered, z[g], group.codes, cuts[g])
    Gamma = tuple(
        gamma_matrix(GroupItems(c.codes, z[g], cuts[g], sd[g], R[g], ordered, (c.present > 0).sum(axis=1) * ordered))
        for g, c in enumerate(coded)
    )
    counts = np.stack([group.counts for group in coded])
    return GroupEstimates(
        counts=counts,
        thresholds=_thresholds(counts, categories, K),
        means=means,
        covariances=R * (sd[:, :, None] * sd[:, None, :]),
        Gamma=Gamma,
        tables_empty=empty,
    )


def _coded(rows: Array, ordered: NDArray[np.bool_], categories: Sequence[Sequence[float]], K: int) -> _Coded:
    """Number the categories of every ordered item."""
    p = ordered.size
    codes = np.zeros(rows.shape, dtype=np.int64)
    counts, present = np.zeros((p, K), dtype=np.int64), np.zeros((p, K), dtype=np.int64)
    for j in np.flatnonzero(ordered):
        code = np.searchsorted(np.asarray(categories[int(j)]), rows[:, j])
        counts[j] = np.bincount(code, minlength=K)
        used = counts[j] > 0
        present[j, : used.sum()] = counts[j, used]
        codes[:, j] = (np.cumsum(used) - 1)[code]
    return _Coded(codes, counts, present)


def _require_variation(
    grouped: GroupedData, ordered: NDArray[np.bool_], values: Sequence[Array], coded: Sequence[_Coded]
) -> None:
    constant: list[tuple[str, Hashable]] = []
    for g, (rows, group) in enumerate(zip(values, coded, strict=True)):
        varies = np.where(ordered, (group.counts > 0).sum(axis=1) > 1, np.ptp(rows, axis=0) > 0)
        constant += [(grouped.items[j], grouped.groups[g]) for j in np.flatnonzero(~varies)]
    if constant:
        raise DataError(
            "an item does not vary in a group, so that it has no correlation: "
            + enumerate_briefly([f"{item} in {group}" for item, group in constant]),
            allowed="two categories or more of every item in every group",
            todo="leave out these groups or these items",
        )


def _ordered_correlations(
    ordered: NDArray[np.bool_], coded: Sequence[_Coded], cuts: Array
) -> tuple[Array, NDArray[np.int64]]:
    """Polychoric correlations of all pairs and groups at once; and tables with empty cells per group."""
    n_groups, p, K = len(coded), ordered.size, cuts.shape[2] - 1
    R = np.tile(np.eye(p), (n_groups, 1, 1))
    at = np.flatnonzero(ordered)
    a, b = np.triu_indices(at.size, 1)
    i, j = at[a], at[b]
    if i.size == 0:
        return R, np.zeros(n_groups, dtype=np.int64)
    tables = np.empty((n_groups, i.size, K, K))
    for g, group in enumerate(coded):
        cell = group.codes[:, i] * K + group.codes[:, j]
        tables[g] = np.stack([np.bincount(c, minlength=K * K) for c in cell.T]).reshape(-1, K, K)
    sizes = np.stack([(group.present > 0).sum(axis=1) for group in coded])
    empty = ((tables > 0).sum(axis=(2, 3)) < sizes[:, i] * sizes[:, j]).sum(axis=1)
    flat = keep_margins(tables.reshape(-1, K, K))
    rho = polychoric(cuts[:, i].reshape(-1, K + 1), cuts[:, j].reshape(-1, K + 1), flat).reshape(n_groups, -1)
    R[:, i, j] = R[:, j, i] = rho
    return R, empty


def _other_correlations(R: Array, ordered: NDArray[np.bool_], z: Array, codes: Index, cuts: Array) -> None:
    """Fill in Pearson and polyserial correlations of one group."""
    x, y = np.flatnonzero(~ordered), np.flatnonzero(ordered)
    if x.size == 0:
        return
    R[np.ix_(x, x)] = z[:, x].T @ z[:, x] / len(z)
    R[x, x] = 1.0
    for j in y:
        low, high = np.tile(cuts[j, codes[:, j]], (x.size, 1)), np.tile(cuts[j, codes[:, j] + 1], (x.size, 1))
        R[x, j] = R[j, x] = polyserial(z[:, x].T, low, high)


def _thresholds(counts: NDArray[np.int64], categories: Sequence[Sequence[float]], K: int) -> Array:
    """Thresholds after every category but the last; infinite beyond the categories a group has."""
    thresholds = np.full((*counts.shape[:2], max(K - 1, 0)), np.nan)
    for j, values in enumerate(categories):
        if values:
            inner = cutpoints(counts[:, j, : len(values)].astype(float))[:, 1:-1]
            thresholds[:, j, : len(values) - 1] = np.where(np.abs(inner) < FAR, inner, np.copysign(np.inf, inner))
    return thresholds


def ordinal_notices(
    grouped: GroupedData, categories: Sequence[Sequence[float]], estimates: GroupEstimates
) -> tuple[Notice, ...]:
    """What the estimates say about categories that are missing or rare, and about correlations near 1."""
    notices = []
    lacking: dict[Hashable, list[str]] = {}
    for j, values in enumerate(categories):
        for g, c in np.argwhere(estimates.counts[:, j, : len(values)] == 0):
            lacking.setdefault(grouped.groups[int(g)], []).append(f"{grouped.items[j]} = {values[int(c)]:g}")
    if lacking:
        listed = [f"{group} ({enumerate_briefly(found, 4)})" for group, found in lacking.items()]
        text = (
            f"{_groups(len(lacking))} no answer in some category: {enumerate_briefly(listed)}. Such a group has fewer"
            " thresholds; its correlations are estimated from the categories it has. Join categories before comparing"
            " thresholds."
        )
        notices.append(Notice(SparseCategoriesWarning, text, tuple(lacking)))
    sparse = estimates.tables_empty > 0
    if sparse.any():
        named = tuple(compress(grouped.groups, sparse))
        text = (
            f"{_groups(len(named))} empty cells in tables of two items ({int(estimates.tables_empty.sum()):,} tables):"
            f" {enumerate_briefly(named)}. Correlations and their standard errors are less certain there; in small"
            " groups join rare categories. In a 2 x 2 table half a person was moved into the empty cell."
        )
        notices.append(Notice(SparseCategoriesWarning, text, named))
    notices += _correlation_notices(grouped, estimates.covariances)
    return tuple(notices)


def _correlation_notices(grouped: GroupedData, covariances: Array) -> list[Notice]:
    notices = []
    scale = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    R = covariances / (scale[:, :, None] * scale[:, None, :])
    hit = [(int(g), int(i), int(j)) for g, i, j in np.argwhere(np.abs(np.triu(R, 1)) > NEAR_ONE)]
    if hit:
        listed = [
            f"{grouped.items[i]} with {grouped.items[j]} in {grouped.groups[g]} ({R[g, i, j]:.3f})" for g, i, j in hit
        ]
        text = (
            f"correlations of nearly 1: {enumerate_briefly(listed)}. The items tell the same there, or the group is too"
            " small; standard errors and tests with them are not to be trusted. Drop one of the items, or the group."
        )
        notices.append(Notice(PolychoricWarning, text, tuple(dict.fromkeys(grouped.groups[g] for g, _, _ in hit))))
    indefinite = np.linalg.eigvalsh(R)[:, 0] <= 0
    if indefinite.any():
        named = tuple(compress(grouped.groups, indefinite))
        text = (
            f"the matrix of polychoric correlations is not positive definite in {enumerate_briefly(named)}: each was"
            " estimated from two items alone. Small groups and rare categories cause it."
        )
        notices.append(Notice(NonPositiveDefiniteWarning, text, named))
    return notices


def _groups(count: int) -> str:
    return "1 group has" if count == 1 else f"{count} groups have"
