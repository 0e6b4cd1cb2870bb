"""A fitted structural equation model."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..errors import Notice
from ..inference.fitmeasures import FitMeasures
from ..kernels.covariance import Implied
from ..model.constraints import Constraints
from ..model.fit_ml import Optimum
from ..model.loss import Loss
from ..model.matrices import ModelMap
from ..syntax.table import ParameterTable
from .baseline import baseline_of
from .compiled import CompiledSEM
from .covariance import estimates_covariance
from .data import SEMData
from .incomplete import incomplete_measures
from .measures import model_measures
from .robust import RobustTest, robust_test
from .robust_measures import RobustMeasures
from .specification import SEM

__all__ = ["SEMFit"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class SEMFit(Displayed):
    """A structural equation model fitted to one group or several.

    What follows from it is in free functions: `fit_measures`, `standardized`, `residuals`, `modification_indices`,
    `score_test`, `anova`, `factor_scores`, `r2`, `bootstrap`.

    Attributes
    ----------
    specification
        The model text and the options.
    compiled
        The model with its data.
    optimum
        Where the optimiser stopped.
    notices
        Statistical trouble, by group.
    """

    specification: SEM
    compiled: CompiledSEM
    optimum: Optimum
    notices: tuple[Notice, ...]

    @property
    def data(self) -> SEMData:
        """Moments and rows it was fitted to."""
        return self.compiled.data

    @property
    def table(self) -> ParameterTable:
        """All parameters as specified."""
        return self.compiled.table

    @property
    def model(self) -> ModelMap:
        """The compiled matrices."""
        return self.compiled.model

    @property
    def loss(self) -> Loss:
        """What was minimised."""
        return self.compiled.loss

    @property
    def constraints(self) -> Constraints:
        """Constraints and defined parameters."""
        return self.compiled.constraints

    @property
    def groups(self) -> tuple[Hashable, ...]:
        """Labels of the groups, sorted."""
        return self.data.groups

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the factors."""
        return self.table.factors

    @property
    def observed(self) -> tuple[str, ...]:
        """Names of the observed variables."""
        return self.table.observed

    @property
    def nobs(self) -> int:
        """People over all groups."""
        return self.data.moments.n_total

    @property
    def converged(self) -> bool:
        """Whether the optimiser converged."""
        return self.optimum.converged

    @property
    def coef(self) -> Array:
        """Free parameters, shape (P,), named by ``model.names``."""
        return self.optimum.theta

    @cached_property
    def vcov(self) -> Array:
        """Covariance matrix of the free parameters, shape (P, P), of the kind that the estimator asks for."""
        return estimates_covariance(self.compiled, self.optimum)

    @property
    def standard_errors(self) -> Array:
        """Standard errors of the free parameters, shape (P,)."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.sqrt(np.diagonal(self.vcov)))

    @cached_property
    def implied(self) -> Implied:
        """Implied moments of every group."""
        return self.model.implied(self.coef)

    @property
    def defined(self) -> dict[str, tuple[float, float]]:
        """Estimate and standard error (delta method) of every defined parameter."""
        found = self.constraints.defined(self.coef)
        return {name: (value, float(np.sqrt(d @ self.vcov @ d))) for name, (value, d) in found.items()}

    @cached_property
    def measures(self) -> FitMeasures:
        """Fit measures; those of the likelihood are NaN for least squares."""
        return model_measures(self.compiled, self.optimum)

    @cached_property
    def robust(self) -> RobustTest | None:
        """The corrected test and what follows from it; None for estimators without one."""
        return robust_test(self.compiled, self.optimum) if self.compiled.estimator.test != "standard" else None

    @cached_property
    def robust_measures(self) -> RobustMeasures | None:
        """CFI, TLI and RMSEA as in normal, complete data; None if the data are taken as such."""
        if self.robust is not None:
            return RobustMeasures(**{f.name: getattr(self.robust, f.name) for f in fields(RobustMeasures)})
        if self.data.patterns is None:
            return None
        return incomplete_measures(self.compiled, self.optimum, *baseline_of(self.compiled))

    @property
    def loglik(self) -> float:
        """Log-likelihood, given the covariates."""
        return self.measures.loglik

    @property
    def n_params(self) -> int:
        """Free parameters, less the equality constraints among them."""
        return self.measures.n_params
