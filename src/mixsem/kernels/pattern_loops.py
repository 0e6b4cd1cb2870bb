"""The compiled loops behind `patterns`: sums over patterns of missing values, one small matrix at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .compiled import cached_njit

__all__ = ["fill_information", "fill_scores", "fill_sums"]

Array = NDArray[np.float64]

#: Smallest share of an item's variance that the items before it must leave, for a matrix to count as definite.
LEAST_PIVOT = 1e-13


@cached_njit
def _invert(
    Sigma: Array, observed: NDArray[np.bool_], index: NDArray[np.int64], root: Array, W: Array
) -> tuple[int, float]:
    """Number of observed items and log|Sigma_m|, nan if not positive definite; W_m and the items are written."""
    k = 0
    for i in range(observed.size):
        if observed[i]:
            index[k] = i
            k += 1
    log_det = 0.0
    for i in range(k):  # Cholesky root, lower triangle
        for j in range(i + 1):
            total = Sigma[index[i], index[j]]
            for h in range(j):
                total -= root[i, h] * root[j, h]
            if i > j:
                root[i, j] = total / root[j, j]
            elif total > LEAST_PIVOT * Sigma[index[i], index[i]]:
                root[i, i] = np.sqrt(total)
                log_det += np.log(total)
            else:
                return k, np.nan
    for j in range(k):  # inverse of the root, in its place
        root[j, j] = 1.0 / root[j, j]
        for i in range(j + 1, k):
            total = 0.0
            for h in range(j, i):
                total -= root[i, h] * root[h, j]
            root[i, j] = total / root[i, i]
    for i in range(k):
        for j in range(i + 1):
            total = 0.0
            for h in range(i, k):
                total += root[h, i] * root[h, j]
            W[i, j] = total
            W[j, i] = total
    return k, log_det


@cached_njit
def fill_sums(
    observed: NDArray[np.bool_],
    starts: NDArray[np.int64],
    n: Array,
    means: Array,
    covariances: Array,
    mu: Array,
    Sigma: Array,
    wanted: NDArray[np.int64],
    deviance: Array,
    mean_part: Array,
    Omega: Array,
) -> None:
    """Fill the sums of the wanted groups."""
    p = mu.shape[1]
    index = np.empty(p, dtype=np.int64)
    root, W, C, WC = np.zeros((p, p)), np.empty((p, p)), np.empty((p, p)), np.empty((p, p))
    d, w = np.empty(p), np.empty(p)
    for g in wanted:
        for m in range(starts[g], starts[g + 1]):
            k, log_det = _invert(Sigma[g], observed[m], index, root, W)
            if not np.isfinite(log_det):
                deviance[g] = np.inf
                break
            for i in range(k):
                d[i] = means[m, index[i]] - mu[g, index[i]]
            distance = 0.0
            for i in range(k):
                w[i] = 0.0
                for j in range(k):
                    w[i] += W[i, j] * d[j]
                distance += w[i] * d[i]
                mean_part[g, index[i]] += n[m] * w[i]
            if n[m] == 1.0:  # no covariances: W C W is the square of w
                for i in range(k):
                    for j in range(k):
                        Omega[g, index[i], index[j]] += W[i, j] - w[i] * w[j]
                deviance[g] += k * np.log(2 * np.pi) + log_det + distance
                continue
            trace = 0.0
            for i in range(k):
                for j in range(k):
                    C[i, j] = Sigma[g, index[i], index[j]] - covariances[m, index[i], index[j]] - d[i] * d[j]
            for i in range(k):
                for j in range(k):
                    total = 0.0
                    for h in range(k):
                        total += W[i, h] * C[h, j]
                    WC[i, j] = total
                trace += WC[i, i]
            for i in range(k):
                for j in range(i + 1):
                    total = 0.0
                    for h in range(k):
                        total += WC[i, h] * W[h, j]
                    Omega[g, index[i], index[j]] += n[m] * total
                    if i != j:
                        Omega[g, index[j], index[i]] += n[m] * total
            deviance[g] += n[m] * (k * np.log(2 * np.pi) + log_det + k - trace)


@cached_njit
def fill_information(
    observed: NDArray[np.bool_], starts: NDArray[np.int64], n: Array, Sigma: Array, information: Array
) -> None:
    """Fill the upper triangles."""
    G, p = Sigma.shape[:2]
    index = np.empty(p, dtype=np.int64)
    root, W = np.zeros((p, p)), np.empty((p, p))
    for g in range(G):
        for m in range(starts[g], starts[g + 1]):
            k, log_det = _invert(Sigma[g], observed[m], index, root, W)
            if not np.isfinite(log_det):
                information[g] = np.nan
                break
            for i in range(k):
                a0 = p + index[i] * p - index[i] * (index[i] + 1) // 2
                for j in range(i, k):
                    information[g, index[i], index[j]] += n[m] * W[i, j]
                    a, half = a0 + index[j], n[m] * (0.5 if i == j else 1.0)
                    for r in range(i, k):
                        b0 = p + index[r] * p - index[r] * (index[r] + 1) // 2
                        for s in range(j if r == i else r, k):
                            share = half * 0.5 if r == s else half
                            information[g, a, b0 + index[s]] += share * (W[i, r] * W[j, s] + W[i, s] * W[j, r])


@cached_njit
def fill_scores(
    observed: NDArray[np.bool_],
    starts: NDArray[np.int64],
    order: NDArray[np.int64],
    first: NDArray[np.int64],
    values: Array,
    mu: Array,
    Sigma: Array,
    scores: Array,
) -> None:
    """Fill the scores; rows first[m] to first[m + 1] - 1 of `order` have pattern m."""
    p = values.shape[1]
    index = np.empty(p, dtype=np.int64)
    root, W, w = np.zeros((p, p)), np.empty((p, p)), np.empty(p)
    for g in range(len(starts) - 1):
        for m in range(starts[g], starts[g + 1]):
            k, log_det = _invert(Sigma[g], observed[m], index, root, W)
            for row in order[first[m] : first[m + 1]]:
                if not np.isfinite(log_det):
                    scores[row] = np.nan
                    continue
                for i in range(k):
                    w[i] = 0.0
                    for j in range(k):
                        w[i] += W[i, j] * (values[row, index[j]] - mu[g, index[j]])
                for i in range(k):
                    scores[row, index[i]] = w[i]
                    a0 = p + index[i] * p - index[i] * (index[i] + 1) // 2
                    for j in range(i, k):
                        scores[row, a0 + index[j]] = (0.5 if i == j else 1.0) * (w[i] * w[j] - W[i, j])
