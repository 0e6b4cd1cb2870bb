"""Log-likelihood of every group, compiled, without the gradient."""

from __future__ import annotations

import math

import numpy as np

from .compiled import cached_njit
from .factor_terms import factor_covariance, scores_dense, scores_diagonal
from .posterior import fill_measurement, fill_values
from .problem import LAMBDA, LOG, SMALLEST_UNIQUE, THETA

__all__ = ["group_logliks"]


@cached_njit
def group_logliks(problem, x, s, first, stop, out):  # type: ignore[no-untyped-def]
    """Log L_g without its constant for the groups from `first` to before `stop`; minus infinity if Sigma_g is improper.

    Parameters
    ----------
    problem
        A `Problem`.
    x
        Natural parameters, shape (P,).
    s
        Standard deviation of every entry's deviations, shape (E,).
    first, stop
        Range of the groups.
    out
        Filled in that range, shape (G,).
    """
    if problem.shape[0] == 1 and not problem.shape[1] and not problem.shape[2]:
        one_factor_logliks(problem, x, s, first, stop, out)
    else:
        general_logliks(problem, x, s, first, stop, out)


@cached_njit
def general_logliks(problem, x, s, first, stop, out):  # type: ignore[no-untyped-def]
    """Any model; see `mixsem.kernels.posterior.density`."""
    p, m, dense = problem.S.shape[1], problem.shape[0], problem.shape[1]
    value = np.empty(problem.kind.size)
    Lambda, Theta, A, SA = np.zeros((p, m)), np.zeros((p, p)), np.empty((m, p)), np.empty((p, m))
    Psi, Phi, effects, V = np.zeros((m, m)), np.empty((m, m)), np.zeros((m, m)), np.empty((m, m))
    M, second, work = np.empty((m, m)), np.empty((m, m)), np.empty((2, m, m))
    side = p if dense else 0
    Omega, wide = np.empty((side, side)), np.empty((2, side, side))
    for g in range(first, stop):
        fill_values(problem, x, s, g, value)
        fill_measurement(problem, value, Lambda, Theta)
        factor_covariance(problem, value, effects, Psi, Phi, work)
        if dense:
            F = scores_dense(problem.S[g], Lambda, Theta, Phi, A, V, SA, M, Omega, wide)
        else:
            F = scores_diagonal(problem.S[g], Lambda, Theta, Phi, A, V, SA, M, second, work)
        out[g] = -0.5 * problem.nu[g] * F if math.isfinite(F) else -math.inf


@cached_njit
def one_factor_logliks(problem, x, s, first, stop, out):  # type: ignore[no-untyped-def]
    """One factor, uncorrelated unique variances; see `mixsem.kernels.one_factor` for the equations."""
    p = problem.S.shape[1]
    loading, precision = np.zeros(p), np.empty(p)
    for g in range(first, stop):
        S = problem.S[g]
        log_det, phi = 0.0, 1.0
        for e in range(problem.kind.size):
            base, deviation = problem.base[g, e], problem.deviation[g, e]
            value = problem.fixed[g, e]
            if base >= 0:
                value = x[base]
                if deviation >= 0:
                    value += s[e] * x[deviation]
            if problem.link[e] == LOG:
                if base >= 0:
                    log_det += value
                    value = math.exp(value)
                else:
                    log_det += math.log(value)
            if problem.kind[e] == LAMBDA:
                loading[problem.row[e]] = value
            elif problem.kind[e] == THETA:
                precision[problem.row[e]] = 1.0 / value
            else:
                phi = value
        information, trace, quadratic = 1.0 / phi, 0.0, 0.0
        for j in range(p):
            if not S[j, j] * precision[j] * SMALLEST_UNIQUE < 1.0:
                trace = math.nan
                break
            weight = loading[j] * precision[j]
            information += loading[j] * weight
            trace += S[j, j] * precision[j]
            half = 0.5 * S[j, j] * weight
            for k in range(j):
                half += S[j, k] * loading[k] * precision[k]
            quadratic += 2.0 * weight * half
        F = log_det + math.log(information) + trace - quadratic / information
        out[g] = -0.5 * problem.nu[g] * F if math.isfinite(F) else -math.inf
