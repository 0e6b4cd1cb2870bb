"""A fitted linear mixed model: what can be asked of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimates import MixedEstimates

if TYPE_CHECKING:
    import pandas as pd

    from ..data.columns import FrameLike
    from .derived.predict import IntervalKind, NewLevels
    from .derived.residual_kinds import ResidualKind
    from .derived.simulate import SimulatedRandom
    from .derived.varcorr import VarCorr
    from .engine.optimise import Method, Optimizer
    from .inference.ddf import Inference

__all__ = ["MixedFit"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class MixedFit(MixedEstimates):
    """A linear mixed model fitted by REML or maximum likelihood.

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

    Notes
    -----
    The criterion itself is at hand, at any theta and in the units of the data: ``fit.model.criterion(theta, reml)``
    (also with ``sigma=``), its exact ``gradient(theta, reml)``, ``state(theta)`` (fixed effects, random effects,
    determinants) and ``conditional_covariances(theta)``. None of them reads the rows again. `theta_names` tells the
    elements of theta.

    Examples
    --------
    >>> from mixsem import lmer
    >>> from mixsem.data import sleepstudy
    >>> fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())
    >>> fit.varcorr
    -------------------------------------
    Groups    Name         Std.Dev.  Corr
    -------------------------------------
    Subject   (Intercept)    24.740
              Days            5.922  0.07
    Residual                 25.592
    -------------------------------------
    >>> value, slope = fit.model.gradient(fit.theta)
    >>> round(float(value), 4), bool(abs(slope).max() < 0.01)
    (1743.6283, True)
    """

    @cached_property
    def varcorr(self) -> VarCorr:
        """Standard deviations, covariances and correlations of the random effects, and shares of the variance."""
        from .derived.varcorr import varcorr

        return varcorr(self)

    @cached_property
    def satterthwaite(self) -> Inference:
        """What tests of the fixed effects by Satterthwaite's method need: in large models worth computing once.

        Parameters of a residual structure are taken as known, as its `note` says.
        """
        from .inference.ddf import Inference, method_of

        return Inference(self, "satterthwaite", method_of(self, "satterthwaite"))

    def residuals(self, kind: ResidualKind = "response") -> Array:
        """Residuals of the rows of the fit, random effects taken into account.

        Parameters
        ----------
        kind
            ``"response"``: response less fitted value. ``"pearson"``: times the square root of the row's weight
            (divided by its standard deviation relative to sigma). ``"scaled"``: that divided by sigma, as in lme4's
            summary. ``"normalized"``: scaled, and made independent where residuals are autocorrelated.

        Returns
        -------
        NDArray
            (n,).
        """
        from .derived.residual_kinds import residuals_of

        return residuals_of(self, kind)

    def hat_values(self) -> Array:
        """Diagonal of the hat matrix, (n,): the derivative of each fitted value by its response, theta known.

        Their sum is between the number of fixed effects and that plus the number of random effects: the effective
        number of parameters of the mean. Demidenko & Stukel (2005), doi 10.1002/sim.1974; as lme4's ``hatvalues``.

        Examples
        --------
        >>> from mixsem import lmer
        >>> from mixsem.data import sleepstudy
        >>> round(float(lmer("Reaction ~ Days + (Days | Subject)", sleepstudy()).hat_values().sum()), 3)
        29.022
        """
        from .derived.hat_values import hat_values

        return hat_values(self)

    def predict(
        self,
        newdata: FrameLike | None = None,
        *,
        random: str | Iterable[str] = "all",
        new_levels: NewLevels = "error",
        interval: IntervalKind | None = None,
        level: float = 0.95,
        seed: int | None = None,
        weights: str | ArrayLike | None = None,
        offset: ArrayLike | None = None,
    ) -> Array | pd.DataFrame:
        """Predict the response of rows.

        Parameters
        ----------
        newdata
            Any table with the predictors; the rows of the fit if none is given.
        random
            Random effects that count: ``"all"``, ``"none"``, or one or more grouping factors (``"Subject"``) or terms
            (``"(1 | plate)"``). Those left out are 0: the prediction is for a typical level, and intervals are too.
        new_levels
            What happens to levels that the fit does not know: an error, ``"population"`` (their random effects are 0),
            or ``"draw"`` (random effects drawn from their distribution, the same for all rows of a level).
        interval
            ``"confidence"``: limits for the mean of a row, with the uncertainty of fixed and random effects together.
            ``"prediction"``: limits for a new response, with the residual variance too. Random effects of new levels
            contribute their variance. Theta and sigma are taken as known, and quantiles are normal: with few levels
            intervals are too short.
        level
            Their coverage; only with an interval.
        seed
            Makes draws of new levels repeatable; only with them.
        weights
            Weights of the rows of newdata for prediction intervals, numbers or a column's name. By default the column
            that the fit had as weights; 1 if its weights were numbers.
        offset
            Offset of the rows of newdata, if the fit had one that was given as numbers. Offsets with names are found in
            newdata.

        Returns
        -------
        NDArray or pandas.DataFrame
            (m,) predictions; with an interval a frame of fit, se (standard deviation of the error), lower, upper. NaN
            in rows where a predictor or a grouping variable is missing.

        Raises
        ------
        DataError
            If newdata lacks a column, or has new levels under ``new_levels="error"``.
        OptionError
            If an argument is none of what is allowed.

        Examples
        --------
        >>> from mixsem import lmer
        >>> from mixsem.data import sleepstudy
        >>> fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())
        >>> new = {"Days": [0, 9, 9], "Subject": [308, 308, 999]}
        >>> fit.predict(new, new_levels="population", interval="confidence").round(1)
             fit    se  lower  upper
        0  253.7  12.3  229.6  277.7
        1  430.7  13.9  403.5  457.8
        2  345.6  62.0  224.2  467.1
        """
        from .derived.predict import predict

        return predict(self, newdata, random, new_levels, interval, level, seed, weights, offset)

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
            were estimated, and residuals alone are drawn.

        Returns
        -------
        NDArray
            (rows of the fit, n) responses, offsets included: columns are what `refit` takes.

        Examples
        --------
        >>> from mixsem import lmer
        >>> from mixsem.data import sleepstudy
        >>> fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())
        >>> fit.refit(fit.simulate(seed=1)[:, 0]).nobs
        180
        """
        from .derived.simulate import simulate_fit

        return simulate_fit(self, n, seed, random)

    def refit(self, y: str | ArrayLike | None = None) -> MixedFit:
        """Fit the same model to another response.

        Parameters
        ----------
        y
            (n,) responses of the rows of the fit, or of all rows of its table; or the name of a column that the fit
            used. The same response if not given.

        Raises
        ------
        OptionError, DataError
            If it has another length, or missing values.
        """
        from .derived.refit import refit

        return refit(self, y)

    def update(
        self,
        formula: str | None = None,
        data: FrameLike | None = None,
        *,
        reml: bool | None = None,
        weights: str | ArrayLike | None = None,
        offset: str | ArrayLike | None = None,
        optimizer: Optimizer | Method | None = None,
    ) -> MixedFit:
        """Fit a variation of the model.

        Parameters
        ----------
        formula
            A change, as in R: dots stand for the old response and the old right side, ``". ~ . + x - (1 | g)"``.
        data
            Another table, or the same again where the new formula needs further columns: a fit keeps the columns that
            it used, complete rows only.
        reml, optimizer
            As in `lmer`; as before if not given.
        weights, offset
            As in `lmer`; as before if not given. With other data they are looked up there if they were columns, and
            have to be given again if they were numbers.

        Raises
        ------
        ModelSyntaxError
            If the change cannot be read, or takes away what is not there.
        DataError
            If the fit does not keep a column that the new formula needs.

        Examples
        --------
        >>> from mixsem import lmer
        >>> from mixsem.data import sleepstudy
        >>> fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())
        >>> fit.update("~ . - (Days | Subject) + (1 | Subject)", reml=False).formula
        'Reaction ~ Days + (1 | Subject)'
        """
        from .derived.refit import update

        return update(self, formula, data, reml, weights, offset, optimizer)
