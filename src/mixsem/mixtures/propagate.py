"""Membership probabilities that count what the mixture takes as known: factor covariances and regressions."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ..display import Displayed
from ..errors import OptionError, UnsupportedModelError
from ..options import require_seed
from ..structural.fit import MixtureFit
from ..structural.select import MixtureSelection
from .indicator_density import indicator_log_densities
from .own_regressions import OwnRegressions, own_regressions
from .posterior_chains import log_densities, posterior_chains
from .redrawn import averaged_over_redraws
from .step1_draws import measurement_draws, score_error

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MOST_UNASKED", "PROPAGATION", "Method", "PropagatedPosterior", "known_propagated", "propagated_posterior"]

Array = NDArray[np.float64]
Method = Literal["integrated", "plug-in", "indicators", "deflated", "redrawn"]

#: With more groups they are not computed without being asked: the time grows with their number, to minutes.
MOST_UNASKED = 2000

#: What each method is, for readers.
PROPAGATION = {
    "integrated": "own regressions with their errors, averaged over the clusters' regressions and proportions",
    "plug-in": "own regressions with their errors, clusters as estimated",
    "indicators": "likelihood of the indicators at the measurement parameters of step 1, clusters as estimated",
    "deflated": "likelihood of the factors at an effective number of people, clusters as estimated",
    "redrawn": "memberships averaged over redrawn factor covariances, clusters as estimated",
}


@dataclass(frozen=True, eq=False, repr=False)
class PropagatedPosterior(Displayed):
    """Membership probabilities with the uncertainty of steps 1 to 3.

    Attributes
    ----------
    fit
        The mixture.
    method
        How they were computed.
    probabilities
        Probability of each cluster, shape (G, K).
    sd
        How much the probabilities vary with the clusters' regressions and proportions, shape (G, K); None where these
        were taken as estimated.
    effective
        Share of a group's people that perfectly measured ones would have to be to tell as much of its regressions,
        shape (G,).
    """

    fit: MixtureFit
    method: str
    probabilities: Array
    sd: Array | None
    effective: Array

    @property
    def groups(self) -> tuple[Hashable, ...]:
        """Labels of the groups."""
        return self.fit.groups

    @property
    def clusters(self) -> NDArray[np.int64]:
        """Most probable cluster of each group, numbered from 1, shape (G,)."""
        return np.asarray(self.probabilities.argmax(axis=1) + 1)

    @property
    def of_fitted(self) -> Array:
        """Probability of the cluster that the mixture puts each group into, shape (G,)."""
        return np.asarray(self.probabilities[np.arange(len(self.groups)), self.fit.clusters - 1])

    def to_frame(self) -> pd.DataFrame:
        """One row per group.

        Columns: ``group``, ``cluster`` (of the mixture), ``as_is`` and ``propagated`` (its probability), ``effective``,
        and ``p1`` to ``pK`` (propagated).
        """
        import pandas as pd

        fit = self.fit
        frame: dict[str, object] = {
            "group": pd.Series(list(fit.groups), dtype=None),
            "cluster": fit.clusters,
            "as_is": fit.posterior.max(axis=1),
            "propagated": self.of_fitted,
            "effective": self.effective,
        }
        return pd.DataFrame(frame | {f"p{c + 1}": self.probabilities[:, c] for c in range(fit.k)})


def propagated_posterior(
    fit: MixtureFit, *, n: int = 200, seed: int | None = None, method: Method = "integrated"
) -> PropagatedPosterior:
    """Membership probabilities that count measurement error, the uncertainty of step 1 and that of the clusters.

    The mixture treats the factor covariances of a group as those of N perfectly measured people, and its own
    regressions as known; its probabilities are therefore too close to 0 and 1. Here a group's own regressions b_g
    count as what they are, an estimate with sampling covariance V_g: N people seen through items, plus what uncertain
    measurement parameters add. In a cluster, b_g is normal around the cluster's regressions with covariance V_g, and
    memberships are averaged over the posterior of all clusters' regressions and proportions.

    Parameters
    ----------
    fit
        A mixture with residual variances of groups, without means.
    n
        Number of draws of the measurement parameters, and of chains for the clusters' regressions.
    seed
        The same seed gives the same numbers.
    method
        ``"integrated"``: as described; closest to calibrated in simulations (two clusters, maximum likelihood).
        Others, for comparison, take the clusters as estimated: ``"plug-in"``; ``"indicators"``: likelihood of the
        indicators at the estimates of step 1; ``"deflated"``: the mixture's densities at an effective number of
        people; ``"redrawn"``: memberships averaged over factor covariances that are drawn again, which counts
        sampling error twice.

    Returns
    -------
    PropagatedPosterior
        Probabilities with the clusters numbered as in the fit.

    Raises
    ------
    OptionError
        If `fit` is no `MixtureFit`, or an option is outside what is allowed.
    UnsupportedModelError
        If residual variances belong to clusters, or the mixture has means: both tell of clusters besides regressions.

    Examples
    --------
    >>> import mixsem as mx
    >>> truth = mx.simulate.draw_truth(mx.simulate.Population(n_groups=24, n_clusters=2, group_size=60), seed=1)
    >>> model = mx.MGCFA("F1 =~ V1 + V2 + V3 + V4 + V5; F3 =~ V11 + V12 + V13 + V14 + V15")
    >>> moments = mx.factor_moments(model.fit(mx.simulate.draw_moments(truth, seed=1)))
    >>> fit = mx.StructuralMixture("F3 ~ F1", k=2).fit(moments, seed=1)
    >>> propagated = propagated_posterior(fit, seed=1)
    >>> bool(propagated.probabilities.max(axis=1).mean() < fit.posterior.max(axis=1).mean())
    True

    Notes
    -----
    Groups and clusters are few, so all of it is closed form and small matrices: tenths of a second for 63 groups.
    """
    _check(fit, n, method)
    require_seed(seed)
    rng = np.random.default_rng(seed)
    error = score_error(fit.moments)
    own = own_regressions(fit, error, measurement_draws(fit.moments, n, rng))
    sd = None
    if fit.k == 1 or not own.values.shape[1]:
        probabilities = np.tile(fit.proportions, (len(fit.groups), 1))
    elif method == "integrated":
        probabilities, sd = posterior_chains(
            own.values, own.total, own.clusters, fit.proportions, fit.posterior, fit.path.equal, n, rng
        )
    else:
        probabilities = _as_estimated(fit, own, error, n, method, rng)
    return PropagatedPosterior(fit, method, probabilities, sd, _effective_share(own))


def known_propagated(fit: MixtureFit) -> PropagatedPosterior | None:
    """Propagated probabilities to show without being asked; None where there are none, or they take long.

    Parameters
    ----------
    fit
        A mixture. Its own seed is taken, or without one always the same, so that a fit gives one report only.
    """
    if len(fit.groups) > MOST_UNASKED:
        return None
    try:
        return propagated_posterior(fit, seed=1 if fit.starts.seed is None else fit.starts.seed)
    except (UnsupportedModelError, np.linalg.LinAlgError):
        return None


def _as_estimated(
    fit: MixtureFit, own: OwnRegressions, error: Array, n: int, method: str, rng: np.random.Generator
) -> Array:
    """Methods that take regressions and proportions of the clusters as estimated."""
    if method == "redrawn":
        return averaged_over_redraws(fit, n, rng)
    if method == "plug-in":
        density = log_densities(own.values, own.total, own.clusters).T
    elif method == "indicators":
        density = indicator_log_densities(fit, error)
    else:
        density = _effective_share(own)[:, None] * indicator_log_densities(fit, np.zeros_like(error), iterations=1)
    with np.errstate(divide="ignore"):
        return np.asarray(softmax(density + np.log(fit.proportions), axis=1))


def _effective_share(own: OwnRegressions) -> Array:
    """How many perfectly measured people tell as much as one does, on average over regressions, shape (G,)."""
    if not own.values.shape[1]:
        return np.ones(len(own.values))
    share = np.trace(np.linalg.solve(own.total, own.perfect), axis1=1, axis2=2) / own.values.shape[1]
    return np.asarray(share)


def _check(fit: object, n: int, method: str) -> None:
    if not isinstance(fit, MixtureFit):
        several = isinstance(fit, MixtureSelection)
        raise OptionError(
            f"propagated_posterior() got {type(fit).__name__}",
            allowed="a MixtureFit",
            todo="choose a number of clusters first, such as fits[3]" if several else "give what .fit() returned",
        )
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 20:
        raise OptionError(f"n={n!r}", allowed="a whole number, 20 or more", todo="leave n out")
    if method not in PROPAGATION:
        raise OptionError(f"method={method!r}", allowed=", ".join(map(repr, PROPAGATION)), todo="leave method out")
    for wrong, got in (
        (fit.specification.residuals == "cluster", "residuals='cluster'"),
        (fit.path.meanstructure, "meanstructure=True"),
    ):
        if wrong:
            raise UnsupportedModelError(
                f"propagated probabilities of a mixture with {got}",
                allowed="mixtures whose clusters differ in regressions only: residuals='group', no means",
                todo="use the bootstrap for such mixtures",
            )
