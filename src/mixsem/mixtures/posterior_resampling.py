"""People drawn where step 1 is Bayesian: fitting it again would take minutes each time, its posterior draws do not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedModelError
from ..factors.moments import FactorMoments, positive_uniqueness, repair_covariances
from ..kernels.mapping import mapping_matrix
from ..kernels.plain_posterior import model_matrices
from ..measurement.bayes_fit import BayesianFit
from ..structural.fit import MixtureFit
from .resampling import Center, Index, Unusable, cluster_moments, implied_items, wishart_covariances, without_step1

__all__ = ["PosteriorDraw", "posterior_draw"]

Array = NDArray[np.float64]

#: Posterior draws at least, below which the spread of step 1 is not known; and at most, to bound memory.
FEWEST, MOST = 50, 400


@dataclass(frozen=True, eq=False)
class PosteriorDraw:
    """People and measurement parameters drawn together.

    With M_t and Theta_t of posterior draw t, M_t (S* - Theta_t) M_t' is what structural after measurement makes of
    the item covariances S* of drawn people. Its deviation from the mean over draws at the covariances that S* is
    drawn around is added to the factor covariances that these have in step 2.

    Attributes
    ----------
    fit
        The mixture, without its step 1.
    center
        ``"model"`` or ``"sample"``.
    shares
        Probabilities of the clusters of each group, shape (G, K).
    items
        Item covariances of the data, shape (G, p, p).
    mapping, error
        M_t and M_t Theta_t M_t' of every draw and group, shape (T, G, Q, p) and (T, G, Q, Q).
    Lambda, Theta
        Posterior means, restricted to the factors of the mixture, with what other factors add: ``items`` less the
        part of the mixture's factors, shape (G, p, Q) and (G, p, p).
    """

    fit: MixtureFit
    center: Center
    shares: Array
    items: Array
    mapping: Array
    error: Array
    Lambda: Array
    Theta: Array

    def __call__(self, rng: np.random.Generator) -> tuple[FactorMoments, Index]:
        """Draw one sample."""
        m = self.fit.moments
        base, Sigma = m.Phi, self.items
        if self.center == "model":
            base = cluster_moments(self.fit, self.shares, rng)[0]
            Sigma = self.Lambda @ base @ self.Lambda.swapaxes(1, 2) + self.Theta
        t = int(rng.integers(len(self.mapping)))
        M = self.mapping[t]
        raw = M @ wishart_covariances(Sigma, m.n, rng) @ M.swapaxes(1, 2) - self.error[t]
        middle = (self.mapping @ Sigma @ self.mapping.swapaxes(-1, -2) - self.error).mean(axis=0)
        moved = base + raw - middle
        if not np.isfinite(moved).all():
            raise Unusable("a posterior draw has no finite factor covariances")
        total = np.diagonal(base, axis1=1, axis2=2)
        Phi, _ = repair_covariances(0.5 * (moved + moved.swapaxes(1, 2)), total, error=m.error, n=m.n)
        seen = m.Lambda @ Phi @ m.Lambda.swapaxes(1, 2) + m.Theta
        return replace(m, Phi=Phi, observed=seen, notices=()), np.arange(m.n_groups)


def posterior_draw(fit: MixtureFit, center: Center, shares: Array, Phi: Array) -> PosteriorDraw:
    """Prepare the draws of a Bayesian step 1; parameters as those of `people_draw`.

    Raises
    ------
    UnsupportedModelError
        If step 1 has hardly any draws.
    """
    step1 = fit.moments.measurement
    assert isinstance(step1, BayesianFit)
    available = min(len(block.draws.flat) for block in step1.blocks)
    if available < FEWEST:
        raise UnsupportedModelError(
            f"a bootstrap over people with {available} posterior draws of step 1",
            allowed=f"{FEWEST} draws or more: fitting the Bayesian step 1 again for every sample is too slow",
            todo="sample more draws in step 1, or use kind='groups'",
        )
    T, G, Q = min(available, MOST), len(step1.groups), len(step1.factors)
    p = len(step1.items)
    Lambda, Theta = np.zeros((T, G, p, Q)), np.zeros((T, G, p, p))
    for block in step1.blocks:
        i = np.array([step1.items.index(name) for name in block.items])
        q = np.array([step1.factors.index(name) for name in block.factors])
        chosen = np.linspace(0, len(block.draws.flat) - 1, T).round().astype(int)
        for t, x in enumerate(block.draws.flat[chosen]):
            one = model_matrices(block.posterior.problem, block.posterior.values(x))
            Lambda[t, :, i[:, None], q] = one[0].transpose(1, 2, 0)
            Theta[t, :, i[:, None], i] = one[1].transpose(1, 2, 0)
    S = step1.moments.select(step1.items).covariances
    used = np.array([step1.factors.index(f) for f in fit.moments.factors])
    mapping, error = np.empty((T, G, used.size, p)), np.empty((T, G, used.size, used.size))
    for t in range(T):
        M = mapping_matrix(Lambda[t], positive_uniqueness(Theta[t], S))[:, used]
        mapping[t], error[t] = M, M @ Theta[t] @ M.swapaxes(1, 2)
    # What the items' model covariances hold besides the factors of the mixture.
    own = Phi[:, used[:, None], used]
    kept = np.asarray(step1.Lambda[:, :, used])
    rest = implied_items(fit, own, Phi) - kept @ own @ kept.swapaxes(1, 2)
    return PosteriorDraw(without_step1(fit), center, shares, S, mapping, error, kept, rest)
