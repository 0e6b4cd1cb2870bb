"""The populations of the simulation studies: many groups, few sets of regressions.

Four factors of five items each, with F3 = b2 F1 + b3 F2 + e3 and F4 = b1 F1 + b4 F3 + e4. Cluster k has
b_k = 0 and the other three regressions equal, so the clusters differ in nothing but their regressions.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..errors import OptionError
from .numbers import require_numbers
from .truth import MOST_GROUPS, MOST_PEOPLE, Truth, draw_clusters, generator

if TYPE_CHECKING:
    from .own import OwnPopulation

__all__ = ["FACTORS", "ITEMS", "MEASUREMENT", "STRUCTURAL", "Population", "draw_truth"]

ITEMS = tuple(f"V{j}" for j in range(1, 21))
"""Names of the items; F1 is measured by V1 to V5, F2 by V6 to V10, and so on."""

FACTORS = ("F1", "F2", "F3", "F4")
"""Names of the factors."""

N_FACTORS, PER_FACTOR = 4, 5

MEASUREMENT = "\n".join(
    f"{factor} =~ {' + '.join(ITEMS[j * PER_FACTOR : (j + 1) * PER_FACTOR])}" for j, factor in enumerate(FACTORS)
)
"""The measurement model that the papers fit; it leaves the cross-loadings out."""

STRUCTURAL = "F3 ~ F1 + F2\nF4 ~ F1 + F3"
"""The structural model that the papers fit."""

# Where b1 to b4 stand in B: row is the outcome, column the predictor.
REGRESSIONS = ((3, 0), (2, 0), (2, 1), (3, 2))
# Item 3 of each factor also loads on the factor before it; item 3 of F1 on F4.
CROSS_LOADINGS = ((7, 0), (12, 1), (17, 2), (2, 3))
# Degrees of freedom of the Wishart distribution that gives variances of SD .17 and covariances of SD .12, as
# published; the spread of the log-normal variances is not, and is chosen alike.
WISHART_DF, LOG_VARIANCE_SD = 70, 0.17
# Share of the largest cluster in unbalanced populations.
LARGEST = 0.75
# Non-invariant items of each factor, and how they vary in the multilevel population.
NON_INVARIANT, LOADING_VARIANCE, LOG_UNIQUE_SD = (1, 2), 0.1, 0.25


@dataclass(frozen=True, slots=True)
class Population:
    """What a population looks like, before its parameters are drawn.

    Attributes
    ----------
    n_groups
        Number of groups G.
    group_size
        People per group, or one number per group.
    n_clusters
        Number of clusters K, 1 to 4.
    beta
        Size of the three regressions that are not zero.
    reliability
        "high": loadings around sqrt(.6), unique variances around .4; "low": sqrt(.4) and .6.
    loading_variance
        Level of approximate invariance v, the variance of the difference between two groups' loadings
        (each group's loadings vary with v/2); 0 is exact invariance. Multigroup kind only.
    cross_loading
        Size of one cross-loading per factor, on item 3 of the next factor.
    proportions
        Shares of the clusters; None for equal ones.
    small_size, small_proportion
        Size of the small groups, and which share of each cluster they are.
    balance
        "balanced", or "unbalanced": the first cluster has three quarters of the groups, the others share the rest
        equally. Not together with `proportions`.
    noninvariance, noninvariant_share
        In this share of the groups, chosen at random, the loading of item 2 of each factor is smaller, and that of
        item 3 larger, by `noninvariance`. Multigroup kind only.
    kind
        "multigroup": uniform (co)variances, loadings that differ a little (MixMG-SEM, MixMG-BSEM).
        "multilevel": Wishart and log-normal (co)variances, items 2 and 3 of each factor non-invariant
        (MixML-SEM).

    Examples
    --------
    >>> Population(n_groups=48, group_size=200, beta=0.4, loading_variance=0.01).n_clusters
    4
    """

    n_groups: int = 24
    group_size: int | tuple[int, ...] = 100
    n_clusters: int = 4
    beta: float = 0.3
    reliability: Literal["high", "low"] = "high"
    loading_variance: float = 0.0
    cross_loading: float = 0.0
    proportions: tuple[float, ...] | None = None
    small_size: int | None = None
    small_proportion: float = 0.0
    kind: Literal["multigroup", "multilevel"] = "multigroup"
    balance: Literal["balanced", "unbalanced"] = "balanced"
    noninvariance: float = 0.0
    noninvariant_share: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no population can be."""
        require_numbers(self)
        several = np.ndim(self.group_size) > 0
        checks = {
            "n_clusters": (1 <= self.n_clusters <= len(REGRESSIONS), "1 to 4"),
            "n_groups": (
                self.n_clusters <= self.n_groups <= MOST_GROUPS,
                f"{self.n_clusters} (one per cluster) to {MOST_GROUPS:,}",
            ),
            "group_size": (
                np.min(self.group_size) >= 2
                and np.max(self.group_size) <= MOST_PEOPLE
                and (not several or np.size(self.group_size) == self.n_groups),
                f"2 to {MOST_PEOPLE:,} people, one number or one per group",
            ),
            "reliability": (self.reliability in ("high", "low"), '"high" or "low"'),
            "loading_variance": (self.loading_variance >= 0, "0 or more"),
            "proportions": (
                self.proportions is None or (len(self.proportions) == self.n_clusters and min(self.proportions) > 0),
                "one positive share per cluster",
            ),
            "small_size": (
                (self.small_size is None and self.small_proportion == 0)
                or (self.small_size is not None and self.small_size >= 2 and not several),
                f"2 or more people where small_proportion is not 0 (it is {self.small_proportion:g}),"
                " with one group_size for the large groups",
            ),
            "small_proportion": (0 <= self.small_proportion <= 1, "0 to 1"),
            "kind": (self.kind in ("multigroup", "multilevel"), '"multigroup" or "multilevel"'),
            "balance": (
                self.balance == "balanced" or (self.balance == "unbalanced" and self.proportions is None),
                '"balanced", or "unbalanced" without proportions',
            ),
            "noninvariance": (
                self.noninvariance == 0 or self.kind == "multigroup",
                "0 in the multilevel kind, whose items 2 and 3 differ anyway",
            ),
            "noninvariant_share": (0 <= self.noninvariant_share <= 1, "0 to 1"),
        }
        for field in fields(self):
            fine, allowed = checks.get(field.name, (True, ""))
            if not fine:
                raise OptionError(f"{field.name}={getattr(self, field.name)!r}", allowed=allowed)


def draw_truth(population: Population | OwnPopulation, seed: int) -> Truth:
    """Draw the parameters of all groups.

    Factor (co)variances that leave a group no positive residual variance, which large regressions make
    possible, are drawn again for that group.

    Parameters
    ----------
    population
        What to draw from: a population of the papers, or an `OwnPopulation`.
    seed
        The same seed gives the same parameters. Samples drawn with the same number are independent of them.

    Raises
    ------
    OptionError
        If the regressions are so large that hardly any residual variance is positive.

    Notes
    -----
    Population of Perez Alonso et al. (2024, Psychological Methods), which has `noninvariance` and `balance`; with
    approximate invariance as in MixMG-BSEM or random measurement parameters as in MixML-SEM.

    Examples
    --------
    >>> truth = draw_truth(Population(n_groups=8, n_clusters=2), seed=1)
    >>> np.bincount(truth.clusters), truth.B[0, 2:]
    (array([4, 4]), array([[0.3, 0.3, 0. , 0. ],
           [0. , 0. , 0.3, 0. ]]))
    """
    if not isinstance(population, Population):
        from .own_draws import draw_own_truth

        return draw_own_truth(population, seed)
    rng = generator(seed, stream=0)
    clusters = draw_clusters(_shares(population), population.n_groups, rng)
    n = _draw_sizes(population, clusters, rng)
    beta = _regressions(population)
    psi = _draw_residual_covariances(population, beta[clusters], rng)
    loadings, uniques = _MEASUREMENT[population.kind](population, rng)
    matrix = _loading_matrix(loadings, population.cross_loading)
    inverse = np.linalg.inv(np.eye(N_FACTORS) - beta)[clusters]
    phi = inverse @ psi @ inverse.swapaxes(1, 2)
    theta = uniques.reshape(-1, len(ITEMS), 1) * np.eye(len(ITEMS))
    return Truth(
        population=population,
        items=ITEMS,
        factors=FACTORS,
        measurement=MEASUREMENT,
        structural=STRUCTURAL,
        regressions=REGRESSIONS,
        random=_random_parameters(population),
        groups=tuple(range(1, population.n_groups + 1)),
        n=n,
        clusters=clusters,
        B=beta,
        Lambda=matrix,
        Theta=theta,
        Psi=psi,
        Phi=phi,
        Sigma=matrix @ phi @ matrix.swapaxes(1, 2) + theta,
    )


def _shares(population: Population) -> tuple[float, ...]:
    """Return shares of the clusters."""
    k = population.n_clusters
    if population.balance == "unbalanced" and k > 1:
        return (LARGEST, *((1.0 - LARGEST) / (k - 1),) * (k - 1))
    return population.proportions or (1.0,) * k


def _draw_sizes(population: Population, clusters: NDArray[np.int64], rng: Generator) -> NDArray[np.int64]:
    """Choose the small groups of each cluster at random."""
    n = np.broadcast_to(np.asarray(population.group_size, dtype=np.int64), population.n_groups).copy()
    if population.small_size is not None:
        for k in range(population.n_clusters):
            members = rng.permutation(np.flatnonzero(clusters == k))
            n[members[: round(population.small_proportion * len(members))]] = population.small_size
    return n


def _regressions(population: Population) -> NDArray[np.float64]:
    beta = np.zeros((population.n_clusters, N_FACTORS, N_FACTORS))
    for k in range(population.n_clusters):
        for b, (outcome, predictor) in enumerate(REGRESSIONS):
            beta[k, outcome, predictor] = 0.0 if b == k else population.beta
    return beta


def _draw_residual_covariances(
    population: Population, beta: NDArray[np.float64], rng: Generator
) -> NDArray[np.float64]:
    """Draw psi (G, 4, 4): residual variances are what the regressions (G, 4, 4) leave of the total ones."""
    psi = np.zeros_like(beta)
    left = np.arange(population.n_groups)
    for _ in range(1000):
        exogenous, total = _VARIANCES[population.kind](len(left), rng)
        b1, b2, b3, b4 = (beta[left, outcome, predictor] for outcome, predictor in REGRESSIONS)
        var1, var2, cov12 = exogenous[:, 0, 0], exogenous[:, 1, 1], exogenous[:, 0, 1]
        var3, var4 = total.T
        psi[left, :2, :2] = exogenous
        psi[left, 2, 2] = var3 - (b2**2 * var1 + b3**2 * var2 + 2 * b2 * b3 * cov12)
        psi[left, 3, 3] = var4 - (b1**2 * var1 + b4**2 * var3 + 2 * b1 * b4 * (b2 * var1 + b3 * cov12))
        left = left[np.linalg.eigvalsh(psi[left])[:, 0] <= 0]
        if not left.size:
            return psi
    raise OptionError(f"beta={population.beta} leaves no residual variance", todo="choose a smaller beta")


def _uniform_variances(size: int, rng: Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw exogenous covariances (G, 2, 2) and total variances of F3 and F4 (G, 2), multigroup kind."""
    covariance = rng.uniform(-0.3, 0.3, size)[:, None, None] * np.array([[0.0, 1.0], [1.0, 0.0]])
    variances = rng.uniform(0.75, 1.25, (size, 2))[:, :, None] * np.eye(2)
    return covariance + variances, rng.uniform(0.75, 1.25, (size, 2))


def _random_variances(size: int, rng: Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw exogenous covariances (G, 2, 2) and total variances of F3 and F4 (G, 2), multilevel kind."""
    z = rng.standard_normal((size, WISHART_DF, 2))
    return z.swapaxes(1, 2) @ z / WISHART_DF, rng.lognormal(0.0, LOG_VARIANCE_SD, (size, 2))


_VARIANCES = {"multigroup": _uniform_variances, "multilevel": _random_variances}


def _approximate_invariance(population: Population, rng: Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw loadings that differ a little and unique variances that differ freely, both (G, 4, 5)."""
    high = population.reliability == "high"
    size = (population.n_groups, N_FACTORS, PER_FACTOR)
    deviations = np.sqrt(population.loading_variance / 2) * rng.standard_normal(size)
    low, top = (0.3, 0.5) if high else (0.5, 0.7)
    loadings, uniques = np.sqrt(0.6 if high else 0.4) + deviations, rng.uniform(low, top, size)
    affected = rng.permutation(population.n_groups)[: round(population.noninvariant_share * population.n_groups)]
    for item, sign in zip(NON_INVARIANT, (-1.0, 1.0), strict=True):
        loadings[affected, :, item] += sign * population.noninvariance
    return loadings, uniques


def _non_invariance(population: Population, rng: Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw loadings and unique variances, both (G, 4, 5): random for items 2 and 3, equal for the others."""
    high = population.reliability == "high"
    loadings = np.full((population.n_groups, N_FACTORS, PER_FACTOR), np.sqrt(0.6 if high else 0.4))
    uniques = np.full_like(loadings, 0.4 if high else 0.6)
    size = (population.n_groups, N_FACTORS, len(NON_INVARIANT))
    loadings[:, :, NON_INVARIANT] += np.sqrt(LOADING_VARIANCE) * rng.standard_normal(size)
    uniques[:, :, NON_INVARIANT] = rng.lognormal(-0.948 if high else -0.542, LOG_UNIQUE_SD, size)
    return loadings, uniques


def _random_parameters(population: Population) -> tuple[str, ...]:
    """Which parameters vary over groups; the marker's loading is 1 everywhere."""
    multilevel = population.kind == "multilevel"
    differ = population.noninvariance * population.noninvariant_share != 0
    loadings = range(1, PER_FACTOR) if population.loading_variance > 0 else NON_INVARIANT if differ else ()
    loadings = NON_INVARIANT if multilevel else loadings
    uniques = NON_INVARIANT if multilevel else range(PER_FACTOR)
    own = [(factor, ITEMS[f * PER_FACTOR + j], j) for f, factor in enumerate(FACTORS) for j in range(PER_FACTOR)]
    return (
        *(f"{factor} =~ {item}" for factor, item, j in own if j in loadings),
        *(f"{item} ~~ {item}" for _, item, j in own if j in uniques),
        "factor variances",
        "factor correlations",
    )


_MEASUREMENT = {"multigroup": _approximate_invariance, "multilevel": _non_invariance}


def _loading_matrix(loadings: NDArray[np.float64], cross_loading: float) -> NDArray[np.float64]:
    """Place (G, 4, 5) loadings in (G, 20, 4), with marker loadings of 1 and the cross-loadings."""
    matrix = np.zeros((len(loadings), len(ITEMS), N_FACTORS))
    for factor in range(N_FACTORS):
        first = factor * PER_FACTOR
        matrix[:, first : first + PER_FACTOR, factor] = loadings[:, factor]
        matrix[:, first, factor] = 1.0
    for item, factor in CROSS_LOADINGS:
        matrix[:, item, factor] = cross_loading
    return matrix
