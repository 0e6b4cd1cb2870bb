"""A model estimated in two steps, structural after measurement: its results."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..errors import Notice
from ..inference.fitmeasures import FitMeasures
from ..kernels.covariance import Implied
from ..model.constraints import Constraints
from ..model.fit_ml import Optimum
from ..model.matrices import ModelMap
from ..syntax.table import ParameterTable
from .compiled import CompiledSEM
from .data import SEMData
from .specification import SEM

__all__ = ["Method", "SAMBlock", "SAMFit"]

Array = NDArray[np.float64]
Method = Literal["local", "global"]


@dataclass(frozen=True, eq=False, slots=True)
class SAMBlock:
    """One measurement block of step 1.

    Attributes
    ----------
    compiled, optimum
        The block's model with its data, and its estimates.
    vcov
        Covariance matrix of its free parameters.
    measures
        How well it fits.
    """

    compiled: CompiledSEM
    optimum: Optimum
    vcov: Array
    measures: FitMeasures

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of its factors."""
        return self.compiled.table.factors


@dataclass(frozen=True, eq=False, repr=False)
class SAMFit(Displayed):
    """A model estimated in two steps: what `sam` returns.

    Attributes
    ----------
    specification, method
        The model text with its options; ``"local"`` or ``"global"``.
    compiled
        The whole model with its data.
    blocks
        Step 1, block by block.
    coef
        All free parameters of the whole model, shape (P,).
    vcov
        Their covariance matrix, which allows for the uncertainty of step 1, shape (P, P).
    factor_covariances
        Covariances of factors and observed outcomes that step 2 was fitted to, shape (G, m, m); None for ``"global"``.
    reliability
        Share of true variance in each factor's score, shape (G, Q); None for ``"global"``.
    chisq, df
        Step 2 against unrestricted factor covariances (local) or, with the measurement fixed, the whole (global).
    converged
        Whether both steps did.
    notices
        Statistical trouble of both steps.
    """

    specification: SEM
    method: Method
    compiled: CompiledSEM
    blocks: tuple[SAMBlock, ...]
    coef: Array
    vcov: Array
    factor_covariances: Array | None
    reliability: Array | None
    chisq: float
    df: int
    converged: bool
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
        """The compiled matrices of the whole model."""
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
