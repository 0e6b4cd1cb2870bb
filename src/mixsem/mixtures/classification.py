"""How well a mixture separates its clusters, and which groups sit between them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..errors import OptionError
from ..inference.criteria import entropy_r2
from ..structural.fit import MixtureFit
from ..structural.select import MixtureSelection
from .propagate import PropagatedPosterior

if TYPE_CHECKING:
    from ..report.table import Table

__all__ = ["BorderGroup", "Classification", "classification"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BorderGroup:
    """A group between two clusters.

    Attributes
    ----------
    group
        Its label.
    clusters
        The two most probable clusters, numbered from 1.
    probabilities
        Their probabilities.
    odds
        Odds of the first against the second.
    """

    group: Hashable
    clusters: tuple[int, int]
    probabilities: tuple[float, float]
    odds: float


@dataclass(frozen=True, eq=False, repr=False)
class Classification(Displayed):
    """Classification diagnostics of one mixture.

    Attributes
    ----------
    fit
        The mixture.
    probabilities
        The probabilities that were looked at, shape (G, K): the mixture's own or propagated ones.
    propagated
        Whether they count the uncertainty of all steps.
    certain
        Groups whose most probable cluster is less probable than this are near a border.
    """

    fit: MixtureFit
    probabilities: Array
    propagated: bool
    certain: float

    @property
    def clusters(self) -> NDArray[np.int64]:
        """Most probable cluster of each group, numbered from 1, shape (G,)."""
        return np.asarray(self.probabilities.argmax(axis=1) + 1)

    @property
    def entropy_r2(self) -> float:
        """Entropy R2: 1 if every group is classified with certainty, 0 if nothing is known."""
        return entropy_r2(self.probabilities, self.expected / self.expected.sum())

    @property
    def expected(self) -> Array:
        """Expected groups per cluster, the sum of the probabilities, shape (K,)."""
        return np.asarray(self.probabilities.sum(axis=0))

    @property
    def modal(self) -> NDArray[np.int64]:
        """Groups whose most probable cluster it is, shape (K,)."""
        return np.bincount(self.clusters - 1, minlength=self.fit.k)

    @property
    def average(self) -> Array:
        """Average probabilities of the groups put into each cluster: row modal, column cluster; NaN if empty."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self._joint.T / self.modal[:, None])

    @property
    def assigned(self) -> Array:
        """Expected share of each cluster's groups (row) that are put into each cluster (column), shape (K, K)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self._joint / self.expected[:, None])

    @property
    def _joint(self) -> Array:
        """Expected groups by cluster (row) and cluster they are put into (column)."""
        return np.asarray(self.probabilities.T @ np.eye(self.fit.k)[self.clusters - 1])

    @property
    def error(self) -> float:
        """Expected share of groups that are put into a wrong cluster."""
        return float(1.0 - self.probabilities.max(axis=1).mean())

    @property
    def border(self) -> tuple[BorderGroup, ...]:
        """Groups near a border, the most uncertain first."""
        if self.fit.k == 1:
            return ()
        order = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :2]
        two = np.take_along_axis(self.probabilities, order, axis=1)
        near = [g for g in np.argsort(two[:, 0], kind="stable") if two[g, 0] < self.certain]
        return tuple(
            BorderGroup(
                self.fit.groups[g],
                (int(order[g, 0]) + 1, int(order[g, 1]) + 1),
                (float(two[g, 0]), float(two[g, 1])),
                float(two[g, 0] / two[g, 1]),
            )
            for g in near
        )

    @property
    def table(self) -> Table:
        """One row per cluster: expected and modal groups, error, average probabilities."""
        from ..report.classification_tables import classification_table

        return classification_table(self)


def classification(
    fit: MixtureFit, propagated: PropagatedPosterior | None = None, *, certain: float = 0.9
) -> Classification:
    """Entropy, average probabilities, classification table and groups near a border.

    The mixture's own probabilities are overconfident: factor covariances and the clusters' regressions count as
    known. With `propagated` the same is said of probabilities that count their uncertainty.

    Parameters
    ----------
    fit
        A mixture.
    propagated
        What `propagated_posterior` returned for it.
    certain
        Groups below this probability are near a border.

    Returns
    -------
    Classification
        Prints as tables with words.

    Raises
    ------
    OptionError
        If `fit` is no mixture, `propagated` belongs to another, or `certain` is no probability.

    Examples
    --------
    >>> from mixsem.factors import FactorMoments
    >>> from mixsem.structural import StructuralMixture
    >>> Phi = [[[1.0, b], [b, 1.0]] for b in (0.5, 0.5, 0.32, 0.1, 0.1, 0.12)]
    >>> moments = FactorMoments.from_covariances(Phi, n=[90] * 6, factors=["x", "y"], groups=list("abcdef"))
    >>> found = classification(StructuralMixture("y ~ x", k=2).fit(moments, seed=1))
    >>> [group.group for group in found.border], found.modal.tolist()
    (['c'], [3, 3])
    """
    _require_mixture(fit)
    if propagated is not None and (not isinstance(propagated, PropagatedPosterior) or propagated.fit is not fit):
        raise OptionError(
            "propagated= is not of this mixture", allowed="what propagated_posterior(fit) returned for the same fit"
        )
    if isinstance(certain, bool) or not isinstance(certain, int | float) or not 0 < certain <= 1:
        raise OptionError(f"certain={certain!r}", allowed="a probability, such as 0.9")
    probabilities = fit.posterior if propagated is None else propagated.probabilities
    return Classification(fit, probabilities, propagated is not None, float(certain))


def _require_mixture(fit: object) -> None:
    if not isinstance(fit, MixtureFit):
        several = isinstance(fit, MixtureSelection)
        raise OptionError(
            f"classification() got {type(fit).__name__}",
            allowed="a MixtureFit",
            todo="choose a number of clusters first, such as fits[3]" if several else "give what .fit() returned",
        )
