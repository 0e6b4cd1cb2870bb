"""A fitted generalised mixed model: what can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..estimates import MixedEstimates
from .families import Family
from .objective import Point

if TYPE_CHECKING:
    import pandas as pd

    from ..derived.random_effects import RandomEffects
    from ..derived.varcorr import VarCorr
    from .glmer import GeneralisedMixedModel
    from .model import CompiledGeneralisedModel
    from .spread import JointSpread

__all__ = ["GeneralisedFit"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class GeneralisedFit(MixedEstimates):
    """A generalised linear mixed model fitted by maximum likelihood.

    Attributes
    ----------
    specification
        What was asked for.
    model
        The model compiled with its data: the likelihood as a function of all parameters.
    theta
        Elements of the covariance factors of the random effects, in lme4's order: Sigma = Lambda Lambda'.
    sigma
        1: covariances are not relative to anything.
    objective
        -2 log-likelihood with all constants, by the approximation that `n_agq` says.
    state
        Fixed and random effects.
    trace
        How the search went.
    notices
        Statistical trouble.
    family
        The family with its link and, if it has one, the estimate of its parameter.
    point
        The solution in inner units.
    """

    specification: GeneralisedMixedModel  # type: ignore[assignment]
    model: CompiledGeneralisedModel  # type: ignore[assignment]
    family: Family = field(kw_only=True)
    point: Point = field(kw_only=True)

    @property
    def n_agq(self) -> int:
        """Nodes of the quadrature: 0, 1 (Laplace) or more."""
        return self.specification.n_agq

    @property
    def dispersion(self) -> float | None:
        """The family's own parameter: dispersion, or size of negative binomial counts; None if it has none."""
        return self.family.dispersion

    @property
    def n_params(self) -> int:
        """Fixed effects, elements of theta, and the family's parameter."""
        return self.model.p + len(self.theta) + bool(self.family.parameter)

    @property
    def deviance(self) -> float:
        """-2 log-likelihood. What lme4 calls the deviance of such a fit is `conditional_deviance`."""
        return self.objective

    @cached_property
    def linear_predictor(self) -> Array:
        """X beta + Z b + offset of each row."""
        return self.fixed_part + self.random_part

    @property
    def fitted(self) -> Array:
        """Means of each row given the random effects, on the scale of the response (of a proportion)."""
        return self.family.link.inverse(self.linear_predictor)

    @property
    def trials(self) -> Array:
        """Numbers of trials of binomial rows, else weights; 1 if there are none."""
        weights = self.design.weights
        return np.ones(self.nobs) if weights is None else weights

    @property
    def conditional_deviance(self) -> float:
        """Sum of squared deviance residuals, random effects given."""
        d = 1.0 if self.dispersion is None else self.dispersion
        return float(self.family.deviance(self.design.y, self.trials, self.fitted, d).sum())

    @cached_property
    def spread(self) -> JointSpread:
        """Joint covariance of theta, fixed effects and the family's parameter, from the Hessian of the criterion."""
        from .spread import joint_spread

        return joint_spread(self)

    @property
    def vcov(self) -> pd.DataFrame:
        """Covariance matrix of the fixed effects: from the joint Hessian; with ``n_agq=0`` with theta known."""
        import pandas as pd

        names = list(self.design.fixed_names)
        return pd.DataFrame(self.spread.fixed, index=names, columns=names)

    @property
    def se(self) -> pd.Series:
        """Standard errors of the fixed effects."""
        import pandas as pd

        values = np.sqrt(np.diagonal(self.spread.fixed))
        return pd.Series(values, index=list(self.design.fixed_names), name="se")

    @property
    def conditional_covariances(self) -> tuple[Array, ...]:
        """Covariances of the random effects given the responses, each (n_f, k_f, k_f); parameters known."""
        assert self.point.mode is not None
        return self.model.conditional_covariances(self.point.mode)

    @cached_property
    def varcorr(self) -> VarCorr:
        """Standard deviations, covariances and correlations of the random effects."""
        from ..derived.varcorr import varcorr

        return varcorr(self)

    @cached_property
    def ranef(self) -> RandomEffects:
        """Conditional modes of the random effects, with their covariances given the parameters."""
        from ..derived.random_effects import random_effects

        return random_effects(self)

    def coef(self, group: str | None = None) -> pd.DataFrame | dict[str, pd.DataFrame]:
        """Coefficients of each level on the scale of the linear predictor: fixed plus random effects.

        Parameters
        ----------
        group
            A grouping factor; its frame comes back. Without one, those of all factors by their names.
        """
        from ..derived.random_effects import level_coefficients

        return level_coefficients(self, group)
