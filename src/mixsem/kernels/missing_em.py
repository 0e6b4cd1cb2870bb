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
    x, converged, iteration = _iterate(standard, max_iterations)
    mu, Sigma = _unpacked(x, centre.shape[1])
    weight = np.zeros(centre.shape)
    np.add.at(weight, _group_of(tables), tables.n[:, None] * tables.observed)
    loglik = -0.5 * pattern_sums(standard, mu, Sigma).deviance - (weight * np.log(scale)).sum(axis=1)
    both = (varies * scale)[:, :, None] * (varies * scale)[:, None, :]
    return SaturatedEstimates(
        means=centre + scale * mu,
        covariances=Sigma * both,
        loglik=np.where(varies.all(axis=1), loglik, np.inf),
        converged=converged,
        n_iterations=iteration,
    )


def _iterate(tables: PatternTables, max_iterations: int) -> tuple[Array, NDArray[np.bool_], int]:
    """Go on until every group is done; means and covariances side by side, which groups converged, and the rounds."""
    G, p = tables.n_groups, tables.means.shape[1]
    x = np.tile(np.concatenate([np.zeros(p), np.eye(p).ravel()]), (G, 1))
    # Next to a singular matrix rounding may break a step: the best moments so far are kept to return to.
    best, least = x.copy(), np.full(G, np.inf)
    converged, active, iteration = np.zeros(G, dtype=bool), np.arange(G), 0
    while active.size and iteration < max_iterations:
        iteration += 1
        deviance, reached, change, left = _round(tables, x, active)
        sound = np.isfinite(deviance) & (deviance <= _allowed(least[active], tables.n_rows[active]))
        held = active[sound]
        best[held], least[held] = x[held], deviance[sound]
        x[active] = np.where(sound[:, None], reached, best[active])
        converged[active] = sound & ((change < TOLERANCE) | (left < NEGLIGIBLE))
        active = active[sound & (change >= TOLERANCE) & np.isfinite(change)]
    last, _ = _em_step(tables, x, np.arange(G))
    broken = ~(last <= _allowed(least, tables.n_rows))
    return np.where(broken[:, None], best, x), converged & ~broken, iteration


def _allowed(least: Array, n: Array) -> Array:
    """EM never raises the deviance but by rounding."""
    return np.where(np.isfinite(least), least + 1e-9 * (np.abs(least) + n), np.inf)


def _round(tables: PatternTables, x: Array, active: Index) -> tuple[Array, Array, Array, Array]:
    """Two EM steps and the extrapolation of both.

    Returned are, for the active groups, the deviance at x, the moments reached, the largest change of the first step,
    infinite for groups that cannot go on, and the way left if steps go on shrinking as from the first to the second.
    """
    start = x[active]
    here, first = _em_step(tables, start, active)
    deviance, second = _em_step(tables, first, active)
    r, v = first - start, second - 2 * first + start
    change = np.abs(r).max(axis=1)
    bend = np.sqrt((v**2).sum(axis=1))
    # A step length of -1 is the second EM step itself; longer ones go on along the bend.
    length = np.sqrt((r**2).sum(axis=1)) / np.where(bend > 0, bend, np.inf)
    alpha = -np.maximum(length, 1.0)[:, None]
    trial_deviance, trial = _em_step(tables, start - 2 * alpha * r + alpha**2 * v, active)
    # The second step is at least as good as the first: an extrapolation that is not is given up.
    better = np.flatnonzero(trial_deviance <= deviance)
    reached = second.copy()
    reached[better] = trial[better]
    stuck: NDArray[np.bool_] = np.any(~np.isfinite(reached), axis=1)
    change = np.where(stuck, np.inf, change)
    slowness = np.abs(second - first).max(axis=1) / np.where(change > 0, change, np.inf)
    left = np.where(slowness < 1, change / np.maximum(1 - slowness, 1e-12), np.inf)
    return here, np.where(stuck[:, None], start, reached), change, left


def _em_step(tables: PatternTables, x: Array, active: Index) -> tuple[Array, Array]:
    """Deviance at x and the EM step from it, for the active groups; infinite and nan where x is improper."""
    p = tables.means.shape[1]
    mu, Sigma = np.zeros((tables.n_groups, p)), np.zeros((tables.n_groups, p, p))
    mu[active], Sigma[active] = _unpacked(x, p)
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


def _unpacked(x: Array, p: int) -> tuple[Array, Array]:
    """Means and covariances that stand side by side in the rows of x."""
    return x[:, :p], x[:, p:].reshape(-1, p, p)


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
