"""Estimates of a linear mixed model, and the numbers that follow from them at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..errors import Notice

if TYPE_CHECKING:
    import pandas as pd

    from .derived.random_effects import RandomEffects
    from .designs.design import Design
    from .engine.model import CompiledMixedModel, State
    from .engine.optimise import Trace
    from .linear import LinearMixedModel
    from .structure.residual_structure import ResidualEstimate

__all__ = ["MixedEstimates"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class MixedEstimates(Displayed):
    """Estimates of a linear mixed model.

    Attributes
    ----------
    specification
        What was asked for.
    model
        The model compiled with its data: the deviance as a function of theta.
    theta
        Elements of the relative covariance factors, in lme4's order.
    sigma
        Residual standard deviation (of a row with weight 1, in the first level where there are several variances).
    objective
        The REML criterion, or -2 log-likelihood.
    state
        Fixed and random effects at theta.
    trace
        How the search went.
    notices
        Statistical trouble.
    residual
        The estimated structure of the residuals; None if they are independent with one variance.
    """

    specification: LinearMixedModel
    model: CompiledMixedModel
    theta: Array
    sigma: float
    objective: float
    state: State
    trace: Trace
    notices: tuple[Notice, ...]
    residual: ResidualEstimate | None = None

    @property
    def formula(self) -> str:
        """The formula."""
        return self.specification.formula

    @property
    def reml(self) -> bool:
        """Whether it was fitted by REML."""
        return self.specification.reml

    @property
    def design(self) -> Design:
        """The matrices."""
        return self.model.design

    @property
    def beta(self) -> Array:
        """Fixed effects, length p."""
        return self.state.beta

    @property
    def fixef(self) -> pd.Series:
        """Fixed effects by name."""
        import pandas as pd

        return pd.Series(self.beta, index=list(self.design.fixed_names), name="estimate")

    @property
    def vcov(self) -> pd.DataFrame:
        """Covariance matrix of the fixed effects; theta is taken as known."""
        import pandas as pd

        names = list(self.design.fixed_names)
        return pd.DataFrame(self.sigma**2 * self.state.unscaled_vcov, index=names, columns=names)

    @property
    def se(self) -> pd.Series:
        """Standard errors of the fixed effects."""
        import pandas as pd

        values = self.sigma * np.sqrt(np.diagonal(self.state.unscaled_vcov))
        return pd.Series(values, index=list(self.design.fixed_names), name="se")

    @property
    def nobs(self) -> int:
        """Rows."""
        return self.model.n

    @property
    def n_params(self) -> int:
        """Fixed effects, elements of theta, sigma, and parameters of the residual structure."""
        return self.model.p + len(self.theta) + 1 + (0 if self.residual is None else self.residual.n_params)

    @property
    def df_residual(self) -> int:
        """Rows less parameters."""
        return self.nobs - self.n_params

    @property
    def loglik(self) -> float:
        """Log-likelihood; restricted if fitted by REML."""
        return -0.5 * self.objective

    @property
    def deviance(self) -> float:
        """-2 log-likelihood at these parameters, never restricted; profiled over sigma as in lme4."""
        return self.model.criterion(self.theta, reml=False) if self.reml else self.objective

    @property
    def aic(self) -> float:
        """Akaike's criterion, from `loglik`; NaN for a penalised fit, which does not maximise that."""
        return np.nan if self._is_penalised else self.objective + 2.0 * self.n_params

    @property
    def bic(self) -> float:
        """The Bayesian criterion with the number of rows, from `loglik`; NaN for a penalised fit."""
        return np.nan if self._is_penalised else self.objective + float(np.log(self.nobs)) * self.n_params

    @property
    def _is_penalised(self) -> bool:
        return getattr(self.specification, "penalty", None) is not None  # of generalised models none is

    @property
    def theta_names(self) -> tuple[str, ...]:
        """Names of the elements of theta, as in lme4."""
        return self.model.theta_map.names

    @property
    def conditional_covariances(self) -> tuple[Array, ...]:
        """Covariances of the random effects given the response, each (n_f, k_f, k_f); fixed effects and theta known."""
        return tuple(self.sigma**2 * covariance for covariance in self.model.conditional_covariances(self.theta))

    @cached_property
    def random_part(self) -> Array:
        """Z b of each row."""
        total = np.zeros(self.nobs)
        for t, term in enumerate(self.design.terms):
            b = self.state.b[term.factor][:, self.model.theta_map.places(t)]
            rows = b[self.design.factors[term.factor].codes]
            total += rows[:, 0] if term.Z is None else (term.Z * rows).sum(axis=1)
        return total

    @property
    def fixed_part(self) -> Array:
        """X beta of each row, with the offset."""
        total = self.design.X @ self.beta
        return total if self.design.offset is None else total + self.design.offset

    @property
    def fitted(self) -> Array:
        """Fitted values of each row, random effects included."""
        return self.fixed_part + self.random_part

    @cached_property
    def ranef(self) -> RandomEffects:
        """Conditional modes of the random effects, with their covariances given fixed effects and theta.

        Examples
        --------
        >>> from mixsem import lmer
        >>> from mixsem.data import sleepstudy
        >>> lmer("Reaction ~ Days + (Days | Subject)", sleepstudy()).ranef.frame.head(2).round(3)
             group level       effect  estimate      sd
        0  Subject   308  (Intercept)     2.259  12.071
        1  Subject   309  (Intercept)   -40.399  12.071
        """
        from .derived.random_effects import random_effects

        return random_effects(self)

    def coef(self, group: str | None = None) -> pd.DataFrame | dict[str, pd.DataFrame]:
        """Coefficients of each level: fixed plus random effects, in generalised models on the scale of the link.

        Parameters
        ----------
        group
            A grouping factor; its frame comes back. Without one, those of all factors by their names.

        Returns
        -------
        pandas.DataFrame or dict
            A row per level, a column per coefficient; those that do not vary over the levels are the fixed effects.

        Raises
        ------
        OptionError
            If there is no such factor.

        Examples
        --------
        >>> from mixsem import lmer
        >>> from mixsem.data import sleepstudy
        >>> lmer("Reaction ~ Days + (Days | Subject)", sleepstudy()).coef("Subject").head(1).round(2)
                 (Intercept)   Days
        Subject
        308           253.66  19.67
        """
        from .derived.random_effects import level_coefficients

        return level_coefficients(self, group)
