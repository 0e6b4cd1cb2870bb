"""Samples like those a mixture was fitted to: of its groups, and of the people in them."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..data.moments import SampleMoments
from ..errors import MixsemWarning, UnsupportedModelError
from ..factors.moments import FactorMoments, positive_uniqueness
from ..factors.sam import factor_moments
from ..measurement.fit import BlockFit, MeasurementFit, assemble
from ..model.bounded import minimize_bounded
from ..model.constraints import compile_constraints
from ..model.fit_ml import Convergence, maximize_likelihood
from ..model.loss import MaximumLikelihood
from ..structural.fit import MixtureFit
from ..structural.mixture import path_matrices
from ..structural.profiled import implied_means

__all__ = [
    "Center",
    "Draw",
    "FactorDraw",
    "GroupDraw",
    "ItemDraw",
    "Unusable",
    "cluster_moments",
    "copied_labels",
    "implied_items",
    "people_draw",
    "wishart_covariances",
    "without_step1",
]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Center = Literal["model", "sample"]

#: Stop step 1 at a step of a thousandth of a standard error: far below the error of any bootstrap.
STEP1 = Convergence(max_iterations=200, tolerance=1e-3)


class Unusable(Exception):
    """A sample that gives no estimates, with the reason."""


class Draw(Protocol):
    """Draws factor moments, and says which original group each of their groups is."""

    def __call__(self, rng: np.random.Generator) -> tuple[FactorMoments, Index]:
        """One sample."""


def wishart_covariances(Sigma: Array, n: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """Covariances (divisor n) of n normal people per group, shape (G, p, p), by the Bartlett decomposition."""
    G, p = Sigma.shape[:2]
    left = (n - 1)[:, None] - np.arange(p)
    A = np.tril(rng.standard_normal((G, p, p)), -1)
    A[:, range(p), range(p)] = np.sqrt(rng.chisquare(np.maximum(left, 1)))
    root = np.linalg.cholesky(Sigma) @ (A * (left > 0)[:, None, :])
    return np.asarray(root @ root.swapaxes(1, 2) / n[:, None, None])


def normal_means(means: Array, Sigma: Array, n: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """Means of n normal people per group, shape (G, p)."""
    scatter = np.linalg.cholesky(Sigma) @ rng.standard_normal((*means.shape, 1))
    return np.asarray(means + scatter[:, :, 0] / np.sqrt(n)[:, None])


def copied_labels(groups: Sequence[Hashable], index: Index) -> tuple[Hashable, ...]:
    """Labels of drawn groups; the second copy of g is ``"g#2"``, and so on."""
    seen: dict[int, int] = {}
    labels: list[Hashable] = []
    for g in index.tolist():
        seen[g] = seen.get(g, 0) + 1
        labels.append(groups[g] if seen[g] == 1 else f"{groups[g]}#{seen[g]}")
    return tuple(labels)


def without_step1(fit: MixtureFit) -> MixtureFit:
    """The fit without its measurement model, to be sent to other processes."""
    return replace(fit, moments=replace(fit.moments, measurement=None))


@dataclass(frozen=True, eq=False)
class GroupDraw:
    """Groups with replacement, with their factor moments as they are.

    Attributes
    ----------
    moments
        What to draw from.
    """

    moments: FactorMoments

    def __call__(self, rng: np.random.Generator) -> tuple[FactorMoments, Index]:
        """Draw as many groups as there are."""
        m = self.moments
        index = np.sort(rng.integers(m.n_groups, size=m.n_groups))
        levels = m.mean_structure
        if levels is not None:
            levels = replace(
                levels,
                values=levels.values[index],
                indicators=levels.indicators[index],
                sampling=levels.sampling[index],
            )
        drawn = replace(
            m,
            groups=copied_labels(m.groups, index),
            n=m.n[index],
            Phi=m.Phi[index],
            Lambda=m.Lambda[index],
            Theta=m.Theta[index],
            observed=m.observed[index],
            reliability=m.reliability[index],
            mean_structure=levels,
            notices=(),
        )
        return drawn, index


def cluster_moments(fit: MixtureFit, shares: Array, rng: np.random.Generator) -> tuple[Array, Array | None]:
    """Factor covariances and means as the model has them, each group in a cluster drawn with its shares.

    Parameters
    ----------
    fit
        The mixture.
    shares
        Probabilities of the clusters of each group, shape (G, K).
    rng
        Source of randomness.

    Returns
    -------
    tuple
        Covariances, shape (G, Q, Q), and means, shape (G, Q), or None if the mixture has none.
    """
    cumulative = np.cumsum(shares, axis=1)
    cluster = (rng.random((len(shares), 1)) * cumulative[:, -1:] > cumulative).sum(axis=1)
    at = np.arange(len(shares)), cluster
    every = fit.group_coefficients
    beta = fit.coefficients[cluster] if every is None else every[at]
    B, intercepts = path_matrices(fit.path, beta)
    A = np.linalg.inv(np.eye(B.shape[-1]) - B)
    Phi = A @ fit.Psi[at] @ A.swapaxes(1, 2)
    means = None
    if fit.path.meanstructure:
        means = implied_means(fit.path, fit.moments, B[:, None], intercepts[:, None])[:, 0]
    return np.asarray(0.5 * (Phi + Phi.swapaxes(1, 2))), means


@dataclass(frozen=True, eq=False)
class FactorDraw:
    """People drawn as if their factors were observed: Wishart factor covariances, and normal means if there are any.

    Attributes
    ----------
    fit
        The mixture.
    center
        ``"model"``: moments of the model, each group in a cluster drawn with `shares`; ``"sample"``: those of step 2.
    shares
        Probabilities of the clusters of each group, shape (G, K).
    """

    fit: MixtureFit
    center: Center
    shares: Array

    def __call__(self, rng: np.random.Generator) -> tuple[FactorMoments, Index]:
        """Draw the factor moments of all groups."""
        m = self.fit.moments
        Phi, means = cluster_moments(self.fit, self.shares, rng) if self.center == "model" else (m.Phi, m.means)
        drawn, levels = wishart_covariances(Phi, m.n, rng), m.mean_structure
        seen = m.Lambda @ drawn @ m.Lambda.swapaxes(1, 2) + m.Theta
        if levels is not None and means is not None:
            values = normal_means(means, Phi, m.n, rng)
            levels = replace(levels, values=values, indicators=np.einsum("gpq,gq->gp", m.Lambda, values))
        found = replace(m, Phi=drawn, observed=seen, mean_structure=levels, notices=(), measurement=None)
        return found, np.arange(m.n_groups)


@dataclass(frozen=True, eq=False)
class ItemDraw:
    """People drawn with their items: Wishart item covariances, and steps 1 and 2 on them.

    Attributes
    ----------
    fit
        The mixture; its step 1 is fitted again from its estimates on, with the same options.
    center
        ``"model"``: item moments that step 1 and the mixture imply; ``"sample"``: those of the data.
    shares
        Probabilities of the clusters of each group, shape (G, K).
    Phi
        Covariances of all factors of step 1, shape (G, Q1, Q1).
    """

    fit: MixtureFit
    center: Center
    shares: Array
    Phi: Array

    def __call__(self, rng: np.random.Generator) -> tuple[FactorMoments, Index]:
        """Draw item moments of all groups and estimate the factor moments."""
        m, step1 = self.fit.moments, self.fit.moments.measurement
        assert isinstance(step1, MeasurementFit)
        observed = step1.moments.select(step1.items)
        Sigma, mu, n = observed.covariances, observed.means, observed.n
        if self.center == "model":
            Phi, means = cluster_moments(self.fit, self.shares, rng)
            Sigma = implied_items(self.fit, Phi, self.Phi)
            if means is not None and m.means is not None:
                used = [step1.factors.index(f) for f in m.factors]
                mu = mu + np.einsum("gpq,gq->gp", step1.Lambda[:, :, used], means - m.means)
        drawn = replace(
            observed,
            covariances=wishart_covariances(Sigma, n, rng),
            means=normal_means(mu, Sigma, n, rng),
            notices=(),
        )
        again = refit_step1(step1, drawn)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MixsemWarning)
            moments = factor_moments(again).select(m.factors)
        return moments, np.arange(moments.n_groups)


def implied_items(fit: MixtureFit, Phi: Array, all_factors: Array) -> Array:
    """Item covariances (G, p, p) of step 1 with the factor covariances of the model.

    Factors that the structural model does not use keep their regressions on those that it does.

    Parameters
    ----------
    fit
        The mixture, with its step 1.
    Phi
        Covariances of the structural model's factors, shape (G, Q, Q).
    all_factors
        Covariances of all factors of step 1, shape (G, Q1, Q1).
    """
    step1 = fit.moments.measurement
    assert step1 is not None
    used = np.array([step1.factors.index(f) for f in fit.moments.factors])
    rest = np.array([i for i in range(len(step1.factors)) if i not in used], dtype=np.int64)
    full = all_factors.copy()
    full[:, used[:, None], used] = Phi
    if rest.size:
        before = all_factors[:, used[:, None], used]
        W = np.linalg.solve(before, all_factors[:, used[:, None], rest]).swapaxes(1, 2)
        left = all_factors[:, rest[:, None], rest] - W @ before @ W.swapaxes(1, 2)
        full[:, rest[:, None], used] = W @ Phi
        full[:, used[:, None], rest] = (W @ Phi).swapaxes(1, 2)
        full[:, rest[:, None], rest] = left + W @ Phi @ W.swapaxes(1, 2)
    common = step1.Lambda @ full @ step1.Lambda.swapaxes(1, 2)
    Sigma = common + step1.Theta
    improper = np.linalg.eigvalsh(Sigma)[:, 0] <= 0.0  # Heywood cases
    Sigma[improper] = common[improper] + positive_uniqueness(step1.Theta, Sigma)[improper]
    return np.asarray(0.5 * (Sigma + Sigma.swapaxes(1, 2)))


def refit_step1(step1: MeasurementFit, moments: SampleMoments) -> MeasurementFit:
    """Fit the measurement model to other moments of the same items and groups, from its estimates on."""
    blocks: list[BlockFit] = []
    for block in step1.blocks:
        i = np.array([moments.items.index(name) for name in block.items])
        S, means = moments.covariances[:, i[:, None], i], moments.means[:, i]
        loss = MaximumLikelihood.of(block.model, moments.n, S, means)
        bounds = compile_constraints(block.table, block.model)
        if bounds.any:
            optimum = minimize_bounded(loss, block.coef, bounds)
        else:
            optimum = maximize_likelihood(loss, block.coef, STEP1)
        if not optimum.converged:
            raise Unusable(f"step 1 did not converge for {', '.join(block.factors)}")
        blocks.append(replace(block, optimum=optimum))
    Lambda, Theta, Phi = assemble(step1.factors, step1.items, tuple(blocks))
    return replace(step1, moments=moments, Lambda=Lambda, Theta=Theta, Phi=Phi, blocks=tuple(blocks), notices=())


def people_draw(fit: MixtureFit, center: Center, shares: Array) -> Draw:
    """How to draw people, given what step 1 was.

    Parameters
    ----------
    fit
        The mixture.
    center
        What the covariances are drawn around.
    shares
        Probabilities of the clusters of each group, shape (G, K), for ``center="model"``.

    Raises
    ------
    UnsupportedModelError
        If the items are ordered.
    """
    step1 = fit.moments.measurement
    if step1 is None:
        return FactorDraw(fit, center, shares)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        Phi = factor_moments(step1).Phi
    if isinstance(step1, MeasurementFit):
        if step1.specification.ordered:
            raise UnsupportedModelError(
                "a bootstrap over people of ordered items",
                allowed="continuous items, or kind='groups'",
                todo="use kind='groups', which takes step 1 as it is",
            )
        return ItemDraw(fit, center, shares, Phi)
    from .posterior_resampling import posterior_draw  # compiled kernels, which maximum likelihood does not need

    return posterior_draw(fit, center, shares, Phi)
