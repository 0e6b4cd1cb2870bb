"""Quadratic approximations of the groups' log-likelihoods, and the metric of the shared parameters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..kernels.problem import IDENTITY
from ..kernels.shared_moves import Plan, shared_slope
from ..kernels.shear import sheared_parameters
from .arrow_hessian import STEP, Layout, arrow_hessian, find_layout, gradient, made_positive
from .posterior import Posterior

__all__ = ["parameter_scales", "quadratic_plan", "with_metric"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

#: Where the approximation is made, spreads are at least this share of a parameter's scale.
LEAST_SPREAD = 0.05


def parameter_scales(posterior: Posterior, x: Array) -> Array:
    """Order of magnitude of every parameter: a rough value for loadings, one on all other scales; shape (P,)."""
    linear = posterior.problem.link[posterior.entry] == IDENTITY
    own = np.isin(posterior.what, ("mean", "common", "group"))
    return np.where(linear & own & (x != 0.0), np.abs(x), 1.0)


def entry_scales(posterior: Posterior, scales: Array) -> Array:
    """The same for the linear predictor of every parameter's entry: that of its mean."""
    problem = posterior.problem
    by_entry = np.ones(problem.kind.size)
    for e in range(by_entry.size):
        base = problem.base[:, e]
        if (base >= 0).any():
            by_entry[e] = scales[base[base >= 0]].max()
    return by_entry


def rewritten(posterior: Posterior, x: Array, by_entry: Array) -> Array:
    """The same linear predictors with spreads that are not too small to take differences by deviations."""
    problem, x = posterior.problem, x.copy()
    before = x.copy()
    for e in np.flatnonzero(problem.scale >= 0):
        scale = problem.scale[e]
        x[scale] = max(before[scale], np.log(LEAST_SPREAD * by_entry[e]))
        index = problem.deviation[problem.deviation[:, e] >= 0, e]
        x[index] = before[index] * np.exp(before[scale] - x[scale])
    return x


def quadratic_plan(posterior: Posterior, x: Array, scales: Array) -> Plan:
    """Approximate every group's log-likelihood around x, shape (P,), where its conditional density has its mode.

    By the linear predictors u of the group's parameters (mean plus deviation, or the parameter itself, whose prior is
    included), and by the shared parameters that the group depends on without a deviation of its own.
    """
    problem = posterior.problem
    by_entry = entry_scales(posterior, scales)
    x = rewritten(posterior, x, by_entry)
    layout = find_layout(posterior)
    direct = layout.shared[enters_directly(posterior, layout.shared).any(axis=0)]
    layout = Layout(layout.local, direct)
    local, present = layout.local, layout.local >= 0
    deviates = np.array(posterior.what) == "deviation"
    s, offset = np.ones(x.size), np.zeros(x.size)
    for e in range(problem.kind.size):
        cells = problem.deviation[:, e] >= 0
        index = problem.deviation[cells, e]
        s[index] = np.exp(x[problem.scale[e]]) if problem.scale[e] >= 0 else problem.s[e]
        offset[index] = x[problem.base[cells, e]]
    arrow = arrow_hessian(posterior, layout, x, STEP * np.where(deviates, by_entry[posterior.entry] / s, scales))
    slope = (gradient(posterior, x) + np.where(deviates, x, 0.0)) / s
    width = np.where(present, s[local], 1.0)
    G, n = local.shape
    H = -arrow.A
    H[:, np.arange(n), np.arange(n)] -= present & deviates[local]
    H /= width[:, :, None] * width[:, None, :]
    u = np.where(present, (offset + s * x)[local], 0.0)
    b = np.where(present, slope[local], 0.0) + np.einsum("gij,gj->gi", H, u)
    C = -arrow.C / width[:, :, None] * enters_directly(posterior, direct)[:, None, :]
    entry = np.where(present, posterior.entry[local], 0)
    mean = np.where(present & deviates[local], problem.base[np.arange(G)[:, None], entry], -1)
    plan = Plan(local, entry, mean, H, b, direct, x[direct], C, np.empty(0, np.int64), np.empty((0, 0)))
    reach, T = following(posterior, plan)
    return plan._replace(reach=reach, T=T)


def enters_directly(posterior: Posterior, parameters: Index) -> Array:
    """Whether a group depends on a parameter other than through a deviation from it, shape (G, D)."""
    problem = posterior.problem
    alone = np.where(problem.deviation < 0, problem.base, -1)
    return np.asarray((alone[:, :, None] == parameters).any(axis=1), dtype=float)


def following(posterior: Posterior, plan: Plan) -> tuple[Index, Array]:
    """Coordinates that move with the shared parameters: these themselves, and how groups' own parameters follow.

    Deviations follow by the sampler's coordinates. What is free in every group follows by the conditional mean of the
    approximation, so that a step explores the marginal distribution of the shared parameters. A reference group's
    value is the mean of the others and has its own data: there the mean deviation from it is moved too.
    """
    what, shear = np.array(posterior.what), posterior.problem.shear
    shared = np.flatnonzero(np.isin(what, ("mean", "sd", "common")))
    rows = shear[np.isin(shear[:, 0], plan.direct) & (shear[:, 2] > 0)]
    free = np.flatnonzero(what == "group")
    steps = np.concatenate([shared, rows[:, 1] + rows[:, 2] - 1])
    T = np.zeros((posterior.n_params, steps.size))
    T[steps, np.arange(steps.size)] = 1.0
    if free.size:
        column = np.zeros(posterior.n_params, dtype=np.int64)
        column[shared] = np.arange(shared.size)
        own = (plan.local >= 0) & (what[plan.local] == "group")
        cross = np.zeros((*plan.local.shape, steps.size))
        cross[:, :, column[plan.direct]] = plan.C
        cross[:, :, shared.size :] = -cross[:, :, column[rows[:, 0]]] * _by_mean_deviation(posterior, rows)
        for g, j in np.argwhere(plan.mean >= 0):
            cross[g, :, column[plan.mean[g, j]]] += plan.H[g, :, j]
        both = own[:, :, None] & own[:, None, :]
        inner = np.where(both, plan.H, np.eye(own.shape[1]) * ~own[:, :, None])
        T[plan.local[own]] = -np.linalg.solve(made_positive(inner, 0.05), cross * own[:, :, None])[own]
    reach = np.concatenate([steps, free])
    return reach, np.ascontiguousarray(T[reach])


def _by_mean_deviation(posterior: Posterior, rows: Index) -> Array:
    """How far a mean moves against the coordinate of its mean deviation, the linear predictors staying put."""
    return np.asarray(posterior.problem.s[rows[:, 3]] / np.sqrt(rows[:, 2]))


def with_metric(posterior: Posterior, plan: Plan, points: Array, scales: Array) -> Plan:
    """Scale the steps of the shared parameters by their precision given the rest, averaged over some points."""
    n = plan.T.shape[1]
    if not n:
        return plan
    P, width = posterior.n_params, posterior.n_coordinates
    start, coordinates, grad = np.empty(width), np.empty(width), np.empty(width)
    natural, slope = np.empty(P), np.empty(P)
    M = np.zeros((n, n))
    shared = plan.reach[:n]
    spread = np.array([posterior.what[i] == "sd" for i in shared])
    h = 10.0 * STEP * np.where(spread, entry_scales(posterior, scales)[posterior.entry[shared]], scales[shared])
    for point in points:
        sheared_parameters(posterior.problem, point, start)
        for k in range(n):
            out = np.empty((2, n))
            for side, sign in enumerate((1.0, -1.0)):
                step = np.zeros(n)
                step[k] = sign * h[k]
                shared_slope(posterior.problem, plan, start, step, coordinates, natural, slope, grad, out[side])
            M[k] -= (out[0] - out[1]) / (2.0 * h[k]) / len(points)
    M = 0.5 * (M + M.T)
    root = np.linalg.inv(np.linalg.cholesky(made_positive(M, 0.05))).T
    return plan._replace(T=np.ascontiguousarray(plan.T @ root))
