"""Linear algebra of one group's factor model, compiled: small matrices, explicit loops, no allocation."""

from __future__ import annotations

import math

from .compiled import cached_njit
from .problem import BETA, PSI, SMALLEST_UNIQUE

__all__ = [
    "factor_covariance",
    "invert",
    "is_positive",
    "product",
    "scores_dense",
    "scores_diagonal",
    "structural_slopes",
]


@cached_njit
def invert(M, inverse):  # type: ignore[no-untyped-def]
    """Inverse and log determinant of a symmetric positive definite matrix; nan if it is not.

    The lower triangle of `M` is overwritten by its Cholesky factor, then by that factor's inverse.
    """
    n = M.shape[0]
    log_det = 0.0
    for j in range(n):
        d = M[j, j]
        for k in range(j):
            d -= M[j, k] * M[j, k]
        if not d > 0.0:
            return math.nan
        d = math.sqrt(d)
        M[j, j] = d
        log_det += 2.0 * math.log(d)
        for i in range(j + 1, n):
            s = M[i, j]
            for k in range(j):
                s -= M[i, k] * M[j, k]
            M[i, j] = s / d
    for j in range(n):
        M[j, j] = 1.0 / M[j, j]
        for i in range(j + 1, n):
            s = 0.0
            for k in range(j, i):
                s -= M[i, k] * M[k, j]
            M[i, j] = s / M[i, i]
    for i in range(n):
        for j in range(i + 1):
            s = 0.0
            for k in range(i, n):
                s += M[k, i] * M[k, j]
            inverse[i, j] = s
            inverse[j, i] = s
    return log_det


@cached_njit
def is_positive(M, factor):  # type: ignore[no-untyped-def]
    """Whether a symmetric matrix is positive definite, variables without any variance aside; `factor` is scratch."""
    n = M.shape[0]
    for j in range(n):
        d = M[j, j]
        for k in range(j):
            d -= factor[j, k] * factor[j, k]
        absent = M[j, j] == 0.0
        if not (d > 0.0 or absent):
            return False
        for i in range(j + 1, n):
            s = M[i, j]
            for k in range(j):
                s -= factor[i, k] * factor[j, k]
            if absent and M[i, j] != 0.0:
                return False
            factor[i, j] = 0.0 if absent else s / math.sqrt(d)
    return True


@cached_njit
def product(X, Y, out):  # type: ignore[no-untyped-def]
    """Out = X Y for small matrices."""
    for i in range(X.shape[0]):
        for j in range(Y.shape[1]):
            s = 0.0
            for k in range(X.shape[1]):
                s += X[i, k] * Y[k, j]
            out[i, j] = s


@cached_njit
def factor_covariance(problem, value, effects, Psi, Phi, work):  # type: ignore[no-untyped-def]
    """Fill Psi, effects = (I - B)^-1 and Phi = effects Psi effects' of one group, for recursive B."""
    m = Psi.shape[0]
    B, scratch = work[0], work[1]
    B[:, :] = 0.0
    for e in range(problem.kind.size):
        i, j = problem.row[e], problem.column[e]
        if problem.kind[e] == PSI:
            Psi[i, j] = value[e]
            Psi[j, i] = value[e]
        elif problem.kind[e] == BETA:
            B[i, j] = value[e]
    if not problem.shape[2]:
        Phi[:, :] = Psi
        return
    effects[:, :] = 0.0
    for q in range(m):
        effects[q, q] = 1.0
    for _ in range(m - 1):  # (I - B)^-1 = I + B + B^2 + ... ends after m - 1 powers: Horner's scheme
        product(B, effects, scratch)
        for q in range(m):
            for r in range(m):
                effects[q, r] = scratch[q, r] + (1.0 if q == r else 0.0)
    product(effects, Psi, scratch)
    for q in range(m):
        for r in range(m):
            s = 0.0
            for k in range(m):
                s += scratch[q, k] * effects[r, k]
            Phi[q, r] = s


@cached_njit
def scores_diagonal(S, Lambda, Theta, Phi, A, V, SA, M, second, work):  # type: ignore[no-untyped-def]
    """log|Sigma| + tr(Sigma^-1 S) with diagonal Theta, by the factor-score weights A and their error V.

    Leaves A = Phi Lambda' Sigma^-1 (m, p), V = Phi - A Lambda Phi, SA = S A' (p, m), second = A S A' + V, and
    M = Phi^-1 second Phi^-1 - Phi^-1, twice the slope of log L by Phi over nu.
    """
    p, m = Lambda.shape
    inverse, scratch = work[0], work[1]
    scratch[:, :] = Phi
    log_det = invert(scratch, inverse)
    for q in range(m):
        for r in range(q + 1):
            s = inverse[q, r]
            for j in range(p):
                s += Lambda[j, q] * Lambda[j, r] / Theta[j, j]
            scratch[q, r] = s
    log_det += invert(scratch, V)
    trace = 0.0
    for j in range(p):
        if not SMALLEST_UNIQUE * S[j, j] < Theta[j, j]:
            return math.nan
        log_det += math.log(Theta[j, j])
        trace += S[j, j] / Theta[j, j]
        for q in range(m):
            s = 0.0
            for r in range(m):
                s += V[q, r] * Lambda[j, r]
            A[q, j] = s / Theta[j, j]
    for j in range(p):
        for q in range(m):
            s = 0.0
            for k in range(p):
                s += S[j, k] * A[q, k]
            SA[j, q] = s
            trace -= s * Lambda[j, q] / Theta[j, j]
    for q in range(m):
        for r in range(m):
            s = V[q, r]
            for j in range(p):
                s += A[q, j] * SA[j, r]
            second[q, r] = s
    product(inverse, second, scratch)
    product(scratch, inverse, M)
    for q in range(m):
        for r in range(m):
            M[q, r] -= inverse[q, r]
    return log_det + trace


@cached_njit
def scores_dense(S, Lambda, Theta, Phi, A, V, LambdaPhi, M, Omega, work):  # type: ignore[no-untyped-def]
    """log|Sigma| + tr(Sigma^-1 S) with any Theta, by the inverse of Sigma.

    Leaves A and V as `scores_diagonal` does, Omega = Sigma^-1 S Sigma^-1 - Sigma^-1 (p, p), M = Lambda' Omega Lambda.
    """
    p, m = Lambda.shape
    inverse, scratch = work[0], work[1]
    product(Lambda, Phi, LambdaPhi)
    for i in range(p):
        for j in range(i + 1):
            s = Theta[i, j]
            for q in range(m):
                s += LambdaPhi[i, q] * Lambda[j, q]
            scratch[i, j] = s
    log_det = invert(scratch, inverse)
    trace = 0.0
    for i in range(p):
        for j in range(p):
            trace += inverse[i, j] * S[i, j]
    product(inverse, S, scratch)
    product(scratch, inverse, Omega)
    for i in range(p):
        for j in range(p):
            Omega[i, j] -= inverse[i, j]
    for q in range(m):
        for j in range(p):
            s = 0.0
            for i in range(p):
                s += LambdaPhi[i, q] * inverse[i, j]
            A[q, j] = s
    for q in range(m):
        for r in range(m):
            v, t = Phi[q, r], 0.0
            for j in range(p):
                v -= A[q, j] * LambdaPhi[j, r]
                for i in range(p):
                    t += Lambda[j, q] * Omega[j, i] * Lambda[i, r]
            V[q, r] = v
            M[q, r] = t
    return log_det + trace


@cached_njit
def structural_slopes(effects, M, Phi, by_B, work):  # type: ignore[no-untyped-def]
    """From the slope M by Phi to the slopes by B, effects' M Phi, and by Psi, effects' M effects (replacing M)."""
    m = M.shape[0]
    scratch = work[0]
    for q in range(m):
        for r in range(m):
            s = 0.0
            for k in range(m):
                s += effects[k, q] * M[k, r]
            scratch[q, r] = s
    product(scratch, Phi, by_B)
    product(scratch, effects, M)
