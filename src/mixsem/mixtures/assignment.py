"""Assignment of groups to clusters, and how often it errs: the input of bias-adjusted three-step analysis."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, OptionError
from ..structural.fit import MixtureFit
from ..structural.select import MixtureSelection
from .propagate import PropagatedPosterior

__all__ = ["ASSIGNMENTS", "Assignment", "assign_groups", "require_clusters"]

Array = NDArray[np.float64]

ASSIGNMENTS = ("modal", "proportional")


@dataclass(frozen=True, eq=False, slots=True)
class Assignment:
    """Groups assigned to clusters.

    Attributes
    ----------
    kind
        ``"modal"`` (each group wholly to its most probable cluster) or ``"proportional"`` (by its probabilities).
    weights
        Share of each group assigned to each cluster, shape (G, K).
    errors
        Classification errors: probability that a group of cluster t (row) is assigned to s (column), shape (K, K).
    """

    kind: str
    weights: Array
    errors: Array

    def corrected(self) -> Array:
        """BCH weights, shape (G, K): assigned shares times the inverse of the classification errors.

        They can be negative; every row adds up to 1.

        Raises
        ------
        ModelError
            If the errors have no inverse: a cluster is never assigned, or two are assigned alike.
        """
        if np.linalg.cond(self.errors) > 1e6:
            lost = [c + 1 for c in np.flatnonzero(np.diagonal(self.errors) < 1e-6)]
            raise ModelError(
                f"cluster {lost[0]} holds no group" if lost else "the clusters cannot be told apart",
                allowed="clusters of which each is the most probable one of some group",
                todo="choose fewer clusters, or assignment='proportional'",
            )
        return np.asarray(np.linalg.solve(self.errors.T, self.weights.T).T)


def assign_groups(posterior: Array, kind: str = "modal") -> Assignment:
    """Assign groups and estimate the errors of doing so.

    P(assigned s | cluster t) = sum_g P(t | g) P(assigned s | g) / sum_g P(t | g).

    Parameters
    ----------
    posterior
        Posterior classification probabilities, shape (G, K).
    kind
        ``"modal"`` or ``"proportional"``.

    Raises
    ------
    OptionError
        If `kind` is anything else.

    Examples
    --------
    >>> assign_groups(np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])).errors.round(2)
    array([[0.85, 0.15],
           [0.3 , 0.7 ]])

    References
    ----------
    Bolck, Croon & Hagenaars (2004), Political Analysis 12, 3-27. Vermunt (2010), Latent class modeling with covariates:
    two improved three-step approaches. Political Analysis 18, 450-469.
    """
    if kind not in ASSIGNMENTS:
        raise OptionError(f"assignment={kind!r}", allowed="'modal' or 'proportional'", todo="choose one of them")
    weights = posterior if kind == "proportional" else np.eye(posterior.shape[1])[posterior.argmax(axis=1)]
    errors = posterior.T @ weights / np.maximum(posterior.sum(axis=0), 1e-300)[:, None]
    return Assignment(kind, weights, errors)


def require_clusters(
    fit: object, posterior: PropagatedPosterior | Array | Sequence[Sequence[float]] | None, function: str
) -> tuple[MixtureFit, Array, tuple[Hashable, ...]]:
    """Check a mixture of several clusters and the probabilities to use in the place of its own.

    Parameters
    ----------
    fit
        What should be a mixture.
    posterior
        Probabilities, shape (G, K), a `PropagatedPosterior`, or None for those of the fit.
    function
        Who asks.

    Raises
    ------
    OptionError
        If `fit` is not one mixture with two clusters or more, or the probabilities are none.
    """
    if not isinstance(fit, MixtureFit):
        several = isinstance(fit, MixtureSelection)
        raise OptionError(
            f"{function}() got {type(fit).__name__}",
            allowed="a MixtureFit",
            todo="choose a number of clusters first, such as fits[3]" if several else "give what .fit() returned",
        )
    if fit.k < 2:
        raise OptionError(
            f"{function}() got a mixture with one cluster", allowed="two clusters or more", todo="fit more clusters"
        )
    given = posterior.probabilities if isinstance(posterior, PropagatedPosterior) else posterior
    z = fit.posterior if given is None else np.asarray(given, dtype=float)
    if z.shape != fit.posterior.shape or not (
        np.isfinite(z).all() and (z >= 0).all() and np.allclose(z.sum(axis=1), 1)
    ):
        raise OptionError(
            f"posterior= has shape {z.shape}, or rows that are not probabilities",
            allowed=f"probabilities of shape {fit.posterior.shape}, groups in the order of the fit",
            todo="leave it out for those of the fit, or give propagated_posterior(fit)",
        )
    return fit, z, fit.groups
