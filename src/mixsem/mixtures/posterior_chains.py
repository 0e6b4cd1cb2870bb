"""Posterior of a mixture of estimates: clusters of regressions that were each measured with a known error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax

__all__ = ["log_densities", "posterior_chains"]

Array = NDArray[np.float64]

#: Sweeps of each chain, those that are dropped at the start, and which of the others are kept.
SWEEPS, BURN_IN, EVERY = 60, 20, 5
#: Prior variance of a cluster's regression at least, as a share of the mean error variance of a group's.
SMALLEST_SPREAD = 0.1


def log_densities(values: Array, covariances: Array, clusters: Array) -> Array:
    """Log N(b_g | beta_k, V_g) without its constant of the group, shape (..., K, G).

    Parameters
    ----------
    values, covariances
        b_g, shape (G, J), and V_g, shape (G, J, J).
    clusters
        beta, shape (..., K, J).
    """
    W = np.linalg.inv(covariances)
    h = np.einsum("gij,gj->gi", W, values)
    outer = clusters[..., :, None] * clusters[..., None, :]
    quadratic = outer.reshape(*clusters.shape[:-1], -1) @ W.reshape(len(W), -1).T
    return np.asarray(clusters @ h.T - 0.5 * (quadratic + np.einsum("gi,gi->g", h, values)))


def posterior_chains(
    values: Array,
    covariances: Array,
    clusters: Array,
    proportions: Array,
    posterior: Array,
    equal: NDArray[np.bool_],
    n: int,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Membership probabilities averaged over the posterior of regressions and proportions.

    Gibbs sampling of memberships, regressions and proportions; n chains advance together from the fitted solution.
    A cluster's regressions have a normal prior with the mean of the groups' own ones and their covariance beyond error,
    proportions a uniform one. Kept states are relabelled to agree best with the memberships that were fitted.

    Parameters
    ----------
    values, covariances
        Own regressions, shape (G, J), and their error covariances, shape (G, J, J).
    clusters, proportions, posterior
        The fitted solution, shapes (K, J), (K,) and (G, K).
    equal
        Regressions that are the same in all clusters, shape (J,).
    n
        Number of chains.
    rng
        Source of randomness.

    Returns
    -------
    tuple
        Probabilities, shape (G, K), and their standard deviation over the states kept, shape (G, K).
    """
    (K, J), G = clusters.shape, len(values)
    W = np.linalg.inv(covariances)
    h = np.einsum("gij,gj->gi", W, values)
    prior, pull = _prior(values, covariances)
    beta, pi = np.broadcast_to(clusters, (n, K, J)), np.broadcast_to(proportions, (n, K))
    total, squares, kept = np.zeros((G, K)), np.zeros((G, K)), 0
    for sweep in range(SWEEPS):
        with np.errstate(divide="ignore"):
            joint = log_densities(values, covariances, beta) + np.log(pi)[..., None]
        if sweep >= BURN_IN and (sweep - BURN_IN) % EVERY == 0:
            z = _relabelled(softmax(joint, axis=1), posterior)
            total, squares, kept = total + z.sum(axis=0), squares + (z**2).sum(axis=0), kept + n
        member = (joint + rng.gumbel(size=joint.shape)).argmax(axis=1)
        z = (member[:, None, :] == np.arange(K)[:, None]).astype(float)
        gamma = rng.gamma(1.0 + z.sum(axis=2))
        pi = gamma / gamma.sum(axis=1, keepdims=True)
        precision = (z @ W.reshape(G, -1)).reshape(n, K, J, J) + prior
        beta = _draw_regressions(precision, z @ h + pull, equal, rng)
    mean = total / kept
    return mean, np.sqrt(np.maximum(squares / kept - mean**2, 0.0))


def _prior(values: Array, covariances: Array) -> tuple[Array, Array]:
    """Precision and precision times mean of a cluster's regressions: how the groups differ beyond their errors.

    The spread of own regressions less the mean error, in the metric of that error. A prior that is much wider than
    the clusters lie apart would favour few of them (Lindley's paradox), and empty ones.
    """
    centred = values - values.mean(axis=0)
    root = np.linalg.cholesky(covariances.mean(axis=0))
    scaled = np.linalg.solve(root, centred.T)
    roots, vectors = np.linalg.eigh(scaled @ scaled.T / max(len(values) - 1, 1))
    half = np.linalg.solve(root.T, vectors / np.sqrt(np.maximum(roots - 1.0, SMALLEST_SPREAD)))
    precision = half @ half.T
    return precision, precision @ values.mean(axis=0)


def _draw_regressions(precision: Array, pull: Array, equal: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    """Draw (n, K, J) from normal distributions of given precision; equal regressions are one parameter."""
    n, K, J = pull.shape
    own, same = np.flatnonzero(~equal), np.flatnonzero(equal)
    size = K * own.size + same.size
    place = np.empty((K, J), dtype=np.int64)
    place[:, own] = np.arange(K * own.size).reshape(K, -1)
    place[:, same] = K * own.size + np.arange(same.size)
    A, a = np.zeros((n, size, size)), np.zeros((n, size))
    for k in range(K):
        A[:, place[k][:, None], place[k]] += precision[:, k]
        a[:, place[k]] += pull[:, k]
    root = np.linalg.cholesky(A)
    noise = rng.standard_normal((n, size, 1))
    right = np.concatenate([a[..., None], root @ noise], axis=-1)
    drawn = np.linalg.solve(A, right).sum(axis=-1)
    return np.asarray(drawn[:, place])


def _relabelled(z: Array, posterior: Array) -> Array:
    """States (n, K, G) with their clusters in the order that agrees best with the fit, as (n, G, K)."""
    agreement = z @ posterior
    ordered = np.empty((len(z), posterior.shape[0], posterior.shape[1]))
    for t, table in enumerate(agreement):
        state, fitted = linear_sum_assignment(table, maximize=True)
        ordered[t][:, fitted] = z[t, state].T
    return ordered
