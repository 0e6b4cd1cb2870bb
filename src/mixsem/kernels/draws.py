"""One pass over posterior draws: what steps 2 and 3 and the fit measures need of every draw, compiled."""

from __future__ import annotations

import numpy as np

from .compiled import cached_njit
from .factor_terms import factor_covariance, scores_dense, scores_diagonal
from .posterior import fill_measurement, fill_scales, fill_values

__all__ = ["summarise_draws"]


@cached_njit
def summarise_draws(problem, X, loglik, mean_A, mean_AA, mean_V, mean_value):  # type: ignore[no-untyped-def]
    """Average factor-score weights, their products, score variances and entry values over draws.

    Parameters
    ----------
    problem
        A `Problem`.
    X
        Draws, shape (D, P).
    loglik
        Filled with log L_g without its constant, shape (D, G).
    mean_A, mean_AA, mean_V, mean_value
        Filled with averages over draws of A = Phi Lambda' Sigma^-1, shape (G, m, p); of its products
        A_qj A_rk, shape (G, m, p, m, p); of V = Phi - A Lambda Phi, shape (G, m, m); of the values, shape (G, E).
    """
    n_draws = X.shape[0]
    n_groups, p, _ = problem.S.shape
    m, dense = problem.shape[0], problem.shape[1]
    value, s = np.empty(problem.kind.size), np.empty(problem.kind.size)
    Lambda, Theta, A, SA = np.zeros((p, m)), np.zeros((p, p)), np.empty((m, p)), np.empty((p, m))
    Psi, Phi, effects, V = np.zeros((m, m)), np.empty((m, m)), np.zeros((m, m)), np.empty((m, m))
    M, second, work = np.empty((m, m)), np.empty((m, m)), np.empty((2, m, m))
    side = p if dense else 0
    Omega, wide = np.empty((side, side)), np.empty((2, side, side))
    mean_A[:], mean_AA[:], mean_V[:], mean_value[:] = 0.0, 0.0, 0.0, 0.0
    for d in range(n_draws):
        fill_scales(problem, X[d], s)
        for g in range(n_groups):
            S = problem.S[g]
            fill_values(problem, X[d], s, g, value)
            fill_measurement(problem, value, Lambda, Theta)
            factor_covariance(problem, value, effects, Psi, Phi, work)
            if dense:
                F = scores_dense(S, Lambda, Theta, Phi, A, V, SA, M, Omega, wide)
            else:
                F = scores_diagonal(S, Lambda, Theta, Phi, A, V, SA, M, second, work)
            loglik[d, g] = -0.5 * problem.nu[g] * F
            for e in range(value.size):
                mean_value[g, e] += value[e] / n_draws
            for q in range(m):
                for r in range(m):
                    mean_V[g, q, r] += V[q, r] / n_draws
                for j in range(p):
                    mean_A[g, q, j] += A[q, j] / n_draws
                    for r in range(m):
                        for k in range(p):
                            mean_AA[g, q, j, r, k] += A[q, j] * A[r, k] / n_draws
