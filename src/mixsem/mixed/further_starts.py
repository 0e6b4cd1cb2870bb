"""Further starting values: with few levels the likelihood of a mixed model may have several optima."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .layout import Layout
    from .theta import ThetaMap

__all__ = ["FURTHER_STARTS", "further_starts"]

Array = NDArray[np.float64]

#: Starts that are tried after the plain one: of 3,000 random small designs, one search ends at a worse optimum in one
#: of 80, and these do in one of 2,000.
FURTHER_STARTS = 8
#: Numbers in the cross-products up to which a search takes a few milliseconds. Larger problems have so many levels that
#: several optima are rare.
SMALL_PROBLEM = 4000
#: Range of the standard deviations, relative to the residual one, of random starts: powers of ten.
LOW, HIGH = -2.0, 1.5


def further_starts(layout: Layout, theta_map: ThetaMap, n: int) -> Iterator[Array]:
    """Starting values for a small problem; none for a large one.

    First all variances small, then all large, then random ones: each term has its own scale, and correlations.

    Parameters
    ----------
    layout
        The layout: its size decides.
    theta_map
        The parameters.
    n
        How many.
    """
    if layout.n_values + layout.n_columns**2 > SMALL_PROBLEM:
        return
    rng = np.random.default_rng(1)  # the same starts every time: a fit can be repeated
    for i in range(n):
        if i < 2:
            yield theta_map.start * (0.05, 5.0)[i]
            continue
        scale = 10.0 ** rng.uniform(LOW, HIGH, len(theta_map.terms))
        yield theta_map.canonical(rng.normal(size=len(theta_map)) * scale[theta_map.term])
