"""Covariance structures of many groups at once: implied moments, ML discrepancy, derivatives.

The model of group g is Sigma = Lambda A Psi A' Lambda' + Theta and mu = nu + Lambda A alpha, with A = (I - B)^-1.

Each parameter entry e changes Sigma by a matrix of rank two, c (u v' + v u'), and mu by m u:

=========  =================  ==================  =====  ==========
entry      u                  v                   c      m
=========  =================  ==================  =====  ==========
Lambda_iq  e_i                (Lambda Phi)_q      1      (A alpha)_q
Theta_ij   e_i                e_j                 1, ½   0
Psi_qr     (Lambda A)_q       (Lambda A)_r        1, ½   0
B_qr       (Lambda A)_q       (Lambda Phi)_r      1      (A alpha)_r
nu_i       e_i                -                   0      1
alpha_q    (Lambda A)_q       -                   0      1
=========  =================  ==================  =====  ==========

(Phi = A Psi A'; ½ on a diagonal entry). Gradient and expected information of every model are then two short
formulas in u, v, c and m, and no derivative matrix of Sigma is ever formed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "EntryVectors",
    "Implied",
    "Inverted",
    "discrepancy",
    "entry_gradient",
    "entry_information",
    "implied_moments",
    "inverse_and_log_det",
    "log_likelihood",
    "moment_jacobian",
]

Array = NDArray[np.float64]


class Implied(NamedTuple):
    """Model-implied moments and what the derivatives reuse; the first axis is the group."""

    Sigma: Array  # (G, p, p)
    mu: Array  # (G, p)
    Phi: Array  # (G, m, m) covariance of the factors
    LambdaA: Array  # (G, p, m) total effects of the factors' disturbances on the items
    LambdaPhi: Array  # (G, p, m) covariance of items and factors
    eta: Array  # (G, m) factor means
    A: Array | None = None  # (G, m, m) total effects among factors, (I - B)^-1; None for the identity


class EntryVectors(NamedTuple):
    """Derivatives of Sigma and mu for each entry, as in the table of the module."""

    u: Array  # (G, E, p)
    v: Array  # (G, E, p)
    c: Array  # (E,)
    m: Array  # (G, E)


def implied_moments(
    Lambda: Array, Theta: Array, Psi: Array, B: Array | None, nu: Array | None, alpha: Array | None
) -> Implied:
    """Implied moments of every group; `None` stands for a matrix of zeros that the model does not have."""
    n_groups, _, m = Lambda.shape
    A: Array | None = None if B is None else np.asarray(np.linalg.inv(np.eye(m) - B), dtype=float)
    LambdaA = Lambda if A is None else Lambda @ A
    Phi = Psi if A is None else A @ Psi @ A.swapaxes(1, 2)
    LambdaPhi = Lambda @ Phi
    eta = np.zeros((n_groups, m))
    if alpha is not None:
        eta = alpha if A is None else np.einsum("gqr,gr->gq", A, alpha)
    mu = np.einsum("gpq,gq->gp", Lambda, eta)
    if nu is not None:
        mu = mu + nu
    return Implied(LambdaPhi @ Lambda.swapaxes(1, 2) + Theta, mu, Phi, LambdaA, LambdaPhi, eta, A)


class Inverted(NamedTuple):
    """What the likelihood needs of Sigma; placeholders where a group's Sigma is not positive definite."""

    log_det: Array  # (G,)
    W: Array  # (G, p, p) Sigma^-1
    proper: NDArray[np.bool_]  # (G,)


def discrepancy(inverted: Inverted, S: Array, log_det_S: Array, deviation: Array | None) -> Array:
    """ML discrepancy F_g = log|Sigma| - log|S| + tr(S Sigma^-1) - p + d' Sigma^-1 d, with d = mean - mu.

    Returns infinity for a group whose Sigma is not positive definite.

    Parameters
    ----------
    inverted
        Sigma, inverted.
    S
        Observed covariances, shape (G, p, p).
    log_det_S
        log|S| per group, shape (G,).
    deviation
        Observed minus implied means, shape (G, p), or None when the means are saturated.
    """
    value = inverted.log_det - log_det_S + np.einsum("gij,gij->g", inverted.W, S) - S.shape[-1]
    if deviation is not None:
        value = value + np.einsum("gi,gij,gj->g", deviation, inverted.W, deviation)
    return np.where(inverted.proper, value, np.inf)


def inverse_and_log_det(Sigma: Array) -> Inverted:
    """log|Sigma|, Sigma^-1 and whether Sigma is positive definite, per group."""
    try:
        return Inverted(*_by_cholesky(Sigma), np.ones(Sigma.shape[0], dtype=bool))
    except np.linalg.LinAlgError:
        pass  # some group is improper: find out which
    proper = np.asarray(np.isfinite(Sigma).all(axis=(1, 2)))
    safe = np.where(proper[:, None, None], Sigma, np.eye(Sigma.shape[-1]))
    values = np.linalg.eigvalsh(safe)
    proper &= values[:, 0] > 1e-14 * np.abs(values[:, -1])
    return Inverted(*_by_cholesky(np.where(proper[:, None, None], safe, np.eye(Sigma.shape[-1]))), proper)


def _by_cholesky(Sigma: Array) -> tuple[Array, Array]:
    """log|Sigma| and Sigma^-1; raises LinAlgError if a matrix is not positive definite."""
    L = np.linalg.cholesky(Sigma)
    root = np.linalg.inv(L)
    return 2.0 * np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=1), root.swapaxes(1, 2) @ root


def log_likelihood(F: Array, n: Array, log_det_S: Array, p: int) -> Array:
    """Normal log-likelihood per group from its discrepancy: -n/2 (p log 2 pi + log|S| + p + F)."""
    return -0.5 * n * (p * np.log(2 * np.pi) + log_det_S + p + F)


def entry_gradient(entries: EntryVectors, n: Array, Sigma: Array, W: Array, S: Array, deviation: Array | None) -> Array:
    """Gradient of sum_g n_g F_g / 2 for each group's entries, shape (G, E).

    For entry e it is n (c u' Omega v - m u' W d), Omega = W (Sigma - S - d d') W and W = Sigma^-1.
    """
    gap = Sigma - S
    if deviation is not None:
        gap = gap - deviation[:, :, None] * deviation[:, None, :]
    u_omega = entries.u @ (W @ gap @ W)
    gradient = entries.c * np.einsum("gep,gep->ge", u_omega, entries.v)
    if deviation is not None:
        gradient -= entries.m * np.einsum("gep,gp->ge", entries.u, np.einsum("gij,gj->gi", W, deviation))
    return n[:, None] * gradient


def entry_information(entries: EntryVectors, n: Array, W: Array, meanstructure: bool) -> Array:
    """Expected information of each group's entries, shape (G, E, E).

    n [c c' {(u'Wu)(v'Wv) + (u'Wv)(v'Wu)} + m m' (u'Wu)], elementwise over pairs of entries; the first part is
    n/2 tr(W dSigma_e W dSigma_f) written out for derivatives of rank two.
    """
    uW = entries.u @ W
    ut, vt = entries.u.swapaxes(1, 2), entries.v.swapaxes(1, 2)
    uWu, uWv, vWv = uW @ ut, uW @ vt, (entries.v @ W) @ vt
    information = np.outer(entries.c, entries.c) * (uWu * vWv + uWv * uWv.swapaxes(1, 2))
    if meanstructure:
        information = information + entries.m[:, :, None] * entries.m[:, None, :] * uWu
    return n[:, None, None] * information


def moment_jacobian(entries: EntryVectors, meanstructure: bool) -> Array:
    """Derivatives of the implied moments with respect to each entry, shape (G, q, E).

    The moments are the means, if they are modelled, then the upper triangle of Sigma row by row: q = [p +] p(p+1)/2.
    """
    rows, columns = np.triu_indices(entries.u.shape[-1])
    u, v = entries.u, entries.v
    outer = u[:, :, rows] * v[:, :, columns] + v[:, :, rows] * u[:, :, columns]
    parts = (entries.c[:, None] * outer).swapaxes(1, 2)
    if not meanstructure:
        return parts
    return np.concatenate([(entries.m[:, :, None] * u).swapaxes(1, 2), parts], axis=1)
