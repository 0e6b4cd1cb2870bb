"""Second derivatives of the normal log-likelihood over unrestricted moments, of complete or incomplete rows.

Rows of a pattern m see the part Sigma_m of Sigma; W_m is its inverse, with zeros where the pattern observes nothing,
z_m = W_m (mean_m - mu), and M_m = W_m (S_m + d d') W_m - W_m / 2. Minus the second derivative of log L is then a sum
over patterns of

- n W_ik for two means i and k,
- n (W_ki z_j + W_kj z_i) for a mean k and a covariance (i, j), halved for a variance,
- n (W_ik M_jl + W_jl M_ik + W_il M_jk + W_jk M_il) for two covariances, halved for each variance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .patterns import PatternTables

__all__ = ["moment_hessian", "pattern_hessian"]

Array = NDArray[np.float64]


def moment_hessian(W: Array, M: Array, z: Array, n: Array, meanstructure: bool = True) -> Array:
    """Hessian over means and the upper triangle of one group's Sigma, shape (q, q), added over patterns.

    Parameters
    ----------
    W, M
        As in the formulas of the module, shapes (m, p, p).
    z
        Shape (m, p).
    n
        Rows of each pattern, shape (m,).
    meanstructure
        Whether the means are among the moments.
    """
    p = z.shape[1]
    i, j = np.triu_indices(p)
    half = np.where(i == j, 0.5, 1.0)
    flat, weighed = W.reshape(-1, p * p), (n[:, None, None] * W).reshape(-1, p * p)
    # T[a, b, c, d] adds up W_ab M_cd: every product of the covariance part is an entry of it.
    T = (weighed.T @ M.reshape(-1, p * p)).reshape(p, p, p, p)
    ik, jl = (i[:, None], i), (j[:, None], j)
    il, jk = (i[:, None], j), (j[:, None], i)
    covariances = T[*ik, *jl] + T[*jl, *ik] + T[*il, *jk] + T[*jk, *il]
    covariances = half[:, None] * half * covariances
    if not meanstructure:
        return covariances
    Wz = (weighed.T @ z).reshape(p, p, p)
    crossed = half * (Wz[:, i, j] + Wz[:, j, i])
    means = (n @ flat).reshape(p, p)
    return np.block([[means, crossed], [crossed.T, covariances]])


def pattern_hessian(tables: PatternTables, mu: Array, Sigma: Array) -> Array:
    """Observed information of every group's moments, shape (G, q, q); NaN where a matrix is singular."""
    groups = []
    for g, (a, b) in enumerate(zip(tables.starts[:-1], tables.starts[1:], strict=True)):
        seen = tables.observed[a:b]
        both = seen[:, :, None] & seen[:, None, :]
        # Identity rows for what is missing: one batched inverse serves all patterns.
        padded = np.where(both, Sigma[g], np.eye(mu.shape[1]))
        W = np.where(both, np.linalg.inv(padded), 0.0)
        d = np.where(seen, tables.means[a:b] - mu[g], 0.0)
        z = np.einsum("mij,mj->mi", W, d)
        M = W @ tables.covariances[a:b] @ W + z[:, :, None] * z[:, None, :] - 0.5 * W
        groups.append(moment_hessian(W, M, z, tables.n[a:b]))
    return np.stack(groups)
