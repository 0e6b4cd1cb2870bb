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
def conditional_normal(problem, plan, x, s, g, n, scale, R, mean):  # type: ignore[no-untyped-def]
    """Approximate normal distribution of group g's parameters given the shared ones: R R' is the precision."""
    for i in range(n):
        k = plan.local[g, i]
        e = plan.entry[k]
        deviates = problem.deviation[g, e] == k
        scale[i] = s[e] if deviates else 1.0
        offset = x[problem.base[g, e]] if deviates else 0.0
        mean[i] += plan.b[g, i]
        for q in range(plan.direct.size):
            mean[i] -= plan.C[g, i, q] * (x[plan.direct[q]] - plan.centre[q])
        for j in range(n):
            mean[j] -= plan.H[g, j, i] * offset
    for i in range(n):
        k = plan.local[g, i]
        mean[i] *= scale[i]
        for j in range(i + 1):
            R[i, j] = scale[i] * plan.H[g, i, j] * scale[j]
        if problem.deviation[g, plan.entry[k]] == k:
            R[i, i] += 1.0
    for j in range(n):
        least = max(LEAST_PIVOT * abs(R[j, j]), 1e-8)
        d = R[j, j]
        for k in range(j):
            d -= R[j, k] * R[j, k]
        R[j, j] = math.sqrt(max(d, least))
        for i in range(j + 1, n):
            d = R[i, j]
            for k in range(j):
                d -= R[i, k] * R[j, k]
            R[i, j] = d / R[j, j]
    for i in range(n):
        for k in range(i):
            mean[i] -= R[i, k] * mean[k]
        mean[i] /= R[i, i]
    solve_transposed(R, n, mean)


@cached_njit
def solve_transposed(R, n, v):  # type: ignore[no-untyped-def]
    """Solve R'x = v in place, R lower triangular."""
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            v[i] -= R[k, i] * v[k]
        v[i] /= R[i, i]


@cached_njit
def group_target(problem, plan, x, s, g, n, space):  # type: ignore[no-untyped-def]
    """Log density of group g's parameters given the shared ones, up to a constant."""
    total = group_loglik(problem, x, s, g, space)
    for i in range(n):
        k = plan.local[g, i]
        total += prior_term(problem, k, x[k])[0]
    return total


@cached_njit
def sweep_groups(problem, plan, x, s, weights, normals, log_uniforms, accepted, space):  # type: ignore[no-untyped-def]
    """Propose new parameters for every group, given the shared ones, once for every weight.

    With y the standardized deviation from the approximate conditional mean, the proposal is
    weight * y + sqrt(1 - weight^2) * normal, which leaves the approximation invariant.
    """
    width = plan.local.shape[1]
    scale, mean, R = np.empty(width), np.empty(width), np.empty((width, width))
    y, proposal, before = np.empty(width), np.empty(width), np.empty(width)
    for g in range(plan.local.shape[0]):
        n = 0
        while n < width and plan.local[g, n] >= 0:
            n += 1
        if n == 0:
            continue
        mean[:] = 0.0
        conditional_normal(problem, plan, x, s, g, n, scale, R, mean)
        current = group_target(problem, plan, x, s, g, n, space)
        for i in range(n):
            y[i] = 0.0
            for k in range(i, n):
                y[i] += R[k, i] * (x[plan.local[g, k]] - mean[k])
        for w in range(weights.size):
            rest = math.sqrt(1.0 - weights[w] * weights[w])
            gain = 0.0
            for i in range(n):
                k = plan.local[g, i]
                before[i] = x[k]
                fresh = weights[w] * y[i] + rest * normals[w, k]
                gain += 0.5 * (fresh * fresh - y[i] * y[i])
                proposal[i] = fresh
            for i in range(n):
                x[plan.local[g, i]] = proposal[i]
            solve_local(R, n, plan.local[g], x)
            for i in range(n):
                x[plan.local[g, i]] += mean[i]
            new = group_target(problem, plan, x, s, g, n, space)
            if log_uniforms[w, g] < new - current + gain:
                current = new
                accepted[w, g] += 1.0
                for i in range(n):
                    y[i] = proposal[i]
            else:
                for i in range(n):
                    x[plan.local[g, i]] = before[i]


@cached_njit
def solve_local(R, n, places, x):  # type: ignore[no-untyped-def]
    """Solve R'v = x[places] and write v there."""
    for i in range(n - 1, -1, -1):
        v = x[places[i]]
        for k in range(i + 1, n):
            v -= R[k, i] * x[places[k]]
        x[places[i]] = v / R[i, i]


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
    """Log density in the sampler's coordinates at start + T step, and its gradient by the step, in `out`."""
    coordinates[:] = start
    for r in range(plan.reach.size):
        for c in range(step.size):
            coordinates[plan.reach[r]] += plan.T[r, c] * step[c]
    natural_parameters(problem, coordinates, natural)
    total = density(problem, natural, slope)
    total += pull_back(problem, coordinates, natural, slope, grad)
    for c in range(step.size):
        out[c] = 0.0
        for r in range(plan.reach.size):
            out[c] += plan.T[r, c] * grad[plan.reach[r]]
    return total


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
def run_sweeps(problem, plan, x, weights, n_steps, randoms, draws, accepted):  # type: ignore[no-untyped-def]
    """Move x through one sweep per row of the random numbers, and keep where it was after each.

    Parameters
    ----------
    problem
        A `Problem`.
    plan
        A `Plan`.
    x
        Natural parameters, shape (P,); left where the last sweep ends.
    weights
        Share of the present deviation that each proposal of a sweep keeps, shape (W,).
    n_steps
        Steps of each Hamiltonian move.
    randoms
        Tuple of standard normals of the groups' parameters (D, W, P), log uniforms (D, W, G); standard normals, chi
        variates and log uniforms of the levels (D, K) each; momenta (D, D_c), step sizes and log uniforms (D,).
    draws
        Filled with x after every sweep, shape (D, P).
    accepted
        Counts of accepted proposals are added, shape (W, G).

    Returns
    -------
    int
        Hamiltonian steps taken.
    """
    normals, log_uniforms, levels, chis, level_uniforms, momenta, step_sizes, shared_uniforms = randoms
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
        sweep_groups(problem, plan, x, s, weights, normals[d], log_uniforms[d], accepted, space)
        draws[d] = x
    return taken
