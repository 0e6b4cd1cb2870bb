"""Multilevel SEM: the posterior is the one of the model, its regressions are found and shrunken."""

from __future__ import annotations

import numpy as np
import pytest

import mixsem as mx
from mixsem.bayes.draws import Sampling
from mixsem.bayes.posterior import Equal, Posterior, Random
from mixsem.data.moments import SampleMoments
from mixsem.errors import DataError, ModelError, OptionError, UnsupportedModelError, UnusedFactorWarning
from mixsem.kernels.plain_posterior import entry_values, implied_covariances, log_posterior
from mixsem.kernels.posterior import density
from mixsem.measurement.bayes_checks import bayesian_notices
from mixsem.multilevel import MLSEM, MultilevelFit
from mixsem.multilevel.mlsem import compile_mlsem
from mixsem.simulate import Population, draw_moments, draw_truth

from .conftest import FEW, ITEMS, MEASUREMENT, RANDOM, STRUCTURAL, quietly, simulated

#: The same sum in another order.
ROUNDING = 1e-10
#: Central differences with steps of 1e-5 of a function of size 1e4: rounding 1e-12 / 1e-5 of it.
DIFFERENCE = 1e-5
FULL = "F1 =~ V1 + V2 + V3\nF2 =~ V6 + V7 + V8\nF3 =~ V11 + V12 + V13\nF4 =~ V16 + V17 + V18"


def compiled(model: MLSEM, moments: SampleMoments) -> Posterior:
    return compile_mlsem(model, moments)[3]


def point(posterior: Posterior, seed: int = 5) -> np.ndarray:
    """A point where everything differs from everything."""
    return 0.3 * np.random.default_rng(seed).standard_normal(posterior.n_params)


def simulated_four(n_groups: int = 3) -> SampleMoments:
    return draw_moments(draw_truth(Population(n_groups=n_groups, n_clusters=2), seed=1), seed=2)


# --- the posterior ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "structural", ["F3 ~ F1 + F2\nF4 ~ F1 + F3", "F3 ~ b*F1 + b*F2\nF4 ~ 0.2*F1 + F2", "F2 ~ F1\nF3 ~ F2\nF4 ~ F3"]
)
def test_density_and_gradient_are_those_of_the_plain_twin(structural: str) -> None:
    posterior = compiled(MLSEM(FULL, structural), simulated_four())
    x = point(posterior)
    gradient = np.empty(x.size)
    value = density(posterior.problem, x, gradient)
    assert value == pytest.approx(log_posterior(posterior.problem, x), rel=ROUNDING)
    numeric = np.empty(x.size)
    for i in range(x.size):
        step = np.zeros(x.size)
        step[i] = 1e-5
        numeric[i] = (log_posterior(posterior.problem, x + step) - log_posterior(posterior.problem, x - step)) / 2e-5
    np.testing.assert_allclose(gradient, numeric, rtol=DIFFERENCE, atol=DIFFERENCE * np.abs(numeric).max())
    betas = [i for i in range(x.size) if "~F" in posterior.model.entries[posterior.entry[i]].replace("~~", "")]
    assert len(betas) > 2
    assert np.abs(gradient[betas]).min() > 0


def test_implied_covariances_by_hand(moments: SampleMoments) -> None:
    """C ~ A + B, written out: no correlation of the residual with A and B, no other path."""
    posterior = compiled(MLSEM(MEASUREMENT, STRUCTURAL, random=RANDOM), moments)
    x = point(posterior)
    value = dict(zip(posterior.model.entries, entry_values(posterior.problem, x)[4], strict=True))
    a, b, ab = value["A~~A"], value["B~~B"], value["A~~B"]
    s, t = value["C~A"], value["C~B"]
    Phi = np.array(
        [
            [a, ab, s * a + t * ab],
            [ab, b, s * ab + t * b],
            [s * a + t * ab, s * ab + t * b, s * s * a + 2 * s * t * ab + t * t * b + value["C~~C"]],
        ]
    )
    Lambda = np.zeros((9, 3))
    for i, item in enumerate(ITEMS):
        Lambda[i, i // 3] = value[f"{'ABC'[i // 3]}=~{item}"]
    Sigma = Lambda @ Phi @ Lambda.T + np.diag([value[f"{item}~~{item}"] for item in ITEMS])
    ours = implied_covariances(posterior.problem, entry_values(posterior.problem, x))[4]
    np.testing.assert_allclose(ours, Sigma, rtol=ROUNDING, atol=ROUNDING)
    mean = x[posterior.names.index("mean C~A")]
    sd = np.exp(x[posterior.names.index("sd C~A")])
    assert s == pytest.approx(mean + sd * x[posterior.names.index("deviation C~A [g04]")], rel=ROUNDING)


def test_without_effects_it_is_the_measurement_model(moments: SampleMoments) -> None:
    """A just-identified structural model with no random effect has the likelihood of a factor model."""
    posterior = compiled(MLSEM(MEASUREMENT, STRUCTURAL, random=()), moments)
    assert set(posterior.what) == {"common"}
    # 6 loadings, 9 + 3 variances, 1 covariance, 2 regressions
    assert posterior.n_params == 21


def test_order_of_the_groups_changes_nothing(moments: SampleMoments) -> None:
    """The groups are named anew so that their labels sort the other way round."""
    new = {group: f"h{99 - g}" for g, group in enumerate(moments.groups)}
    renamed = SampleMoments.from_covariances(
        dict(zip(new.values(), moments.covariances, strict=True)),
        n=dict(zip(new.values(), moments.n.tolist(), strict=True)),
        items=ITEMS,
        divisor="n",
    )
    model = MLSEM(MEASUREMENT, STRUCTURAL)
    straight, turned = compiled(model, moments), compiled(model, renamed)
    assert renamed.groups == tuple(reversed(new.values()))
    x = point(straight)
    by_name = {}
    for name, value in zip(straight.names, x, strict=True):
        head, _, label = name.partition(" [")
        by_name[f"{head} [{new[label[:-1]]}]" if label else name] = value
    y = np.array([by_name[name] for name in turned.names])
    assert not np.array_equal(x, y)
    values = [density(p.problem, z, np.empty(x.size)) for p, z in ((straight, x), (turned, y))]
    assert values[0] == pytest.approx(values[1], rel=ROUNDING)


def test_order_of_rows_changes_nothing() -> None:
    table = mx.data.simulated_survey()
    table = table[table["country"].isin(["C01", "C02", "C03"])]
    measurement = "trust =~ trust1 + trust2 + trust3\nsecurity =~ security1 + security2 + security3"
    model = MLSEM(measurement, "trust ~ security")
    one, two = (compile_mlsem(model, rows, "country")[3] for rows in (table, table.sample(frac=1.0, random_state=1)))
    x = point(one)
    y = np.array([x[one.names.index(name)] for name in two.names])
    values = [density(p.problem, z, np.empty(x.size)) for p, z in ((one, x), (two, y))]
    assert values[0] == pytest.approx(values[1], rel=ROUNDING)


# --- what is random, equal, fixed -------------------------------------------------------------------------------


def roles(model: MLSEM, moments: SampleMoments) -> dict[str, object]:
    posterior = compiled(model, moments)
    return dict(zip(posterior.model.entries, posterior.roles, strict=True))


def test_what_is_random(moments: SampleMoments) -> None:
    found = roles(MLSEM(MEASUREMENT, STRUCTURAL), moments)
    assert found["A=~a1"] is None  # the marker
    random = {name for name, role in found.items() if isinstance(role, Random)}
    assert random == set(found) - {"A=~a1", "B=~b1", "C=~c1"}
    single = roles(MLSEM(MEASUREMENT, STRUCTURAL, random=("C ~ A", "a2 ~~ a2")), moments)
    assert {name for name, role in single.items() if isinstance(role, Random)} == {"C~A", "a2~~a2"}
    assert single["C~B"] == Equal()


def test_labels_and_fixed_regressions(moments: SampleMoments) -> None:
    posterior = compiled(MLSEM(MEASUREMENT, "C ~ same*A + same*B"), moments)
    value = posterior.values(point(posterior))
    entries = posterior.model.entries
    a, b = value[:, entries.index("C~A")], value[:, entries.index("C~B")]
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a, a[0])
    fixed = compiled(MLSEM(MEASUREMENT, "C ~ 0.25*A + B"), moments)
    np.testing.assert_array_equal(fixed.values(point(fixed))[:, fixed.model.entries.index("C~A")], 0.25)
    assert not any("C~A" in name for name in fixed.names)


def test_residual_covariances_follow_the_structural_model() -> None:
    moments = simulated_four()
    free = compiled(MLSEM(FULL, "F3 ~ F1 + F2\nF4 ~ F1"), moments).model.entries
    none = compiled(MLSEM(FULL, "F3 ~ F1 + F2\nF4 ~ F1\nF3 ~~ 0*F4"), moments).model.entries
    chain = compiled(MLSEM(FULL, "F3 ~ F1 + F2\nF4 ~ F3"), moments).model.entries
    covariances = [
        {e for e in entries if "~~" in e and e[0] == "F" and e[:2] != e[-2:]} for entries in (free, none, chain)
    ]
    assert covariances == [{"F1~~F2", "F3~~F4"}, {"F1~~F2"}, {"F1~~F2"}]


def test_a_factor_without_regression_is_left_out(moments: SampleMoments) -> None:
    sampling = Sampling(chains=1, warmup=50, draws=10, cores=1)
    with pytest.warns(UnusedFactorWarning, match="B: measured, but in no regression"):
        fit = MLSEM(MEASUREMENT, "C ~ A", random="regressions", sampling=sampling).fit(moments, seed=1)
    assert fit.factors == ("A", "C")
    assert fit.items == ("a1", "a2", "a3", "c1", "c2", "c3")
    assert fit.moments.items == fit.items


# --- errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"structural": "C ~ A\nA ~ C"}, UnsupportedModelError, "cycle"),
        ({"structural": "C ~ A + D"}, ModelError, "'D'"),
        ({"structural": "C ~~ A"}, ModelError, "no regression"),
        ({"random": ("A ~ C",)}, OptionError, "'A ~ C'"),
        ({"random": ("slopes",)}, OptionError, "'slopes'"),
        ({"structural": "C ~ b*A", "random": ("C ~ A",)}, OptionError, "label"),
        ({"structural": "C ~ 0.3*A + B", "random": ("C ~ A",)}, OptionError, "neither a kind nor a free parameter"),
        ({"measurement": MEASUREMENT + "\nA ~~ C"}, UnsupportedModelError, "C is an outcome"),
        ({"measurement": MEASUREMENT + "\nC ~~ 1*C"}, UnsupportedModelError, "C is an outcome"),
        ({"measurement": MEASUREMENT + "\na1 ~~ b1", "structural": "C ~ A"}, ModelError, "ties it to A"),
        ({"means": "fixed"}, OptionError, "means"),
        ({"method": "gibbs"}, OptionError, "gibbs"),
    ],
)
def test_errors(moments: SampleMoments, changes: dict[str, object], error: type[Exception], said: str) -> None:
    options: dict[str, object] = {"measurement": MEASUREMENT, "structural": STRUCTURAL} | changes
    with pytest.raises(error, match=said):
        MLSEM(**options).fit(moments)  # type: ignore[arg-type]


def test_flat_priors_on_spreads_need_four_groups(moments: SampleMoments) -> None:
    """Of regressions as of loadings; without spreads there is nothing to refuse."""
    few = moments.subset(moments.groups[:3])
    shortest = Sampling(chains=1, warmup=50, draws=10, max_depth=3, cores=1)
    with pytest.raises(
        OptionError, match="sd C~A: a flat prior on the variance of random effects over 3 groups"
    ) as caught:
        MLSEM(MEASUREMENT, STRUCTURAL, random="regressions", priors="mplus").fit(few)
    assert "4 groups" in caught.value.allowed and caught.value.todo
    none = quietly(MLSEM(MEASUREMENT, STRUCTURAL, random=(), priors="mplus", sampling=shortest), few)
    assert set(none.posterior.what) == {"common"}


@pytest.mark.parametrize(
    ("options", "run", "said"),
    [
        ({}, {"seed": -1}, "seed=-1"),
        ({}, {"progress": True}, "progress=True"),
        ({"sampling": None}, {}, "sampling=None"),
        ({"random": None}, {}, "random=None"),
    ],
)
def test_settings_of_a_run(
    moments: SampleMoments, options: dict[str, object], run: dict[str, object], said: str
) -> None:
    with pytest.raises(OptionError) as caught:
        MLSEM(MEASUREMENT, STRUCTURAL, **options).fit(moments, **run)  # type: ignore[arg-type]
    assert caught.value.got == said and caught.value.allowed and caught.value.todo


def test_one_group_is_refused(moments: SampleMoments) -> None:
    with pytest.raises(DataError, match="single group"):
        MLSEM(MEASUREMENT, STRUCTURAL).fit(moments.subset(["g00"]))


# --- the fit ----------------------------------------------------------------------------------------------------


def test_group_regressions_are_averages_of_draws(fit: MultilevelFit) -> None:
    """The frame against the values of all entries, computed the long way."""
    values = fit.posterior.values(fit.draws.flat)
    e = fit.posterior.model.entries.index("C~A")
    own = fit.regressions[fit.regressions["predictor"] == "A"]
    np.testing.assert_allclose(own["estimate"], values[:, :, e].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(own["lower"], np.quantile(values[:, :, e], 0.025, axis=0), rtol=1e-12)
    np.testing.assert_allclose(own["upper"], np.quantile(values[:, :, e], 0.975, axis=0), rtol=1e-12)
    np.testing.assert_allclose(fit.B[:, 2, 0], own["estimate"], rtol=1e-12)
    assert own["group"].tolist() == list(fit.groups)
    assert own["n"].tolist() == fit.moments.n.tolist()
    mu, tau = fit.hyper_draws("C ~ A")
    assert mu.shape == tau.shape == (len(fit.draws.flat),)
    row = fit.hyper.iloc[0]
    assert (row["mean"], row["tau"]) == (mu.mean(), tau.mean())
    np.testing.assert_allclose(tau, np.exp(fit.draws.flat[:, fit.posterior.names.index("sd C~A")]))


def test_what_a_fit_holds(fit: MultilevelFit) -> None:
    G = len(fit.groups)
    assert fit.Lambda.shape == (G, 9, 3)
    assert fit.Phi.shape == fit.B.shape == (G, 3, 3)
    assert fit.loglik.shape == (600, G)
    np.testing.assert_array_equal(fit.Theta, fit.Theta * np.eye(9))
    assert fit.is_random("C~A")
    assert fit.converged == (not any(n.name == "SamplingWarning" for n in fit.notices))
    checks = bayesian_notices(fit.blocks, fit.groups, mx.Priors(), "nuts", clustered=False)
    assert [n.text for n in fit.notices] == [n.text for n in checks]


def test_a_regression_that_is_not_random_is_equal(moments: SampleMoments) -> None:
    sampling = Sampling(chains=1, warmup=200, draws=50, cores=1)
    fit = quietly(MLSEM(MEASUREMENT, STRUCTURAL, random="C ~ A", sampling=sampling), moments)
    own = fit.regressions.set_index("predictor")
    assert own.loc["B", "estimate"].nunique() == 1
    assert own.loc["A", "estimate"].nunique() == len(fit.groups)
    assert fit.hyper["random"].tolist() == [True, False]
    assert fit.hyper["tau"].isna().tolist() == [False, True]
    assert fit.hyper["mean"].iloc[1] == pytest.approx(own.loc["B", "estimate"].iloc[0], rel=1e-12)


def test_the_seed_decides(fit: MultilevelFit, moments: SampleMoments) -> None:
    again = quietly(MLSEM(MEASUREMENT, STRUCTURAL, random=RANDOM, sampling=FEW), moments)
    np.testing.assert_array_equal(again.draws.x, fit.draws.x)


def test_unknown_regression(fit: MultilevelFit) -> None:
    for text in ("C ~ D", "A ~ C", "C =~ c1", "nonsense ~"):
        with pytest.raises(OptionError, match="not a regression of the model"):
            fit.regression_draws(text)


def test_recovery(fit: MultilevelFit, slopes: np.ndarray) -> None:
    """Mean 0.2 and SD 0.25 of the slopes, and a slope of B that is 0.4 everywhere."""
    a, b = fit.hyper.iloc[0], fit.hyper.iloc[1]
    assert a["mean_lower"] < 0.2 < a["mean_upper"]
    assert a["tau_lower"] < 0.25 < a["tau_upper"]
    # Twenty groups tell mu to 0.25/sqrt(20) = 0.06 and tau to 0.25/sqrt(40) = 0.04, sampling of people besides.
    assert a["mean_sd"] < 0.1
    assert a["tau_sd"] < 0.09
    assert b["mean_lower"] < 0.4 < b["mean_upper"]
    assert b["tau"] < 0.12
    own = fit.regressions[fit.regressions["predictor"] == "A"]
    inside = ((own["lower"] < slopes) & (slopes < own["upper"])).sum()
    assert inside >= 16  # of 20, 19 expected; fewer than 16 has probability 0.003
    assert np.corrcoef(own["estimate"], slopes)[0, 1] > 0.8


def test_small_groups_are_drawn_to_the_mean(fit: MultilevelFit, moments: SampleMoments) -> None:
    """Compared with regressions of each group alone (SAM), all are nearer to mu, those of small groups more."""
    own = sam_slopes(moments)
    shrunken = fit.regressions[fit.regressions["predictor"] == "A"]["estimate"].to_numpy()
    mu = float(fit.hyper["mean"].iloc[0])
    small = fit.moments.n == 40
    kept = [np.abs(shrunken[who] - mu).mean() / np.abs(own[who] - mu).mean() for who in (small, ~small)]
    # Reliability of a slope, tau^2 / (tau^2 + error): about .0625/(.0625 + .035) = .65 and .95; generous margins.
    assert kept[0] < 0.85
    assert 0.85 < kept[1] < 1.05
    assert kept[0] < kept[1] - 0.1


def sam_slopes(moments: SampleMoments) -> np.ndarray:
    """Slope of A in every group alone, with the measurement parameters of an invariant CFA."""
    step1 = mx.MGCFA(MEASUREMENT, equal=("loadings", "residuals")).fit(moments)
    Phi = mx.factor_moments(step1).Phi
    return np.array([np.linalg.solve(P[:2, :2], P[:2, 2])[0] for P in Phi])


def test_summary_and_frames(fit: MultilevelFit) -> None:
    text = str(fit)
    assert text.startswith("Multilevel SEM: 3 factors, 9 items, 20 groups")
    assert f"{fit.hyper['tau'].iloc[0]:.3f}" in text
    assert "C ~ B" in text
    tidied = mx.tidy(fit)
    # 6 loadings, 9 unique variances, 1 correlation equal; 3 factor variances and 2 regressions with mean and sd
    assert tidied["what"].value_counts().to_dict() == {"equal": 16, "mean": 5, "sd": 5}
    chosen = tidied.set_index(["lhs", "op", "rhs", "what"])
    assert chosen.loc[("C", "~", "A", "sd"), "estimate"] == fit.hyper["tau"].iloc[0]
    theta = chosen.loc[("a2", "~~", "a2", "equal"), "estimate"]
    assert theta == pytest.approx(fit.Theta[0, 1, 1], rel=1e-12)
    assert chosen.loc[("A", "~~", "B", "equal"), "scale"] == "correlation"
    glanced = mx.glance(fit)
    assert glanced.loc[0, ["n_groups", "nobs", "n_draws"]].tolist() == [20, fit.nobs, 300]


# --- simulations of the paper ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_recovery_in_many_groups() -> None:
    """Everything random, 48 groups of 100: mu and tau of all four regressions within their intervals.

    Half of the groups has slope 0 and half 0.3: the mean is 0.15, the standard deviation 0.15; the slopes of one and
    the same regression in both clusters have mean 0.3 and next to no variance.
    """
    truth = draw_truth(Population(n_groups=48, group_size=100, n_clusters=2, kind="multilevel"), seed=11)
    measurement = "\n".join(f"F{q + 1} =~ " + " + ".join(f"V{5 * q + j}" for j in range(1, 6)) for q in range(4))
    sampling = Sampling(chains=2, warmup=400, draws=400)
    fit = quietly(MLSEM(measurement, "F3 ~ F1 + F2\nF4 ~ F1 + F3", sampling=sampling), draw_moments(truth, seed=12))
    hyper = fit.hyper.set_index(["outcome", "predictor"])
    expected = {
        ("F4", "F1"): (0.15, 0.15),
        ("F3", "F1"): (0.15, 0.15),
        ("F3", "F2"): (0.3, 0.0),
        ("F4", "F3"): (0.3, 0.0),
    }
    for regression, (mean, tau) in expected.items():
        row = hyper.loc[regression]
        # 0.15 / sqrt(48) = 0.022 and sampling of people, 0.1 / sqrt(48) = 0.015: posterior SD 0.03, three of them.
        assert row["mean"] == pytest.approx(mean, abs=3 * row["mean_sd"])
        assert row["mean_sd"] < 0.045
        assert row["tau"] == pytest.approx(tau, abs=0.1)


@pytest.mark.slow
def test_clusters_are_pulled_to_the_middle() -> None:
    """The paper's example: slopes 0 and 0.3 in two clusters of small groups; estimates lie between them."""
    truth = draw_truth(Population(n_groups=48, group_size=25, n_clusters=2, kind="multilevel"), seed=21)
    random = ("regressions", "factor variances", "F1 =~ V2", "F1 =~ V3", "F4 =~ V17", "F4 =~ V18")
    measurement = "\n".join(f"F{q} =~ V{5 * q - 4} + V{5 * q - 3} + V{5 * q - 2} + V{5 * q - 1}" for q in (1, 3, 4))
    model = MLSEM(
        measurement, "F3 ~ F1\nF4 ~ F1 + F3", random=random, sampling=Sampling(chains=2, warmup=300, draws=300)
    )
    fit = quietly(model, draw_moments(truth, seed=22))
    own = fit.regressions
    slopes = own[(own["outcome"] == "F4") & (own["predictor"] == "F1")]["estimate"].to_numpy()
    low, high = slopes[truth.clusters == 0].mean(), slopes[truth.clusters == 1].mean()
    assert 0.03 < low < high < 0.27
    assert high - low < 0.2


def test_arviz_holds_the_regressions(fit: MultilevelFit) -> None:
    values = fit.to_arviz().posterior["group_value"].sel(group_parameter="C~A", group="g03")
    np.testing.assert_allclose(values.values.ravel(), fit.regression_draws("C ~ A")[:, 3], rtol=1e-12)


def test_exact_moments_give_the_slopes_back(slopes: np.ndarray) -> None:
    """Large groups with exactly the population's covariances: nothing to shrink, nothing to learn."""
    n = np.full(20, 20_000)
    sampling = Sampling(chains=1, warmup=300, draws=100, cores=1)
    model = MLSEM(MEASUREMENT, STRUCTURAL, random=("C ~ A",), sampling=sampling)
    fit = quietly(model, simulated(slopes, n, seed=1, exact=True))
    # Error of a slope with 20,000 people: about 0.008; of the average over draws a tenth of that; shrinkage 0.1%.
    np.testing.assert_allclose(fit.B[:, 2, 0], slopes, atol=0.005)
    np.testing.assert_allclose(fit.B[:, 2, 1], 0.4, atol=0.005)
