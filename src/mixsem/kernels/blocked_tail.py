"""The dense tail of a mixed model's system: factorisation, inverse factor, weighted adjoint."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from .compiled import cached_njit

__all__ = ["factorize_tail", "weigh_inverse"]

Array = NDArray[np.float64]

#: Below this many columns the loops are faster than the way to LAPACK.
SMALL = 24


def factorize_tail(tail: Array) -> bool:
    """Replace the lower triangle by its Cholesky factor; return whether it was positive definite.

    What is above the diagonal stays as it is.
    """
    if len(tail) <= SMALL:
        return bool(small_cholesky(tail))
    # The transpose of a C-contiguous array is what LAPACK calls its own: the lower triangle becomes the upper one.
    _, info = lapack.dpotrf(tail.T, lower=0, clean=0, overwrite_a=1)
    return bool(info == 0)


def weigh_inverse(tail: Array, weights: Array) -> None:
    """Replace the Cholesky factor L in the lower triangle by L^-T diag(weights) L^-1.

    Parameters
    ----------
    tail
        Shape (n, n); what is above the diagonal stays as it is.
    weights
        Length n, none negative.
    """
    if len(tail) <= SMALL:
        small_weighted_inverse(tail, weights)
        return
    lapack.dtrtri(tail.T, lower=0, overwrite_c=1)
    scale_rows(tail, np.sqrt(weights))
    lapack.dlauum(tail.T, lower=0, overwrite_c=1)


@cached_njit
def scale_rows(tail: Array, factors: Array) -> None:
    """Multiply the rows of the lower triangle."""
    for r in range(tail.shape[0]):
        if factors[r] != 1.0:
            for c in range(r + 1):
                tail[r, c] *= factors[r]


@cached_njit
def small_cholesky(tail: Array) -> bool:
    """As LAPACK's dpotrf on the lower triangle, in plain loops."""
    n = tail.shape[0]
    for r in range(n):
        for c in range(r + 1):
            total = tail[r, c]
            for k in range(c):
                total -= tail[r, k] * tail[c, k]
            if r == c:
                if not total > 0.0:
                    return False
                tail[r, c] = np.sqrt(total)
            else:
                tail[r, c] = total / tail[c, c]
    return True


@cached_njit
def small_weighted_inverse(tail: Array, weights: Array) -> None:
    """As `weigh_inverse`, in plain loops."""
    n = tail.shape[0]
    inverse = np.zeros((n, n))
    for c in range(n):
        for r in range(c, n):
            total = 1.0 if r == c else 0.0
            for k in range(c, r):
                total -= tail[r, k] * inverse[k, c]
            inverse[r, c] = total / tail[r, r]
    for r in range(n):
        for c in range(r + 1):
            total = 0.0
            for k in range(r, n):
                total += weights[k] * inverse[k, r] * inverse[k, c]
            tail[r, c] = total
