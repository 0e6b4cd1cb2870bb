"""What the log posterior of a factor model for many groups needs to know, as arrays.

Every model matrix entry e has, in group g, the value link(x[base] + s x[deviation]), with s fixed or exp(x[scale]).
That one line covers parameters equal over groups (a shared base), group-specific ones (a base of the group), random
ones (s estimated) and approximately invariant ones (s fixed).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BETA",
    "BETA_PRIOR",
    "CORRELATION",
    "FLAT",
    "GAMMA",
    "HALF_NORMAL",
    "HALF_T",
    "IDENTITY",
    "INVERSE_GAMMA",
    "LAMBDA",
    "LEAST_FOR_POLAR",
    "LOG",
    "NORMAL",
    "PSI",
    "SMALLEST_UNIQUE",
    "THETA",
    "Problem",
    "pack",
]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

# The matrix of an entry; the numbers are those of `mixsem.model.matrices`.
LAMBDA, THETA, PSI, BETA = 0, 1, 2, 3
# From linear predictor to value: as it is, exp, or tanh times both standard deviations.
IDENTITY, LOG, CORRELATION = 0, 1, 2
# Prior families: normal on x; beta on (1 + tanh x)/2; all others on the standard deviation q = exp(c x), the inverse
# gamma on q squared.
FLAT, NORMAL, GAMMA, HALF_NORMAL, HALF_T, INVERSE_GAMMA, BETA_PRIOR = 0, 1, 2, 3, 4, 5, 6


#: Unique variances below this part of the item's variance have no density. Rounding errors grow with 1/theta, and a
#: chain that strayed there in its warm-up would find a peak that consists of them. On the log scale that is 23 units
#: down a tail that falls by half a unit or more each.
SMALLEST_UNIQUE = 1e-10


#: With deviations over fewer groups, the sampler's direction of them could be undefined; see `mixsem.kernels.shear`.
LEAST_FOR_POLAR = 8


class Problem(NamedTuple):
    """Data, model and priors of one measurement block. G groups, p items, m factors, E entries, P parameters.

    Attributes
    ----------
    nu, S
        Degrees of freedom, shape (G,), and item covariances with that divisor, shape (G, p, p).
    kind, row, column
        Matrix of every entry and the place in it, shape (E,); of a symmetric pair only one is listed.
    link
        From linear predictor to value, shape (E,).
    first, second
        Of a covariance: the entries of its two variances, else -1, shape (E,).
    scale
        Parameter that is log s, or -1, shape (E,).
    base, deviation
        Parameters of each entry and group, or -1, shape (G, E). Where both are -1, the value is `fixed`.
    fixed
        Fixed values, shape (G, E).
    s
        Fixed scales of the deviations, shape (E,).
    family, a, b, c
        Prior family of every parameter and its numbers, shape (P,).
    shear
        One row per entry with deviations, shape (K, 5): its mean, the first of its deviations and their number, the
        entry, and the sampler's coordinate of its spread, or -1; see `mixsem.kernels.shear`.
    shape
        Number of factors; whether Theta has residual covariances or zeros; whether there are regressions; shape (3,).
    """

    nu: Array
    S: Array
    kind: Index
    row: Index
    column: Index
    link: Index
    first: Index
    second: Index
    scale: Index
    base: Index
    deviation: Index
    fixed: Array
    s: Array
    family: Index
    a: Array
    b: Array
    c: Array
    shear: Index
    shape: Index


def pack(problem: Problem) -> NDArray[np.int64]:
    """Put the problem into one buffer of 8-byte words, as compiled code called by its address reads it.

    The buffer starts with the sizes G, p, E, P and K; then the arrays follow in the order of `Problem`. Floating point
    numbers keep their bits.
    """
    n_groups, p, _ = problem.S.shape
    sizes = np.array([n_groups, p, problem.kind.size, problem.family.size, len(problem.shear)], dtype=np.int64)
    words = [sizes]
    for array in problem:
        kind = np.int64 if array.dtype.kind == "i" else np.float64
        words.append(np.ascontiguousarray(array, dtype=kind).ravel().view(np.int64))
    return np.concatenate(words)
