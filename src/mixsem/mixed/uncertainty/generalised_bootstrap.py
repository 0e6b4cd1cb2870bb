"""One sample of the parametric bootstrap of a generalised mixed model."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np

from ...errors import MixsemError, MixsemWarning
from ..generalised.fit import GeneralisedFit
from ..generalised.glmer import fit_generalised
from ..generalised.simulate import draw_responses, require_drawable
from .draws import BOUNDARY, Draw, named
from .parameters import fitted_values, parameters_of

__all__ = ["GeneralisedReplication"]


class GeneralisedReplication:
    """Draws a sample from a generalised fit and fits the model to it."""

    def __init__(
        self, fit: GeneralisedFit, statistic: Callable[[GeneralisedFit], Mapping[str, float] | float] | None, cold: bool
    ) -> None:
        require_drawable(fit)
        self.fit, self.statistic, self.cold = fit, statistic, cold
        self.parameters = parameters_of(fit.model)

    def __call__(self, seed: np.random.SeedSequence) -> Draw:
        """One sample."""
        fit = self.fit
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MixsemWarning)
                model = fit.model.with_response(draw_responses(fit, np.random.default_rng(seed)))
                again = fit_generalised(fit.specification, model, None if self.cold else fit.theta)
                statistic = {} if self.statistic is None else named(self.statistic(again))
                values = fitted_values(again, self.parameters)
        except (MixsemError, np.linalg.LinAlgError) as error:
            return Draw(np.full(len(self.parameters), np.nan), {}, False, str(error).splitlines()[0])
        on_boundary = bool((again.theta[again.model.theta_map.is_diagonal] < BOUNDARY).any())
        return Draw(values, statistic, on_boundary)
