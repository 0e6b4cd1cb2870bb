"""Asymptotic covariances of means and covariances: distribution-free from rows, and under normality.

Moments are stacked as everywhere: the means, if wanted, then the upper triangle of S row by row. A `Gamma` is the
covariance matrix of sqrt(n) times these moments.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["adf_gamma", "normal_gamma", "normal_weight", "vech"]

Array = NDArray[np.float64]


def vech(matrices: Array) -> Array:
    """Upper triangles row by row: (..., p, p) to (..., p(p+1)/2)."""
    rows, columns = np.triu_indices(matrices.shape[-1])
    return np.asarray(matrices[..., rows, columns])


def adf_gamma(values: Array, means: Array | None = None, *, meanstructure: bool = True) -> Array:
    """Distribution-free covariance of sqrt(n) (means, vech S), divisor n.

    Parameters
    ----------
    values
        Complete rows of one group, shape (n, p).
    means
        Where to centre them, shape (p,); the rows' own means if None.
    meanstructure
        Whether the means are among the moments.

    Returns
    -------
    Array
        Shape (q, q), q = [p +] p(p+1)/2; singular if n <= q.

    Examples
    --------
    >>> adf_gamma(np.array([[0.0], [1.0], [2.0], [5.0]]))
    array([[ 3.5 ,  4.5 ],
           [ 4.5 , 12.25]])

    References
    ----------
    Browne (1984), Asymptotically distribution-free methods for the analysis of covariance structures. British Journal
    of Mathematical and Statistical Psychology 37, 62-83.
    """
    centred = values - (values.mean(axis=0) if means is None else means)
    rows, columns = np.triu_indices(values.shape[1])
    products = centred[:, rows] * centred[:, columns]
    stacked = np.hstack([centred, products]) if meanstructure else products
    stacked = stacked - stacked.mean(axis=0)
    return np.asarray(stacked.T @ stacked / len(values))


def normal_gamma(S: Array, *, meanstructure: bool = True) -> Array:
    """Covariance of sqrt(n) (means, vech S) of normal data: s_ik s_jl + s_il s_jk, and S for the means.

    Parameters
    ----------
    S
        Covariance matrices, shape (..., p, p).
    meanstructure
        Whether the means are among the moments.

    Returns
    -------
    Array
        Shape (..., q, q).

    Examples
    --------
    >>> normal_gamma(np.array([[2.0]]))
    array([[2., 0.],
           [0., 8.]])
    """
    return _with_means(S, _products(S), meanstructure)


def normal_weight(W: Array, *, meanstructure: bool = True) -> Array:
    """Inverse of `normal_gamma`, from W = S^-1: the weight matrix of generalised least squares.

    Examples
    --------
    >>> normal_weight(np.array([[0.5]]))
    array([[0.5  , 0.   ],
           [0.   , 0.125]])
    """
    rows, columns = np.triu_indices(W.shape[-1])
    c = np.where(rows == columns, 0.5, 1.0)
    return _with_means(W, np.outer(c, c) * _products(W), meanstructure)


def _products(A: Array) -> Array:
    """a_ik a_jl + a_il a_jk over pairs (i, j) and (k, l) of the upper triangle."""
    i, j = np.triu_indices(A.shape[-1])
    k, m = i[None, :], j[None, :]
    i, j = i[:, None], j[:, None]
    return np.asarray(A[..., i, k] * A[..., j, m] + A[..., i, m] * A[..., j, k])


def _with_means(A: Array, lower: Array, meanstructure: bool) -> Array:
    """Block-diagonal matrix of a means' part and a covariances' part."""
    if not meanstructure:
        return lower
    p, q = A.shape[-1], lower.shape[-1]
    both = np.zeros((*A.shape[:-2], p + q, p + q))
    both[..., :p, :p] = A
    both[..., p:, p:] = lower
    return both
