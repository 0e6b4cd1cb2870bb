"""Step 2 of MixML-SEM and MixMG-BSEM: factor scores as single indicators, from moments alone (equations 6 to 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import notify
from .moments import FactorMoments, repair_covariances
from .trouble import factor_notices

if TYPE_CHECKING:
    from ..measurement.bayes_fit import BayesianBlock, BayesianFit

__all__ = ["ScoreMoments", "score_moments", "single_indicator_moments", "single_indicators"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoreMoments:
    """Moments of the factor scores within groups.

    Attributes
    ----------
    covariances
        Covariances of the posterior means E f, shape (G, Q, Q), within and between blocks.
    uncertainty
        Mean posterior covariance of the scores, E cov(f), shape (G, Q, Q); zero between blocks, which are sampled
        apart.
    n_covariances
        `covariances` with divisor n, shape (G, Q, Q).
    """

    covariances: Array
    uncertainty: Array
    n_covariances: Array


def single_indicator_moments(step1: BayesianFit) -> FactorMoments:
    """Factor covariances of every group from a Bayesian measurement model.

    A factor's score is the posterior mean E f of a person's factor; its variance is taken over people. No score is
    computed: all is exact algebra on the items' covariances and averages over draws. With C = cov(E f) and
    V = E cov(f) in a block, all as of one group:

    - Phi = C + V (equation 8);
    - the scores' loadings are L = C Phi^-1, the reliability if the block has one factor (equation 7);
    - their unique covariances are T = C - L Phi L', or phi lambda (1 - lambda);
    - between blocks b and c, Phi_bc = L_b^-1 cov(E f_b, E f_c) L_c'^-1 (equation 9). Within a block the same
      formula returns Phi.

    Parameters
    ----------
    step1
        A fitted `MLCFA` or `MGBCFA`.

    Returns
    -------
    FactorMoments
        With one indicator per factor, its score.

    Notes
    -----
    Divisors are those of the papers. C has divisor N - 1, as has the covariance matrix of the step-1 likelihood with
    free means, so Phi, Lambda and Theta estimate population values. `observed` has divisor N, because equation 16
    adds up the squared deviations of N people: it is the log-likelihood of the scores whatever Phi is. In equation
    13 a divisor of Phi multiplies all (co)variances of a group by one number and cancels from the clusters. If step 1
    was told ``means="ignore"``, N centred observations count as independent and every divisor is N.

    References
    ----------
    Zhao, Vermunt & De Roover (2025), Mixture multilevel SEM vs. multilevel SEM for comparing structural relations
    across groups in presence of measurement non-invariance. Frontiers in Psychology 16, equations 6 to 9, 16 and 17.
    Croon (2002), Using predicted latent scores in general latent structure models.
    """
    scores = score_moments(step1)
    raw, Lambda, Theta = single_indicators(scores, _block_positions(step1))
    # The squared correlation of score and factor; in a block of one factor this is the loading.
    shares = [np.diagonal(matrix, axis1=1, axis2=2) for matrix in (scores.covariances, scores.uncertainty)]
    reliability = shares[0] / (shares[0] + shares[1])
    variances = np.diagonal(raw, axis1=1, axis2=2)
    error = variances * (1.0 - reliability) / reliability
    Phi, repaired = repair_covariances(raw, variances, error=error, n=step1.moments.n)
    notices = factor_notices(step1.factors, step1.groups, raw, repaired, reliability)
    notify(notices)
    return FactorMoments(
        factors=step1.factors,
        groups=step1.groups,
        n=step1.moments.n,
        Phi=Phi,
        indicators=tuple(f"score of {factor}" for factor in step1.factors),
        Lambda=Lambda,
        Theta=Theta,
        observed=scores.n_covariances,
        reliability=reliability,
        n_measurement=step1.count_measurement(step1.factors),
        method=step1.method,
        notices=(*step1.notices, *notices),
        measurement=step1,
    )


def score_moments(step1: BayesianFit) -> ScoreMoments:
    """Covariances of the factor scores and their mean posterior covariances, without computing a score."""
    G, Q = len(step1.groups), len(step1.factors)
    S = step1.moments.select(step1.items).covariances
    mean_A, uncertainty = np.zeros((G, Q, len(step1.items))), np.zeros((G, Q, Q))
    for block, q in zip(step1.blocks, _block_positions(step1), strict=True):
        i = np.array([step1.items.index(name) for name in block.items])
        mean_A[:, q[:, None], i] = block.scores.mean_A
        uncertainty[:, q[:, None], q] = _mean_uncertainty(block, S[:, i[:, None], i])
    n_covariances = mean_A @ S @ mean_A.swapaxes(1, 2)
    n_covariances = 0.5 * (n_covariances + n_covariances.swapaxes(1, 2))
    # The divisor of step 1: N - 1 with free means, N if they were ignored.
    larger = step1.moments.n / step1.blocks[0].posterior.problem.nu
    return ScoreMoments(n_covariances * larger[:, None, None], uncertainty, n_covariances)


def _mean_uncertainty(block: BayesianBlock, S: Array) -> Array:
    """Posterior covariance of a person's scores, averaged over people: V + sum_jk cov(A_qj, A_rk) S_jk."""
    scores = block.scores
    uncertainty = scores.mean_V + np.einsum("gqjrk,gjk->gqr", scores.cov_A, S)
    return np.asarray(0.5 * (uncertainty + uncertainty.swapaxes(1, 2)))


def single_indicators(scores: ScoreMoments, blocks: list[NDArray[np.int64]]) -> tuple[Array, Array, Array]:
    """Phi, Lambda and Theta of scores as single indicators, each of shape (G, Q, Q).

    Parameters
    ----------
    scores
        Moments of the scores.
    blocks
        Positions of each block's factors.
    """
    C = scores.covariances
    Lambda, Theta, within = np.zeros_like(C), np.zeros_like(C), np.zeros_like(C)
    for q in blocks:
        at = (slice(None), q[:, None], q)
        Phi = C[at] + scores.uncertainty[at]
        L = np.linalg.solve(Phi, C[at]).swapaxes(1, 2)  # C Phi^-1, as both are symmetric
        T = C[at] - L @ C[at]  # L Phi L' = L C
        Lambda[at], Theta[at], within[at] = L, 0.5 * (T + T.swapaxes(1, 2)), Phi
    # Equation 9 where it is needed, between blocks; Theta is zero there, and within blocks Phi is known.
    Phi = np.linalg.solve(Lambda, np.linalg.solve(Lambda, C).swapaxes(1, 2))
    Phi = 0.5 * (Phi + Phi.swapaxes(1, 2))
    for q in blocks:
        Phi[:, q[:, None], q] = within[:, q[:, None], q]
    return Phi, Lambda, Theta


def _block_positions(step1: BayesianFit) -> list[NDArray[np.int64]]:
    return [np.array([step1.factors.index(name) for name in block.factors]) for block in step1.blocks]
