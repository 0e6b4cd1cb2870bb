"""Adaptive Gauss-Hermite quadrature for one scalar random effect per group, with its exact gradient.

With mode u_i and sigma_i = Omega_ii^-1/2 of group i and nodes x_k, weights w_k,

    log L_i = log sigma_i + log sum_k w_k exp(x_k^2) / sqrt(pi) exp(log f(y_i | u_ik) - u_ik^2 / 2),
    u_ik = u_i + sqrt(2) sigma_i x_k.

One node is Laplace's approximation. Nodes move with the parameters, and the gradient knows.

Source: Liu & Pierce (1994), Biometrika 81, doi 10.1093/biomet/81.3.624.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from .families import Family
from .laplace import Slope
from .modes import Mode
from .rows import EffectRows

__all__ = ["Quadrature", "integrate", "quadrature_slope"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Quadrature:
    """The likelihood of each group at the nodes of a mode.

    Attributes
    ----------
    mode
        The mode that nodes are placed around.
    nodes
        Standardised nodes sqrt(2) x_k, length K.
    u
        u_ik, shape (groups, K).
    sigma
        sigma_i.
    share
        Share of each node in the likelihood of its group, shape (groups, K).
    value
        -2 log L.
    """

    mode: Mode
    nodes: Array
    u: Array
    sigma: Array
    share: Array
    value: float


def integrate(rows: EffectRows, family: Family, mode: Mode, n_nodes: int) -> Quadrature:
    """Integrate the random effects out."""
    x, w = np.polynomial.hermite.hermgauss(n_nodes)
    nodes = np.sqrt(2.0) * x
    log_weights = np.log(w) + x**2 - 0.5 * np.log(np.pi)
    group, z, begins = _groups(rows)
    sigma = 1.0 / np.sqrt(1.0 + mode.lam[0, 0, 0] ** 2 * _sums(z**2 * mode.weight, begins))
    u = mode.u[:, None] + sigma[:, None] * nodes
    logs = np.empty_like(u)
    for k in range(n_nodes):
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            each = family.loglik(rows.y, rows.m, _moved(mode, u[:, k], group, z), mode.d)
        each = np.where(np.isnan(each), -np.inf, each)  # a node where the family has no mean adds nothing
        logs[:, k] = _sums(each, begins)
    logs += log_weights - 0.5 * u**2
    total = logsumexp(logs, axis=1)
    value = -2.0 * float(total.sum() + np.log(sigma).sum() + rows.constant)
    return Quadrature(mode, nodes, u, sigma, np.exp(logs - total[:, None]), value)


def quadrature_slope(rows: EffectRows, family: Family, found: Quadrature) -> Slope:
    """Derivatives of -2 log L."""
    mode, u, share, sigma = found.mode, found.u, found.share, found.sigma
    lam, d, y, m = mode.lam[0, 0, 0], mode.d, rows.y, rows.m
    group, z, begins = _groups(rows)
    by_row, by_d = np.zeros(len(y)), 0.0
    sums = np.empty_like(u)
    for k in range(u.shape[1]):
        eta, weight = _moved(mode, u[:, k], group, z), share[group, k]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            score = family.newton(y, m, eta, d)[0]
        score = np.where(weight > 0.0, score, 0.0)
        sums[:, k] = _sums(z * score, begins)
        by_row += weight * score
        if family.parameter:
            by_d += float(weight @ family.by_dispersion(y, m, eta, d).loglik)
    # Derivative of log f - u^2 / 2 by u at the nodes, and what moving all nodes, or spreading them, brings.
    pull = share * (lam * sums - u)
    moved, spread = pull.sum(axis=1), (pull * found.nodes).sum(axis=1) + 1.0 / sigma
    slope = family.slope(y, m, mode.eta, d)
    W, T = _sums(z**2 * mode.weight, begins), _sums(z**3 * slope, begins)
    by_omega = -0.5 * sigma**3 * spread
    by_mode = sigma**2 * (moved + by_omega * lam**3 * T)
    at_mode = _sums(z * mode.score, begins) - lam * mode.u * W
    by_lambda = (share * u * sums).sum() + by_omega @ (2.0 * lam * W + lam**2 * T * mode.u) + by_mode @ at_mode
    by_row += by_omega[group] * lam**2 * z**2 * slope - by_mode[group] * lam * mode.weight * z
    if family.parameter:
        terms = family.by_dispersion(y, m, mode.eta, d)
        by_d += float(by_omega @ _sums(z**2 * terms.weight, begins) * lam**2)
        by_d += float(by_mode @ _sums(z * terms.score, begins) * lam)
    return Slope(np.full((1, 1, 1), -2.0 * by_lambda), -2.0 * rows.X.T @ by_row, -2.0 * by_d)


def _groups(rows: EffectRows) -> tuple[NDArray[np.int32], Array, NDArray[np.int64]]:
    """Group of each row, its column of Z, and where groups begin: rows are sorted by group."""
    codes = rows.places.codes[0]
    z = rows.places.Z[:, 0] if rows.places.Z.shape[1] else np.ones(len(codes))
    return codes, z, np.searchsorted(codes, np.arange(rows.layout.n_levels[0]))


def _sums(values: Array, begins: NDArray[np.int64]) -> Array:
    return np.asarray(np.add.reduceat(values, begins))


def _moved(mode: Mode, u: Array, group: NDArray[np.int32], z: Array) -> Array:
    """Linear predictor with other random effects than the mode."""
    return mode.eta + mode.lam[0, 0, 0] * z * (u - mode.u)[group]
