"""Scores of complete rows: derivatives of each row's normal log-likelihood with respect to its group's moments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["row_moment_scores"]

Array = NDArray[np.float64]


def row_moment_scores(values: Array, codes: NDArray[np.int64], mu: Array, W: Array) -> Array:
    """Scores of all rows, shape (N, q): W d for the means, then the upper triangle of the covariance matrix.

    With z = W d and d = row - mu, the score of an entry (i, j) of Sigma is (z_i z_j - W_ij)/2, twice that off the
    diagonal, where the entry stands for two.

    Parameters
    ----------
    values, codes
        Rows (N, p) and the group of each (N,).
    mu, W
        Means (G, p) and inverse covariance matrices (G, p, p).
    """
    rows, columns = np.triu_indices(values.shape[1])
    z = np.einsum("np,npq->nq", values - mu[codes], W[codes]) if len(W) > 1 else (values - mu[0]) @ W[0]
    pairs = z[:, rows] * z[:, columns] - W[codes][:, rows, columns]
    return np.hstack([z, np.where(rows == columns, 0.5, 1.0) * pairs])
