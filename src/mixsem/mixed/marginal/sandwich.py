"""Cluster-robust covariance matrices of weighted least squares, and Satterthwaite's degrees of freedom for them.

Everything is in coordinates in which the columns are orthonormal, X'WX = I. There the adjustment of a cluster is a
function of its own cross-products: nothing is larger than rows by columns, or clusters by columns squared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["KINDS", "Kind", "Sandwich", "determined", "sandwich"]

Array = NDArray[np.float64]
Codes = NDArray[np.int32]

Kind = Literal["CR0", "CR1", "CR1S", "CR2", "CR3"]
KINDS: tuple[Kind, ...] = ("CR0", "CR1", "CR1S", "CR2", "CR3")
#: Eigenvalues of a cluster's share in the residuals below this are zeros: the cluster determines a coefficient alone.
ALONE = 1e-12
#: The same for eigenvalues and vectors as a whole, which have seen more operations.
ROUNDING = 1e-8


@dataclass(frozen=True, eq=False)
class Sandwich:
    """Least squares with a cluster-robust covariance matrix.

    Attributes
    ----------
    beta
        Coefficients, length p.
    vcov
        Their covariance matrix, (p, p); NaN where there is none.
    df
        Satterthwaite's degrees of freedom of each, under independent errors of the target variances; NaN likewise.
    residuals
        (n,).
    alone
        (p,) whether a single cluster determines the coefficient, whose error its residuals then do not show.
    lone
        (p,) whether the coefficient has no standard error: a single cluster determines it, or as many coefficients as
        there are clusters, or more, are left besides.
    """

    beta: Array
    vcov: Array
    df: Array
    residuals: Array
    alone: NDArray[np.bool_]
    lone: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Adjusted:
    """Of each cluster, with G = A W X, its adjusted rows: their products with residuals, X, W X and themselves."""

    scores: Array
    with_x: Array
    with_wx: Array
    squares: Array
    spread: Array  # X'W^2 X of all rows


def sandwich(X: Array, y: Array, weights: Array | None, codes: Codes, n_clusters: int, kind: Kind) -> Sandwich:
    """Fit least squares and the sandwich of a kind.

    Parameters
    ----------
    X, y
        (n, p) columns of full rank, and the response.
    weights
        (n,) or None. The errors are taken as independent with equal variances for the adjustment of CR2 and the degrees
        of freedom, as clubSandwich does; multiply rows by the roots of the weights where they are inverse variances.
    codes, n_clusters
        The cluster of each row.
    kind
        ``"CR0"`` without adjustment; ``"CR1"`` times G / (G - 1); ``"CR1S"`` also times (n - 1) / (n - p), Stata's and
        the default of sandwich::vcovCL; ``"CR2"`` of Bell & McCaffrey; ``"CR3"``, near the jackknife.

    References
    ----------
    Bell & McCaffrey (2002), Survey Methodology 28, 169-181. Pustejovsky & Tipton (2018), doi
    10.1080/07350015.2016.1247004.

    Examples
    --------
    >>> X, y = np.column_stack([np.ones(6), np.arange(6.0)]), np.array([1.0, 2, 2, 4, 4, 7])
    >>> found = sandwich(X, y, None, np.array([0, 0, 1, 1, 2, 2], dtype=np.int32), 3, "CR2")
    >>> np.sqrt(np.diagonal(found.vcov)).round(4), found.df.round(3)
    (array([0.7607, 0.2064]), array([1.071, 1.238]))
    """
    root = None if weights is None else np.sqrt(weights)[:, None]
    Q, R = np.linalg.qr(X if root is None else root * X)
    inner = Q.T @ (y if root is None else root[:, 0] * y)
    back = np.linalg.inv(R)
    U = Q if root is None else Q / root  # U'WU = I
    residuals = y - X @ (back @ inner)
    adjusted = _adjust(U, residuals, weights, codes, n_clusters, kind)
    meat = adjusted.scores.T @ adjusted.scores * _factor(kind, n_clusters, *X.shape)
    alone, lone = determined(X, codes, n_clusters)
    vcov, df = back @ meat @ back.T, _degrees(adjusted, back)
    vcov[lone], vcov[:, lone], df[lone] = np.nan, np.nan, np.nan
    return Sandwich(back @ inner, vcov, df, residuals, alone, lone)


def determined(X: Array, codes: Codes, n_clusters: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Coefficients to which a direction belongs that one cluster determines; and all that have no standard error.

    The directions in which X b is zero outside of one cluster are taken away; of those that are left there have to be
    fewer than clusters, as scores add up to zero.
    """
    Q, R = np.linalg.qr(X)
    back = np.linalg.inv(R)
    values, vectors = np.linalg.eigh(_products(Q, Q, codes, n_clusters))
    found = vectors.transpose(0, 2, 1)[values > 1.0 - ROUNDING]
    alone = (np.abs(back @ found.T) > ROUNDING * np.linalg.norm(back, axis=1)[:, None]).any(axis=1)
    return alone, alone | (X.shape[1] - len(found) >= n_clusters)


def _factor(kind: Kind, n_clusters: int, n: int, p: int) -> float:
    if kind not in ("CR1", "CR1S"):
        return 1.0
    small = n_clusters / (n_clusters - 1)
    return small if kind == "CR1" else small * (n - 1) / (n - p)


def _adjust(U: Array, e: Array, weights: Array | None, codes: Codes, n_clusters: int, kind: Kind) -> _Adjusted:
    if weights is not None and kind == "CR2":
        return _adjust_rows(U, e, weights, codes, n_clusters)
    WU = U if weights is None else weights[:, None] * U
    gram = _products(U, WU, codes, n_clusters)
    own = _sums(WU * e[:, None], codes, n_clusters)
    f = _function(gram, {"CR2": -0.5, "CR3": -1.0}.get(kind, 0.0))
    wide = gram if weights is None else _products(WU, WU, codes, n_clusters)
    return _Adjusted(
        scores=np.einsum("gij,gj->gi", f, own),
        with_x=gram @ f,
        with_wx=wide @ f,
        squares=f @ wide @ f,
        spread=wide.sum(axis=0),
    )


def _function(gram: Array, power: float) -> Array:
    """(I - gram)^power of each cluster, pseudo-inverse where a cluster determines a coefficient alone."""
    if power == 0.0:
        return np.broadcast_to(np.eye(gram.shape[1]), gram.shape)
    values, vectors = np.linalg.eigh(gram)
    return (vectors * _power(1.0 - values, power)[:, None, :]) @ vectors.transpose(0, 2, 1)


def _power(values: Array, power: float) -> Array:
    return np.where(values > ALONE, np.where(values > ALONE, values, 1.0) ** power, 0.0)


def _adjust_rows(U: Array, e: Array, weights: Array, codes: Codes, n_clusters: int) -> _Adjusted:
    """CR2 with weights that are no inverse variances: the adjustment of a cluster lives in the span of U and W U."""
    p = U.shape[1]
    WU = weights[:, None] * U
    spread = WU.T @ WU
    middle = np.block([[spread, -np.eye(p)], [-np.eye(p), np.zeros((p, p))]])
    scores = np.empty((n_clusters, p))
    with_x, with_wx, squares = (np.empty((n_clusters, p, p)) for _ in range(3))
    order = np.argsort(codes, kind="stable")
    for i, rows in enumerate(np.split(order, np.cumsum(np.bincount(codes, minlength=n_clusters))[:-1])):
        u, wu = U[rows], WU[rows]
        basis, r = np.linalg.qr(np.hstack([u, wu]))
        values, vectors = np.linalg.eigh(np.eye(len(r)) + r @ middle @ r.T)
        inside = basis @ vectors
        g = wu + inside @ ((_power(values, -0.5) - 1.0)[:, None] * (inside.T @ wu))
        scores[i], with_x[i], with_wx[i], squares[i] = g.T @ e[rows], u.T @ g, wu.T @ g, g.T @ g
    return _Adjusted(scores, with_x, with_wx, squares, spread)


def _degrees(adjusted: _Adjusted, back: Array) -> Array:
    """Satterthwaite's degrees of freedom of each coefficient.

    The variance estimate is a quadratic form of the errors; its eigenvalues are those of P (G x G) with P_ij = d_i
    [i = j] + u_i'K u_j: the traces of P and of P^2 need nothing of that size.
    """
    p = len(back)
    K = np.block([[adjusted.spread, -np.eye(p)], [-np.eye(p), np.zeros((p, p))]])
    found = np.empty(p)
    for k, c in enumerate(back):
        d = np.einsum("i,gij,j->g", c, adjusted.squares, c)
        u = np.hstack([adjusted.with_x @ c, adjusted.with_wx @ c])
        uK = u @ K
        cross = (uK * u).sum(axis=1)
        product = u.T @ uK  # (sum of u u') K
        trace = d.sum() + cross.sum()
        found[k] = trace**2 / (d @ d + 2.0 * d @ cross + (product * product.T).sum())
    return found


def _products(A: Array, B: Array, codes: Codes, n_clusters: int) -> Array:
    """A'B of the rows of each cluster, symmetric; (G, p, p)."""
    p = A.shape[1]
    found = np.empty((n_clusters, p, p))
    for i in range(p):
        for j in range(i, p):
            found[:, i, j] = found[:, j, i] = np.bincount(codes, A[:, i] * B[:, j], minlength=n_clusters)
    return found


def _sums(A: Array, codes: Codes, n_clusters: int) -> Array:
    """Sums of the columns over the rows of each cluster, (G, p)."""
    return np.column_stack([np.bincount(codes, column, minlength=n_clusters) for column in A.T])
