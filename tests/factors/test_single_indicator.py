"""Step 2 after a Bayesian step 1: every formula against people whose scores are computed draw by draw."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import LowReliabilityWarning, NonPositiveDefiniteWarning, OptionError
from mixsem.factors.single_indicator import _block_positions, score_moments, single_indicators
from mixsem.kernels.plain_posterior import model_matrices
from mixsem.measurement.bayes_fit import ScoreSummary
from mixsem.simulate import Population, draw_moments, draw_truth

#: The same algebra in another order: rounding only, which averages of squares over draws magnify.
ALGEBRA = 1e-10
#: Equation 8 from equation 9.
IDENTITY = 1e-12


def scores_draw_by_draw(fit, people):
    """Posterior mean of every person's factors and their posterior covariances, from each draw by itself."""
    n, Q = len(people), len(fit.factors)
    mean, covariance = np.zeros((n, Q)), np.zeros((n, Q, Q))
    for block in fit.blocks:
        q = [fit.factors.index(f) for f in block.factors]
        x = people[list(block.items)] - people.groupby("group")[list(block.items)].transform("mean")
        draws, error = [], []
        for value in block.posterior.values(block.draws.flat):
            Lambda, Theta, Phi, _ = model_matrices(block.posterior.problem, value)
            A = Phi @ Lambda.swapaxes(1, 2) @ np.linalg.inv(Lambda @ Phi @ Lambda.swapaxes(1, 2) + Theta)
            V = Phi - A @ Lambda @ Phi
            at = [fit.groups.index(g) for g in people["group"]]
            draws.append(np.einsum("nqj,nj->nq", A[at], x.to_numpy()))
            error.append(V[at])
        draws, error = np.array(draws), np.array(error)
        centred = draws - draws.mean(axis=0)
        mean[:, q] = draws.mean(axis=0)
        spread = np.einsum("dnq,dnr->nqr", centred, centred) / len(draws)
        covariance[np.ix_(range(n), q, q)] = error.mean(axis=0) + spread
    return mean, covariance


@pytest.fixture(scope="module")
def scored(bayes_fit, people):
    return scores_draw_by_draw(bayes_fit, people)


def step2(fit) -> mx.FactorMoments:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mx.factor_moments(fit)


def blocks_of(fit) -> list[list[int]]:
    return [[fit.factors.index(f) for f in block.factors] for block in fit.blocks]


def test_equations_7_to_9_from_scores(bayes_fit, people, scored):
    mean, covariance = scored
    moments = step2(bayes_fit)
    for g, label in enumerate(bayes_fit.groups):
        rows = (people["group"] == label).to_numpy()
        C = np.cov(mean[rows].T)
        phi = C + covariance[rows].mean(axis=0)
        L, T = np.zeros_like(C), np.zeros_like(C)
        for q in blocks_of(bayes_fit):
            at = np.ix_(q, q)
            np.testing.assert_allclose(moments.Phi[g][at], phi[at], rtol=ALGEBRA, atol=ALGEBRA)
            L[at] = C[at] @ np.linalg.inv(phi[at])
            T[at] = C[at] - C[at] @ np.linalg.inv(phi[at]) @ C[at]
            if len(q) == 1:
                reliability = C[q[0], q[0]] / phi[q[0], q[0]]
                assert T[q[0], q[0]] == pytest.approx(phi[q[0], q[0]] * reliability * (1 - reliability), rel=ALGEBRA)
        np.testing.assert_allclose(moments.Lambda[g], L, atol=ALGEBRA)
        np.testing.assert_allclose(moments.Theta[g], T, atol=ALGEBRA)
        croon = np.linalg.inv(L) @ (C - T) @ np.linalg.inv(L).T
        np.testing.assert_allclose(moments.Phi[g], croon, rtol=ALGEBRA, atol=ALGEBRA)
        np.testing.assert_allclose(moments.reliability[g], np.diag(C) / np.diag(phi), rtol=ALGEBRA)
        np.testing.assert_allclose(moments.observed[g], np.cov(mean[rows].T, bias=True), atol=ALGEBRA)


def test_factor_scores_draw_by_draw(bayes_fit, people, scored):
    mean, covariance = scored
    scores = mx.factor_scores(bayes_fit, people)
    np.testing.assert_allclose(scores[list(bayes_fit.factors)], mean, atol=ALGEBRA)
    sds = np.sqrt(np.einsum("nqq->nq", covariance))
    np.testing.assert_allclose(scores[[f"{f}_sd" for f in bayes_fit.factors]], sds, rtol=ALGEBRA)


def test_croons_correction_returns_equation_8_within_blocks(bayes_fit):
    scores = score_moments(bayes_fit)
    _, Lambda, Theta = single_indicators(scores, _block_positions(bayes_fit))
    inverse = np.linalg.inv(Lambda)
    corrected = inverse @ (scores.covariances - Theta) @ inverse.swapaxes(1, 2)
    equation_8 = scores.covariances + scores.uncertainty
    for q in blocks_of(bayes_fit):
        for a, b in product(q, q):
            np.testing.assert_allclose(corrected[:, a, b], equation_8[:, a, b], rtol=IDENTITY, atol=IDENTITY)


def test_unrestricted_phi_returns_the_covariances_of_the_scores(bayes_fit):
    """Lambda Phi Lambda' + Theta = cov(E f), divisor N - 1; `observed` is the same with divisor N."""
    moments = step2(bayes_fit)
    implied = moments.Lambda @ moments.Phi @ moments.Lambda.swapaxes(1, 2) + moments.Theta
    n = moments.n[:, None, None]
    np.testing.assert_allclose(implied, moments.observed * n / (n - 1), rtol=ALGEBRA, atol=ALGEBRA)


def test_what_it_says_of_itself(bayes_fit):
    moments = step2(bayes_fit)
    assert moments.indicators == ("score of F1", "score of F2", "score of F3")
    assert not set(moments.indicators) & set(bayes_fit.items)
    assert moments.n_measurement == 2 * 3 * 7
    assert moments.method == bayes_fit.method and moments.measurement is bayes_fit
    assert ((moments.reliability > 0) & (moments.reliability < 1)).all()
    assert (np.linalg.eigvalsh(moments.Phi) > 0).all()
    for shown in (str(moments), moments._repr_html_()):
        assert "3 factors in 7 groups" in shown


def test_ignored_means_take_divisor_n_throughout(single_fit, people, quietly):
    fit = quietly(replace(single_fit.specification, means="ignore"), people)
    moments = step2(fit)
    implied = moments.Lambda @ moments.Phi @ moments.Lambda.swapaxes(1, 2) + moments.Theta
    np.testing.assert_allclose(implied, moments.observed, rtol=ALGEBRA, atol=ALGEBRA)


def tampered(fit, size: float):
    """The same fit, with scores that hardly vary."""
    blocks = tuple(
        replace(b, scores=ScoreSummary(b.scores.mean_A * size, b.scores.cov_A, b.scores.mean_V)) for b in fit.blocks
    )
    return replace(fit, blocks=blocks)


def test_unreliable_scores_are_named_and_indefinite_matrices_repaired(single_fit):
    """Correlations of scores grow without bound when they are corrected for next to no reliability."""
    with (
        pytest.warns(LowReliabilityWarning, match="F1 in 1"),
        pytest.warns(NonPositiveDefiniteWarning, match="nearest"),
    ):
        moments = mx.factor_moments(tampered(single_fit, 0.1))
    own = {n.name: n.groups for n in moments.notices[len(single_fit.notices) :]}
    assert own["LowReliabilityWarning"] == single_fit.groups
    assert len(own["NonPositiveDefiniteWarning"]) > 0
    assert (np.linalg.eigvalsh(moments.Phi) > 0).all()
    assert str(own["NonPositiveDefiniteWarning"][0]) in dict(mx.summary(moments).parts[0].entries)["Repaired groups"]


def test_leaving_out_a_factor_keeps_what_the_other_scores_say(pair_fit):
    """Scores of a joint block load on each other's factors; without one of these the rest still fits as before."""
    moments = step2(pair_fit)
    kept = moments.select(["F3", "F1"])
    at = [2, 0]
    assert kept.indicators == ("score of F3", "score of F1") and kept.n_measurement == 2 * 2 * 7
    np.testing.assert_array_equal(kept.Phi, moments.Phi[:, at][:, :, at])
    full = moments.Lambda @ moments.Phi @ moments.Lambda.swapaxes(1, 2) + moments.Theta
    part = kept.Lambda @ kept.Phi @ kept.Lambda.swapaxes(1, 2) + kept.Theta
    np.testing.assert_allclose(part, full[:, at][:, :, at], rtol=ALGEBRA, atol=ALGEBRA)
    # The covariance of a score with the factors is what it was, so the loadings are its regression on those kept.
    covariance = (moments.Lambda @ moments.Phi)[:, at][:, :, at]
    np.testing.assert_allclose(kept.Lambda @ kept.Phi, covariance, rtol=ALGEBRA, atol=ALGEBRA)
    assert (np.linalg.eigvalsh(kept.Theta) > 0).all()


def test_leaving_out_a_factor_of_its_own_block_changes_nothing(single_fit):
    moments = step2(single_fit)
    kept = moments.select(["F1", "F3"])
    np.testing.assert_array_equal(kept.Lambda, moments.Lambda[:, [0, 2]][:, :, [0, 2]])
    np.testing.assert_array_equal(kept.Theta, moments.Theta[:, [0, 2]][:, :, [0, 2]])


@pytest.mark.parametrize("k", [1, 2])
def test_equation_16_person_by_person(pair_fit, people, k):
    """The log-likelihood of the scores, added up over people, with equation 17's covariance matrices."""
    fit = mx.StructuralMixture("F2 ~ F1\nF3 ~ F1 + F2", k, n_starts=5).fit(step2(pair_fit), seed=1)
    order = [fit.moments.factors.index(f) for f in fit.path.factors]
    scores = mx.factor_scores(pair_fit, people)
    Lambda, Theta = (m[:, order][:, :, order] for m in (fit.moments.Lambda, fit.moments.Theta))
    total = 0.0
    for g, label in enumerate(fit.groups):
        f = scores.loc[people["group"] == label, list(fit.path.factors)].to_numpy()
        f = f - f.mean(axis=0)
        densities = []
        for c in range(k):
            A = np.linalg.inv(np.eye(3) - fit.B[c])
            Sigma = Lambda[g] @ A @ fit.Psi[g, c] @ A.T @ Lambda[g].T + Theta[g]
            quadratic = np.einsum("ni,ij,nj->n", f, np.linalg.inv(Sigma), f)
            densities.append((-0.5 * (3 * np.log(2 * np.pi) + np.linalg.slogdet(Sigma)[1] + quadratic)).sum())
        total += np.logaddexp.reduce(np.array(densities) + np.log(fit.proportions))
    assert fit.loglik_observed == pytest.approx(total, rel=1e-10)
    # Proportions, regressions, per group one exogenous and two residual variances, two per score.
    assert fit.n_params_factors == (k - 1) + 3 * k + 7 * 3
    assert fit.n_params == fit.n_params_factors + 2 * 3 * 7


def test_anything_else_is_refused_by_name():
    with pytest.raises(OptionError, match="factor_moments\\(\\) got dict"):
        mx.factor_moments({})


FACTORS_3 = "\n".join(f"F{q} =~ " + " + ".join(f"V{j}" for j in range(5 * q - 4, 5 * q + 1)) for q in (1, 2, 3))


def distance(Phi: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square difference in units of the factors' true standard deviations."""
    scale = np.sqrt(np.einsum("gqq->gq", truth))
    return float(np.sqrt((((Phi - truth) / (scale[:, :, None] * scale[:, None, :])) ** 2).mean()))


@pytest.mark.parametrize(
    ("model", "kind"),
    [(mx.MLCFA(FACTORS_3, sampling=mx.Sampling(2, 200, 200)), "multilevel"),
     (mx.MGBCFA(FACTORS_3, sampling=mx.Sampling(2, 200, 200)), "multigroup")],
    ids=["MixML-SEM", "MixMG-BSEM"],
)  # fmt: skip
def test_factor_covariances_of_a_known_population(model, kind, quietly):
    """Samples that equal the population: what is left is the pull of priors and of pooling over groups.

    Random samples: better than unrestricted maximum likelihood, group by group, whose error is about 0.10.
    """
    truth = draw_truth(Population(n_groups=24, group_size=200, n_clusters=2, kind=kind, loading_variance=0.01), seed=3)
    Phi = truth.Phi[:, :3, :3]
    exact = step2(quietly(model, draw_moments(truth, seed=3, sample="fixed"), group=None))
    assert distance(exact.Phi, Phi) < 0.03
    sample = draw_moments(truth, seed=3)
    alone = mx.factor_moments(mx.MGCFA(FACTORS_3, equal=()).fit(sample))
    pooled = step2(quietly(model, sample, group=None))
    assert distance(pooled.Phi, Phi) < distance(alone.Phi, Phi)


def test_large_groups_agree_with_maximum_likelihood(quietly):
    """With 20,000 people per group priors no longer count: what is left is of the order of a standard error.

    Both routes share the sample, whose own distance from the population is about 0.01.
    """
    truth = draw_truth(Population(n_groups=6, group_size=20_000, n_clusters=2, kind="multigroup"), seed=5)
    sample = draw_moments(truth, seed=5)
    mapped = mx.factor_moments(mx.MGCFA(FACTORS_3).fit(sample))
    model = mx.MGBCFA(FACTORS_3, prior_variance=0, sampling=mx.Sampling(2, 200, 200))
    scored = step2(quietly(model, sample, group=None))
    assert distance(scored.Phi, mapped.Phi) < 0.003
    assert distance(mapped.Phi, truth.Phi[:, :3, :3]) > 0.003
