"""Standard errors by redrawing: steps 2 and 3 under measurement parameters drawn as uncertain as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedModelError
from ..factors.moments import repair_covariances
from ..kernels.fourth_moments import normal_gamma
from ..structural.fit import MixtureFit
from .refit import label_order, refit
from .step1_draws import measurement_draws, score_error

__all__ = ["between_draws", "score_variance"]

Array = NDArray[np.float64]

#: Draws at least: the variance between fewer is not known well enough.
FEWEST = 20


def between_draws(fit: MixtureFit, n_draws: int, seed: int) -> Array:
    """Covariance matrix of the regressions over fits to redrawn factor covariances, shape (K R, K R).

    Each draw of the measurement parameters moves the factor covariances by as much as the mapping of the same item
    covariances moves; the mixture is fitted again from the clusters it has, and clusters keep their labels.

    Raises
    ------
    UnsupportedModelError
        If step 1 has hardly any draws.
    """
    rng = np.random.default_rng(seed)
    drawn = measurement_draws(fit.moments, n_draws, rng)
    if len(drawn) < FEWEST:
        raise UnsupportedModelError(
            f"standard errors from {len(drawn)} draws of step 1",
            allowed=f"{FEWEST} draws or more",
            todo="sample more in step 1, or give n_draws=200",
        )
    moved = fit.moments.Phi + drawn - drawn.mean(axis=0)
    total = np.diagonal(fit.moments.Phi, axis1=1, axis2=2)
    found = []
    for Phi in moved:
        even = 0.5 * (Phi + Phi.swapaxes(1, 2))
        proper, _ = repair_covariances(even, total, error=fit.moments.error, n=fit.moments.n)
        again = refit(fit, replace(fit.moments, Phi=proper, notices=()), fit.posterior[None], 0, rng)
        order = label_order(fit.posterior, fit.coefficients, again)
        found.append(again.coefficients[order].ravel())
    return np.cov(np.array(found), rowvar=False).reshape((fit.coefficients.size,) * 2)


def score_variance(fit: MixtureFit, C: Array) -> Array:
    """What error of the factor scores adds if the measurement parameters were known, shape (J, J).

    Scores have covariances Phi_g + V_g, V_g their error; the sampling variance of these is that of the estimated
    factor covariances. `C` is as in `extra_variance`.
    """
    m = fit.moments
    whole = m.Phi + score_error(m)
    gap = [
        normal_gamma(a, meanstructure=False) - normal_gamma(b, meanstructure=False)
        for a, b in zip(whole, m.Phi, strict=True)
    ]
    return np.asarray(np.einsum("gjq,gqr,gir->ji", C, np.stack(gap) / m.n[:, None, None], C, optimize=True))
