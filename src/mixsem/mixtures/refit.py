"""Steps 2 and 3 again on other moments: quick, from where a fit ended and from random starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..factors.moments import FactorMoments
from ..structural.em import EMSettings, initial_weights, own_coefficients, run_em, settle, start_from
from ..structural.fit import SAME_SOLUTION, MixtureFit, StartRecord
from ..structural.mixture import assemble_fit, em_data
from ..structural.search import split_and_merge
from ..structural.starts import starting_partitions

__all__ = ["divided", "label_order", "refit"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

#: All starts go a short way; so many of the best go to the end.
SHORT, FINALISTS = EMSettings(tolerance=1e-2, max_iterations=200), 3


def refit(
    fit: MixtureFit,
    moments: FactorMoments,
    starts: Array,
    n_starts: int,
    rng: np.random.Generator,
    *,
    thorough: bool = False,
) -> MixtureFit:
    """Fit the mixture of `fit` to other factor moments of as many groups.

    Parameters
    ----------
    fit
        What says how to fit: options and structural model.
    moments
        Other moments of the same factors, G groups.
    starts
        Responsibilities to start from, shape (s, G, K); they say how many clusters there are.
    n_starts
        Random partitions to start from besides.
    rng
        Source of randomness.
    thorough
        Whether the best solution is also improved by splitting and merging clusters.

    Returns
    -------
    MixtureFit
        Clusters in order of their size; ``own`` is that of `fit`.
    """
    spec, k = fit.specification, starts.shape[2]
    data = em_data(fit.path, moments, by_group=spec.residuals == "group", floor=spec.residual_floor)
    z = starts.swapaxes(1, 2)
    if n_starts and k > 1:
        z = np.concatenate([z, starting_partitions("hard", moments.groups, k, n_starts, rng)])
    short = settle(data, run_em(data, start_from(data, z, initial_weights(data, k)), SHORT))
    best = short.take(np.argsort(-short.loglik, kind="stable")[:FINALISTS])
    settings = EMSettings(spec.tolerance, spec.max_iterations)
    ended = settle(data, run_em(data, best, settings))
    top = ended.take(np.array([ended.loglik.argmax()]))
    if thorough and k > 1:
        top = split_and_merge(data, own_coefficients(data)[0], top, settings, rng, SAME_SOLUTION)
    record = StartRecord(short.loglik, short.iterations, bool(top.converged[0]), float(top.loglik[0]))
    return assemble_fit(replace(spec, k=k), moments, fit.path, data, top, record, fit.own)


def label_order(posterior: Array, coefficients: Array, found: MixtureFit) -> Index:
    """Which cluster found again is which of the original ones.

    Clusters are matched so that groups keep as much of their posterior probability as possible (Hungarian
    algorithm); where that leaves a choice, the nearer regressions decide.

    Parameters
    ----------
    posterior
        Original posterior probabilities of the groups of `found`, shape (G, K).
    coefficients
        Original regressions, shape (K, R).
    found
        The mixture fitted again.

    Returns
    -------
    NDArray
        Shape (K,): ``found.coefficients[order]`` is in the original order.
    """
    overlap = posterior.T @ found.posterior / len(posterior)
    distance = np.abs(coefficients[:, None] - found.coefficients[None]).sum(axis=2)
    return linear_sum_assignment(-overlap + 1e-6 * distance / (1.0 + distance.max()))[1]


def divided(fit: MixtureFit, moments: FactorMoments, rng: np.random.Generator, n_random: int = 3) -> Array:
    """Starts with one cluster more: each cluster of a solution divided, shape (s, G, K + 1).

    Parameters
    ----------
    fit
        A solution with K clusters on `moments`.
    moments
        The moments of its groups.
    rng
        Source of randomness.
    n_random
        Random divisions of each cluster, besides the one along the main direction of its groups' own regressions.
    """
    spec = fit.specification
    data = em_data(fit.path, moments, by_group=spec.residuals == "group", floor=spec.residual_floor)
    own, modal, found = own_coefficients(data)[0], fit.clusters - 1, []
    for c in range(fit.k):
        members = np.flatnonzero(modal == c)
        if members.size < 2:
            continue
        centred = (own[members] - own[members].mean(axis=0)) * np.sqrt(data.n[members])[:, None]
        sides = [centred @ np.linalg.svd(centred, full_matrices=False)[2][0] > 0]
        sides += [rng.random(members.size) < 0.5 for _ in range(n_random)]
        for side in sides:
            partition = modal.copy()
            partition[members[side]] = fit.k
            found.append(partition)
    partitions = np.array(found).reshape(-1, modal.size)
    return np.asarray(partitions[:, :, None] == np.arange(fit.k + 1), dtype=float)
