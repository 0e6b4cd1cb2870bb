"""Parameters of all groups of a user's own population."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..errors import OptionError
from .layout import Layout, no_residual
from .own import OwnPopulation, size_range
from .truth import Truth, draw_clusters, generator

__all__ = ["draw_own_truth"]

Array = NDArray[np.float64]

#: How often a group's factor covariances are drawn until they leave all residuals a variance.
ATTEMPTS = 1000


def draw_own_truth(population: OwnPopulation, seed: int) -> Truth:
    """Draw the parameters of all groups of a user's own population.

    Factor and unique variances have gamma distributions over groups, correlations beta distributions (stretched to
    -1 to 1), loadings normal ones, with the means and standard deviations of the population.
    """
    rng, layout = generator(seed, stream=0), population.layout
    clusters = draw_clusters(population.proportions or (1.0,) * population.n_clusters, population.n_groups, rng)
    n = _sizes(population, rng)
    B = layout.B[clusters]
    psi = _residual_covariances(population, clusters, rng)
    inverse = np.linalg.inv(np.eye(len(layout.factors)) - B)
    phi = inverse @ psi @ inverse.swapaxes(1, 2)
    G, p = population.n_groups, len(layout.items)
    deviations = np.sqrt(population.loading_variance / 2) * rng.standard_normal((G, p))
    Lambda = np.zeros((G, p, len(layout.factors)))
    Lambda[:, np.arange(p), layout.owner] = layout.loading + np.where(layout.marker, 0.0, deviations)
    Theta = _positive(layout.unique, population.unique_sd, G, rng)[:, :, None] * np.eye(p)
    return Truth(
        population=population,
        items=layout.items,
        factors=layout.factors,
        measurement=layout.measurement,
        structural=layout.structural,
        regressions=layout.regressions,
        random=_random_parameters(population, layout),
        groups=tuple(range(1, G + 1)),
        n=n,
        clusters=clusters,
        B=layout.B,
        Lambda=Lambda,
        Theta=Theta,
        Psi=psi,
        Phi=phi,
        Sigma=Lambda @ phi @ Lambda.swapaxes(1, 2) + Theta,
    )


def _sizes(population: OwnPopulation, rng: Generator) -> NDArray[np.int64]:
    size, G = population.group_size, population.n_groups
    if isinstance(size, str):
        low, high = size_range(size)
        return rng.integers(low, high + 1, G)
    return np.broadcast_to(np.asarray(size, dtype=np.int64), G).copy()


def _residual_covariances(population: OwnPopulation, clusters: NDArray[np.int64], rng: Generator) -> Array:
    """Draw psi (G, q, q): residual variances are what the regressions leave of the total ones."""
    layout = population.layout
    psi = np.zeros((len(clusters), *layout.B.shape[1:]))
    left = np.arange(len(clusters))
    worst: tuple[int, int, float, float] | None = None
    for _ in range(ATTEMPTS):
        total = _positive(layout.variance, population.variance_sd, len(left), rng)
        psi[left], explained = _structure(population, total, layout.B[clusters[left]], rng)
        short = explained >= total
        bad = short.any(axis=1) | (np.linalg.eigvalsh(psi[left])[:, 0] <= 0)
        if not bad.any():
            return psi
        if short.any():
            g, j = np.argwhere(short)[0]
            worst = int(clusters[left[g]]), int(j), float(explained[g, j]), float(total[g, j])
        left = left[bad]
    if worst is None:
        raise OptionError(
            f"correlations={population.correlations!r} that vary by correlation_sd={population.correlation_sd!r}"
            f" are hardly ever those of {len(layout.exogenous)} factors",
            allowed="correlations that are possible together in every group",
            todo="choose smaller correlations, or a smaller correlation_sd",
        )
    raise no_residual(layout, *worst)


def _structure(population: OwnPopulation, total: Array, B: Array, rng: Generator) -> tuple[Array, Array]:
    """Residual covariances (m, q, q), and the variance (m, q) that regressions explain of the total ones."""
    layout = population.layout
    at = np.array(layout.exogenous)
    scale = np.sqrt(total[:, at])
    exogenous = _correlations(layout.correlation, population.correlation_sd, len(total), rng)
    exogenous = exogenous * scale[:, :, None] * scale[:, None, :]
    phi, psi, explained = np.zeros_like(B), np.zeros_like(B), np.zeros_like(total)
    phi[:, at[:, None], at] = psi[:, at[:, None], at] = exogenous
    for j in layout.order:
        covariance = np.einsum("gi,gik->gk", B[:, j], phi)
        explained[:, j] = (covariance * B[:, j]).sum(axis=1)
        phi[:, j] = phi[:, :, j] = covariance
        phi[:, j, j] = total[:, j]
        psi[:, j, j] = total[:, j] - explained[:, j]
    return psi, explained


def _positive(mean: Array, sd: float, m: int, rng: Generator) -> Array:
    """Draw positive numbers (m, ...) with these means and a standard deviation in shares of them."""
    if sd == 0:
        return np.broadcast_to(mean, (m, *mean.shape)).copy()
    return mean * rng.gamma(1.0 / sd**2, sd**2, (m, *mean.shape))


def _correlations(mean: Array, sd: float, m: int, rng: Generator) -> Array:
    """Draw correlation matrices (m, E, E)."""
    matrices = np.broadcast_to(mean, (m, *mean.shape)).copy()
    if sd == 0:
        return matrices
    for a in range(len(mean)):
        for b in range(a):
            # A beta distribution has no larger spread than this between its bounds.
            weight = max((1.0 - mean[a, b] ** 2) / sd**2 - 1.0, 1e-3)
            share = (1.0 + mean[a, b]) / 2
            matrices[:, a, b] = 2.0 * rng.beta(share * weight, (1.0 - share) * weight, m) - 1.0
            matrices[:, b, a] = matrices[:, a, b]
    return matrices


def _random_parameters(population: OwnPopulation, layout: Layout) -> tuple[str, ...]:
    """Which parameters vary over groups."""
    free = [j for j in range(len(layout.items)) if not layout.marker[j]]
    loadings = free if population.loading_variance > 0 else []
    return (
        *(f"{layout.factors[layout.owner[j]]} =~ {layout.items[j]}" for j in loadings),
        *(f"{item} ~~ {item}" for item in layout.items if population.unique_sd > 0),
        *(("factor variances",) if population.variance_sd > 0 else ()),
        *(("factor correlations",) if len(layout.factors) > 1 else ()),
    )
