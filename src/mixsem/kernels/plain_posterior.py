"""The log posterior of `mixsem.kernels.posterior` in plain NumPy, from the definitions: slow, short, independent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
    Problem,
)

__all__ = ["entry_values", "implied_covariances", "log_likelihoods", "log_posterior", "model_matrices"]

Array = NDArray[np.float64]


def entry_values(problem: Problem, x: Array) -> Array:
    """Values of all entries in all groups.

    Parameters
    ----------
    problem
        The compiled block.
    x
        Parameters, shape (P,) or (..., P).

    Returns
    -------
    NDArray
        Shape (..., G, E).
    """
    estimated = problem.scale >= 0
    s = np.where(estimated, np.exp(x[..., np.maximum(problem.scale, 0)]), problem.s)[..., None, :]
    base = np.where(problem.base >= 0, x[..., np.maximum(problem.base, 0)], 0.0)
    deviation = np.where(problem.deviation >= 0, x[..., np.maximum(problem.deviation, 0)], 0.0)
    eta = base + s * deviation
    value = np.where(problem.link == LOG, np.exp(np.where(problem.link == LOG, eta, 0.0)), eta)
    constant = (problem.base < 0) & (problem.deviation < 0)
    value = np.where(constant, problem.fixed, value)
    for e in np.flatnonzero(problem.link == CORRELATION):
        scale = np.sqrt(value[..., problem.first[e]] * value[..., problem.second[e]])
        value[..., e] = np.where(constant[:, e], problem.fixed[:, e], np.tanh(eta[..., e]) * scale)
    return value


def model_matrices(problem: Problem, value: Array) -> tuple[Array, Array, Array, Array]:
    """Lambda, Theta, Phi and B from the values of the entries; leading axes are kept."""
    p, m = problem.S.shape[1], int(problem.shape[0])
    lead = value.shape[:-1]
    Lambda, Theta = np.zeros((*lead, p, m)), np.zeros((*lead, p, p))
    Psi, B = np.zeros((*lead, m, m)), np.zeros((*lead, m, m))
    for e, (kind, i, j) in enumerate(zip(problem.kind, problem.row, problem.column, strict=True)):
        matrix = {LAMBDA: Lambda, THETA: Theta, PSI: Psi, BETA: B}[int(kind)]
        matrix[..., i, j] = value[..., e]
        if kind in (THETA, PSI):
            matrix[..., j, i] = value[..., e]
    if not problem.shape[2]:
        return Lambda, Theta, Psi, B
    effects = np.linalg.inv(np.eye(m) - B)
    return Lambda, Theta, effects @ Psi @ effects.swapaxes(-1, -2), B


def implied_covariances(problem: Problem, value: Array) -> Array:
    """Sigma of every group, shape (..., G, p, p)."""
    Lambda, Theta, Phi, _ = model_matrices(problem, value)
    return np.asarray(Lambda @ Phi @ Lambda.swapaxes(-1, -2) + Theta)


def log_likelihoods(problem: Problem, Sigma: Array) -> Array:
    """Log L_g without its constant, shape (..., G)."""
    log_det = np.linalg.slogdet(Sigma)[1]
    trace = np.trace(np.linalg.solve(Sigma, np.broadcast_to(problem.S, Sigma.shape)), axis1=-2, axis2=-1)
    return np.asarray(-0.5 * problem.nu * (log_det + trace))


def log_posterior(problem: Problem, x: Array) -> float:
    """Log posterior at x, up to the same constant as the compiled one."""
    Sigma = implied_covariances(problem, entry_values(problem, x))
    return float(log_likelihoods(problem, Sigma).sum() + _log_prior(problem, x).sum())


def _log_prior(problem: Problem, x: Array) -> Array:
    """Log prior of every parameter on its unconstrained scale: density of q plus log dq/dx."""
    a, b, c = problem.a, problem.b, problem.c
    with np.errstate(all="ignore"):  # families that a parameter does not have may overflow
        q, r = np.exp(c * x), np.tanh(x)
        terms = {
            NORMAL: -0.5 * ((x - a) / b) ** 2,
            GAMMA: (a - 1) * np.log(q) - b * q + np.log(q),
            HALF_NORMAL: -0.5 * (q / b) ** 2 + np.log(q),
            HALF_T: -(a + 1) / 2 * np.log1p((q / b) ** 2 / a) + np.log(q),
            INVERSE_GAMMA: -(a + 1) * np.log(q**2) - b / q**2 + np.log(q**2),
            BETA_PRIOR: (a - 1) * np.log1p(r) + (b - 1) * np.log1p(-r) + np.log1p(-(r**2)),
        }
    total = np.zeros_like(x)
    for family, term in terms.items():
        total = np.where(problem.family == family, term, total)
    return total
