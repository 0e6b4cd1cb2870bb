"""Options of the mixture: regressions that belong to groups, and clustering on factor means."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import DataError, OptionError, UnsupportedModelError
from mixsem.simulate import Population, adjusted_rand_index, draw_moments, draw_truth
from mixsem.structural.path_model import compile_structural

CHAIN = "F3 ~ F1 + F2\nF4 ~ F1 + F3"
FACTORS = ("F1", "F2", "F3", "F4")
LIKELIHOOD, ESTIMATE = 1e-7, 1e-6


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def population(
    seed: int = 1, n_groups: int = 24, size: int = 150, beta: float = 0.6, wander: float = 0.3
) -> tuple[mx.FactorMoments, np.ndarray]:
    """Two clusters that differ in one regression (beta, 0) and one intercept (0, .5)."""
    rng = np.random.default_rng(seed)
    clusters = np.arange(n_groups) % 2
    Phi, means = [], []
    n = np.full(n_groups, size)
    for c in clusters:
        B = np.zeros((4, 4))
        B[2, 0], B[2, 1], B[3, 0] = beta * (c == 0), 0.3, 0.2
        B[3, 2] = rng.normal(0.2, wander)  # a regression that belongs to the group
        A = np.linalg.inv(np.eye(4) - B)
        mean = A @ np.array([rng.normal(), rng.normal(), 0.5 * c, -0.2])
        root = np.linalg.cholesky(A @ np.diag([1.0, 1.2, 0.7, 0.8]) @ A.T)
        rows = mean + rng.normal(size=(size, 4)) @ root.T
        means.append(rows.mean(axis=0))
        Phi.append(np.cov(rows.T, ddof=0))
    moments = mx.FactorMoments.from_covariances(
        Phi, n=n, factors=FACTORS, groups=[f"g{i}" for i in range(n_groups)], means=means
    )
    return moments, clusters


def plain_log_likelihood(fit: mx.MixtureFit, beta: np.ndarray, log_pi: np.ndarray, own: np.ndarray | None) -> float:
    """log L written out densely: normal densities of sizes, means and covariances, residuals profiled out.

    ``own`` holds group-specific regressions, shape (G, K, number of them), in the place of the fitted ones.
    """
    path, Q, total = fit.path, 4, 0.0
    means = fit.moments.means if path.meanstructure else np.zeros((len(fit.groups), Q))
    for g, (n, S, mean) in enumerate(zip(fit.moments.n, fit.moments.Phi, means, strict=True)):
        terms = []
        for k in range(fit.k):
            values = beta[k].copy()
            if own is not None:
                values[path.group_specific] = own[g, k]
            B, alpha = np.zeros((Q, Q)), np.zeros(Q)
            slopes = ~path.is_intercept
            B[path.outcome[slopes], path.predictor[slopes]] = values[slopes]
            alpha[path.outcome[~slopes]] = values[~slopes]
            exogenous = list(path.exogenous)
            alpha[exogenous] = mean[exogenous]
            A = np.linalg.inv(np.eye(Q) - B)
            deviation = mean - A @ alpha if path.meanstructure else np.zeros(Q)
            about = S + np.outer(deviation, deviation)
            E = (np.eye(Q) - B) @ about @ (np.eye(Q) - B).T
            Psi = np.zeros((Q, Q))
            for block in (exogenous, *path.blocks):
                Psi[np.ix_(block, block)] = (S if block is exogenous else E)[np.ix_(block, block)]
            Phi = A @ Psi @ A.T
            F = np.linalg.slogdet(Phi)[1] + np.trace(np.linalg.solve(Phi, about))
            terms.append(log_pi[k] - 0.5 * n * (Q * np.log(2 * np.pi) + F))
        total += np.logaddexp.reduce(terms)
    return total


CASES = {
    "group-specific": {"group_specific": ("F4 ~ F3",)},
    "two of one outcome": {"group_specific": ("F4 ~ F3", "F4 ~ F1")},
    "means": {"meanstructure": True},
    "both": {"meanstructure": True, "group_specific": ("F4 ~ F3", "F4 ~ 1")},
    "intercept of groups": {"meanstructure": True, "group_specific": ("F3 ~ 1",)},
    "equal intercept": {"meanstructure": True, "equal": ("F4 ~ 1",)},
    "two pure outcomes": {"structural": "F3 + F4 ~ F1 + F2", "group_specific": ("F3 ~ F2", "F4 ~ F2")},
}


@pytest.mark.parametrize("name", CASES)
def test_the_solution_is_a_maximum_of_the_plain_likelihood(name):
    moments, _ = population(n_groups=12)
    options = {"structural": CHAIN} | CASES[name]
    fit = mx.StructuralMixture(k=2, n_starts=20, **options).fit(moments, seed=1)
    path = fit.path
    own = None if fit.group_coefficients is None else fit.group_coefficients[..., path.group_specific]
    log_pi = np.log(fit.proportions)
    best = plain_log_likelihood(fit, fit.coefficients, log_pi, own)
    assert best == pytest.approx(fit.loglik, abs=LIKELIHOOD)
    free = np.flatnonzero(path.slot >= 0)
    same = np.array([path.equal[path.slot[r]] for r in free])
    for r, equal in zip(free, same, strict=True):
        for k in range(2):
            for step in (-1e-4, 1e-4):
                beta = fit.coefficients.copy()
                beta[slice(None) if equal else k, r] += step
                assert plain_log_likelihood(fit, beta, log_pi, own) < best + LIKELIHOOD
    if own is not None:

        def minus(x: np.ndarray) -> float:
            return -plain_log_likelihood(fit, fit.coefficients, log_pi, x.reshape(own.shape))

        sample = np.random.default_rng(2).normal(scale=1e-3, size=(20, own.size))
        assert min(minus(own.ravel() + s) for s in sample) > -best - LIKELIHOOD


def test_all_intercepts_of_groups_is_clustering_without_means():
    moments, _ = population()
    without = mx.StructuralMixture(CHAIN, k=2, n_starts=20).fit(moments, seed=1)
    free = mx.StructuralMixture(CHAIN, k=2, n_starts=20, meanstructure=True, group_specific=("F3 ~ 1", "F4 ~ 1")).fit(
        moments, seed=1
    )
    assert free.loglik == pytest.approx(without.loglik, abs=1e-6)
    np.testing.assert_allclose(free.posterior, without.posterior, atol=1e-6)
    slopes = ~free.path.is_intercept
    np.testing.assert_allclose(free.coefficients[:, slopes], without.coefficients, atol=ESTIMATE)
    assert free.loglik_observed == pytest.approx(without.loglik_observed, abs=1e-6)
    assert free.n_params_factors == without.n_params_factors + 24 * 4


def test_one_cluster_is_weighted_regression_with_intercepts():
    """K = 1 with residual variances of the cluster: least squares on all people at once."""
    rng = np.random.default_rng(5)
    sizes, rows, labels = (30, 50, 80), [], []
    for g, n in enumerate(sizes):
        x = rng.normal(0.5 * g, 1.0, n)
        rows.append(np.column_stack([x, 1.5 + 0.7 * x + rng.normal(0, 0.6, n)]))
        labels.append(g)
    moments = mx.FactorMoments.from_covariances(
        [np.cov(r.T, ddof=0) for r in rows], n=sizes, factors=["x", "y"], groups=labels,
        means=[r.mean(axis=0) for r in rows],
    )  # fmt: skip
    fit = mx.StructuralMixture("y ~ x", k=1, residuals="cluster", meanstructure=True).fit(moments)
    every = np.concatenate(rows)
    slope, intercept = np.polyfit(every[:, 0], every[:, 1], 1)
    assert fit.path.names == ("y~x", "y~1")
    np.testing.assert_allclose(fit.coefficients[0], [slope, intercept], atol=1e-9)
    assert fit.intercepts[0, 1] == pytest.approx(intercept, abs=1e-9) and fit.intercepts[0, 0] == 0.0
    residual = np.mean((every[:, 1] - intercept - slope * every[:, 0]) ** 2)
    assert fit.Psi[0, 0, 1, 1] == pytest.approx(residual, rel=1e-9)
    # people, density of x within groups, density of y given x
    within = sum(-0.5 * n * (np.log(2 * np.pi * r[:, 0].var()) + 1) for n, r in zip(sizes, rows, strict=True))
    assert fit.loglik == pytest.approx(within - 0.5 * 160 * (np.log(2 * np.pi * residual) + 1), rel=1e-10)
    assert fit.n_params_factors == 2 + 3 * 2 + 1


def test_group_specific_regressions_are_least_squares_in_each_group():
    moments, _ = population(n_groups=8)
    fit = mx.StructuralMixture("F3 ~ F1 + F2", k=2, group_specific="F3 ~ F2", n_starts=20).fit(moments, seed=1)
    at, other = fit.path.names.index("F3~F2"), fit.path.names.index("F3~F1")
    for g in range(8):
        for k in range(2):
            S = moments.Phi[g]
            by_hand = (S[1, 2] - fit.coefficients[k, other] * S[1, 0]) / S[1, 1]
            assert fit.group_coefficients[g, k, at] == pytest.approx(by_hand, abs=1e-12)
    alone = np.linalg.solve(moments.Phi[:, :2, :2], moments.Phi[:, :2, 2][..., None])[..., 0]
    np.testing.assert_allclose(fit.own, alone, atol=1e-10)
    weights = fit.posterior / fit.posterior.sum(axis=0)
    np.testing.assert_allclose(fit.coefficients[:, at], (weights * fit.group_coefficients[..., at]).sum(axis=0))
    assert fit.n_params_factors == 1 + 2 + 8 * (3 + 1) + 8


@pytest.mark.parametrize("options", [CASES["both"], CASES["means"], CASES["group-specific"]])
def test_order_of_groups_and_the_zero_of_the_means_change_nothing(options):
    moments, _ = population()
    fit = mx.StructuralMixture(CHAIN, k=2, n_starts=20, **options).fit(moments, seed=1)
    order = np.random.default_rng(1).permutation(24)
    shifted = moments.means[order] + np.array([3.0, -1.0, 0.5, 2.0])
    other = mx.StructuralMixture(CHAIN, k=2, n_starts=20, **options).fit(
        mx.FactorMoments.from_covariances(
            moments.Phi[order], n=moments.n[order], factors=FACTORS,
            groups=[moments.groups[i] for i in order], means=shifted,
        ),
        seed=2,
    )  # fmt: skip
    assert other.loglik == pytest.approx(fit.loglik, abs=1e-6)
    assert other.loglik_observed == pytest.approx(fit.loglik_observed, abs=1e-6)
    np.testing.assert_allclose(other.posterior, fit.posterior[order], atol=1e-5)
    slopes = ~fit.path.is_intercept & ~fit.path.group_specific
    np.testing.assert_allclose(other.coefficients[:, slopes], fit.coefficients[:, slopes], atol=1e-5)


def test_order_of_factors_changes_nothing():
    moments, _ = population()
    options = CASES["both"]
    fit = mx.StructuralMixture(CHAIN, k=2, n_starts=20, **options).fit(moments, seed=1)
    q = [3, 1, 0, 2]
    turned = mx.FactorMoments.from_covariances(
        moments.Phi[:, q][:, :, q], n=moments.n, factors=[FACTORS[i] for i in q], groups=moments.groups,
        means=moments.means[:, q],
    )  # fmt: skip
    other = mx.StructuralMixture(CHAIN, k=2, n_starts=20, **options).fit(turned, seed=1)
    assert other.loglik == pytest.approx(fit.loglik, abs=1e-6)
    for name in fit.path.names:
        left, right = fit.path.names.index(name), other.path.names.index(name)
        np.testing.assert_allclose(other.coefficients[:, right], fit.coefficients[:, left], atol=1e-5)


def test_levels_are_recovered():
    moments, clusters = population(seed=3, n_groups=40, size=200)
    fit = mx.StructuralMixture(CHAIN, k=2, n_starts=50, meanstructure=True, group_specific=("F4 ~ F3", "F4 ~ 1")).fit(
        moments, seed=1
    )
    assert adjusted_rand_index(clusters, fit.clusters) == 1.0
    found = dict(zip(fit.path.names, fit.coefficients.T, strict=True))
    second = fit.clusters[clusters == 1][0] - 1
    assert found["F3~F1"][second] == pytest.approx(0.0, abs=0.06)
    assert found["F3~F1"][1 - second] == pytest.approx(0.6, abs=0.06)
    assert found["F3~1"][second] == pytest.approx(0.5, abs=0.06)
    np.testing.assert_allclose(found["F4~1"], -0.2, atol=0.08)  # the mean over groups


def test_a_wandering_regression_hides_clusters_unless_it_belongs_to_groups():
    moments, clusters = population(seed=4, n_groups=40, size=150, beta=0.4, wander=0.6)
    taken = mx.StructuralMixture(CHAIN, k=2, n_starts=50).fit(moments, seed=1)
    left = mx.StructuralMixture(CHAIN, k=2, n_starts=50, group_specific="F4 ~ F3").fit(moments, seed=1)
    assert adjusted_rand_index(clusters, left.clusters) > adjusted_rand_index(clusters, taken.clusters)
    assert adjusted_rand_index(clusters, left.clusters) > 0.9


def test_observed_log_likelihood_of_error_free_indicators_is_that_of_the_factors():
    moments, _ = population()
    tiny = replace(moments, Theta=np.broadcast_to(1e-12 * np.eye(4), (24, 4, 4)))
    for options in (CASES["both"], CASES["means"], CASES["group-specific"]):
        fit = mx.StructuralMixture(CHAIN, k=2, n_starts=20, **options).fit(tiny, seed=1)
        assert fit.loglik_observed == pytest.approx(fit.loglik, abs=1e-5)


def test_counts_of_parameters():
    path = compile_structural(CHAIN, FACTORS, group_specific=("F4 ~ F1", "F4 ~ 1"), meanstructure=True)
    assert path.names == ("F3~F1", "F3~F2", "F3~1", "F4~F1", "F4~F3", "F4~1")
    assert path.slot.tolist() == [0, 1, 2, -1, 3, -1] and not path.is_fixed.any()
    assert path.n_exogenous_parameters == 3 + 2 and path.n_regressions(2) == 8
    fixed = compile_structural(CHAIN + "\nF4 ~ 0*1\nF3 ~ a*1", FACTORS, meanstructure=True)
    assert fixed.is_fixed.tolist() == [False] * 5 + [True]
    assert fixed.equal.tolist() == [
        False,
        False,
        True,
        False,
        False,
    ]


REFUSED = [
    ({"group_specific": "F4 ~ F2"}, OptionError, "group_specific= names 'F4 ~ F2'"),
    ({"group_specific": "F3 ~ 1"}, OptionError, "group_specific= names 'F3 ~ 1'"),
    ({"group_specific": "F4 ~ F3", "equal": "F4 ~ F3"}, OptionError, "equal= too"),
    ({"structural": "F3 ~ 0.5*F1 + F2", "group_specific": "F3 ~ F1"}, OptionError, "which is fixed"),
    ({"structural": "F3 ~ a*F1 + F2", "group_specific": "F3 ~ F1"}, OptionError, "labelled 'a'"),
    ({"structural": "F3 ~ F1", "group_specific": "F3 ~ F1"}, OptionError, "no regression that clusters could share"),
    ({"structural": "F3 + F4 ~ F1 + F2", "group_specific": "F3 ~ F1"}, UnsupportedModelError, "F3 and F4 covary"),
    ({"group_specific": "F4 ~ F3", "meanstructure": True}, OptionError, "but not the intercept 'F4 ~ 1'"),
    ({"group_specific": None}, OptionError, "group_specific=None"),
    ({"meanstructure": "yes"}, OptionError, "meanstructure='yes'"),
    ({"structural": CHAIN + "\nF1 ~ 0*1", "meanstructure": True}, UnsupportedModelError, "exogenous"),
    ({"structural": CHAIN + "\nF3 ~ 0*1"}, UnsupportedModelError, "unless meanstructure"),
]


@pytest.mark.parametrize(("options", "error", "message"), REFUSED)
def test_refused_by_name(options, error, message):
    moments, _ = population(n_groups=4)
    with pytest.raises(error, match=message):
        mx.StructuralMixture(k=2, **({"structural": CHAIN} | options)).fit(moments)


def test_without_means_there_is_no_clustering_on_means():
    moments, _ = population(n_groups=4)
    bare = mx.FactorMoments.from_covariances(moments.Phi, n=moments.n, factors=FACTORS, groups=moments.groups)
    survey = mx.data.simulated_survey()
    metric = mx.factor_moments(mx.MGCFA(mx.data.survey_models()[0]).fit(survey, "country"))
    for given in (bare, metric):
        structural = CHAIN if given is bare else mx.data.survey_models()[1]
        with pytest.raises(OptionError, match="no factor means") as caught:
            mx.StructuralMixture(structural, k=2, meanstructure=True).fit(given)
        assert "equal=('loadings', 'intercepts')" in caught.value.todo
    with pytest.raises(DataError, match=r"shape \(3, 4\)"):
        mx.FactorMoments.from_covariances(
            moments.Phi, n=moments.n, factors=FACTORS, groups=moments.groups, means=moments.means[:3]
        )


@pytest.mark.parametrize("blocks", ["factor", "joint"])
def test_factor_means_of_step_1(blocks):
    """Means with the first group as zero; simulated items have mean zero in every group, so theirs are near zero."""
    truth = draw_truth(Population(n_groups=6, n_clusters=2, group_size=400), seed=2)
    sample = draw_moments(truth, seed=2)
    shift = np.linspace(0.0, 1.0, 6)[:, None] * np.array([1.0, 0.0, -1.0, 0.5])
    sample = replace(sample, means=sample.means + np.einsum("gpq,gq->gp", truth.Lambda, shift))
    text = "\n".join(f"F{q + 1} =~ " + " + ".join(f"V{5 * q + i}" for i in range(1, 6)) for q in range(4))
    step1 = mx.MGCFA(text, equal=("loadings", "intercepts"), blocks=blocks).fit(sample)
    step2 = mx.factor_moments(step1)
    assert np.abs(step2.means - shift).max() < 0.3
    assert np.abs(step2.means[0]).max() < (1e-12 if blocks == "joint" else 0.3)
    assert step2.mean_structure.n_parameters == 20 - 4
    assert step2.select(("F3", "F1")).mean_structure.n_parameters == 10 - 2
    np.testing.assert_array_equal(step2.select(("F3", "F1")).means, step2.means[:, [2, 0]])
    larger = step2.mean_structure.sampling - step2.Phi / step2.n[:, None, None]
    assert (np.linalg.eigvalsh(larger) > -1e-2 / 400).all()
    fit = mx.StructuralMixture(CHAIN, k=1, meanstructure=True).fit(step2)
    without = mx.StructuralMixture(CHAIN, k=1).fit(step2)
    assert fit.n_params - fit.n_params_factors == without.n_params - without.n_params_factors + 16


def test_the_whole_method_with_means():
    survey = mx.data.simulated_survey()
    measurement, structural = mx.data.survey_models()
    fit = mx.mmgsem(
        measurement, structural, survey, "country", k=2, equal=("loadings", "intercepts"),
        meanstructure=True, group_specific=("trust ~ security", "trust ~ 1"), n_starts=10, seed=1,
    )  # fmt: skip
    assert "support~1" in fit.path.names and fit.path.group_specific.sum() == 2
    text = repr(fit)
    assert "support ~ 1" in text and "mean over groups" in text
    frame = mx.tidy(fit)
    assert frame.loc[frame["group_specific"], "predictor"].unique().tolist() == ["security", "1"]
    mx.plots.paths(fit), mx.plots.clusters(fit)
