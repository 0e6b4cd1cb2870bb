"""Further starting values: with few levels the likelihood of a mixed model may have several optima."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .layout import Layout
    from .objective import Evaluation
    from .theta import ThetaMap

__all__ = ["further_starts", "is_near"]

Array = NDArray[np.float64]

#: Starts that are tried after moment estimates, how many more for each element of theta, and how many at most. Of 1,000
#: random small designs a single search ends at a worse optimum in about 15, and these in about one.
STARTS, PER_ELEMENT, MOST = 4, 2, 16
#: Numbers in the cross-products up to which a search takes a few milliseconds. Larger problems have so many levels that
#: several optima are rare.
SMALL_PROBLEM = 4000
#: A search this near to a known optimum, in the criterion and relative to standard deviations, is on its way there.
NEAR_VALUE, NEAR_SD = 0.5, 0.1
#: Standard deviations, relative to the residual one, of the first starts.
PLAIN = (1.0, 0.05, 5.0)
#: Range of the standard deviations, relative to the residual one, of random starts: powers of ten.
LOW, HIGH = -2.0, 1.5


def further_starts(layout: Layout, theta_map: ThetaMap, n: int | None) -> Iterator[Array]:
    """Starting values for a small problem; none for a large one.

    First all standard deviations those of the residuals, then all small, then all large, then random ones: each term
    has its own scale, and correlations.

    Parameters
    ----------
    layout
        The layout: its size decides.
    theta_map
        The parameters.
    n
        How many; None for the usual number, more for more parameters.
    """
    if layout.n_values + layout.n_columns**2 > SMALL_PROBLEM:
        return
    rng = np.random.default_rng(1)  # the same starts every time: a fit can be repeated
    for i in range(min(STARTS + PER_ELEMENT * len(theta_map), MOST) if n is None else n):
        if i < len(PLAIN):
            yield theta_map.start * PLAIN[i]
            continue
        scale = 10.0 ** rng.uniform(LOW, HIGH, len(theta_map.terms))
        yield theta_map.canonical(rng.normal(size=len(theta_map)) * scale[theta_map.term])


def is_near(theta_map: ThetaMap, here: Evaluation, known: Evaluation) -> bool:
    """Whether a search is so near to a known optimum that it will end there."""
    if here.value > known.value + NEAR_VALUE or here.value < known.value:
        return False
    lam, target = theta_map.stacked(here.phi), theta_map.stacked(known.phi)
    covariance, wanted = lam @ np.swapaxes(lam, 1, 2), target @ np.swapaxes(target, 1, 2)
    sd = np.sqrt(np.diagonal(wanted, axis1=1, axis2=2)) + NEAR_SD
    return bool((np.abs(covariance - wanted) <= NEAR_SD * sd[:, :, None] * sd[:, None, :]).all())
