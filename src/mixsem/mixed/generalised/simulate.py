"""Responses drawn from a fitted generalised mixed model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError, OptionError
from ...options import require_seed, require_whole
from ..derived.simulate import draw_random_part

if TYPE_CHECKING:
    from ..derived.simulate import SimulatedRandom
    from .fit import GeneralisedFit

__all__ = ["draw_responses", "require_drawable", "simulate_generalised"]

Array = NDArray[np.float64]


def simulate_generalised(fit: GeneralisedFit, n: int, seed: int | None, random: SimulatedRandom) -> Array:
    """Simulate responses of a fit; see `GeneralisedFit.simulate`."""
    require_whole("n", n, 1)
    require_seed(seed)
    if random not in ("new", "conditional"):
        raise OptionError(f"random={random!r}", allowed='"new", "conditional"')
    require_drawable(fit)
    generator = np.random.default_rng(seed)
    return np.stack([draw_responses(fit, generator, random == "new") for _ in range(n)], axis=1)


def require_drawable(fit: GeneralisedFit) -> None:
    """Refuse weights that are powers of densities: no response has such a distribution."""
    weights = fit.design.weights
    if weights is not None and not fit.family.has_trials and (weights != 1.0).any():
        raise ModelError(
            f"responses of a {fit.family.name} fit with weights, which multiply the log-likelihood of rows",
            allowed="fits without weights, or binomial ones, whose weights are numbers of trials",
            todo="give each row as often as its weight says, and fit without weights",
        )


def draw_responses(fit: GeneralisedFit, generator: np.random.Generator, new_effects: bool = True) -> Array:
    """Responses of the rows of a fit, once."""
    eta = fit.linear_predictor
    if new_effects:
        lambdas = fit.model.theta_map.lambdas(fit.theta)
        eta = fit.fixed_part + draw_random_part(fit.design, fit.model.theta_map, lambdas, generator)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        mu = fit.family.link.inverse(eta)
    if not (np.isfinite(mu) & (fit.family.variance(mu, 1.0) >= 0.0)).all():
        raise ModelError(
            f"random effects drawn from the fit have linear predictors at which {fit.family} has no mean",
            allowed="links with a mean everywhere, such as the log or the logit",
            todo="fit with such a link, or simulate with random='conditional'",
        )
    return fit.family.draw(mu, fit.trials, 1.0 if fit.dispersion is None else fit.dispersion, generator)
