"""Saturated means and covariances of groups with missing values: EM, accelerated, for all groups at once.

With b and Omega of `mixsem.kernels.patterns`, the EM step of a group with n rows is

    delta = Sigma b / n,    mu <- mu + delta,    Sigma <- Sigma - Sigma Omega Sigma / n - delta delta'.

Its steps shrink by the fraction of missing information; SQUAREM extrapolates them, each group with its own length.
A group leaves the iterations when it is done, so that a slow one does not hold up the others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .covariance import inverse_and_log_det
from .patterns import PatternTables, pattern_sums

__all__ = ["SaturatedEstimates", "saturated_estimates"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

#: Largest change of a mean or covariance, in standard deviations, at which a group is done. The log-likelihood
#: depends on it quadratically.
TOLERANCE = 1e-10

#: A group that was stopped earlier still counts as converged if this much was left to go, in the same units.
NEGLIGIBLE = 1e-5


class SaturatedEstimates(NamedTuple):
    """Maximum likelihood estimates of unrestricted moments."""

    means: Array  # (G, p)
    covariances: Array  # (G, p, p)
    loglik: Array  # (G,) observed-data log-likelihood; infinite where an item does not vary
    converged: NDArray[np.bool_]  # (G,)
    n_iterations: int  # rounds of three EM steps


def saturated_estimates(tables: PatternTables, *, max_iterations: int = 500) -> SaturatedEstimates:
    """Estimate every group's mean vector and covariance matrix.

    Parameters
    ----------
    tables
        The patterns; every item must be observed in every group.
    max_iterations
        Rounds of two EM steps and an extrapolated one, at most.

    Returns
    -------
    SaturatedEstimates
        The estimates. The last ones where a group's matrix runs into singularity, with `converged` False. An item
        that does not vary in a group has a variance and covariances of zero there.

    References
    ----------
    Dempster, Laird & Rubin (1977), JRSS B 39, 1-38; Varadhan & Roland (2008), Scandinavian Journal of Statistics
    35, 335-353 (scheme S3).
    """
    centre, spread = _available_cases(tables)
    varies: NDArray[np.bool_] = np.greater(spread, 0)
    scale = np.where(varies, spread, 1.0)
    standard = _standardised(tables, centre, scale, varies)
    mu, Sigma = np.zeros(centre.shape), np.tile(np.eye(centre.shape[1]), (tables.n_groups, 1, 1))
    converged = np.zeros(tables.n_groups, dtype=bool)
    active, iteration = np.arange(tables.n_groups), 0
    while active.size and iteration < max_iterations:
        iteration += 1
        mu, Sigma, change, left = _round(standard, mu, Sigma, active)
        converged[active] = (change < TOLERANCE) | (left < NEGLIGIBLE)
        active = active[(change >= TOLERANCE) & np.isfinite(change)]
    sums = pattern_sums(standard, mu, Sigma)
    weight = np.zeros(centre.shape)
    np.add.at(weight, _group_of(tables), tables.n[:, None] * tables.observed)
    loglik = -0.5 * sums.deviance - (weight * np.log(scale)).sum(axis=1)
    both = (varies * scale)[:, :, None] * (varies * scale)[:, None, :]
    return SaturatedEstimates(
        means=centre + scale * mu,
        covariances=Sigma * both,
        loglik=np.where(varies.all(axis=1), loglik, np.inf),
        converged=converged,
        n_iterations=iteration,
    )


def _round(tables: PatternTables, mu: Array, Sigma: Array, active: Index) -> tuple[Array, Array, Array, Array]:
    """Two EM steps and the extrapolation of both.

    Returned are the moments, the largest change of the first step, infinite for groups that cannot go on, and the way
    left if steps go on shrinking as from the first to the second.
    """
    p = mu.shape[1]
    start = _packed(mu, Sigma, active)
    _, first = _em_step(tables, start, active, mu.shape)
    deviance, second = _em_step(tables, first, active, mu.shape)
    r, v = first - start, second - 2 * first + start
    change = np.abs(r).max(axis=1)
    bend = np.sqrt((v**2).sum(axis=1))
    # A step length of -1 is the second EM step itself; longer ones go on along the bend.
    length = np.sqrt((r**2).sum(axis=1)) / np.where(bend > 0, bend, np.inf)
    alpha = -np.maximum(length, 1.0)[:, None]
    trial_deviance, trial = _em_step(tables, start - 2 * alpha * r + alpha**2 * v, active, mu.shape)
    # The second step is at least as good as the first: an extrapolation that is not is given up.
    better: NDArray[np.bool_] = np.less_equal(trial_deviance, deviance)
    reached = np.where(better[:, None], trial, second)
    stuck = ~np.isfinite(reached).all(axis=1)
    reached = np.where(stuck[:, None], start, reached)
    mu, Sigma = mu.copy(), Sigma.copy()
    mu[active], Sigma[active] = reached[:, :p], reached[:, p:].reshape(-1, p, p)
    change = np.where(stuck, np.inf, change)
    slowness = np.abs(second - first).max(axis=1) / np.where(change > 0, change, np.inf)
    return mu, Sigma, change, np.where(slowness < 1, change / np.maximum(1 - slowness, 1e-12), np.inf)


def _em_step(tables: PatternTables, x: Array, active: Index, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Deviance at x and the EM step from it, for the active groups; infinite and nan where x is improper."""
    G, p = shape
    mu, Sigma = np.zeros((G, p)), np.zeros((G, p, p))
    mu[active], Sigma[active] = x[:, :p], x[:, p:].reshape(-1, p, p)
    sums = pattern_sums(tables, mu, Sigma, active)
    n = tables.n_rows[active]
    at = Sigma[active]
    delta = np.einsum("gij,gj->gi", at, sums.mean_part[active]) / n[:, None]
    moved = at - at @ sums.Omega[active] @ at / n[:, None, None] - delta[:, :, None] * delta[:, None, :]
    moved = 0.5 * (moved + moved.swapaxes(1, 2))
    # The patterns alone may allow a matrix that is not a covariance matrix: the whole of it must be definite.
    deviance = np.where(inverse_and_log_det(at).proper, sums.deviance[active], np.inf)
    step = np.concatenate([x[:, :p] + delta, moved.reshape(-1, p * p)], axis=1)
    return deviance, np.where(np.isfinite(deviance)[:, None], step, np.nan)


def _packed(mu: Array, Sigma: Array, active: Index) -> Array:
    return np.concatenate([mu[active], Sigma[active].reshape(active.size, -1)], axis=1)


def _group_of(tables: PatternTables) -> Index:
    return np.repeat(np.arange(tables.n_groups), np.diff(tables.starts))


def _available_cases(tables: PatternTables) -> tuple[Array, Array]:
    """Mean and standard deviation of every item over the rows that have it, shape (G, p)."""
    first = tables.starts[:-1]
    weight = tables.n[:, None] * tables.observed
    total = np.add.reduceat(weight, first)
    centre = np.add.reduceat(weight * tables.means, first) / total
    away = tables.means - centre[_group_of(tables)]
    inside = np.diagonal(tables.covariances, axis1=1, axis2=2)
    variance = np.add.reduceat(weight * (inside + away**2), first) / total
    # Rounding of the mean leaves this much of no variation.
    return centre, np.sqrt(np.where(variance <= (4 * np.finfo(float).eps * centre) ** 2, 0.0, variance))


def _standardised(tables: PatternTables, centre: Array, scale: Array, varies: NDArray[np.bool_]) -> PatternTables:
    """The patterns in standard deviations from the centre; an item that does not vary in a group counts as missing."""
    group = _group_of(tables)
    observed = tables.observed & varies[group]
    means = np.where(observed, (tables.means - centre[group]) / scale[group], 0.0)
    covariances = tables.covariances / (scale[group][:, :, None] * scale[group][:, None, :])
    return tables._replace(observed=observed, means=means, covariances=covariances)
