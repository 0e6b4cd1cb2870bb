"""Second derivatives of the ML loss, entry by entry: the observed information without differences.

In the terms of `mixsem.kernels.covariance`, entry e changes Sigma by c (u v' + v u') and mu by m u. The vectors depend
on other entries f themselves:

- u_e = (Lambda A)_q changes by u_f A[col f, q] with a loading or regression f;
- v_e = (Lambda Phi)_q changes by u_f Phi[col f, q] with a loading or regression f, besides by v_f A[q, row f] with a
  regression, and by c_f (u_f A[q, col f] + v_f A[q, row f]) with a (co)variance f of factors;
- m_e = eta_q changes by m_f A[q, row f] with a regression or a factor mean f.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .covariance import EntryVectors, Implied

__all__ = ["EntryKinds", "entry_hessian", "hessian_from_moments"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class EntryKinds(NamedTuple):
    """Which matrix every entry belongs to, and where; each of shape (E,)."""

    loading: Array  # 1.0 for entries of Lambda, else 0.0; the next likewise
    psi: Array
    regression: Array
    alpha: Array
    row: Index  # among the factors; 0 where an entry has no row or column there
    column: Index


def entry_hessian(
    entries: EntryVectors,
    kinds: EntryKinds,
    implied: Implied,
    n: Array,
    W: Array,
    S: Array,
    deviation: Array | None,
) -> Array:
    """Hessian of sum_g n_g F_g / 2 over each group's entries, shape (G, E, E).

    Parameters
    ----------
    entries, kinds
        Derivatives of the moments, and what the entries are.
    implied
        Implied moments.
    n
        People per group, shape (G,).
    W
        Inverse of the implied covariance matrices, shape (G, p, p).
    S
        Observed covariance matrices, shape (G, p, p).
    deviation
        Observed minus implied means, shape (G, p), or None if means are saturated.
    """
    u, v, c, _ = entries
    ut, vt = u.swapaxes(1, 2), v.swapaxes(1, 2)
    full = S if deviation is None else S + deviation[:, :, None] * deviation[:, None, :]
    # First part: -1/2 tr(W E W F) + tr(W F K E) with K = W S W, which is tr(W F M E) with M = K - W/2.
    M = W @ full @ W - 0.5 * W
    uW, vW, uM, vM = u @ W, v @ W, u @ M, v @ M
    uWu, uWv, vWv = uW @ ut, uW @ vt, vW @ vt
    uMu, uMv, vMv = uM @ ut, uM @ vt, vM @ vt
    vWu, vMu = uWv.swapaxes(1, 2), uMv.swapaxes(1, 2)
    first = np.outer(c, c) * (uWu * vMv + vWv * uMu + uWv * vMu + vWu * uMv)
    H = first
    if implied.Phi.shape[-1]:
        Omega = W - W @ full @ W
        uO = u @ Omega
        H = H + _second_order(kinds, implied, c, uO @ ut, uO @ vt)
    if deviation is not None:
        H = H + _mean_part(entries, kinds, implied, W, deviation, uWu, uWv)
    return np.asarray(n[:, None, None] * H)


def hessian_from_moments(
    entries: EntryVectors,
    kinds: EntryKinds,
    implied: Implied,
    Delta: Array,
    moments: Array,
    Omega: Array,
    mean_part: Array,
) -> Array:
    """The same from second derivatives with respect to the moments, where those are not those of complete rows.

    Parameters
    ----------
    Delta
        Derivatives of means and covariances with respect to the entries, shape (G, q, E).
    moments
        Hessian of the loss with respect to the moments, shape (G, q, q).
    Omega, mean_part
        Twice the derivative of the loss with respect to Sigma, shape (G, p, p), and minus that with respect to mu, (G,
        p).
    """
    H = Delta.swapaxes(1, 2) @ moments @ Delta
    if not implied.Phi.shape[-1]:
        return np.asarray(H)
    uO = entries.u @ Omega
    H = H + _second_order(kinds, implied, entries.c, uO @ entries.u.swapaxes(1, 2), uO @ entries.v.swapaxes(1, 2))
    uz = np.einsum("gep,gp->ge", entries.u, mean_part)
    return np.asarray(H - _moving_means(entries, kinds, implied, uz))


def _second_order(kinds: EntryKinds, implied: Implied, c: Array, uOu: Array, uOv: Array) -> Array:
    """tr(Omega d2Sigma_ef) / 2, where uOu and uOv are u_e' Omega u_f and u_e' Omega v_f, shape (G, E, E)."""
    loading, psi, regression, _, row, column = kinds
    A, Phi = _total_effects(implied), implied.Phi
    moving = loading + regression  # entries f that move Lambda A
    by_column = A[:, column[:, None], row].swapaxes(1, 2)  # A[col f, row e] at (e, f)
    to_column = A[:, column[:, None], column].swapaxes(1, 2)  # A[col f, col e]
    # u_e moves (e in Psi or B), and so does v_e of Psi.
    terms = np.outer(psi + regression, moving) * by_column * uOv.swapaxes(1, 2)
    terms = terms + np.outer(psi, moving) * to_column * uOu
    # v_e = (Lambda Phi)_q moves (e in Lambda or B).
    terms = terms + np.outer(moving, moving) * Phi[:, column[:, None], column] * uOu
    from_row = A[:, column[:, None], row]  # A[col e, row f]
    from_column = A[:, column[:, None], column]  # A[col e, col f]
    terms = terms + np.outer(moving, regression + c * psi) * from_row * uOv
    terms = terms + np.outer(moving, c * psi) * from_column * uOu
    return c[:, None] * terms


def _mean_part(
    entries: EntryVectors,
    kinds: EntryKinds,
    implied: Implied,
    W: Array,
    deviation: Array,
    uWu: Array,
    uWv: Array,
) -> Array:
    """What the means add: dmu' W dmu, cross terms with dSigma, and -d' W d2mu; shape (G, E, E)."""
    u, v, c, m = entries
    z = np.einsum("gij,gj->gi", W, deviation)
    uz, vz = np.einsum("gep,gp->ge", u, z), np.einsum("gep,gp->ge", v, z)
    both = m[:, :, None] * m[:, None, :] * uWu
    # (W dmu_f)' dSigma_e z at (e, f), and the same with e and f exchanged.
    cross = c[:, None] * (uWu * vz[:, :, None] + uWv.swapaxes(1, 2) * uz[:, :, None]) * m[:, None, :]
    if not implied.Phi.shape[-1]:  # no factors, so nothing that the vectors depend on
        return np.asarray(both + cross + cross.swapaxes(1, 2))
    return np.asarray(both + cross + cross.swapaxes(1, 2) - _moving_means(entries, kinds, implied, uz))


def _moving_means(entries: EntryVectors, kinds: EntryKinds, implied: Implied, uz: Array) -> Array:
    """D' W d2mu_ef, where uz is u_e' W d, shape (G, E)."""
    loading, _, regression, alpha, row, column = kinds
    m, A = entries.m, _total_effects(implied)
    by_column = A[:, column[:, None], row].swapaxes(1, 2)
    from_row = A[:, column[:, None], row]
    moved_m = np.outer(loading + regression, regression + alpha) * from_row * m[:, None, :] * uz[:, :, None]
    moved_u = m[:, :, None] * np.outer(regression + alpha, loading + regression) * by_column * uz[:, None, :]
    return np.asarray(moved_m + moved_u)


def _total_effects(implied: Implied) -> Array:
    """A = (I - B)^-1 of every group."""
    if implied.A is not None:
        return implied.A
    return np.broadcast_to(np.eye(implied.Phi.shape[-1]), implied.Phi.shape)
