"""Factor covariances that the same data would have under other measurement parameters, as uncertain as these are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..factors.moments import FactorMoments, positive_uniqueness
from ..kernels.arrow import ArrowRoot
from ..kernels.mapping import mapping_matrix
from ..kernels.plain_posterior import model_matrices
from ..measurement.bayes_fit import BayesianFit
from ..measurement.fit import BlockFit, MeasurementFit
from ..model.matrices import LAMBDA, THETA

__all__ = ["measurement_draws", "score_error"]

Array = NDArray[np.float64]


def score_error(moments: FactorMoments) -> Array:
    """Error covariances V_g = (Lambda' Theta^-1 Lambda)^-1 of the factor scores, shape (G, Q, Q).

    The scores M_g x hold all that the indicators tell of the factors when Lambda and Theta are known; their
    covariance matrix is Phi_g + V_g. Zero where factor covariances were given.

    Parameters
    ----------
    moments
        Factor moments of step 2.
    """
    if not moments.n_measurement:
        return np.zeros_like(moments.Phi)
    Theta = positive_uniqueness(moments.Theta, moments.observed)
    M = mapping_matrix(moments.Lambda, Theta)
    return np.asarray(M @ Theta @ M.swapaxes(1, 2))


def measurement_draws(moments: FactorMoments, n: int, rng: np.random.Generator) -> Array:
    """Factor covariances M* (S - Theta*) M*' of the observed S under drawn measurement parameters.

    After maximum likelihood, parameters come from a normal distribution around the estimates with their covariance
    matrix, block by block; after Bayes they are posterior draws, as many as there are but no more than `n`.

    Parameters
    ----------
    moments
        Factor moments with the measurement model they came from.
    n
        Number of draws.
    rng
        Source of randomness.

    Returns
    -------
    NDArray
        Shape (n, G, Q, Q), in the order of ``moments.factors``; of shape (0, G, Q, Q) without a measurement model.
    """
    step1 = moments.measurement
    if step1 is None:
        return np.zeros((0, *moments.Phi.shape))
    used = np.array([step1.factors.index(factor) for factor in moments.factors])
    S = step1.moments.select(step1.items).covariances
    found = []
    draws = _normal_draws(step1, n, rng) if isinstance(step1, MeasurementFit) else _posterior_draws(step1, n)
    for Lambda, Theta in draws:
        M = mapping_matrix(Lambda, positive_uniqueness(Theta, S))[:, used]
        found.append(M @ (S - Theta) @ M.swapaxes(1, 2))
    return np.array(found)


def _normal_draws(step1: MeasurementFit, n: int, rng: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    """Lambda and Theta of all groups around the estimates; a block without standard errors stays where it is."""
    roots = [_root(block) for block in step1.blocks]
    for _ in range(n):
        Lambda, Theta = np.zeros_like(step1.Lambda), np.zeros_like(step1.Theta)
        for block, root in zip(step1.blocks, roots, strict=True):
            theta = block.coef if root is None else block.coef + root.times(rng.standard_normal(block.coef.size))
            i = np.array([step1.items.index(name) for name in block.items])
            q = np.array([step1.factors.index(name) for name in block.factors])
            Lambda[:, i[:, None], q] = block.model.values_of(LAMBDA, theta)
            change = block.model.values_of(THETA, theta) - block.model.values_of(THETA, block.coef)
            Theta[:, i[:, None], i] = block.Theta + change
        yield Lambda, Theta


def _root(block: BlockFit) -> ArrowRoot | None:
    """A square root of the covariance matrix of a block's parameters, group by group; None where there is none."""
    system = block.optimum.system
    if system is None or not (np.isfinite(system.local_inverse).all() and np.isfinite(system.schur_inverse).all()):
        return None
    return system.root()


def _posterior_draws(step1: BayesianFit, n: int) -> Iterator[tuple[Array, Array]]:
    """Lambda and Theta of posterior draws, evenly spaced; blocks were sampled apart and are put together."""
    n = min(n, *(len(block.draws.flat) for block in step1.blocks))
    for t in np.linspace(0, 1, n):
        Lambda, Theta = np.zeros_like(step1.Lambda), np.zeros_like(step1.Theta)
        for block in step1.blocks:
            flat = block.draws.flat
            x = flat[round(t * (len(flat) - 1))]
            i = np.array([step1.items.index(name) for name in block.items])
            q = np.array([step1.factors.index(name) for name in block.factors])
            one = model_matrices(block.posterior.problem, block.posterior.values(x))
            Lambda[:, i[:, None], q], Theta[:, i[:, None], i] = one[0], one[1]
        yield Lambda, Theta
