"""Does the clustering hold? Other solutions of the same mixture, and what happens when a cluster is added."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..errors import OptionError
from ..simulate.agreement import adjusted_rand_index, match_labels
from ..structural.fit import MixtureFit
from ..structural.select import MixtureSelection

__all__ = ["OtherSolution", "Stability", "Transition", "stability"]

Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class OtherSolution:
    """A solution that starts reached besides the best one.

    Attributes
    ----------
    k
        Number of clusters.
    below
        How far its log L is below that of the best solution.
    n_starts, share
        Starts that reached it, and their share of all starts.
    clusters
        Cluster of each group, numbered as in the best solution, shape (G,).
    agreement
        Adjusted Rand index with the best solution.
    moved
        Groups that are in another cluster.
    """

    k: int
    below: float
    n_starts: int
    share: float
    clusters: Index
    agreement: float
    moved: tuple[Hashable, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Transition:
    """From the partition with fewer clusters to the next one.

    Attributes
    ----------
    fewer, more
        The two numbers of clusters.
    table
        Groups by cluster of the first (row) and of the second (column), shape (fewer, more).
    agreement
        Adjusted Rand index of the two partitions.
    """

    fewer: int
    more: int
    table: Index
    agreement: float

    @property
    def nested(self) -> float:
        """Share of groups that would stay if each new cluster came from one old cluster only."""
        return float(self.table.max(axis=0).sum() / self.table.sum())

    @property
    def sources(self) -> tuple[tuple[int, ...], ...]:
        """For each old cluster, the new clusters that get most of their groups from it, numbered from 1."""
        filled = self.table.sum(axis=0) > 0
        origin = self.table.argmax(axis=0)
        return tuple(
            tuple(int(c) + 1 for c in np.flatnonzero(filled & (origin == old))) for old in range(self.table.shape[0])
        )

    @property
    def splits(self) -> tuple[int, ...]:
        """Old clusters that most of two or more new clusters come from, numbered from 1."""
        return tuple(old for old, new in enumerate(self.sources, start=1) if len(new) > 1)


@dataclass(frozen=True, eq=False, repr=False)
class Stability(Displayed):
    """How stable a clustering is over starts and over numbers of clusters.

    Attributes
    ----------
    selection
        The fits.
    tolerance
        Solutions whose log L is lower by no more than this were looked at.
    others
        Other solutions of each number of clusters, the best first.
    transitions
        From each number of clusters to the next.
    """

    selection: MixtureSelection
    tolerance: float
    others: tuple[OtherSolution, ...]
    transitions: tuple[Transition, ...]

    def moving(self, k: int) -> tuple[Hashable, ...]:
        """Groups that change cluster in some solution with k clusters within the tolerance, in the order of the fit."""
        found = {group for other in self.others if other.k == k for group in other.moved}
        return tuple(group for group in self.selection[k].groups if group in found)


def stability(fits: MixtureFit | MixtureSelection, *, tolerance: float = 5.0) -> Stability:
    """Other solutions that starts reached, and how clusters split from one number to the next.

    A solution whose log L is almost as high but which puts groups elsewhere says that these groups could have been
    clustered differently. Only starts count, not resamples of the data.

    Parameters
    ----------
    fits
        One mixture, or several with different numbers of clusters.
    tolerance
        Look at solutions whose log L is lower by no more than this. The ten best of each number were kept.

    Returns
    -------
    Stability
        Prints as tables with words.

    Raises
    ------
    OptionError
        If `fits` is no mixture, or `tolerance` is negative.

    Examples
    --------
    >>> from mixsem.factors import FactorMoments
    >>> from mixsem.structural import StructuralMixture
    >>> Phi = [[[1.0, b], [b, 1.0]] for b in (0.5, 0.52, 0.1, 0.12, -0.3, -0.32)]
    >>> moments = FactorMoments.from_covariances(Phi, n=[300] * 6, factors=["x", "y"], groups=list("abcdef"))
    >>> found = stability(StructuralMixture("y ~ x", k=(2, 3), n_starts=20).fit(moments, seed=1))
    >>> found.transitions[0].splits, found.transitions[0].nested
    ((1,), 1.0)
    """
    selection = MixtureSelection((fits,)) if isinstance(fits, MixtureFit) else fits
    if not isinstance(selection, MixtureSelection):
        raise OptionError(
            f"stability() got {type(fits).__name__}",
            allowed="a MixtureFit or MixtureSelection",
            todo="give what mmgsem() or StructuralMixture.fit() returned",
        )
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not tolerance >= 0:
        raise OptionError(f"tolerance={tolerance!r}", allowed="a difference of log L, 0 or more")
    others = tuple(other for fit in selection.fits for other in _others(fit, tolerance))
    steps = zip(selection.fits[:-1], selection.fits[1:], strict=True)
    return Stability(selection, float(tolerance), others, tuple(_transition(a, b) for a, b in steps))


def _others(fit: MixtureFit, tolerance: float) -> list[OtherSolution]:
    """Solutions besides the best one with another partition."""
    best, found = fit.clusters - 1, []
    for solution in fit.starts.solutions:
        below = fit.starts.best - solution.loglik
        agreement = adjusted_rand_index(solution.clusters, best)
        if below > tolerance or agreement == 1.0:
            continue
        clusters = match_labels(solution.clusters, best)[solution.clusters]
        moved = tuple(fit.groups[g] for g in np.flatnonzero(clusters != best))
        share = solution.n_starts / fit.starts.n_starts
        found.append(OtherSolution(fit.k, below, solution.n_starts, share, clusters + 1, agreement, moved))
    return found


def _transition(fewer: MixtureFit, more: MixtureFit) -> Transition:
    table = np.zeros((fewer.k, more.k), dtype=np.int64)
    np.add.at(table, (fewer.clusters - 1, more.clusters - 1), 1)
    return Transition(fewer.k, more.k, table, adjusted_rand_index(fewer.clusters, more.clusters))
