"""A fitted generalised mixed model: what can be asked of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..estimates import MixedEstimates
from .families import Family
from .objective import Point

if TYPE_CHECKING:
    import pandas as pd

    from ...data.columns import FrameLike
    from ..derived.simulate import SimulatedRandom
    from ..derived.varcorr import VarCorr
    from ..engine.optimise import Method, Optimizer
    from .glmer import GeneralisedMixedModel
    from .links import Link, LinkName
    from .model import CompiledGeneralisedModel
    from .predict import GeneralisedInterval, GeneralisedNewLevels, PredictionType
    from .residuals import GeneralisedResidualKind
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
    def hessian_note(self) -> str:
        """Where standard errors come from, in a sentence."""
        if self.spread.from_hessian:
            return "Standard errors from the Hessian of all parameters."
        reason = " (n_agq=0)" if self.n_agq == 0 else ": the Hessian cannot be inverted"
        return f"Standard errors take the covariances of the random effects as known{reason}."

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
        from ..derived.varcorr import generalised_varcorr

        return generalised_varcorr(self)

    def residuals(self, kind: GeneralisedResidualKind = "deviance") -> Array:
        """Residuals of the rows of the fit, random effects taken into account.

        Parameters
        ----------
        kind
            ``"deviance"``: signed roots of the rows' contributions to `conditional_deviance`. ``"pearson"``: response
            less mean, divided by the root of the variance function over the trials (or weight); the dispersion is left
            out, as in R. ``"scaled"``: the same, with the dispersion. ``"response"``: response less mean.
            ``"working"``: that divided by the derivative of the mean, on the scale of the link.

        Returns
        -------
        NDArray
            (n,).
        """
        from .residuals import generalised_residuals

        return generalised_residuals(self, kind)

    def predict(
        self,
        newdata: FrameLike | None = None,
        *,
        type: PredictionType = "response",
        random: str | Iterable[str] = "all",
        new_levels: GeneralisedNewLevels = "error",
        interval: GeneralisedInterval | None = None,
        level: float = 0.95,
        seed: int | None = None,
        offset: ArrayLike | None = None,
    ) -> Array | pd.DataFrame:
        """Predict the means of rows.

        Parameters
        ----------
        newdata
            Any table with the predictors; the rows of the fit if none is given.
        type
            ``"response"``: means (of a proportion); ``"link"``: linear predictors.
        random
            Random effects that count: ``"all"``, ``"none"``, or one or more grouping factors or terms. Those left out
            are 0: the mean is that of a typical level, which with most links is not the mean over levels. That is
            ``"average"``: the mean over the distribution of all random effects.
        new_levels
            What happens to levels that the fit does not know: an error, ``"population"`` (their random effects are 0),
            ``"draw"`` (drawn from their distribution, the same for all rows of a level), or ``"average"`` (the mean
            over their distribution).
        interval
            ``"confidence"``: limits for the mean of a row, computed on the scale of the link and then transformed. They
            contain the uncertainty of the random effects given the parameters and that of the parameters. Random
            effects of new levels contribute their variance, unless they are averaged over.
        level
            Their coverage; only with an interval.
        seed
            Makes draws of new levels repeatable; only with them.
        offset
            Offset of the rows of newdata, if the fit had one that was given as numbers.

        Returns
        -------
        NDArray or pandas.DataFrame
            (m,) predictions; with an interval a frame of fit, se (on the scale asked for), lower, upper. NaN in rows
            where a predictor or a grouping variable is missing.

        Raises
        ------
        DataError
            If newdata lacks a column, or has new levels under ``new_levels="error"``.
        OptionError
            If an argument is none of what is allowed.

        Examples
        --------
        >>> import numpy as np
        >>> from mixsem import glmer
        >>> rng = np.random.default_rng(1)
        >>> g = np.repeat(np.arange(30), 10)
        >>> y = rng.binomial(1, 1 / (1 + np.exp(1 - 2 * rng.normal(size=30)[g])))
        >>> fit = glmer("y ~ 1 + (1 | g)", {"y": y, "g": g}, family="binomial", n_agq=9)
        >>> [fit.predict({"g": [1]}, random=random).round(2) for random in ("all", "none", "average")]
        [array([0.45]), array([0.23]), array([0.29])]
        """
        from .predict import predict_generalised

        return predict_generalised(self, newdata, type, random, new_levels, interval, level, seed, offset)

    def simulate(self, n: int = 1, seed: int | None = None, *, random: SimulatedRandom = "new") -> Array:
        """Simulate responses of the rows of the fit.

        Parameters
        ----------
        n
            Number of simulations.
        seed
            Makes them repeatable.
        random
            ``"new"``: random effects are drawn anew (the parametric bootstrap); ``"conditional"``: they stay as they
            were estimated.

        Returns
        -------
        NDArray
            (rows of the fit, n) responses, of binomial fits proportions of successes: columns are what `refit` takes.

        Raises
        ------
        ModelError
            If the fit has weights that are no numbers of trials, or drawn random effects lead to impossible means.
        """
        from .simulate import simulate_generalised

        return simulate_generalised(self, n, seed, random)

    def refit(self, y: str | ArrayLike | None = None) -> GeneralisedFit:
        """Fit the same model to another response.

        Parameters
        ----------
        y
            (n,) responses of the rows of the fit, or of all rows of its table, of binomial fits 0 and 1 or proportions
            of the same numbers of trials; or the name of a column that the fit used. The same response if not given.

        Raises
        ------
        OptionError, DataError
            If it has another length, missing or impossible values.
        """
        from .refit import refit_generalised

        return refit_generalised(self, y)

    def update(
        self,
        formula: str | None = None,
        data: FrameLike | None = None,
        *,
        family: str | Family | None = None,
        link: LinkName | Link | None = None,
        n_agq: int | None = None,
        weights: str | ArrayLike | None = None,
        offset: str | ArrayLike | None = None,
        optimizer: Optimizer | Method | None = None,
    ) -> GeneralisedFit:
        """Fit a variation of the model; arguments as in `glmer` and `MixedFit.update`, those not given stay."""
        from .refit import update_generalised

        return update_generalised(self, formula, data, family, link, n_agq, weights, offset, optimizer)
