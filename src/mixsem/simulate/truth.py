"""The parameters of one simulated population, and the random numbers it is drawn with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..errors import OptionError

if TYPE_CHECKING:
    from .own import OwnPopulation
    from .populations import Population

__all__ = ["Truth", "draw_clusters", "generator"]


@dataclass(frozen=True, eq=False, repr=False)
class Truth:
    """The parameters of one population, in the notation of the papers.

    Attributes
    ----------
    population
        What they were drawn from.
    items, factors
        Names of the p items and the q factors.
    measurement, structural
        The models to fit, in lavaan syntax. The population may depart from them: cross-loadings are in neither.
    regressions
        Where the regressions stand in B: (outcome, predictor), numbers of factors.
    random
        Parameters that differ over groups, as ``MLCFA(random=...)`` takes them: ``"F1 =~ V2"``, ``"V2 ~~ V2"``,
        ``"factor variances"``.
    groups
        Labels of the G groups, 1 to G.
    n
        (G,) people per group.
    clusters
        (G,) cluster of each group, numbered from 0.
    B
        (K, q, q) regressions per cluster; row is the outcome, column the predictor.
    Lambda, Theta
        (G, p, q) loadings and (G, p, p) unique variances on the diagonal.
    Psi, Phi
        (G, q, q) residual factor covariances, and the factor covariances they imply.
    Sigma
        (G, p, p) covariances of the items.
    """

    population: Population | OwnPopulation
    items: tuple[str, ...]
    factors: tuple[str, ...]
    measurement: str
    structural: str
    regressions: tuple[tuple[int, int], ...]
    random: tuple[str, ...]
    groups: tuple[int, ...]
    n: NDArray[np.int64]
    clusters: NDArray[np.int64]
    B: NDArray[np.float64]
    Lambda: NDArray[np.float64]
    Theta: NDArray[np.float64]
    Psi: NDArray[np.float64]
    Phi: NDArray[np.float64]
    Sigma: NDArray[np.float64]

    def __repr__(self) -> str:
        """Sizes at a glance."""
        return f"Truth: {len(self.groups)} groups in {len(self.B)} clusters, N = {self.n.sum():,}"


#: Groups of a population, and people of a group: more are a slip of the finger.
MOST_GROUPS, MOST_PEOPLE = 10_000_000, 1_000_000_000


def generator(seed: int, *, stream: int) -> Generator:
    """Return the random numbers of one purpose; streams of the same seed are independent."""
    if seed < 0:
        raise OptionError(f"seed={seed}", allowed="a whole number, 0 or more")
    return np.random.default_rng([seed, stream])


def draw_clusters(shares: Sequence[float], n_groups: int, rng: Generator) -> NDArray[np.int64]:
    """Give each cluster its share of the groups, in random order."""
    summed = np.cumsum(shares)
    sizes = np.diff(np.round(n_groups * summed / summed[-1]), prepend=0).astype(int)
    if sizes.min() < 1:
        raise OptionError(
            f"proportions={tuple(shares)!r} of {n_groups} groups leave a cluster without a group",
            allowed=f"shares of {n_groups} groups that round to one or more",
        )
    return rng.permutation(np.repeat(np.arange(len(shares)), sizes))
