"""Standard errors of the clusters' regressions: derivatives against differences, corrections against simulation."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import OptionError, UnsupportedModelError
from mixsem.kernels.mixture import class_log_densities, residual_matrices, residual_products, responsibilities
from mixsem.kernels.mixture_information import cluster_scores, mixture_hessian, phi_derivative
from mixsem.mixtures.errors import standard_errors
from mixsem.mixtures.measurement_error import influence_of_items
from mixsem.structural.mixture import em_data
from mixsem.structural.sharpen import ProfileLikelihood

#: Central differences of analytic first derivatives.
DIFFERENCES = 1e-7

#: Differences of whole fits, which end at a step of 1e-11 standard errors.
REFITTED = 1e-5

MEASUREMENT = "\n".join(f"F{q + 1} =~ " + " + ".join(f"V{5 * q + i + 1}" for i in range(5)) for q in range(4))
STRUCTURAL = "F3 ~ F1 + F2\nF4 ~ F1 + F3"


def simulated(n_groups: int = 12, seed: int = 1) -> mx.SampleMoments:
    population = mx.simulate.Population(n_groups=n_groups, n_clusters=2, group_size=80)
    return mx.simulate.draw_moments(mx.simulate.draw_truth(population, seed=seed), seed=seed)


def mixture(moments: mx.SampleMoments, structural: str = STRUCTURAL, k: int = 2, blocks: str = "factor", **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step1 = mx.MGCFA(MEASUREMENT, blocks=blocks).fit(moments)
        mix = mx.StructuralMixture(structural, k, n_starts=20, **options)
        return mix.fit(mx.factor_moments(step1), seed=1)


@pytest.fixture(scope="module")
def fit():
    return mixture(simulated())


@pytest.mark.parametrize(
    "structural",
    [
        STRUCTURAL,
        "F3 ~ F1 + F2\nF4 ~ F1 + F2",  # two outcomes whose residuals covary
        "F3 ~ a*F1 + a*F2\nF4 ~ 0.3*F1 + F3",  # equal over clusters and predictors; fixed
    ],
)
def test_hessian_and_cross_derivatives_are_exact(structural: str) -> None:
    fit = mixture(simulated(), structural)
    data = em_data(fit.path, fit.moments, by_group=True, floor=1e-3)
    likelihood = ProfileLikelihood(data, fit.k)
    rng = np.random.default_rng(0)
    x = likelihood.pack(fit.coefficients, fit.proportions)
    x = x + 0.05 * rng.normal(size=x.size)
    beta, pi = likelihood.unpack(x)

    def posterior(Phi):
        changed = dataclasses.replace(data, Phi=Phi)
        products = residual_products(changed, beta)
        densities = class_log_densities(changed, products, residual_matrices(changed, products, None))
        return changed, responsibilities(densities, pi)[0][0]

    def scores(Phi):
        changed, z = posterior(Phi)
        by_cluster = z[:, :, None] * cluster_scores(changed, beta[0]).score
        return np.concatenate([by_cluster.swapaxes(0, 1).reshape(len(Phi), -1), z[:-1].T], axis=1)

    _, z = posterior(data.Phi)
    step = 1e-5 * np.eye(x.size)
    numeric = np.stack([(likelihood.evaluate(x + h)[1] - likelihood.evaluate(x - h)[1]) / 2e-5 for h in step])
    free = np.stack([(_flat(likelihood, x + h) - _flat(likelihood, x - h)) / 2e-5 for h in step], axis=1)
    H = mixture_hessian(data, beta[0], pi[0], z)
    assert np.abs(free.T @ H @ free - numeric).max() < DIFFERENCES * np.abs(numeric).max()
    V = rng.normal(size=data.Phi.shape)
    V = 1e-6 * (V + V.swapaxes(1, 2))
    moved = phi_derivative(data, beta[0], z, V)
    assert np.abs(0.5 * (scores(data.Phi + V) - scores(data.Phi - V)) - moved).max() < 1e-6 * np.abs(moved).max()


def _flat(likelihood, x):
    """All coefficients and the logits of a point."""
    beta, pi = likelihood.unpack(x)
    return np.concatenate([beta[0].ravel(), np.log(pi[0, :-1] / pi[0, -1])])


@pytest.mark.parametrize("blocks", ["factor", "joint"])
def test_influence_of_the_items_is_that_of_refitting(blocks: str) -> None:
    moments = simulated(n_groups=4)
    rng = np.random.default_rng(5)
    C = rng.normal(size=(4, 3, 6))  # three quantities of the covariances of three factors
    factors = ("F1", "F3", "F4")

    def quantities(covariances):
        changed = dataclasses.replace(moments, covariances=covariances)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            step1 = mx.MGCFA(MEASUREMENT, blocks=blocks).fit(changed)
            Phi = mx.factor_moments(step1).select(factors).Phi
        rows, columns = np.triu_indices(3)
        return step1, np.einsum("gjq,gq->j", C, Phi[:, rows, columns])

    step1, _ = quantities(moments.covariances)
    V = rng.normal(size=moments.covariances.shape)
    V = 1e-4 * (V + V.swapaxes(1, 2)) * moments.covariances.mean()
    numeric = 0.5 * (quantities(moments.covariances + V)[1] - quantities(moments.covariances - V)[1])
    order = [moments.items.index(name) for name in step1.items]
    rows, columns = np.triu_indices(len(order))
    change = V[:, order][:, :, order][:, rows, columns]
    analytic = np.einsum("gjq,gq->j", influence_of_items(step1, factors, C), change)
    assert np.abs(analytic - numeric).max() < REFITTED * np.abs(numeric).max()


def test_error_free_factors_need_no_correction(fit) -> None:
    given = mx.FactorMoments.from_covariances(
        fit.moments.Phi, n=fit.moments.n, factors=fit.moments.factors, groups=fit.moments.groups
    )
    alone = mx.StructuralMixture(STRUCTURAL, 2, n_starts=20).fit(given, seed=1)
    errors = standard_errors(alone)
    assert errors.method == "naive"
    assert np.allclose(errors.se, standard_errors(fit, "naive").se, rtol=1e-6)


def test_correction_adds_uncertainty_and_the_order_of_groups_does_not_matter(fit) -> None:
    errors = standard_errors(fit)
    assert (errors.se > errors.naive_se).all()
    order = [*reversed(fit.groups)]
    moments = fit.moments.measurement.moments
    turned = mixture(
        dataclasses.replace(
            moments,
            groups=tuple(f"g{i:02d}" for i in range(len(order))),
            n=moments.n[::-1].copy(),
            means=moments.means[::-1].copy(),
            covariances=moments.covariances[::-1].copy(),
            n_dropped=moments.n_dropped[::-1].copy(),
            notices=(),
        )
    )
    assert np.allclose(standard_errors(turned).se, errors.se, rtol=1e-5)


def test_fixed_and_equal_regressions() -> None:
    fit = mixture(simulated(), "F3 ~ a*F1 + F2\nF4 ~ 0.3*F1 + F3")
    errors = standard_errors(fit)
    at = {name: i for i, name in enumerate(errors.names)}
    assert errors.vcov[at["F4~F1[1]"]].any() == np.False_
    one, two = at["F3~F1[1]"], at["F3~F1[2]"]
    assert errors.vcov[one, one] == pytest.approx(errors.vcov[one, two])
    assert errors.se[0, fit.path.names.index("F3~F1")] > 0


def test_what_has_no_standard_errors_is_refused(fit) -> None:
    with pytest.raises(UnsupportedModelError, match="cluster"):
        standard_errors(mixture(simulated(), residuals="cluster"))
    given = mx.FactorMoments.from_covariances(
        fit.moments.Phi, n=fit.moments.n, factors=fit.moments.factors, groups=fit.moments.groups
    )
    with pytest.raises(OptionError, match="naive"):
        standard_errors(mx.StructuralMixture(STRUCTURAL, 2, n_starts=5).fit(given, seed=1), "two-step")
    with pytest.raises(OptionError, match="MixtureFit"):
        standard_errors(fit.moments)


def test_group_specific_regressions_are_profiled_exactly() -> None:
    """Least squares per group and cluster inside the likelihood: differences of log L itself see the same Hessian."""
    fit = mixture(simulated(), group_specific=("F3 ~ F2",))
    errors = standard_errors(fit)
    at = [i for i, name in enumerate(errors.names) if not name.startswith("F3~F2")]
    data = em_data(fit.path, fit.moments, by_group=True, floor=1e-3)
    likelihood = ProfileLikelihood(data, fit.k)
    x = likelihood.pack(fit.coefficients, fit.proportions)
    step = 1e-5 * np.eye(x.size)
    H = np.stack([(likelihood.evaluate(x + h)[1] - likelihood.evaluate(x - h)[1]) / 2e-5 for h in step])
    V = np.linalg.inv(-H)[: len(at), : len(at)]
    assert np.allclose(errors.naive[np.ix_(at, at)], V, rtol=1e-5, atol=1e-5 * V.max())
    assert np.isnan(errors.se[:, fit.path.names.index("F3~F2")]).all()
    assert (errors.se.ravel()[at] > errors.naive_se.ravel()[at]).all()


def test_redrawing_agrees_with_the_formula(fit) -> None:
    """Two ways to count step 1; redrawing takes errors of people and parameters as independent, and has 100 draws."""
    ratio = standard_errors(fit, "draws", n_draws=100).se / standard_errors(fit).se
    assert (ratio > 0.85).all() and (ratio < 1.2).all()


def test_factor_means_have_no_corrected_errors() -> None:
    moments = simulated()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step1 = mx.MGCFA(MEASUREMENT, equal=("loadings", "intercepts"), blocks="joint").fit(moments)
        fit = mx.StructuralMixture(STRUCTURAL, 2, meanstructure=True, n_starts=5).fit(mx.factor_moments(step1), seed=1)
    with pytest.raises(UnsupportedModelError, match="means"):
        standard_errors(fit)


@pytest.mark.slow
def test_corrected_intervals_cover() -> None:
    """Over 60 data sets; the binomial error of a coverage of .95 over 480 dependent intervals is about .015."""
    inside, naive, total = 0, 0, 0
    for seed in range(60):
        truth = mx.simulate.draw_truth(mx.simulate.Population(n_groups=24, n_clusters=2), seed=1000 + seed)
        fit = mixture(mx.simulate.draw_moments(truth, seed=1000 + seed))
        errors = standard_errors(fit)
        B = truth.B[mx.simulate.match_labels(fit.clusters - 1, truth.clusters)]
        gap = np.abs(fit.coefficients - B[:, fit.path.outcome, fit.path.predictor])
        inside += (gap < 1.96 * errors.se).sum()
        naive += (gap < 1.96 * errors.naive_se).sum()
        total += gap.size
    assert 0.91 < inside / total < 0.98
    assert naive < inside
