"""What step 1 returns: loadings, unique variances and factor covariances of every group, block by block."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..data.moments import SampleMoments
from ..display import Displayed
from ..errors import Notice
from ..inference.fitmeasures import FitMeasures
from ..model.fit_ml import Optimum
from ..model.matrices import ALPHA, LAMBDA, NU, PSI, THETA, ModelMap
from ..syntax.table import ParameterTable

if TYPE_CHECKING:
    from .mgcfa import MGCFA

__all__ = ["BlockFit", "MeasurementFit"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BlockFit:
    """One measurement block fitted to all groups.

    Attributes
    ----------
    factors, items
        Names of the block's factors and items.
    table
        Its parameters as specified.
    model
        The compiled model.
    optimum
        Estimates, gradient and information.
    measures
        Fit measures of the block.
    """

    factors: tuple[str, ...]
    items: tuple[str, ...]
    table: ParameterTable
    model: ModelMap
    optimum: Optimum
    measures: FitMeasures

    @property
    def coef(self) -> Array:
        """Free parameters, shape (P,), named by ``model.names``."""
        return self.optimum.theta

    @property
    def vcov(self) -> Array:
        """Covariance matrix of the free parameters from the expected information, shape (P, P)."""
        system = self.optimum.system
        return np.full((self.coef.size, self.coef.size), np.nan) if system is None else system.inverse()

    @property
    def standard_errors(self) -> Array:
        """Standard errors of the free parameters from the expected information, shape (P,)."""
        system = self.optimum.system
        if system is None:
            return np.full(self.coef.size, np.nan)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.sqrt(system.diagonal()))

    @property
    def Theta(self) -> Array:
        """Unique variances and residual covariances, shape (G, p, p)."""
        return self.model.values_of(THETA, self.optimum.theta)

    def count_measurement(self, factors: Sequence[str]) -> int:
        """Free loadings, unique variances and residual covariances of some factors.

        A factor variance that is fixed sets the scale in place of a marker: it counts as one less, because the
        structural model counts all factor (co)variances of a group as free.
        """
        model = self.model
        kept = np.isin(model.factors, list(factors))
        loading, residual, variance = (model.matrix == kind for kind in (LAMBDA, THETA, PSI))
        loading &= kept[np.where(loading, model.column, 0)]
        items = np.isin(np.arange(len(model.observed)), model.row[loading])
        residual &= items[np.where(residual, model.row, 0)] & items[np.where(residual, model.column, 0)]
        used = model.free[:, loading | residual]
        variance &= (model.row == model.column) & kept[np.where(variance, model.row, 0)]
        return int(np.unique(used[used >= 0]).size - (model.free[:, variance] < 0).sum())

    def count_intercepts(self, factors: Sequence[str]) -> int:
        """Free intercepts of the items of some factors, less the factor means that are fixed to set the zero."""
        model = self.model
        kept = np.isin(model.factors, list(factors))
        loading, nu, alpha = (model.matrix == kind for kind in (LAMBDA, NU, ALPHA))
        loading &= kept[np.where(loading, model.column, 0)]
        nu &= np.isin(model.row, model.row[loading])
        alpha &= kept[np.where(alpha, model.row, 0)]
        used = model.free[:, nu]
        return int(np.unique(used[used >= 0]).size - (model.free[:, alpha] < 0).sum())


@dataclass(frozen=True, eq=False, repr=False)
class MeasurementFit(Displayed):
    """A fitted measurement model: step 1.

    Attributes
    ----------
    specification
        The options it was fitted with.
    moments
        The groups' sizes, means and covariances of the model's items.
    factors, items
        Names, in the order of the model text.
    Lambda
        Loadings, shape (G, p, Q).
    Theta
        Unique variances and residual covariances, shape (G, p, p).
    Phi
        Factor covariances as fitted, shape (G, Q, Q); zero between factors of different blocks.
    blocks
        The fitted blocks.
    notices
        Statistical trouble, by group.
    """

    specification: MGCFA
    moments: SampleMoments
    factors: tuple[str, ...]
    items: tuple[str, ...]
    Lambda: Array
    Theta: Array
    Phi: Array
    blocks: tuple[BlockFit, ...]
    notices: tuple[Notice, ...]

    @property
    def groups(self) -> tuple[Hashable, ...]:
        """Labels of the groups."""
        return self.moments.groups

    @property
    def nobs(self) -> int:
        """People over all groups."""
        return self.moments.n_total

    @property
    def loglik(self) -> float:
        """Normal log-likelihood, added over blocks."""
        return sum(block.measures.loglik for block in self.blocks)

    @property
    def n_params(self) -> int:
        """Free parameters, added over blocks; saturated means included when there are several groups."""
        return sum(block.measures.n_params for block in self.blocks)

    def count_measurement(self, factors: Sequence[str]) -> int:
        """Free measurement parameters of some factors, added over blocks."""
        return sum(block.count_measurement(factors) for block in self.blocks)

    def count_intercepts(self, factors: Sequence[str]) -> int:
        """Free intercepts of the items of some factors, less factor means fixed to set the zero, added over blocks."""
        return sum(block.count_intercepts(factors) for block in self.blocks)

    @property
    def converged(self) -> bool:
        """Whether every block converged."""
        return all(block.optimum.converged for block in self.blocks)


def assemble(
    factors: tuple[str, ...], items: tuple[str, ...], blocks: tuple[BlockFit, ...]
) -> tuple[Array, Array, Array]:
    """Put the blocks' Lambda, Theta and Phi into the matrices of all factors and items."""
    n_groups = blocks[0].model.n_groups
    Lambda = np.zeros((n_groups, len(items), len(factors)))
    Theta = np.zeros((n_groups, len(items), len(items)))
    Phi = np.zeros((n_groups, len(factors), len(factors)))
    for block in blocks:
        i = np.array([items.index(name) for name in block.items])
        q = np.array([factors.index(name) for name in block.factors])
        theta = block.optimum.theta
        Lambda[:, i[:, None], q] = block.model.values_of(LAMBDA, theta)
        Theta[:, i[:, None], i] = block.Theta
        Phi[:, q[:, None], q] = block.model.values_of(PSI, theta)
    return Lambda, Theta, Phi
