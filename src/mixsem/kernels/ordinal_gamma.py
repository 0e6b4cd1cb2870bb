"""Asymptotic covariance of thresholds, means, variances and polychoric correlations of one group.

Both steps of the estimator solve score equations: one item's thresholds (or mean and variance) the scores of its
margin, a correlation the scores of its pair given both margins. With the scores s1 of the margins, s2 of the pairs and
the outer products A11 = sum s1 s1' (per item), A22 = sum s2^2 and A21 = sum s2 (derivative of the pair's
log-likelihood to the margins)', a person moves the estimates by

    margins       A11^-1 s1
    correlation   (s2 - A21 A11^-1 s1) / A22,

and Gamma is n times the sum of the outer products of these influences (Muthen, 1984; the same as A^-1 B A^-T).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from .bivariate import FAR, density
from .polychoric import LEAST, cell_probabilities, cell_slopes

__all__ = ["GroupItems", "compared_moments", "gamma_matrix"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class GroupItems(NamedTuple):
    """One group's answers with what was estimated from them.

    `codes` (n, p) numbers the categories from 0 (0 throughout for a continuous item), `z` (n, p) are the standardised
    values of continuous items (0 for ordered ones), `cuts` (p, K + 1) the cutpoints, `sd` (p,) standard deviations (1
    for ordered items), `R` (p, p) the correlations, `ordered` (p,) says which items are, and `n_categories` (p,) how
    many categories each has, 0 if it is continuous.
    """

    codes: Index
    z: Array
    cuts: Array
    sd: Array
    R: Array
    ordered: NDArray[np.bool_]
    n_categories: Index


class _Margins(NamedTuple):
    """Scores of the margins, (n, m), and where they stand: first column of each item, column of its variance."""

    scores: Array
    first: Index
    variance: Index


def compared_moments(ordered: NDArray[np.bool_]) -> Index:
    """Positions in the upper triangle of S, row by row, without the variances of ordered items, which are 1.

    Examples
    --------
    >>> compared_moments(np.array([True, False, True]))
    array([1, 2, 3, 4])
    """
    rows, columns = np.triu_indices(ordered.size)
    return np.flatnonzero((rows != columns) | ~ordered[rows])


def gamma_matrix(group: GroupItems) -> Array:
    """Covariance of sqrt(n) times thresholds or means, item after item, then the compared (co)variances.

    The latter stand in the order of `compared_moments`: correlations between ordered items, covariances where a
    continuous item takes part.

    Returns
    -------
    Array
        Shape (m + q, m + q) with m the thresholds and means; pairs with a correlation of +-1 or an item of no variance
        make it infinite or undefined.

    References
    ----------
    Muthen (1984), A general structural equation model with dichotomous, ordered categorical, and continuous latent
    variable indicators. Psychometrika 49, 115-132.
    """
    margins = _margins(group)
    n, p = group.codes.shape
    influence = np.empty_like(margins.scores)
    for own in _own_columns(group, margins):
        block = margins.scores[:, own]
        influence[:, own] = block @ np.linalg.pinv(block.T @ block, hermitian=True)
    rows, columns = np.triu_indices(p, 1)
    scores, cross = np.empty((n, rows.size)), np.zeros((rows.size, influence.shape[1]))
    both = group.ordered[rows] & group.ordered[columns]
    _ordered_pairs(group, margins, np.flatnonzero(both), rows, columns, scores, cross)
    for m in np.flatnonzero(~both):
        i, j = int(rows[m]), int(columns[m])
        if group.ordered[i] or group.ordered[j]:
            _mixed_pair(group, margins, *((j, i) if group.ordered[i] else (i, j)), scores[:, m], cross[m])
        else:
            _continuous_pair(group, margins, i, j, scores[:, m], cross[m])
    curvature = np.einsum("nm,nm->m", scores, scores)
    correlation = (scores - influence @ cross.T) / curvature
    moments = _as_covariances(group, margins, influence, correlation, rows, columns)
    located = np.delete(influence, margins.variance[margins.variance >= 0], axis=1)
    stacked = np.hstack([located, moments])
    return np.asarray(n * (stacked.T @ stacked))


def _margins(group: GroupItems) -> _Margins:
    """Scores of every item's thresholds, or its mean and variance."""
    n, p = group.codes.shape
    columns: list[Array] = []
    first, variance = np.zeros(p, dtype=np.int64), np.full(p, -1)
    for j in range(p):
        first[j] = len(columns)
        if group.ordered[j]:
            cut, code = np.clip(group.cuts[j], -FAR, FAR), group.codes[:, j]
            probability = np.maximum(np.diff(ndtr(cut)), LEAST)[code]
            for a in range(1, group.n_categories[j]):
                sign = (code == a - 1).astype(float) - (code == a)
                columns.append(sign * density(cut[a]) / probability)
        else:
            variance[j] = len(columns) + 1
            z, sd = group.z[:, j], group.sd[j]
            columns += [z / sd, 0.5 * (z * z - 1.0) / sd**2]
    return _Margins(np.stack(columns, axis=1) if columns else np.empty((n, 0)), first, variance)


def _own_columns(group: GroupItems, margins: _Margins) -> list[slice]:
    """The columns of each item's scores."""
    counts = np.where(group.ordered, group.n_categories - 1, 2)
    return [slice(int(a), int(a + count)) for a, count in zip(margins.first, counts, strict=True)]


def _ordered_pairs(
    group: GroupItems, margins: _Margins, pairs: Index, rows: Index, columns: Index, scores: Array, cross: Array
) -> None:
    """Scores of all pairs of ordered items at once, and their products with the derivatives to the thresholds."""
    if pairs.size == 0:
        return
    i, j = rows[pairs], columns[pairs]
    rho, K = group.R[i, j], group.cuts.shape[1] - 1
    P = cell_probabilities(group.cuts[i], group.cuts[j], rho)
    # A cell that nobody is in has no say, whatever its probability.
    cell = group.codes[:, i] * K + group.codes[:, j]
    counts = np.stack([np.bincount(c, minlength=K * K) for c in cell.T]).reshape(-1, K, K)
    score = np.where(counts > 0, cell_slopes(group.cuts[i], group.cuts[j], rho) / P, 0.0)
    scores[:, pairs] = score.reshape(pairs.size, -1)[np.arange(pairs.size), cell]
    weight = counts * score / P
    for item, other, turned in ((i, j, weight), (j, i, weight.swapaxes(1, 2))):
        edge = _edge_density(group.cuts[item], group.cuts[other], rho)  # (M, K - 1, K)
        product = (edge * (turned[:, :-1] - turned[:, 1:])).sum(axis=2)
        for a in range(K - 1):
            has = a < group.n_categories[item] - 1
            cross[pairs[has], margins.first[item[has]] + a] = product[has, a]


def _edge_density(cut: Array, other: Array, rho: Array) -> Array:
    """Density at each inner cutpoint of an item within each category of the other item, shape (M, K - 1, K)."""
    cut, other = np.clip(cut, -FAR, FAR)[:, 1:-1], np.clip(other, -FAR, FAR)
    R = np.sqrt(1.0 - rho * rho)[:, None, None]
    below = ndtr((other[:, None, :] - rho[:, None, None] * cut[:, :, None]) / R)
    return np.asarray(density(cut)[:, :, None] * np.diff(below, axis=2))


def _mixed_pair(group: GroupItems, margins: _Margins, x: int, y: int, score: Array, cross: Array) -> None:
    """A continuous item x and an ordered item y; fills `score` (n,) and `cross` (m,)."""
    rho, sd, z, code = group.R[x, y], group.sd[x], group.z[:, x], group.codes[:, y]
    R = np.sqrt(1.0 - rho * rho)
    cut = np.clip(group.cuts[y], -FAR, FAR)
    high, low = (cut[code + 1] - rho * z) / R, (cut[code] - rho * z) / R
    P = np.maximum(ndtr(high) - ndtr(low), LEAST)
    at_high, at_low = density(high) / P, density(low) / P
    score[:] = (at_high * (cut[code + 1] * rho - z) - at_low * (cut[code] * rho - z)) / R**3
    pull = (at_high - at_low) * rho / R
    cross[margins.first[x]] = score @ (z + pull) / sd
    cross[margins.variance[x]] = score @ (z * z - 1.0 + pull * z) / (2.0 * sd * sd)
    for a in range(1, group.n_categories[y]):
        change = np.where(code == a - 1, at_high, 0.0) - np.where(code == a, at_low, 0.0)
        cross[margins.first[y] + a - 1] = score @ change / R


def _continuous_pair(group: GroupItems, margins: _Margins, i: int, j: int, score: Array, cross: Array) -> None:
    """Two continuous items; fills `score` (n,) and `cross` (m,)."""
    rho, rest = group.R[i, j], 1.0 - group.R[i, j] ** 2
    x, y = group.z[:, i], group.z[:, j]
    score[:] = rho / rest + x * y / rest - rho * (x * x - 2.0 * rho * x * y + y * y) / rest**2
    for item, own, other in ((i, x, y), (j, y, x)):
        sd = group.sd[item]
        cross[margins.first[item]] = score @ (own - rho * other) / (sd * rest)
        cross[margins.variance[item]] = score @ ((own * own - rho * own * other) / rest - 1.0) / (2.0 * sd * sd)


def _as_covariances(
    group: GroupItems, margins: _Margins, influence: Array, correlation: Array, rows: Index, columns: Index
) -> Array:
    """Influence on the compared (co)variances from the one on correlations and variances, in their order."""
    n, p = group.codes.shape
    every = np.zeros((n, p, p))
    scaled = correlation * (group.sd[rows] * group.sd[columns])
    for item, other in ((rows, columns), (columns, rows)):
        has = ~group.ordered[item]
        own = influence[:, np.maximum(margins.variance[item], 0)]
        factor = np.where(has, group.R[rows, columns] * group.sd[other] / (2.0 * group.sd[item]), 0.0)
        scaled = scaled + own * factor
    every[:, rows, columns] = scaled
    continuous = np.flatnonzero(~group.ordered)
    every[:, continuous, continuous] = influence[:, margins.variance[continuous]]
    upper = np.triu_indices(p)
    return np.asarray(every[:, upper[0], upper[1]][:, compared_moments(group.ordered)])
