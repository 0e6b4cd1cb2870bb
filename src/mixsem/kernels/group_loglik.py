"""Log-likelihood of a single group, compiled, without its gradient; the working arrays come from the caller."""

from __future__ import annotations

import math

import numpy as np

from .compiled import cached_njit
from .factor_terms import factor_covariance, scores_dense, scores_diagonal
from .posterior import fill_measurement, fill_values
from .problem import LAMBDA, THETA

__all__ = ["group_loglik", "working_arrays"]


@cached_njit
def working_arrays(problem):  # type: ignore[no-untyped-def]
    """Arrays that `group_loglik` writes in: once for many calls."""
    p, m, E = problem.S.shape[1], problem.shape[0], problem.kind.size
    side = p if problem.shape[1] else 0
    measurement = (np.empty(E), np.zeros((p, m)), np.zeros((p, p)), np.empty((m, p)), np.empty((p, m)))
    structure = (np.zeros((m, m)), np.empty((m, m)), np.zeros((m, m)), np.empty((m, m)), np.empty((m, m)))
    return measurement, structure, np.empty((m, m)), np.empty((2, m, m)), np.empty((side, side)), np.empty((2, side, side))


@cached_njit
def group_loglik(problem, x, s, g, space):  # type: ignore[no-untyped-def]
    """Log L_g without its constant; minus infinity where Sigma_g is not positive.

    Parameters
    ----------
    problem
        A `Problem`.
    x
        Natural parameters, shape (P,).
    s
        Standard deviation of every entry's deviations, shape (E,).
    g
        Index of the group.
    space
        What `working_arrays` returned.
    """
    measurement, structure, second, work, Omega, wide = space
    value, Lambda, Theta, A, SA = measurement
    fill_values(problem, x, s, g, value)
    if problem.shape[0] == 1 and not problem.shape[1] and not problem.shape[2]:
        F = one_factor_fit(problem, value, problem.S[g], A, SA)
    else:
        Psi, Phi, effects, V, M = structure
        fill_measurement(problem, value, Lambda, Theta)
        factor_covariance(problem, value, effects, Psi, Phi, work)
        if problem.shape[1]:
            F = scores_dense(problem.S[g], Lambda, Theta, Phi, A, V, SA, M, Omega, wide)
        else:
            F = scores_diagonal(problem.S[g], Lambda, Theta, Phi, A, V, SA, M, second, work)
    return -0.5 * problem.nu[g] * F if math.isfinite(F) else -math.inf


@cached_njit
def one_factor_fit(problem, value, S, row, column):  # type: ignore[no-untyped-def]
    """log|Sigma| + tr(Sigma^-1 S) of one factor with diagonal Theta; see `mixsem.kernels.one_factor`."""
    p = S.shape[0]
    loading, precision = column[:, 0], row[0]
    phi, determinant = 1.0, 1.0
    loading[:] = 0.0
    for e in range(value.size):
        if problem.kind[e] == LAMBDA:
            loading[problem.row[e]] = value[e]
        elif problem.kind[e] == THETA:
            precision[problem.row[e]] = 1.0 / value[e]
        else:
            phi = value[e]
    information, trace, quadratic = 1.0 / phi, 0.0, 0.0
    log_det = math.log(phi)
    for j in range(p):
        information += loading[j] * loading[j] * precision[j]
        trace += S[j, j] * precision[j]
        determinant *= precision[j]
        if not 1e-100 < determinant < 1e100:
            log_det -= math.log(determinant)
            determinant = 1.0
        weight = loading[j] * precision[j]
        s = 0.5 * S[j, j] * weight
        for k in range(j):
            s += S[j, k] * loading[k] * precision[k]
        quadratic += 2.0 * weight * s
    return log_det - math.log(determinant) + math.log(information) + trace - quadratic / information
