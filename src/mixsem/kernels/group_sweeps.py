"""Metropolis-Hastings sweeps over all groups, compiled; `mixsem.bayes.laplace` has the equations.

Given the shared parameters groups are independent: each accepts or rejects its own proposal, and one pass over the
likelihoods serves all of them.
"""

from __future__ import annotations

import math

import numpy as np

from .compiled import cached_njit
from .group_loglik import group_logliks
from .posterior import fill_scales, prior_term
from .shared_moves import move_levels, move_shared

__all__ = ["run_sweeps"]

#: A pivot of the proposals' precision is at least this share of its diagonal element: approximations may be indefinite.
LEAST_PIVOT = 0.05
#: Standard deviation of a walk's step relative to the approximation's.
WALK = 0.5


@cached_njit
def fill_factors(plan, s, R, inverse):  # type: ignore[no-untyped-def]
    """Factor R of every group's conditional precision R R', shape (G, n, n), and the inverse of its diagonal."""
    G, width = plan.local.shape
    scale = np.empty(width)
    for g in range(G):
        for i in range(width):
            if plan.local[g, i] < 0:
                break
            deviates = plan.mean[g, i] >= 0
            scale[i] = s[plan.entry[g, i]] if deviates else 1.0
            for j in range(i):
                d = scale[i] * plan.H[g, i, j] * scale[j]
                for k in range(j):
                    d -= R[g, i, k] * R[g, j, k]
                R[g, i, j] = d * inverse[g, j]
            d = scale[i] * plan.H[g, i, i] * scale[i] + (1.0 if deviates else 0.0)
            least = max(LEAST_PIVOT * abs(d), 1e-8)
            for k in range(i):
                d -= R[g, i, k] * R[g, i, k]
            R[g, i, i] = math.sqrt(max(d, least))
            inverse[g, i] = 1.0 / R[g, i, i]


@cached_njit
def fill_means(plan, x, s, R, inverse, mean):  # type: ignore[no-untyped-def]
    """Approximate conditional mean of every group's parameters z given the shared ones, shape (G, n).

    u = offset + scale z has the log-likelihood b'u - u'Hu/2.
    """
    G, width = plan.local.shape
    for g in range(G):
        n = 0
        while n < width and plan.local[g, n] >= 0:
            mean[g, n] = plan.b[g, n]
            n += 1
        for q in range(plan.direct.size):
            away = x[plan.direct[q]] - plan.centre[q]
            for i in range(n):
                mean[g, i] -= plan.C[g, i, q] * away
        for i in range(n):
            if plan.mean[g, i] >= 0:
                offset = x[plan.mean[g, i]]
                for j in range(n):
                    mean[g, j] -= plan.H[g, i, j] * offset
        for i in range(n):
            if plan.mean[g, i] >= 0:
                mean[g, i] *= s[plan.entry[g, i]]
            for k in range(i):
                mean[g, i] -= R[g, i, k] * mean[g, k]
            mean[g, i] *= inverse[g, i]
        for i in range(n - 1, -1, -1):
            mean[g, i] *= inverse[g, i]
            for k in range(i):
                mean[g, k] -= R[g, i, k] * mean[g, i]


@cached_njit
def propose_all(plan, x, keep, normals, R, inverse, mean, proposal, gain):  # type: ignore[no-untyped-def]
    """New parameters of every group at once.

    With y the standardized deviation from the approximate conditional mean, to keep * y + sqrt(1 - keep^2) * normal,
    which leaves the approximation invariant. `gain` is what that adds to the log acceptance ratio.
    """
    G, width = plan.local.shape
    y = np.empty(width)
    rest = math.sqrt(1.0 - keep * keep)
    for g in range(G):
        gain[g] = 0.0
        n = 0
        while n < width and plan.local[g, n] >= 0:
            y[n] = 0.0
            n += 1
        for i in range(n):
            away = x[plan.local[g, i]] - mean[g, i]
            for k in range(i + 1):
                y[k] += R[g, i, k] * away
        for i in range(n):
            old = y[i]
            y[i] = keep * old + rest * normals[plan.local[g, i]]
            gain[g] += 0.5 * (y[i] * y[i] - old * old)
        for i in range(n - 1, -1, -1):
            y[i] *= inverse[g, i]
            for k in range(i):
                y[k] -= R[g, i, k] * y[i]
            proposal[plan.local[g, i]] = mean[g, i] + y[i]


@cached_njit
def add_prior_gains(problem, plan, x, sign, gain):  # type: ignore[no-untyped-def]
    """Add the log prior of every group's parameters, times the sign."""
    G, width = plan.local.shape
    for g in range(G):
        for i in range(width):
            k = plan.local[g, i]
            if k < 0:
                break
            if plan.mean[g, i] >= 0:
                gain[g] -= 0.5 * sign * x[k] * x[k]
            else:
                gain[g] += sign * prior_term(problem, k, x[k])[0]


@cached_njit
def propose_axis(problem, plan, x, uniforms, jumps, inverse, proposal, gain):  # type: ignore[no-untyped-def]
    """One parameter of every group moves by a long-tailed random walk, in units of its conditional deviation.

    `proposal` has to equal x before.
    """
    G, width = plan.local.shape
    for g in range(G):
        n = 0
        while n < width and plan.local[g, n] >= 0:
            n += 1
        gain[g] = 0.0
        if n == 0:
            continue
        i = int(uniforms[g] * n)
        k = plan.local[g, i]
        proposal[k] = x[k] + jumps[g] * inverse[g, i]
        for side in range(2):
            value, sign = (x[k], -1.0) if side == 0 else (proposal[k], 1.0)
            gain[g] += sign * prior_term(problem, k, value)[0]


@cached_njit
def propose_walk(plan, x, normals, R, inverse, proposal, gain):  # type: ignore[no-untyped-def]
    """All parameters of every group move by a random walk with the shape of the approximation."""
    G, width = plan.local.shape
    y = np.empty(width)
    for g in range(G):
        gain[g] = 0.0
        n = 0
        while n < width and plan.local[g, n] >= 0:
            y[n] = WALK * normals[plan.local[g, n]]
            n += 1
        for i in range(n - 1, -1, -1):
            y[i] *= inverse[g, i]
            for k in range(i):
                y[k] -= R[g, i, k] * y[i]
            proposal[plan.local[g, i]] = x[plan.local[g, i]] + y[i]


@cached_njit
def decide(plan, x, proposal, gain, log_uniforms, loglik, new_loglik, accepted):  # type: ignore[no-untyped-def]
    """Let every group accept or reject its proposal; afterwards x and `proposal` are the same there."""
    G, width = plan.local.shape
    for g in range(G):
        taken = log_uniforms[g] < new_loglik[g] - loglik[g] + gain[g]
        if taken:
            loglik[g] = new_loglik[g]
            accepted[g] += 1.0
        n = 0
        while n < width and plan.local[g, n] >= 0:
            k = plan.local[g, n]
            if taken:
                x[k] = proposal[k]
            else:
                proposal[k] = x[k]
            n += 1


@cached_njit
def sweep_groups(problem, plan, x, s, keep, randoms, accepted, buffers):  # type: ignore[no-untyped-def]
    """Move the parameters of all groups given the shared ones: all at once, then by random walks of two kinds.

    The walks are for groups whose density has longer tails than the approximation: out there the first kind of
    proposal would stay for long.
    """
    normals, log_uniforms, axes, jumps = randoms
    R, inverse, mean, proposal, gain, loglik, new_loglik, ignored = buffers
    G = plan.local.shape[0]
    proposal[:] = x
    fill_means(plan, x, s, R, inverse, mean)
    group_logliks(problem, x, s, 0, G, loglik)
    propose_all(plan, x, keep, normals[0], R, inverse, mean, proposal, gain)
    add_prior_gains(problem, plan, x, -1.0, gain)
    add_prior_gains(problem, plan, proposal, 1.0, gain)
    group_logliks(problem, proposal, s, 0, G, new_loglik)
    decide(plan, x, proposal, gain, log_uniforms[0], loglik, new_loglik, accepted)
    for i in range(axes.shape[0]):
        if i % 2:
            propose_walk(plan, x, normals[1 + i // 2], R, inverse, proposal, gain)
            add_prior_gains(problem, plan, x, -1.0, gain)
            add_prior_gains(problem, plan, proposal, 1.0, gain)
        else:
            propose_axis(problem, plan, x, axes[i], jumps[i], inverse, proposal, gain)
        group_logliks(problem, proposal, s, 0, G, new_loglik)
        decide(plan, x, proposal, gain, log_uniforms[1 + i], loglik, new_loglik, ignored)


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
        Standard normals of the groups' parameters (D, 1 + A // 2, P), log uniforms (D, 1 + A, G), uniforms and jumps
        of A walks (D, A, G); standard normals, chi variates and log uniforms of the levels (D, K); momenta (D, D_c),
        step sizes and log uniforms (D,).
    draws
        Filled with x after every sweep, shape (D, P).
    accepted
        Counts of accepted proposals are added, shape (G,).

    Returns
    -------
    int
        Hamiltonian moves taken.
    """
    normals, log_uniforms, axes, jumps, levels, chis, level_uniforms, momenta, step_sizes, shared_uniforms = randoms
    G, n = plan.local.shape
    P, n_shared = x.size, plan.T.shape[1]
    width = P
    for row in range(problem.shear.shape[0]):
        width += problem.shear[row, 4] >= 0
    coordinates = (
        np.empty(width),
        np.empty(width),
        np.empty(P),
        np.empty(P),
        np.empty(width),
        np.empty(n_shared),
        np.empty(n_shared),
    )
    loglik, new_loglik = np.zeros(G), np.zeros(G)
    groups = (
        np.empty((G, n, n)),
        np.empty((G, n)),
        np.empty((G, n)),
        np.empty(P),
        np.zeros(G),
        loglik,
        new_loglik,
        np.zeros(G),
    )
    s = np.empty(problem.kind.size)
    taken, random_spreads = 0, False
    for e in range(s.size):
        random_spreads |= problem.scale[e] >= 0
    for d in range(draws.shape[0]):
        if n_shared > 0:
            step = step_sizes[d]
            taken += move_shared(problem, plan, x, momenta[d], step, n_steps, shared_uniforms[d], coordinates)
        fill_scales(problem, x, s)
        move_levels(problem, x, s, levels[d], chis[d], level_uniforms[d], loglik)
        if d == 0 or random_spreads:
            fill_factors(plan, s, groups[0], groups[1])
        randoms_d = (normals[d], log_uniforms[d], axes[d], jumps[d])
        sweep_groups(problem, plan, x, s, keep, randoms_d, accepted, groups)
        draws[d] = x
    return taken
