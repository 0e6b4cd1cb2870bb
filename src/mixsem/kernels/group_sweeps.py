"""Metropolis-Hastings sweeps over groups with proposals from quadratic approximations of their likelihoods, compiled.

See `mixsem.bayes.laplace` for the equations.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import cached_njit
from .group_loglik import group_loglik, working_arrays
from .posterior import density, fill_scales, prior_term
from .shear import natural_parameters, pull_back, sheared_parameters

__all__ = ["Plan", "run_sweeps", "shared_slope"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

#: A pivot of the proposals' precision is at least this share of its diagonal element.
LEAST_PIVOT = 0.05


class Plan(NamedTuple):
    """Where the parameters of single groups are, and the approximations the proposals come from.

    Attributes
    ----------
    local
        Parameters of each group alone, padded by -1, shape (G, n).
    entry
        Entry of every parameter, shape (P,).
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
    H: Array
    b: Array
    direct: Index
    centre: Array
    C: Array
    reach: Index
    T: Array


@cached_njit
def conditional_normal(problem, plan, x, s, g, n, scale, R, inverse, mean):  # type: ignore[no-untyped-def]
    """Approximate normal distribution of group g's parameters given the shared ones.

    Fills its mean, the factor R of its precision R R' and the inverse of R's diagonal.
    """
    local, H, b = plan.local[g], plan.H[g], plan.b[g]
    for i in range(n):
        mean[i] = b[i]
        for q in range(plan.direct.size):
            mean[i] -= plan.C[g, i, q] * (x[plan.direct[q]] - plan.centre[q])
    for i in range(n):
        k = local[i]
        e = plan.entry[k]
        scale[i] = 1.0
        if problem.deviation[g, e] == k:
            scale[i] = s[e]
            offset = x[problem.base[g, e]]
            for j in range(n):
                mean[j] -= H[i, j] * offset
    for i in range(n):
        mean[i] *= scale[i]
        for j in range(i + 1):
            R[i, j] = scale[i] * H[i, j] * scale[j]
        k = local[i]
        if problem.deviation[g, plan.entry[k]] == k:
            R[i, i] += 1.0
    for i in range(n):
        for j in range(i):
            d = R[i, j]
            for k in range(j):
                d -= R[i, k] * R[j, k]
            R[i, j] = d * inverse[j]
        d = R[i, i]
        least = max(LEAST_PIVOT * abs(d), 1e-8)
        for k in range(i):
            d -= R[i, k] * R[i, k]
        R[i, i] = math.sqrt(max(d, least))
        inverse[i] = 1.0 / R[i, i]
        for k in range(i):
            mean[i] -= R[i, k] * mean[k]
        mean[i] *= inverse[i]
    solve_transposed(R, inverse, n, mean)


@cached_njit
def solve_transposed(R, inverse, n, v):  # type: ignore[no-untyped-def]
    """Solve R'x = v in place, R lower triangular with `inverse` of its diagonal."""
    for i in range(n - 1, -1, -1):
        v[i] *= inverse[i]
        for k in range(i):
            v[k] -= R[i, k] * v[i]


@cached_njit
def group_target(problem, plan, x, s, g, n, space):  # type: ignore[no-untyped-def]
    """Log density of group g's parameters given the shared ones, up to a constant."""
    total, local = 0.0, plan.local[g]
    for i in range(n):
        k = local[i]
        if problem.deviation[g, plan.entry[k]] == k:
            total -= 0.5 * x[k] * x[k]
        else:
            total += prior_term(problem, k, x[k])[0]
    return total + group_loglik(problem, x, s, g, space)


@cached_njit
def sweep_groups(problem, plan, x, s, keep, randoms, accepted, space):  # type: ignore[no-untyped-def]
    """Propose new parameters for every group given the shared ones: all at once, then a single one of them.

    With y the standardized deviation from the approximate conditional mean, the first proposal is
    keep * y + sqrt(1 - keep^2) * normal, which leaves the approximation invariant. The second is a long-tailed random
    walk along an axis: where the density has longer tails than the approximation, the first would stay for long.
    """
    normals, log_uniforms, axes, jumps = randoms
    width = plan.local.shape[1]
    scale, mean, R = np.empty(width), np.empty(width), np.empty((width, width))
    y, fresh, before, inverse = np.empty(width), np.empty(width), np.empty(width), np.empty(width)
    rest = math.sqrt(1.0 - keep * keep)
    for g in range(plan.local.shape[0]):
        n = 0
        while n < width and plan.local[g, n] >= 0:
            n += 1
        if n == 0:
            continue
        local = plan.local[g]
        conditional_normal(problem, plan, x, s, g, n, scale, R, inverse, mean)
        current = group_target(problem, plan, x, s, g, n, space)
        y[:] = 0.0
        for i in range(n):
            before[i] = x[local[i]]
            for k in range(i + 1):
                y[k] += R[i, k] * (before[i] - mean[i])
        gain = 0.0
        for i in range(n):
            fresh[i] = keep * y[i] + rest * normals[local[i]]
            gain += 0.5 * (fresh[i] * fresh[i] - y[i] * y[i])
        solve_transposed(R, inverse, n, fresh)
        for i in range(n):
            k = local[i]
            x[k] = mean[i] + fresh[i]
        new = group_target(problem, plan, x, s, g, n, space)
        if log_uniforms[0, g] < new - current + gain:
            current = new
            accepted[g] += 1.0
        else:
            for i in range(n):
                x[local[i]] = before[i]
        i = int(axes[g] * n)
        k = local[i]
        old = x[k]
        x[k] = old + jumps[g] * inverse[i]
        if not log_uniforms[1, g] < group_target(problem, plan, x, s, g, n, space) - current:
            x[k] = old


@cached_njit
def move_levels(problem, x, s, normals, chis, log_uniforms, space):  # type: ignore[no-untyped-def]
    """New mean and spread of every entry with deviations, all linear predictors unchanged (see `kernels.shear`)."""
    for row in range(problem.shear.shape[0]):
        mu, start, count, e = problem.shear[row, 0], problem.shear[row, 1], problem.shear[row, 2], problem.shear[row, 3]
        scale = problem.scale[e]
        if count == 0:
            continue
        old_mu, old_s, new_s, level, squares = x[mu], s[e], s[e], 0.0, 0.0
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
        gain -= direct_loglik(problem, x, s, mu, e, space)
        x[mu] = new_mu
        gain += direct_loglik(problem, x, s, mu, e, space)
        if log_uniforms[row] < gain:
            for k in range(start, start + count):
                x[k] = (x[k] - level) * old_s / new_s + new_level
            if scale >= 0:
                x[scale] = math.log(new_s)
                for other in range(s.size):
                    if problem.scale[other] == scale:
                        s[other] = new_s
        else:
            x[mu] = old_mu


@cached_njit
def direct_loglik(problem, x, s, mu, e, space):  # type: ignore[no-untyped-def]
    """Log-likelihood of the groups in which the mean itself is the value: the reference group."""
    total = 0.0
    for g in range(problem.nu.size):
        if problem.base[g, e] == mu and problem.deviation[g, e] < 0:
            total += group_loglik(problem, x, s, g, space)
    return total


@cached_njit
def shared_slope(problem, plan, start, step, coordinates, natural, slope, grad, out):  # type: ignore[no-untyped-def]
    """Log density at start + T step and its gradient by the step, in `out`.

    In the sampler's coordinates, except that spreads t are moved on their own scale and through zero: with all
    deviations reversed, a negative spread is the same as a positive one, and the density is smooth there.
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
        scale = problem.scale[problem.shear[k, 3]]
        if scale < 0:
            continue
        t = coordinates[scale]
        coordinates[scale] = math.log(abs(t))
        added -= coordinates[scale]
        if t < 0.0:
            for i in range(problem.shear[k, 1], problem.shear[k, 1] + problem.shear[k, 2]):
                coordinates[i] = -coordinates[i]
    natural_parameters(problem, coordinates, natural)
    added += density(problem, natural, slope)
    added += pull_back(problem, coordinates, natural, slope, grad)
    for k in range(K):
        scale, first = problem.scale[problem.shear[k, 3]], problem.shear[k, 1]
        if scale >= 0:
            reversed_sign = coordinates[first] * start[first] < 0.0
            grad[scale] = (grad[scale] - 1.0) * math.exp(-coordinates[scale]) * (-1.0 if reversed_sign else 1.0)
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
    for i in range(n_steps):
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


@cached_njit
def run_sweeps(problem, plan, x, keep, n_steps, randoms, draws, accepted):  # type: ignore[no-untyped-def]
    """Move x through one sweep per row of the random numbers, and keep where it was after each.

    Parameters
    ----------
    problem
        A `Problem`.
    plan
        A `Plan`.
    x
        Natural parameters, shape (P,); left where the last sweep ends.
    keep
        Share of the present deviation that proposals for a group keep; negative for over-relaxation.
    n_steps
        Steps of each Hamiltonian move.
    randoms
        Tuple of standard normals of the groups' parameters (D, P), log uniforms (D, 2, G), uniforms and jumps of the
        axes (D, G); standard normals, chi variates and log uniforms of the levels (D, K); momenta (D, D_c), step sizes
        and log uniforms (D,).
    draws
        Filled with x after every sweep, shape (D, P).
    accepted
        Counts of accepted proposals are added, shape (G,).

    Returns
    -------
    int
        Hamiltonian steps taken.
    """
    normals, log_uniforms, axes, jumps, levels, chis, level_uniforms, momenta, step_sizes, shared_uniforms = randoms
    space = working_arrays(problem)
    P, width, n_shared = x.size, x.size + problem.shear.shape[0], plan.T.shape[1]
    polar = 0
    for row in range(problem.shear.shape[0]):
        polar += problem.shear[row, 4] >= 0
    width = P + polar
    buffers = (
        np.empty(width), np.empty(width), np.empty(P), np.empty(P), np.empty(width), np.empty(n_shared), np.empty(n_shared),
    )
    s = np.empty(problem.kind.size)
    taken = 0
    for d in range(draws.shape[0]):
        if n_shared > 0:
            taken += move_shared(
                problem, plan, x, momenta[d], step_sizes[d], n_steps, shared_uniforms[d], buffers
            )
        fill_scales(problem, x, s)
        move_levels(problem, x, s, levels[d], chis[d], level_uniforms[d], space)
        sweep_groups(problem, plan, x, s, keep, (normals[d], log_uniforms[d], axes[d], jumps[d]), accepted, space)
        draws[d] = x
    return taken
