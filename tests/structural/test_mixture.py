"""Step 3: reference numbers, recovery, properties, and trouble that must be named."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

import mixsem as mx
from mixsem.errors import EmptyClusterWarning, FewStartsWarning, OptionError, ResidualFloorWarning, UnusedFactorWarning
from mixsem.simulate import Population, adjusted_rand_index, draw_moments, draw_truth

REFERENCE = Path(__file__).parent.parent / "reference"
PEER = json.loads((REFERENCE / "mixture.json").read_text())
CASES = {case["name"]: case for case in PEER["cases"]}
PHI = np.array(json.loads((REFERENCE / "mgcfa_24groups.json").read_text())["sam"]["phi"])

#: lavaan's fits were refined until the gradient was below 1e-9; 12 digits are stored.
ESTIMATE, LIKELIHOOD = 1e-8, 1e-6
CHAIN = "F3 ~ F1 + F2\nF4 ~ F1 + F3"
FACTORS = ("F1", "F2", "F3", "F4")


@pytest.fixture(autouse=True)
def _quiet():
    """Warnings are looked at where a test asks for them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def peer_moments(groups=None) -> mx.FactorMoments:
    labels = PEER["group_labels"]
    keep = [labels.index(g) for g in (groups or labels)]
    return mx.FactorMoments.from_covariances(
        PHI[keep], n=np.array(PEER["n"])[keep], factors=FACTORS, groups=[labels[i] for i in keep]
    )


def simulated(seed: int = 1, n_groups: int = 24, n_clusters: int = 2, size: int = 200) -> tuple:
    """Factor covariances with sampling error, and the truth."""
    population = Population(n_groups=n_groups, group_size=size, n_clusters=n_clusters, beta=0.4)
    truth = draw_truth(population, seed=seed)
    S = draw_moments(truth, seed=seed).covariances
    weights = np.linalg.solve(truth.Theta, truth.Lambda).swapaxes(1, 2)
    M = np.linalg.solve(weights @ truth.Lambda, weights)
    Phi = M @ (S - truth.Theta) @ M.swapaxes(1, 2)
    return mx.FactorMoments.from_covariances(Phi, n=truth.n, factors=FACTORS, groups=truth.groups), truth


@pytest.mark.parametrize("name", CASES)
def test_one_cluster_is_lavaans_path_model_with_equal_regressions(name):
    case = CASES[name]
    structural = "\n".join(case["syntax"])
    fit = mx.StructuralMixture(structural, k=1).fit(peer_moments(case["groups"]))
    assert fit.loglik == pytest.approx(case["loglik"], abs=LIKELIHOOD)
    assert fit.n_params_factors == case["npar"]
    r = case["regressions"]
    expected = {f"{a}~{b}": e for a, b, e in zip(r["lhs"], r["rhs"], r["est"], strict=True)}
    found = dict(zip(fit.path.names, fit.coefficients[0], strict=True))
    assert found == pytest.approx(expected, abs=ESTIMATE)
    np.testing.assert_allclose(fit.Psi[:, 0], np.array(case["psi"]), atol=1e-7)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("structural", [CHAIN, "F3 + F4 ~ F1 + F2", "F2 ~ F1\nF3 ~ F1\nF2 ~~ F3\nF4 ~ F2 + F3"])
def test_the_solution_is_a_maximum_of_the_plain_likelihood(structural, k):
    """Equation 13 written out densely, with residuals profiled out, cannot be raised by a general optimiser."""
    moments, _ = simulated()
    fit = mx.StructuralMixture(structural, k=k, n_starts=30).fit(moments, seed=1)
    path, Q = fit.path, 4
    exogenous = list(path.exogenous)

    def minus_log_likelihood(x: np.ndarray) -> float:
        beta, logits = x[: k * len(path.names)].reshape(k, -1), np.append(x[k * len(path.names) :], 0.0)
        log_pi = logits - np.log(np.exp(logits).sum())
        total = 0.0
        for n, S in zip(moments.n, moments.Phi, strict=True):
            terms = []
            for b, lp in zip(beta, log_pi, strict=True):
                I_minus_B = np.eye(Q)
                I_minus_B[path.outcome, path.predictor] = -b
                E = I_minus_B @ S @ I_minus_B.T
                Psi = np.zeros((Q, Q))
                for block in (exogenous, *path.blocks):
                    source = S if block is exogenous else E
                    Psi[np.ix_(block, block)] = source[np.ix_(block, block)]
                A = np.linalg.inv(I_minus_B)
                Phi = A @ Psi @ A.T
                F = np.linalg.slogdet(Phi)[1] + np.trace(np.linalg.solve(Phi, S))
                terms.append(lp - 0.5 * n * (Q * np.log(2 * np.pi) + F))
            total += np.logaddexp.reduce(terms)
        return -total

    log_pi = np.log(fit.proportions)
    x = np.concatenate([fit.coefficients.ravel(), (log_pi - log_pi[-1])[:-1]])
    assert -minus_log_likelihood(x) == pytest.approx(fit.loglik, abs=1e-7)
    raised = minimize(minus_log_likelihood, x, method="BFGS", options={"gtol": 1e-6})
    assert -raised.fun <= fit.loglik + 1e-6


def test_order_of_groups_and_factors_changes_nothing():
    moments, _ = simulated()
    fit = mx.StructuralMixture(CHAIN, k=2, n_starts=30).fit(moments, seed=1)
    order = np.random.default_rng(1).permutation(24)
    shuffled = mx.FactorMoments.from_covariances(
        moments.Phi[order], n=moments.n[order], factors=FACTORS, groups=[moments.groups[i] for i in order]
    )
    other = mx.StructuralMixture(CHAIN, k=2, n_starts=30).fit(shuffled, seed=2)
    assert other.loglik == pytest.approx(fit.loglik, abs=1e-8)
    np.testing.assert_allclose(other.coefficients, fit.coefficients, atol=1e-6)
    np.testing.assert_allclose(other.posterior, fit.posterior[order], atol=1e-6)
    q = [3, 1, 0, 2]
    turned = mx.FactorMoments.from_covariances(
        moments.Phi[:, q][:, :, q], n=moments.n, factors=[FACTORS[i] for i in q], groups=moments.groups
    )
    third = mx.StructuralMixture(CHAIN, k=2, n_starts=30).fit(turned, seed=1)
    assert third.loglik == pytest.approx(fit.loglik, abs=1e-8)
    for name in fit.path.names:
        left, right = fit.path.names.index(name), third.path.names.index(name)
        np.testing.assert_allclose(third.coefficients[:, right], fit.coefficients[:, left], atol=1e-6)


def test_rescaled_factors_rescale_regressions():
    moments, _ = simulated()
    fit = mx.StructuralMixture(CHAIN, k=2, n_starts=30).fit(moments, seed=1)
    scale = np.array([2.0, 0.5, 3.0, 1.0])
    scaled = replace(moments, Phi=moments.Phi * np.outer(scale, scale))
    other = mx.StructuralMixture(CHAIN, k=2, n_starts=30).fit(scaled, seed=1)
    ratio = scale[fit.path.outcome] / scale[fit.path.predictor]
    np.testing.assert_allclose(other.coefficients, fit.coefficients * ratio, atol=1e-6)
    np.testing.assert_allclose(other.posterior, fit.posterior, atol=1e-6)


def test_simulated_clusters_are_recovered():
    moments, truth = simulated(seed=3, n_groups=48, n_clusters=4)
    fit = mx.StructuralMixture(CHAIN, k=4, n_starts=50).fit(moments, seed=1)
    assert adjusted_rand_index(truth.clusters, fit.clusters) > 0.9
    errors = []
    for k in range(4):
        own = fit.clusters[truth.clusters == k]
        found = fit.B[np.bincount(own).argmax() - 1]
        errors.append(np.abs(found - truth.B[k])[fit.path.outcome, fit.path.predictor].max())
    assert max(errors) < 0.08


def test_same_seed_same_numbers_and_k_alone_equals_k_in_a_range():
    moments, _ = simulated()
    several = mx.StructuralMixture(CHAIN, k=range(2, 5), n_starts=20).fit(moments, seed=7)
    alone = mx.StructuralMixture(CHAIN, k=3, n_starts=20).fit(moments, seed=7)
    assert list(several) == [2, 3, 4]
    np.testing.assert_array_equal(several[3].posterior, alone.posterior)
    assert several[3].loglik == alone.loglik


def test_soft_and_given_starts_reach_the_same_solution():
    moments, truth = simulated()
    best = mx.StructuralMixture(CHAIN, k=2, n_starts=30).fit(moments, seed=1)
    soft = mx.StructuralMixture(CHAIN, k=2, n_starts=30, start="soft").fit(moments, seed=1)
    named = dict(zip(truth.groups, (truth.clusters + 1).tolist(), strict=True))
    given = mx.StructuralMixture(CHAIN, k=2, start=named).fit(moments)
    probabilities = mx.StructuralMixture(CHAIN, k=2, start=np.eye(2)[truth.clusters]).fit(moments)
    for fit in (soft, given, probabilities):
        assert fit.loglik == pytest.approx(best.loglik, abs=1e-7)
    assert given.starts.n_starts == 1


def test_residuals_of_clusters():
    """With residuals='cluster' each cluster has one residual variance, the weighted mean over its groups."""
    moments, _ = simulated()
    fit = mx.StructuralMixture(CHAIN, k=2, n_starts=20, residuals="cluster").fit(moments, seed=1)
    assert np.ptp(fit.Psi[:, :, 2, 2], axis=0) == pytest.approx(0.0, abs=1e-12)
    group_specific = mx.StructuralMixture(CHAIN, k=2, n_starts=20).fit(moments, seed=1)
    assert fit.n_params_factors == group_specific.n_params_factors - (24 - 2) * 2
    assert fit.loglik < group_specific.loglik


def test_equal_regressions_lie_between():
    moments, _ = simulated()
    free = mx.StructuralMixture(CHAIN, k=2, n_starts=30).fit(moments, seed=1)
    equal = mx.StructuralMixture(CHAIN, k=2, n_starts=30, equal=("F4 ~ F3",)).fit(moments, seed=1)
    label = mx.StructuralMixture("F3 ~ F1 + F2\nF4 ~ F1 + same*F3", k=2, n_starts=30).fit(moments, seed=1)
    at = equal.path.names.index("F4~F3")
    assert np.ptp(equal.coefficients[:, at]) < 1e-9
    assert equal.n_params_factors == free.n_params_factors - 1
    assert equal.loglik < free.loglik
    assert label.loglik == pytest.approx(equal.loglik, abs=1e-8)


def test_fixed_regressions():
    moments, _ = simulated()
    fit = mx.StructuralMixture("F3 ~ F1 + F2\nF4 ~ 0.25*F1 + F3", k=2, n_starts=20).fit(moments, seed=1)
    assert fit.coefficients[:, fit.path.names.index("F4~F1")].tolist() == [0.25, 0.25]
    assert fit.n_params_factors == 1 + 2 * 3 + 24 * 5


def test_split_and_merge_repairs_a_bad_single_start():
    moments, _ = simulated(seed=5, n_groups=48, n_clusters=4)
    best = mx.StructuralMixture(CHAIN, k=4, n_starts=200).fit(moments, seed=1)
    for seed in range(5):
        one = mx.StructuralMixture(CHAIN, k=4, n_starts=1).fit(moments, seed=seed)
        assert one.loglik == pytest.approx(best.loglik, abs=1e-6)


def test_observed_log_likelihood_of_error_free_indicators_is_that_of_the_factors():
    moments, _ = simulated()
    tiny = replace(moments, Theta=np.broadcast_to(1e-12 * np.eye(4), (24, 4, 4)))
    fit = mx.StructuralMixture(CHAIN, k=2, n_starts=20).fit(tiny, seed=1)
    assert fit.loglik_observed == pytest.approx(fit.loglik, abs=1e-5)


def test_unused_factors_are_left_out_and_named():
    moments, _ = simulated()
    with pytest.warns(UnusedFactorWarning, match="F4"):
        fit = mx.StructuralMixture("F3 ~ F1 + F2", k=2, n_starts=20).fit(moments, seed=1)
    assert fit.path.factors == ("F1", "F2", "F3") and fit.moments.Phi.shape == (24, 3, 3)
    assert [n.name for n in fit.notices] == ["UnusedFactorWarning"]


def test_near_singular_groups_are_floored_and_named():
    moments, _ = simulated()
    Phi = moments.Phi.copy()
    Phi[4, 3], Phi[4, :, 3] = 0.9 * Phi[4, 2], 0.9 * Phi[4, :, 2]
    Phi[4, 3, 3] = 0.81 * Phi[4, 2, 2] + 1e-7
    with pytest.warns(ResidualFloorWarning, match=r"F4 in 5\b"):
        fit = mx.StructuralMixture(CHAIN, k=2, n_starts=20).fit(replace(moments, Phi=Phi), seed=1)
    notice = next(n for n in fit.notices if n.name == "ResidualFloorWarning")
    assert notice.groups == (5,)
    assert np.isfinite(fit.loglik)
    assert (fit.Psi[:, :, 3, 3] >= 0.001 * Phi[:, None, 3, 3] * (1 - 1e-9)).all()


def test_identical_groups_do_not_form_two_clusters():
    moments, _ = simulated()
    same = replace(moments, Phi=np.broadcast_to(moments.Phi[0], moments.Phi.shape).copy())
    with pytest.warns(EmptyClusterWarning):
        fit = mx.StructuralMixture(CHAIN, k=2, n_starts=10).fit(same, seed=1)
    assert np.isfinite(fit.loglik)


def test_few_starts_at_the_best_solution_are_named():
    """Twenty-four groups without clusters, cut into seven: random starts do not agree."""
    moments, _ = simulated(seed=2, n_clusters=1, size=60)
    with pytest.warns(FewStartsWarning, match=r"k = 7: (only|none)"):
        mx.StructuralMixture(CHAIN, k=7, n_starts=60).fit(moments, seed=1)


BAD_OPTIONS = [
    ({"k": 0}, "k=0"),
    ({"k": 25}, "k=25 with 24 groups"),
    ({"k": -1}, "k=-1"),
    ({"k": 2.5}, "k="),
    ({"k": True}, "k=True"),
    ({"k": range(3, 3)}, "empty range"),
    ({"k": [2, 99]}, "k=99"),
    ({"k": 2, "residuals": "none"}, "residuals='none'"),
    ({"k": 2, "n_starts": 0}, "n_starts=0"),
    ({"k": 2, "n_starts": 2.5}, "n_starts=2.5"),
    ({"k": 2, "tolerance": -1.0}, "tolerance"),
    ({"k": 2, "residual_floor": 2.0}, "residual_floor"),
    ({"k": 2, "start": "random"}, "start='random'"),
    ({"k": 2, "start": {1: 1}}, "no cluster for 23 groups"),
    ({"k": 2, "start": [1] * 24}, "none empty"),
    ({"k": 2, "start": [1, 2]}, r"shape \(2,\)"),
    ({"k": 2, "start": np.full((24, 2), 0.9)}, "not probabilities"),
    ({"k": 2, "equal": ("F4 ~ F9",)}, "F4 ~ F9"),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS)
def test_bad_options(options, message):
    moments, _ = simulated()
    with pytest.raises(OptionError, match=message):
        mx.StructuralMixture(CHAIN, **options).fit(moments)


@pytest.mark.parametrize("seed", [-1, 1.5, "one"])
def test_bad_seeds(seed):
    moments, _ = simulated()
    with pytest.raises(OptionError, match="seed="):
        mx.StructuralMixture(CHAIN, k=2).fit(moments, seed=seed)


def test_unknown_k_in_a_selection():
    moments, _ = simulated()
    fits = mx.StructuralMixture(CHAIN, k=(2, 3), n_starts=10).fit(moments, seed=1)
    with pytest.raises(OptionError, match="k in 2, 3"):
        fits[5]
    assert 5 not in fits and 2 in fits and len(fits) == 2


def test_step_2_is_not_skipped():
    """A measurement model, and what is no result at all, are told from factor covariances."""
    moments = draw_moments(draw_truth(Population(n_groups=4), seed=1), seed=1)
    step1 = mx.MGCFA("F1 =~ V1 + V2 + V3\nF2 =~ V6 + V7 + V8").fit(moments)
    for given, name in ((step1, "MeasurementFit"), (moments, "SampleMoments"), (None, "NoneType")):
        with pytest.raises(OptionError, match=f"got a {name}") as caught:
            mx.StructuralMixture("F2 ~ F1", k=2).fit(given)
        assert "call factor_moments(step1)" in caught.value.todo
    assert mx.StructuralMixture("F2 ~ F1", k=2, n_starts=2).fit(mx.factor_moments(step1), seed=1).k == 2


@pytest.mark.parametrize("run", [{"seed": -1}, {"seed": 1.5}, {"seed": True}, {"progress": True}])
def test_settings_of_a_run_are_checked(run):
    ((name, value),) = run.items()
    with pytest.raises(OptionError, match=f"{name}={value!r}"):
        mx.StructuralMixture(CHAIN, k=2).fit(peer_moments(), **run)
    with pytest.raises(OptionError, match="equal=None"):
        mx.StructuralMixture(CHAIN, k=2, equal=None).fit(peer_moments())
