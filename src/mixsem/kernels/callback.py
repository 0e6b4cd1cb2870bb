"""The log posterior as a function that compiled samplers call by its address."""

from __future__ import annotations

import math

import numpy as np
from numba import carray, types

from .compiled import cached_cfunc, cached_njit
from .posterior import density
from .problem import Problem
from .shear import natural_parameters, pull_back

__all__ = ["natural_callback", "posterior_callback", "unpack"]

_DOUBLES = types.CPointer(types.double)

#: What a status other than 0 means to the sampler: the point has no density, and the step is given up.
NO_DENSITY = 3


@cached_njit
def unpack(ints, floats):  # type: ignore[no-untyped-def]
    """Views of the arrays of a `Problem` in the buffer that `pack` made, given as integers and as floats."""
    G, p, E, P, K = ints[0], ints[1], ints[2], ints[3], ints[4]
    at = 5
    nu = floats[at : at + G]
    at += G
    S = floats[at : at + G * p * p].reshape(G, p, p)
    at += G * p * p
    kind, row, column = ints[at : at + E], ints[at + E : at + 2 * E], ints[at + 2 * E : at + 3 * E]
    at += 3 * E
    link, first, second = ints[at : at + E], ints[at + E : at + 2 * E], ints[at + 2 * E : at + 3 * E]
    at += 3 * E
    scale = ints[at : at + E]
    at += E
    base = ints[at : at + G * E].reshape(G, E)
    at += G * E
    deviation = ints[at : at + G * E].reshape(G, E)
    at += G * E
    fixed = floats[at : at + G * E].reshape(G, E)
    at += G * E
    s = floats[at : at + E]
    at += E
    family = ints[at : at + P]
    at += P
    a, b, c = floats[at : at + P], floats[at + P : at + 2 * P], floats[at + 2 * P : at + 3 * P]
    at += 3 * P
    shear = ints[at : at + 5 * K].reshape(K, 5)
    at += 5 * K
    shape = ints[at : at + 3]
    return Problem(
        nu, S, kind, row, column, link, first, second, scale, base, deviation, fixed, s, family, a, b, c, shear, shape
    )


@cached_cfunc(types.int64(types.uint64, _DOUBLES, _DOUBLES, _DOUBLES, types.voidptr))
def posterior_callback(n_params, x, grad, logp, buffer):  # type: ignore[no-untyped-def]
    """Write log posterior and gradient at sheared x; the buffer is that of `pack`, preceded by its length."""
    n_words = carray(buffer, (1,), np.int64)[0]
    ints = carray(buffer, (n_words,), np.int64)[1:]
    floats = carray(buffer, (n_words,), np.float64)[1:]
    problem, sheared = unpack(ints, floats), carray(x, (n_params,))
    natural, slope = np.empty(problem.family.size), np.empty(problem.family.size)
    gradient = carray(grad, (n_params,))
    natural_parameters(problem, sheared, natural)
    value = density(problem, natural, slope)
    value += pull_back(problem, sheared, natural, slope, gradient)
    carray(logp, (1,))[0] = value
    if not math.isfinite(value) or not np.all(np.isfinite(gradient)):
        return NO_DENSITY
    return 0


@cached_cfunc(types.int64(types.uint64, types.uint64, _DOUBLES, _DOUBLES, types.voidptr))
def natural_callback(n_params, n_kept, x, row, buffer):  # type: ignore[no-untyped-def]
    """Keep the natural parameters of a draw in the next row of the table, and say which row that is.

    The table follows the problem in the buffer: its number of rows, the draws so far, and the rows, which are filled
    again and again, so that warm-up draws take no memory.
    """
    n_words = carray(buffer, (1,), np.int64)[0]
    ints = carray(buffer, (n_words + 2,), np.int64)
    problem = unpack(ints[1:], carray(buffer, (n_words,), np.float64)[1:])
    n_rows, done, width = ints[n_words], ints[n_words + 1], problem.family.size
    table = carray(buffer, (n_words + 2 + n_rows * width,), np.float64)[n_words + 2 :].reshape(n_rows, width)
    natural_parameters(problem, carray(x, (n_params,)), table[done % n_rows])
    carray(row, (n_kept,))[0] = done % n_rows
    ints[n_words + 1] = done + 1
    return 0
