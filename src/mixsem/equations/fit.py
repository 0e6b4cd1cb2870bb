"""A fitted structural equation model."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import Notice
from ..inference.fitmeasures import FitMeasures
from ..model.fit_ml import Optimum
from ..model.loss import Loss
from ..threads import few_threads
from .baseline import baseline_of
from .compiled import CompiledSEM
from .covariance import estimates_covariance
from .fitted import FittedEquations
from .incomplete import incomplete_measures
from .measures import model_measures
from .robust import RobustTest, robust_test
from .robust_measures import Described, RobustMeasures
from .specification import SEM

__all__ = ["SEMFit"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class SEMFit(FittedEquations):
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
    def loss(self) -> Loss:
        """What was minimised."""
        return self.compiled.loss

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
        with self._few_threads():
            return estimates_covariance(self.compiled, self.optimum)

    @cached_property
    def measures(self) -> FitMeasures:
        """Fit measures; those of the likelihood are NaN for least squares."""
        with self._few_threads():
            return model_measures(self.compiled, self.optimum)

    @cached_property
    def robust(self) -> RobustTest | None:
        """The corrected test and what follows from it; None for estimators without one."""
        if self.compiled.estimator.test == "standard":
            return None
        with self._few_threads():
            return robust_test(self.compiled, self.optimum)

    @cached_property
    def robust_measures(self) -> RobustMeasures | None:
        """CFI, TLI and RMSEA as in normal, complete data; None if the data are taken as such."""
        if self.robust is not None:
            return self.robust.population
        if self.data.patterns is None:
            return None
        with self._few_threads():
            return incomplete_measures(self.compiled, self.optimum, *baseline_of(self.compiled))

    def _few_threads(self) -> AbstractContextManager[object]:
        p = len(self.observed)
        return few_threads(p * (p + 3) // 2)  # matrices have a row for every moment

    @property
    def described(self) -> Described:
        """CFI and RMSEA to compare with the usual cut-offs: robust where they exist, else scaled, else plain."""
        m, population, scaled = self.measures, self.robust_measures, self.robust
        if population is not None and population.known:
            p = population
            return Described("robust", p.cfi_robust, p.rmsea_robust, p.rmsea_robust_lower, p.rmsea_robust_upper)
        if scaled is not None:
            s = scaled
            return Described("scaled", s.cfi_scaled, s.rmsea_scaled, s.rmsea_scaled_lower, s.rmsea_scaled_upper)
        return Described("", m.cfi, m.rmsea, m.rmsea_lower, m.rmsea_upper)

    @property
    def loglik(self) -> float:
        """Log-likelihood, given the covariates."""
        return self.measures.loglik

    @property
    def n_params(self) -> int:
        """Free parameters, less the equality constraints among them."""
        return self.measures.n_params
