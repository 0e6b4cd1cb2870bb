"""Factor means: where groups differ in level, for measurement models with equal intercepts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..model.matrices import ALPHA, NU

if TYPE_CHECKING:
    from ..measurement.fit import MeasurementFit

__all__ = ["FactorMeans", "mapped_means"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class FactorMeans:
    """Factor means of every group, and those of the indicators they came from.

    Attributes
    ----------
    values
        Factor means, shape (G, Q), with the zero of the measurement model: usually the mean of the first group.
    indicators
        Means of the indicators minus their intercepts, shape (G, p).
    sampling
        Sampling covariance of the factor means given the measurement parameters, shape (G, Q, Q). It is larger than
        the factor covariances over n, which the clustering reckons with, because items have measurement error.
    n_parameters
        Free intercepts of the indicators, less the factor means that were fixed to set the zero.
    """

    values: Array
    indicators: Array
    sampling: Array
    n_parameters: int = 0

    def select(self, factors: NDArray[np.int64], indicators: NDArray[np.int64], n_parameters: int) -> FactorMeans:
        """Keep some factors and indicators by their positions."""
        return replace(
            self,
            values=self.values[:, factors],
            indicators=self.indicators[:, indicators],
            sampling=self.sampling[:, factors][:, :, factors],
            n_parameters=n_parameters,
        )


def mapped_means(step1: MeasurementFit, M: Array) -> FactorMeans | None:
    """Factor means M_g (xbar_g - nu_g) of a multigroup CFA whose intercepts are equal over groups; None of any other.

    With one joint block they are the fitted means, as lavaan's ``sam()`` has both.

    Parameters
    ----------
    step1
        The fitted measurement model.
    M
        The mapping from items to factors, shape (G, Q, p).
    """
    equal = step1.specification.equal
    kinds = {equal} if isinstance(equal, str) else set(equal)
    if "intercepts" not in kinds or "means" in kinds or not all(b.model.meanstructure for b in step1.blocks):
        return None
    moments = step1.moments.select(step1.items)
    nu = np.zeros((len(step1.groups), len(step1.items)))
    fitted = np.zeros((len(step1.groups), len(step1.factors)))
    for block in step1.blocks:
        theta = block.optimum.theta
        nu[:, [step1.items.index(name) for name in block.items]] = block.model.values_of(NU, theta)
        fitted[:, [step1.factors.index(name) for name in block.factors]] = block.model.values_of(ALPHA, theta)
    indicators = moments.means - nu
    values = fitted if len(step1.blocks) == 1 else np.einsum("gqp,gp->gq", M, indicators)
    sampling = M @ moments.covariances @ M.swapaxes(1, 2) / moments.n[:, None, None]
    return FactorMeans(values, indicators, sampling, step1.count_intercepts(step1.factors))
