"""Metropolis-Hastings moves of the parameters that groups share, compiled; `mixsem.bayes.laplace` has the equations."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import cached_njit
from .group_loglik import group_logliks
from .posterior import density, prior_term
from .shear import natural_parameters, pull_back, sheared_parameters

__all__ = ["Plan", "move_levels", "move_shared", "shared_slope"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class Plan(NamedTuple):
    """Where the parameters of single groups are, and the approximations that proposals come from.

    Attributes
    ----------
    local
        Parameters of each group alone, padded by -1, shape (G, n).
    entry
        Their entries, shape (G, n).
    mean
        The mean that a parameter is a deviation from, or -1, shape (G, n).
    H, b
        log L_g(u) = b'u - u'Hu/2 approximately, with u the linear predictors of the local parameters; shapes
        (G, n, n) and (G, n).
    direct, centre, C
        Shared parameters that groups depend on directly, shape (D,), where the approximation was made, and their
        cross-derivatives: b becomes b - C (x[direct] - centre); shape (G, n, D).
    reach, T
        Coordinates that a step in the D_c directions of the shared parameters moves, shape (R,), and by how much,
        shape (R, D_c).
    """

    local: Index
    entry: Index
    mean: Index
    H: Array
    b: Array
    direct: Index
    centre: Array
    C: Array
    reach: Index
    T: Array


@cached_njit
def move_levels(problem, x, s, normals, chis, log_uniforms, loglik):  # type: ignore[no-untyped-def]
    """New mean and spread of every entry with deviations, all linear predictors unchanged (see `kernels.shear`).

    The mean of the deviations and their length are drawn from their prior. `loglik`, shape (G,), is overwritten.
    """
    for row in range(problem.shear.shape[0]):
        mu, start, count, e = problem.shear[row, 0], problem.shear[row, 1], problem.shear[row, 2], problem.shear[row, 3]
        if count == 0:
            continue
        scale, old_mu, old_s, new_s, level, squares = problem.scale[e], x[mu], s[e], s[e], 0.0, 0.0
        for k in range(start, start + count):
            level += x[k] / count
        for k in range(start, start + count):
            squares += (x[k] - level) ** 2
        gain = 0.0
        if scale >= 0 and count > 1 and squares > 0.0:
            new_s = old_s * math.sqrt(squares) / chis[row]
            gain += prior_term(problem, scale, math.log(new_s))[0] - prior_term(problem, scale, x[scale])[0]
        new_level = normals[row] / math.sqrt(count)
        new_mu = old_mu + old_s * level - new_s * new_level
        gain += prior_term(problem, mu, new_mu)[0] - prior_term(problem, mu, old_mu)[0]
        gain -= direct_loglik(problem, x, s, mu, e, loglik)
        x[mu] = new_mu
        gain += direct_loglik(problem, x, s, mu, e, loglik)
        if not log_uniforms[row] < gain:
            x[mu] = old_mu
            continue
        for k in range(start, start + count):
            x[k] = (x[k] - level) * old_s / new_s + new_level
        if scale >= 0:
            x[scale] = math.log(new_s)
            for other in range(s.size):
                if problem.scale[other] == scale:
                    s[other] = new_s


@cached_njit
def direct_loglik(problem, x, s, mu, e, loglik):  # type: ignore[no-untyped-def]
    """Log-likelihood of the groups in which the mean itself is the value: the reference group."""
    total = 0.0
    for g in range(problem.nu.size):
        if problem.base[g, e] == mu and problem.deviation[g, e] < 0:
            group_logliks(problem, x, s, g, g + 1, loglik)
            total += loglik[g]
    return total


@cached_njit
def shared_slope(problem, plan, start, step, coordinates, natural, slope, grad, out):  # type: ignore[no-untyped-def]
    """Log density in the sampler's coordinates at start + T step, and its gradient by the step, in `out`.

    Spreads t are moved on their own scale, not the logarithmic one, and through zero: with all deviations reversed, a
    negative spread is the same as a positive one, and the density is smooth there.
    """
    coordinates[:] = start
    K = problem.shear.shape[0]
    for k in range(K):
        scale = problem.scale[problem.shear[k, 3]]
        if scale >= 0:
            coordinates[scale] = math.exp(start[scale])
    for r in range(plan.reach.size):
        for c in range(step.size):
            coordinates[plan.reach[r]] += plan.T[r, c] * step[c]
    added = 0.0
    for k in range(K):
        scale, first, count = problem.scale[problem.shear[k, 3]], problem.shear[k, 1], problem.shear[k, 2]
        if scale < 0:
            continue
        t = coordinates[scale]
        coordinates[scale] = math.log(abs(t))
        added -= coordinates[scale]
        if t < 0.0:
            for i in range(first, first + count):
                coordinates[i] = -coordinates[i]
    natural_parameters(problem, coordinates, natural)
    added += density(problem, natural, slope)
    added += pull_back(problem, coordinates, natural, slope, grad)
    for k in range(K):
        scale, first = problem.scale[problem.shear[k, 3]], problem.shear[k, 1]
        if scale >= 0:
            sign = -1.0 if coordinates[first] * start[first] < 0.0 else 1.0
            grad[scale] = sign * (grad[scale] - 1.0) * math.exp(-coordinates[scale])
    for c in range(step.size):
        out[c] = 0.0
        for r in range(plan.reach.size):
            out[c] += plan.T[r, c] * grad[plan.reach[r]]
    return added


@cached_njit
def move_shared(problem, plan, x, momentum, step_size, n_steps, log_uniform, buffers):  # type: ignore[no-untyped-def]
    """Hamiltonian step of the shared parameters, in coordinates in which the groups follow; whether it was taken."""
    start, coordinates, natural, slope, grad, step, out = buffers
    sheared_parameters(problem, x, start)
    step[:] = 0.0
    energy = 0.0
    for c in range(step.size):
        energy += 0.5 * momentum[c] * momentum[c]
    old = shared_slope(problem, plan, start, step, coordinates, natural, slope, grad, out)
    new = old
    for _ in range(n_steps):
        for c in range(step.size):
            momentum[c] += 0.5 * step_size * out[c]
            step[c] += step_size * momentum[c]
        new = shared_slope(problem, plan, start, step, coordinates, natural, slope, grad, out)
        if not math.isfinite(new):
            return False
        for c in range(step.size):
            momentum[c] += 0.5 * step_size * out[c]
    for c in range(step.size):
        energy -= 0.5 * momentum[c] * momentum[c]
    if log_uniform < new - old + energy:
        x[:] = natural
        return True
    return False
