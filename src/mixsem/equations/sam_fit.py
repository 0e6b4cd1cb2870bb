"""A model estimated in two steps, structural after measurement: its results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import Notice
from ..inference.fitmeasures import FitMeasures
from ..model.fit_ml import Optimum
from .compiled import CompiledSEM
from .fitted import FittedEquations
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
class SAMFit(FittedEquations):
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
