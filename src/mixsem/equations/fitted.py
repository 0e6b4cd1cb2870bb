"""What every fit of an equation model knows of its model and its data."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..kernels.covariance import Implied
from ..model.constraints import Constraints
from ..model.matrices import ModelMap
from ..syntax.table import ParameterTable
from .compiled import CompiledSEM
from .data import SEMData

__all__ = ["FittedEquations"]

Array = NDArray[np.float64]


class FittedEquations(Displayed):
    """What follows from a compiled model, estimates `coef`, shape (P,), and their covariance matrix `vcov`, (P, P)."""

    compiled: CompiledSEM
    if TYPE_CHECKING:

        @property
        def coef(self) -> Array:
            """Free parameters, shape (P,)."""

        @property
        def vcov(self) -> Array:
            """Their covariance matrix, shape (P, P)."""

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
