"""A population like the groups of a fitted pilot study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, OptionError, UnsupportedModelError
from .own import OwnPopulation

if TYPE_CHECKING:
    from ..structural.fit import MixtureFit

__all__ = ["population_from_fit"]

Array = NDArray[np.float64]

#: Loadings that vary no more than this are equal but for rounding.
TINY = 1e-12


def population_from_fit(
    fit: MixtureFit, n_groups: int | None = None, group_size: int | str | tuple[int, ...] | None = None
) -> OwnPopulation:
    """Describe the population that a pilot study looks like.

    Regressions and proportions of the clusters are the estimated ones. Loadings, unique variances, factor variances
    and correlations have the mean of the pilot's groups and vary over groups as the estimates do. What is estimated
    varies more than what is true, and clusters are found by making their regressions differ: a plan on the numbers
    of a small pilot is on the hopeful side, so try smaller differences as well.

    Parameters
    ----------
    fit
        A mixture with one number of clusters, fitted to data.
    n_groups
        Number of groups; None for that of the pilot.
    group_size
        People per group, as in `OwnPopulation`; None for the pilot's own sizes, or their mean if `n_groups` is
        another number.

    Returns
    -------
    OwnPopulation
        On the scale of the fitted model.

    Raises
    ------
    DataError
        If the mixture was fitted to factor covariances without items.
    UnsupportedModelError
        If an item has several factors, or the model has residual covariances, means or group-specific regressions.

    Examples
    --------
    >>> import mixsem as mx
    >>> measurement, structural = mx.data.survey_models()
    >>> survey = mx.data.simulated_survey()
    >>> fit = mx.mmgsem(measurement, structural, survey, "country", k=2, n_starts=20, seed=1)
    >>> population = population_from_fit(fit, n_groups=30, group_size=150)
    >>> population.n_clusters, population.n_groups
    (2, 30)
    """
    from ..structural.fit import MixtureFit

    if not isinstance(fit, MixtureFit):
        raise OptionError(
            f"population_from_fit() came with {type(fit).__name__}",
            allowed="a mixture with one number of clusters",
            todo="index a selection by the number of clusters, as in fits[3]",
        )
    step1, path = fit.moments.measurement, fit.path
    if step1 is None:
        raise DataError("the mixture was fitted to factor covariances: its items are not known", allowed="fits to data")
    if path.meanstructure or path.group_specific.any():
        raise UnsupportedModelError("the fit has factor means or group-specific regressions", allowed="regressions")
    columns = [step1.factors.index(f) for f in path.factors]
    Lambda = step1.Lambda[:, :, columns]
    owner, items = _owners(Lambda, path.factors, step1.items)
    loadings = Lambda[:, items, owner]
    uniques = np.diagonal(step1.Theta, axis1=1, axis2=2)[:, items]
    # The moments are in the order of the path model's factors, see `MixtureFit`.
    Phi = fit.moments.Phi
    variances = np.diagonal(Phi, axis1=1, axis2=2)
    scale = np.sqrt(variances)
    R = Phi / (scale[:, :, None] * scale[:, None, :])
    exogenous = list(path.exogenous)
    pairs = [(a, b) for b in exogenous for a in exogenous if a < b]
    names, named = path.factors, [step1.items[i] for i in items]
    G = fit.moments.n_groups
    if group_size is None:
        n = fit.moments.n
        same = n_groups is None or n_groups == G
        group_size = tuple(int(size) for size in n) if same else max(2, round(float(n.mean())))
    return OwnPopulation(
        measurement="\n".join(
            f"{f} =~ {' + '.join(item for item, j in zip(named, owner, strict=True) if j == q)}"
            for q, f in enumerate(names)
        ),
        structural="\n".join(name.replace("~", " ~ ") for name in path.names),
        coefficients=tuple(
            {name.replace("~", " ~ "): float(value) for name, value in zip(path.names, row, strict=True)}
            for row in fit.coefficients
        ),
        n_groups=G if n_groups is None else n_groups,
        group_size=group_size,
        proportions=tuple(float(p) for p in fit.proportions),
        loadings={item: float(value) for item, value in zip(named, loadings.mean(axis=0), strict=True)},
        unique_variances={item: float(value) for item, value in zip(named, uniques.mean(axis=0), strict=True)},
        factor_variances={f: float(value) for f, value in zip(names, variances.mean(axis=0), strict=True)},
        correlations={f"{names[a]} ~~ {names[b]}": float(R[:, a, b].mean()) for a, b in pairs} if pairs else 0.0,
        loading_variance=2.0 * spread if (spread := _spread(loadings, len(names))) > TINY else 0.0,
        variance_sd=_relative_sd(variances),
        correlation_sd=float(np.mean([R[:, a, b].std() for a, b in pairs])) if pairs else 0.0,
        unique_sd=_relative_sd(uniques),
    )


def _owners(
    Lambda: Array, factors: tuple[str, ...], items: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number of the factor of each used item, and the numbers of these items, factor by factor."""
    loads = (Lambda != 0).any(axis=0)
    if (loads.sum(axis=1) > 1).any():
        several = items[int(np.argmax(loads.sum(axis=1) > 1))]
        raise UnsupportedModelError(f"{several} has several factors", allowed="one factor per item")
    owner, used = np.nonzero(loads.T)
    return owner, used


def _spread(loadings: Array, n_markers: int) -> float:
    """Variance of the loadings over groups, averaged over items that are no markers."""
    return float(loadings.var(axis=0).sum() / max(1, loadings.shape[1] - n_markers))


def _relative_sd(values: Array) -> float:
    """Standard deviation over groups in shares of the mean, averaged over columns."""
    return float((values.std(axis=0) / values.mean(axis=0)).mean())
