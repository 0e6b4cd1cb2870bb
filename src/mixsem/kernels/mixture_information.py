"""Second derivatives of the mixture's log-likelihood, residual matrices maximised out (equation 13).

In group g and cluster k, log f = -N/2 sum over residual blocks of log|E|, E the block of (I - B) Phi (I - B)'. With P
the inverse of E and U the covariances of predictors and residuals, U_rc = [Phi (I - B)']_{x_r, c}, regression r of
outcome a has the score and, with regression t of outcome c of the same block, the curvature

    s_r = N (P U_r)_a,    D_rt = -N Phi_{x_r x_t} P_ac + N [(P U_r)_c (P U_t)_a + (U_r' P U_t) P_ac].

Louis' formula puts clusters together: minus the Hessian is the expected complete information less the covariance of the
complete scores over clusters, both under the posterior classification probabilities.

Axes: k clusters, g groups, r regressions (fixed ones included).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .mixture import EMData, residual_matrices, residual_products

__all__ = ["ClusterScores", "cluster_scores", "mixture_hessian", "phi_derivative"]

Array = NDArray[np.float64]


class ClusterScores(NamedTuple):
    """Derivatives of every group's log density in every cluster with respect to the regressions."""

    score: Array  # (k, g, r)
    curvature: Array  # (k, g, r, r)


class _Block(NamedTuple):
    """One residual block: where its regressions are, and what their derivatives are made of."""

    rows: NDArray[np.int64]  # regressions of the block
    home: NDArray[np.int64]  # position of each regression's outcome in the block
    P: Array  # (k, g, b, b)
    U: Array  # (k, g, rows, b)
    Phi: Array  # (g, Q, Q), what group-specific regressions leave of the moments
    floored: NDArray[np.bool_]  # (k, g) held at the floor, where Psi does not follow E


def cluster_scores(data: EMData, beta: Array) -> ClusterScores:
    """Scores and curvatures at coefficients beta, shape (k, r)."""
    k, R = beta.shape
    score, curvature = np.zeros((k, data.n.size, R)), np.zeros((k, data.n.size, R, R))
    for block in _blocks(data, beta):
        rows, home = block.rows, block.home
        x = data.predictor[rows]
        PU = block.U @ block.P  # (k, g, rows, b): (P U_r)_c
        score[:, :, rows] = data.n[:, None] * np.take_along_axis(PU, _home(home, PU.shape), axis=3)[..., 0]
        P_home = block.P[:, :, home[:, None], home]
        crossed = PU[:, :, :, home]  # (P U_r)_{home of t}
        inner = PU @ block.U.swapaxes(2, 3)
        D = -block.Phi[:, x[:, None], x] * P_home
        D = D + ~block.floored[:, :, None, None] * (crossed * crossed.swapaxes(2, 3) + inner * P_home)
        curvature[:, :, rows[:, None], rows] = data.n[:, None, None] * D
    return ClusterScores(score, curvature)


def _home(home: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    return np.broadcast_to(home[:, None], (*shape[:2], home.size, 1))


def _blocks(data: EMData, beta: Array) -> list[_Block]:
    Q = data.n_factors
    I_minus_B = np.tile(np.eye(Q), (beta.shape[0], 1, 1))
    I_minus_B[:, data.outcome, data.predictor] = -beta
    products = residual_products(data, beta[None])
    residuals = residual_matrices(data, products, None)
    blocks = []
    for number, (block, E, residual) in enumerate(zip(data.blocks, products, residuals, strict=True)):
        Phi = data.moments(number)
        left = Phi[None] @ I_minus_B[:, None].swapaxes(2, 3)  # Phi (I - B)', (k, g, Q, Q)
        rows = np.flatnonzero(np.isin(data.outcome, block))
        if not rows.size:
            continue
        home = np.array([block.index(j) for j in data.outcome[rows]])
        U = left[:, :, data.predictor[rows]][:, :, :, list(block)]
        floored = ~np.isclose(residual.Psi[0], E[0], rtol=1e-9, atol=0.0).all(axis=(2, 3))
        blocks.append(_Block(rows, home, residual.inverse[0], U, Phi, floored))
    return blocks


def mixture_hessian(data: EMData, beta: Array, pi: Array, z: Array) -> Array:
    """Hessian of log L over the regressions of each cluster and the logits, shape (k r + k - 1,) twice.

    Regressions come cluster by cluster, fixed ones included, then the logits of the proportions against the last
    cluster.

    Parameters
    ----------
    data
        What the EM iterations work on, residual matrices of each group and cluster.
    beta, pi
        Coefficients (k, r) and proportions (k,).
    z
        Posterior classification probabilities, shape (k, g).
    """
    k, R = beta.shape
    score, curvature = cluster_scores(data, beta)
    weighted = z[:, :, None] * score
    H = np.zeros((k * R + k - 1,) * 2)
    inner = np.einsum("kg,kgrt->krt", z, curvature) + np.einsum("kgr,kgt->krt", weighted, score)
    for c in range(k):
        H[c * R : (c + 1) * R, c * R : (c + 1) * R] = inner[c]
    flat = weighted.swapaxes(0, 1).reshape(data.n.size, k * R)
    H[: k * R, : k * R] -= flat.T @ flat
    free = z[:-1]  # logits: the last cluster is the reference
    logits = np.diag(free.sum(axis=1)) - free @ free.T
    H[k * R :, k * R :] = logits - data.n.size * (np.diag(pi[:-1]) - np.outer(pi[:-1], pi[:-1]))
    crossed = -free @ flat
    for c in range(k - 1):
        crossed[c, c * R : (c + 1) * R] += weighted[c].sum(axis=0)
    H[k * R :, : k * R], H[: k * R, k * R :] = crossed, crossed.T
    return H


def phi_derivative(data: EMData, beta: Array, z: Array, direction: Array | tuple[Array, ...]) -> Array:
    """Derivative of every group's score along a change of its factor covariances, shape (g, k r + k - 1).

    Parameters
    ----------
    data, beta, z
        As in `mixture_hessian`.
    direction
        Symmetric change of Phi, shape (Q, Q) or (g, Q, Q); or one per block, of what the block works on.
    """
    k, R = beta.shape
    changes = direction if isinstance(direction, tuple) else (direction,) * len(data.blocks)
    score = cluster_scores(data, beta).score
    moved = np.zeros_like(score)
    density = np.zeros((k, data.n.size))
    I_minus_B = np.tile(np.eye(data.n_factors), (k, 1, 1))
    I_minus_B[:, data.outcome, data.predictor] = -beta
    for block, number in zip(_blocks(data, beta), _with_rows(data), strict=True):
        rows, home, P, U, _, floored = block
        at = list(data.blocks[number])
        V = np.broadcast_to(changes[number], data.Phi.shape)
        left = V[None] @ I_minus_B[:, None].swapaxes(2, 3)
        dE = (I_minus_B[:, None] @ left)[:, :, at][:, :, :, at]
        dP = np.where(floored[:, :, None, None], 0.0, -P @ dE @ P)
        dU = left[:, :, data.predictor[rows]][:, :, :, at]
        dPU = dU @ P + U @ dP
        moved[:, :, rows] = data.n[:, None] * np.take_along_axis(dPU, _home(home, dPU.shape), axis=3)[..., 0]
        density -= 0.5 * data.n * (P * dE).sum(axis=(2, 3))
    density -= (z * density).sum(axis=0)  # derivative of log z_gk
    d_score = z[:, :, None] * (moved + density[:, :, None] * score)
    d_logits = (z * density)[:-1]
    return np.concatenate([d_score.swapaxes(0, 1).reshape(data.n.size, k * R), d_logits.T], axis=1)


def _with_rows(data: EMData) -> list[int]:
    """Numbers of the blocks that have regressions."""
    return [number for number, block in enumerate(data.blocks) if np.isin(data.outcome, block).any()]
