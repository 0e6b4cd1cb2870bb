"""The likelihood ratio of two fits under the smaller one, by simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from ..engine.objective import Objective
from ..engine.optimise import minimise
from .random_nesting import NO_RATIO

if TYPE_CHECKING:
    from ..engine.model import CompiledMixedModel
    from ..fit import MixedFit

__all__ = ["simulated_p_value", "simulated_ratios"]

Array = NDArray[np.float64]


def simulated_ratios(small: MixedFit, large: MixedFit, n: int, seed: int | None) -> Array:
    """Likelihood ratios of data drawn from the smaller fit, (n,): the parametric bootstrap.

    Both models are fitted to each drawn response, by REML if the fits are. A model in which the larger one has more
    than the smaller one never fits worse: differences below 0 are the optimiser's, and count as 0.

    Raises
    ------
    ModelError
        For fits with a structure of the residuals, and for generalised ones.
    """
    for fit in (small, large):
        if getattr(fit, "family", None) is not None or fit.model.structured is not None:
            raise ModelError(
                "simulate= for a generalised model, or one with a structure of the residuals",
                allowed="linear mixed models with independent residuals",
                todo="leave simulate= out, and draw with fit.simulate() and fit.refit()",
            )
    drawn = small.simulate(n, seed)
    return np.array([max(_refitted(small, y) - _refitted(large, y), 0.0) for y in drawn.T])


def simulated_p_value(ratios: Array, observed: float) -> float:
    """Share of the simulated ratios that are as large, the observed one among them.

    Davison & Hinkley (1997), Bootstrap methods and their application, section 4.2.
    """
    return float((1 + (ratios >= observed - NO_RATIO).sum()) / (1 + len(ratios)))


def _refitted(fit: MixedFit, y: Array) -> float:
    """The criterion at its minimum for another response."""
    model = fit.model.with_response(y if fit.design.offset is None else y - fit.design.offset)
    found, _ = minimise(Objective(model.products, model.theta_map, fit.reml), fit.specification.optimizer, _inner(fit))
    return float(found.value)


def _inner(fit: MixedFit) -> Array:
    """Theta of centred and scaled columns, where the search starts; on the boundary a little inside."""
    model: CompiledMixedModel = fit.model
    where = model.theta_map
    stacked = model.inner @ where.stacked(fit.theta)
    phi = where.from_lambdas([lam[:k, :k] for lam, k in zip(stacked, where.sizes, strict=True)])
    return np.asarray(np.where(where.is_diagonal, np.maximum(phi, 0.1 * model.products.unit), phi))
