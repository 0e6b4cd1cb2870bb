"""Log posterior of a factor model for many groups and its gradient, compiled.

Factor scores and group means are integrated out: group g contributes

    log L_g = -nu_g/2 (log|Sigma_g| + tr(Sigma_g^-1 S_g)),   Sigma_g = Lambda_g Phi_g Lambda_g' + Theta_g,

with Phi_g = (I - B_g)^-1 Psi_g (I - B_g)^-T and, for means with a flat prior, nu_g = N_g - 1 and S_g with that
divisor. The plain twin is `mixsem.kernels.plain_posterior`, which uses none of the formulas here.
"""

from __future__ import annotations

import math

import numpy as np

from .compiled import cached_njit
from .factor_terms import factor_covariance, is_positive, scores_dense, scores_diagonal, structural_slopes
from .one_factor import one_factor_terms
from .problem import (
    BETA,
    BETA_PRIOR,
    CORRELATION,
    GAMMA,
    HALF_NORMAL,
    HALF_T,
    INVERSE_GAMMA,
    LAMBDA,
    LOG,
    NORMAL,
    PSI,
    THETA,
)

__all__ = ["density", "fill_measurement", "fill_scales", "fill_values", "prior_term"]


@cached_njit
def prior_term(problem, i, value):  # type: ignore[no-untyped-def]
    """Log prior of parameter i at `value`, up to a constant, and its slope."""
    family, a, b, c = problem.family[i], problem.a[i], problem.b[i], problem.c[i]
    if family == NORMAL:
        deviation = (value - a) / b
        return -0.5 * deviation * deviation, -deviation / b
    if family == GAMMA:
        q = math.exp(c * value)
        return a * c * value - b * q, a * c - b * c * q
    if family == HALF_NORMAL:
        q = math.exp(c * value) / b
        return c * value - 0.5 * q * q, c - c * q * q
    if family == HALF_T:
        q = math.exp(2.0 * c * value) / (a * b * b)
        return c * value - 0.5 * (a + 1.0) * math.log1p(q), c - (a + 1.0) * c * q / (1.0 + q)
    if family == INVERSE_GAMMA:
        v = math.exp(-2.0 * c * value)
        return -(2.0 * a * c * value + b * v), 2.0 * c * (b * v - a)
    if family == BETA_PRIOR:
        r = math.tanh(value)
        return a * math.log1p(r) + b * math.log1p(-r), a * (1.0 - r) - b * (1.0 + r)
    return 0.0, 0.0


@cached_njit
def add_log_prior(problem, x, grad):  # type: ignore[no-untyped-def]
    """Add the log prior's gradient to `grad` and return the log prior up to a constant."""
    total = 0.0
    for i in range(x.size):
        term, slope = prior_term(problem, i, x[i])
        total += term
        grad[i] += slope
    return total


@cached_njit
def fill_scales(problem, x, s):  # type: ignore[no-untyped-def]
    """Standard deviation of every entry's deviations: fixed or estimated."""
    for e in range(s.size):
        s[e] = math.exp(x[problem.scale[e]]) if problem.scale[e] >= 0 else problem.s[e]


@cached_njit
def fill_values(problem, x, s, g, value):  # type: ignore[no-untyped-def]
    """Values of all entries in group g; variances come before the covariances that need them."""
    for covariances in range(2):
        for e in range(problem.kind.size):
            if (problem.link[e] == CORRELATION) != (covariances == 1):
                continue
            base, deviation = problem.base[g, e], problem.deviation[g, e]
            if base < 0 and deviation < 0:
                value[e] = problem.fixed[g, e]
                continue
            eta = x[base] if base >= 0 else 0.0
            if deviation >= 0:
                eta += s[e] * x[deviation]
            if problem.link[e] == LOG:
                value[e] = math.exp(eta)
            elif problem.link[e] == CORRELATION:
                value[e] = math.tanh(eta) * math.sqrt(value[problem.first[e]] * value[problem.second[e]])
            else:
                value[e] = eta


@cached_njit
def add_gradient(problem, x, s, g, value, slope, grad):  # type: ignore[no-untyped-def]
    """Chain the derivatives by entry values (`slope`, overwritten) to the parameters."""
    for covariances in range(1, -1, -1):
        for e in range(problem.kind.size):
            if (problem.link[e] == CORRELATION) != (covariances == 1):
                continue
            base, deviation = problem.base[g, e], problem.deviation[g, e]
            if base < 0 and deviation < 0:
                continue
            d = slope[e]
            if problem.link[e] == LOG:
                d *= value[e]
            elif problem.link[e] == CORRELATION:
                i, j = problem.first[e], problem.second[e]
                slope[i] += 0.5 * d * value[e] / value[i]
                slope[j] += 0.5 * d * value[e] / value[j]
                d *= math.sqrt(value[i] * value[j]) - value[e] * value[e] / math.sqrt(value[i] * value[j])
            if base >= 0:
                grad[base] += d
            if deviation >= 0:
                grad[deviation] += s[e] * d
                if problem.scale[e] >= 0:
                    grad[problem.scale[e]] += s[e] * x[deviation] * d


@cached_njit
def fill_measurement(problem, value, Lambda, Theta):  # type: ignore[no-untyped-def]
    """Lambda and Theta from the values of the entries; what is not an entry stays zero."""
    for e in range(problem.kind.size):
        i, j = problem.row[e], problem.column[e]
        if problem.kind[e] == LAMBDA:
            Lambda[i, j] = value[e]
        elif problem.kind[e] == THETA:
            Theta[i, j] = value[e]
            Theta[j, i] = value[e]


@cached_njit
def entry_slopes(problem, S, Lambda, Theta, A, SA, second, Omega, by_Psi, by_B, factor, slope):  # type: ignore[no-untyped-def]
    """Derivatives of log L_g by the values of the entries, `factor` times what the arguments say.

    With any Theta from Omega = Sigma^-1 S Sigma^-1 - Sigma^-1, otherwise by Fisher's identity from the expected
    second moments of items and factors.
    """
    p, m = Lambda.shape
    for e in range(problem.kind.size):
        kind, i, j = problem.kind[e], problem.row[e], problem.column[e]
        if kind == PSI:
            d = 0.5 * by_Psi[i, i] if i == j else by_Psi[i, j]
        elif kind == BETA:
            d = by_B[i, j]
        elif problem.shape[1]:
            if kind == LAMBDA:  # here SA holds Lambda Phi
                d = 0.0
                for k in range(p):
                    d += Omega[i, k] * SA[k, j]
            else:
                d = 0.5 * Omega[i, i] if i == j else Omega[i, j]
        elif kind == LAMBDA:  # Theta^-1 (S A' - Lambda E(eta eta'))
            d = SA[i, j]
            for q in range(m):
                d -= Lambda[i, q] * second[q, j]
            d /= Theta[i, i]
        else:  # expected squared residual over theta^2, less 1/theta
            expected = S[i, i]
            for q in range(m):
                s = -2.0 * SA[i, q]
                for r in range(m):
                    s += second[q, r] * Lambda[i, r]
                expected += Lambda[i, q] * s
            d = 0.5 * (expected / Theta[i, i] - 1.0) / Theta[i, i]
        slope[e] = factor * d


@cached_njit
def density(problem, x, grad):  # type: ignore[no-untyped-def]
    """Log posterior at x up to a constant; its gradient goes into `grad`; nan where a matrix is not positive.

    Parameters
    ----------
    problem
        A `Problem`.
    x
        Parameters on unconstrained scales, shape (P,).
    grad
        Filled with the gradient, shape (P,).
    """
    n_groups, p, _ = problem.S.shape
    m, dense, has_B = problem.shape[0], problem.shape[1], problem.shape[2]
    grad[:] = 0.0
    total = add_log_prior(problem, x, grad)
    E = problem.kind.size
    value, slope, s = np.empty(E), np.empty(E), np.empty(E)
    fill_scales(problem, x, s)
    if m == 1 and not dense and not has_B:
        return total + one_factor_terms(problem, x, s, grad)
    Lambda, Theta, A, SA = np.zeros((p, m)), np.zeros((p, p)), np.empty((m, p)), np.empty((p, m))
    Psi, Phi, effects, V = np.zeros((m, m)), np.empty((m, m)), np.zeros((m, m)), np.empty((m, m))
    M, second, by_B, work = np.empty((m, m)), np.empty((m, m)), np.empty((m, m)), np.empty((2, m, m))
    side = p if dense else 0
    Omega, wide = np.empty((side, side)), np.empty((2, side, side))
    for g in range(n_groups):
        S = problem.S[g]
        fill_values(problem, x, s, g, value)
        fill_measurement(problem, value, Lambda, Theta)
        factor_covariance(problem, value, effects, Psi, Phi, work)
        if dense:  # by way of Sigma, which can be positive definite where its parts are not
            if not (is_positive(Phi, work[0]) and is_positive(Theta, wide[0])):
                return math.nan
            F = scores_dense(S, Lambda, Theta, Phi, A, V, SA, M, Omega, wide)
        else:
            F = scores_diagonal(S, Lambda, Theta, Phi, A, V, SA, M, second, work)
        if not math.isfinite(F):
            return math.nan
        total -= 0.5 * problem.nu[g] * F
        if has_B:
            structural_slopes(effects, M, Phi, by_B, work)
        entry_slopes(problem, S, Lambda, Theta, A, SA, second, Omega, M, by_B, problem.nu[g], slope)
        add_gradient(problem, x, s, g, value, slope, grad)
    return total
