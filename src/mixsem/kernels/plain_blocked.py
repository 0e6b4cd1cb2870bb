"""The deviance of a linear mixed model in plain NumPy, from the definitions: dense, slow, short, independent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

__all__ = ["dense_random", "plain_criterion", "plain_gradient"]

Array = NDArray[np.float64]


def dense_random(codes: list[NDArray[np.int32]], Z: list[Array], n_levels: list[int]) -> Array:
    """The matrix Z of all random effects, shape (n, q), level after level of factor after factor."""
    parts = []
    for code, columns, levels in zip(codes, Z, n_levels, strict=True):
        n, k = columns.shape
        part = np.zeros((n, levels, k))
        part[np.arange(n), code] = columns
        parts.append(part.reshape(n, levels * k))
    return np.hstack(parts)


def plain_criterion(
    y: Array,
    X: Array,
    Z: Array,
    lambdas: list[Array],
    n_levels: list[int],
    weights: Array,
    reml: bool,
    sigma: float | None,
) -> float:
    """-2 log-likelihood or REML criterion from the n x n covariance matrix of the response."""
    Lambda = block_diag(*[np.kron(np.eye(n), lam) for n, lam in zip(n_levels, lambdas, strict=True)])
    half = Z @ Lambda
    V = half @ half.T + np.diag(1.0 / weights)
    solved = np.linalg.solve(V, np.column_stack([X, y]))
    information, score = X.T @ solved[:, :-1], X.T @ solved[:, -1]
    r2 = y @ solved[:, -1] - score @ np.linalg.solve(information, score)
    df = len(y) - (X.shape[1] if reml else 0)
    value = np.linalg.slogdet(V)[1] + (np.linalg.slogdet(information)[1] if reml else 0.0)
    if sigma is None:
        return float(value + df * (1.0 + np.log(2.0 * np.pi * r2 / df)))
    return float(value + df * np.log(2.0 * np.pi * sigma**2) + r2 / sigma**2)


def plain_gradient(
    y: Array,
    X: Array,
    Z: Array,
    lambdas: list[Array],
    n_levels: list[int],
    weights: Array,
    reml: bool,
    sigma: float | None,
) -> list[Array]:
    """Derivatives by the entries of each lambda: 2 sum_i (Z_i' P Z_i - Z_i' Py y'P Z_i / s2) lambda."""
    Lambda = block_diag(*[np.kron(np.eye(n), lam) for n, lam in zip(n_levels, lambdas, strict=True)])
    half = Z @ Lambda
    V_inverse = np.linalg.inv(half @ half.T + np.diag(1.0 / weights))
    solved = V_inverse @ X
    P = V_inverse - solved @ np.linalg.solve(X.T @ solved, solved.T)
    Py = P @ y
    r2 = y @ Py
    df = len(y) - (X.shape[1] if reml else 0)
    s2 = r2 / df if sigma is None else sigma**2
    inner = Z.T @ (P if reml else V_inverse) @ Z - np.outer(Z.T @ Py, Z.T @ Py) / s2
    gradients, at = [], 0
    for n, lam in zip(n_levels, lambdas, strict=True):
        k = len(lam)
        total = sum(inner[at + i * k : at + (i + 1) * k, at + i * k : at + (i + 1) * k] for i in range(n))
        gradients.append(2.0 * total @ lam)
        at += n * k
    return gradients
