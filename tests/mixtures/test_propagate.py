"""Propagated membership probabilities: exact parts against simulation, properties, calibration."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax

import mixsem as mx
from mixsem.errors import OptionError, UnsupportedModelError
from mixsem.mixtures.indicator_density import indicator_log_densities
from mixsem.mixtures.own_regressions import own_regressions
from mixsem.mixtures.posterior_chains import log_densities, posterior_chains
from mixsem.mixtures.propagate import PROPAGATION, known_propagated
from mixsem.mixtures.step1_draws import measurement_draws, score_error
from mixsem.simulate import Population, draw_moments, draw_truth, match_labels

ROUNDING = 1e-9
#: Monte-Carlo error of probabilities with 200 chains.
CHAINS = 0.05
#: Monte-Carlo error of a variance from 4000 draws, relative, several standard errors.
DRAWS = 0.12
MEASUREMENT = "\n".join(f"F{q} =~ " + " + ".join(f"V{5 * q - j}" for j in range(5)) for q in range(1, 5))
STRUCTURAL = "F3 ~ F1 + F2\nF4 ~ F1 + F3"


def simulated(seed: int, population: Population) -> tuple[mx.MixtureFit, np.ndarray]:
    truth = draw_truth(population, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = mx.mmgsem(MEASUREMENT, STRUCTURAL, draw_moments(truth, seed=seed), k=2, n_starts=20, seed=seed)
    assert isinstance(fit, mx.MixtureFit)
    return fit, truth.clusters


@pytest.fixture(scope="module")
def fit() -> mx.MixtureFit:
    return simulated(1, Population(n_groups=24, n_clusters=2, group_size=80, beta=0.3))[0]


def test_without_error_the_indicator_density_is_that_of_the_mixture(fit: mx.MixtureFit) -> None:
    density = indicator_log_densities(fit, np.zeros_like(fit.moments.Phi), iterations=1)
    assert np.allclose(softmax(density + np.log(fit.proportions), axis=1), fit.posterior, atol=ROUNDING)


def test_the_indicator_density_is_that_of_the_items(fit: mx.MixtureFit) -> None:
    """Scores are sufficient: differences between clusters are those of the items' likelihood, at the maximum."""
    m = fit.moments
    error = score_error(m)
    found = indicator_log_densities(fit, error, iterations=2000)
    g, n = 3, m.n[3]
    A = np.linalg.inv(np.eye(4) - fit.B)

    def items(k: int, log_psi: np.ndarray) -> float:
        L = np.zeros((4, 4))
        L[0, 0], L[1, 1], L[1, 0] = np.exp(log_psi[0]), np.exp(log_psi[1]), log_psi[2]
        Psi = L @ L.T + np.diag([0, 0, *np.exp(log_psi[3:])])
        Sigma = m.Lambda[g] @ A[k] @ Psi @ A[k].T @ m.Lambda[g].T + m.Theta[g]
        return 0.5 * n * float(np.linalg.slogdet(Sigma)[1] + np.trace(np.linalg.solve(Sigma, m.observed[g])))

    maxima = [-minimize(lambda x, k=k: items(k, x), np.array([0, 0, 0, -0.3, -0.3]), tol=1e-10).fun for k in (0, 1)]
    assert maxima[0] - maxima[1] == pytest.approx(found[g, 0] - found[g, 1], abs=1e-4)


def test_sampling_covariances_against_simulation(fit: mx.MixtureFit) -> None:
    """The delta method against regressions of Wishart matrices; with and without measurement error."""
    error = score_error(fit.moments)
    found = own_regressions(fit, error, np.zeros((0, *fit.moments.Phi.shape)))
    rng = np.random.default_rng(1)
    big = 2000  # people: the delta method is exact in the limit
    for covariances, V in ((found.perfect, 0.0), (found.people, error[0])):
        C = fit.moments.Phi[0] + V
        root, draws = np.linalg.cholesky(C), []
        for _ in range(4000):
            z = rng.standard_normal((4, 4))
            z = np.tril(z, -1) + np.diag(np.sqrt(rng.chisquare(big - np.arange(4))))
            W = root @ z @ z.T @ root.T / big - V
            draws.append([*np.linalg.solve(W[:2, :2], W[:2, 2]), *np.linalg.solve(W[[0, 2]][:, [0, 2]], W[[0, 2], 3])])
        expected = np.cov(np.array(draws).T) * big / (fit.moments.n[0] - 3)
        ratio = np.diag(covariances[0]) / np.diag(expected)
        assert np.abs(ratio - 1).max() < DRAWS


def test_measurement_error_and_step1_add_up(fit: mx.MixtureFit) -> None:
    rng = np.random.default_rng(1)
    own = own_regressions(fit, score_error(fit.moments), measurement_draws(fit.moments, 100, rng))
    for more in (own.people - own.perfect, own.step1):
        assert (np.diagonal(more, axis1=1, axis2=2) > 0).all()
    assert np.allclose(own.values, fit.own) and np.allclose(own.clusters, fit.coefficients)
    assert (mx.propagated_posterior(fit, seed=1).effective < 1).all()


def test_chains_of_known_clusters_are_the_plug_in_posterior() -> None:
    """With many groups the clusters are known, and nothing is left but the densities."""
    rng = np.random.default_rng(2)
    truth = np.repeat([0, 1], 1000)
    b = np.array([[0.0], [1.0]])
    V = np.full((2000, 1, 1), 0.25)
    values = b[truth] + 0.5 * rng.standard_normal((2000, 1))
    pi = np.array([0.5, 0.5])
    plug_in = softmax(log_densities(values, V, b).T + np.log(pi), axis=1)
    by_hand = 1 / (1 + np.exp((0.5 - values[:, 0]) / -0.25))
    assert np.allclose(plug_in[:, 0], by_hand, atol=ROUNDING)
    # The posterior lies around the maximum of the likelihood, which is not quite the truth.
    top, shares, at_top = b, pi, plug_in
    for _ in range(2000):
        shares, top = at_top.mean(axis=0), (at_top.T @ values) / at_top.sum(axis=0)[:, None]
        at_top = softmax(log_densities(values, V, top).T + np.log(shares), axis=1)
    z, sd = posterior_chains(values, V, b, pi, plug_in, np.zeros(1, dtype=bool), 40, rng)
    assert np.abs(z - at_top).max() < 0.01 < np.abs(z - plug_in).max()
    assert np.allclose(z.sum(axis=1), 1.0) and (sd >= 0).all()


def test_seed_order_of_groups_and_methods(fit: mx.MixtureFit) -> None:
    first, again = (mx.propagated_posterior(fit, seed=5).probabilities for _ in range(2))
    assert (first == again).all()
    other = mx.propagated_posterior(fit, seed=6).probabilities
    assert np.abs(first - other).max() < 2 * CHAINS
    for method in PROPAGATION:
        p = mx.propagated_posterior(fit, n=40, seed=1, method=method).probabilities  # type: ignore[arg-type]
        assert np.allclose(p.sum(axis=1), 1.0)
    assert first.max(axis=1).mean() < fit.posterior.max(axis=1).mean()
    # Labels follow the fit: with clusters exchanged, so are the probabilities.
    swapped = replace(
        fit, B=fit.B[::-1], Psi=fit.Psi[:, ::-1], proportions=fit.proportions[::-1], posterior=fit.posterior[:, ::-1]
    )
    turned = mx.propagated_posterior(swapped, seed=5).probabilities[:, ::-1]
    assert np.abs(first - turned).max() < 2 * CHAINS


def test_fixed_equal_and_group_specific_regressions() -> None:
    population = Population(n_groups=16, n_clusters=2, group_size=150, beta=0.4)
    truth = draw_truth(population, seed=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        moments = mx.factor_moments(mx.MGCFA(MEASUREMENT).fit(draw_moments(truth, seed=2)))
        for text, options in (
            ("F3 ~ F1 + F2; F4 ~ F1 + F3", {"equal": ("F3 ~ F2",)}),
            ("F3 ~ F1 + 0.4*F2; F4 ~ F1 + F3", {}),
            ("F3 ~ F1 + F2; F4 ~ F1 + F3", {"group_specific": ("F3 ~ F2",)}),
            ("F3 ~ a*F1 + a*F2; F4 ~ F1 + F3", {}),
            ("F3 ~ F1 + F2; F4 ~ F1 + F2", {}),  # residuals covary
        ):
            fit = mx.StructuralMixture(text, k=2, n_starts=10, **options).fit(moments, seed=1)  # type: ignore[arg-type]
            found = mx.propagated_posterior(fit, n=50, seed=1)  # type: ignore[arg-type]
            assert np.allclose(found.probabilities.sum(axis=1), 1.0)
            assert (found.clusters == fit.clusters).mean() > 0.8  # type: ignore[union-attr]


def test_what_it_cannot_do(fit: mx.MixtureFit) -> None:
    moments = fit.moments
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        by_cluster = mx.StructuralMixture(STRUCTURAL, k=2, n_starts=5, residuals="cluster").fit(moments, seed=1)
        alone = mx.StructuralMixture(STRUCTURAL, k=1).fit(moments)
    with pytest.raises(UnsupportedModelError, match="cluster"):
        mx.propagated_posterior(by_cluster)  # type: ignore[arg-type]
    assert known_propagated(by_cluster) is None  # type: ignore[arg-type]
    assert (mx.propagated_posterior(alone, seed=1).probabilities == 1).all()  # type: ignore[arg-type]
    for wrong in ({"n": 3}, {"method": "magic"}, {"seed": -1}):
        with pytest.raises(OptionError):
            mx.propagated_posterior(fit, **wrong)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="MixtureFit"):
        mx.propagated_posterior(moments)  # type: ignore[arg-type]


def test_a_bayesian_step_1() -> None:
    truth = draw_truth(Population(n_groups=8, n_clusters=2, group_size=100, beta=0.4), seed=1)
    model = "F1 =~ V1 + V2 + V3 + V4; F3 =~ V11 + V12 + V13 + V14"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quick = mx.Sampling(draws=60)
        step1 = mx.MGBCFA(model, method="laplace", sampling=quick).fit(draw_moments(truth, seed=1), seed=1)
        moments = mx.factor_moments(step1)
        fit = mx.StructuralMixture("F3 ~ F1", k=2, n_starts=10).fit(moments, seed=1)
        draws = measurement_draws(moments, 40, np.random.default_rng(1))
        found = mx.propagated_posterior(fit, n=40, seed=1)  # type: ignore[arg-type]
    assert draws.shape == (40, 8, 2, 2) and np.abs(draws.mean(axis=0) - moments.Phi).max() < 0.15
    assert (found.effective < 1).all() and np.allclose(found.probabilities.sum(axis=1), 1.0)


@pytest.mark.slow
def test_calibration() -> None:
    """Small groups, small differences: the mixture says too much, the propagated probabilities do not."""
    population = Population(n_groups=48, n_clusters=2, group_size=50, beta=0.3)
    gaps = []
    for seed in range(1, 13):
        fit, truth = simulated(seed, population)
        matched = match_labels(fit.clusters - 1, truth)
        found = mx.propagated_posterior(fit, n=50, seed=seed)
        pairs = ((fit.posterior, fit.clusters), (found.probabilities, found.clusters))
        gaps.append([z.max(axis=1).mean() - (matched[c - 1] == truth).mean() for z, c in pairs])
    as_is, propagated = np.mean(gaps, axis=0)
    assert as_is > 0.035 and abs(propagated) < 0.04 and propagated < as_is - 0.02
