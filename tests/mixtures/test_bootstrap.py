"""Bootstrap of a mixture over groups and people: numbers, memberships, stores, refusals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import ConvergenceWarning, MixsemWarning, OptionError, OutputError, UnsupportedModelError
from mixsem.mixtures.bootstrap_results import MixtureBootstrap
from mixsem.mixtures.refit import label_order, refit
from mixsem.mixtures.resampling import GroupDraw, ItemDraw, copied_labels, people_draw, wishart_covariances

MEASUREMENT = "; ".join(f"F{f + 1} =~ " + " + ".join(f"V{5 * f + j}" for j in range(1, 6)) for f in range(4))
STRUCTURAL = "F3 ~ F1 + F2; F4 ~ F1 + F3"
FACTORS = ("F1", "F2", "F3", "F4")
EXACT = 1e-12


def given(n_groups: int = 12, n_clusters: int = 2, size: int = 200, seed: int = 1) -> mx.FactorMoments:
    truth = mx.simulate.draw_truth(mx.simulate.Population(n_groups, size, n_clusters, beta=0.4), seed)
    Phi = wishart_covariances(truth.Phi, truth.n, np.random.default_rng(seed))
    return mx.FactorMoments.from_covariances(Phi, n=truth.n, factors=FACTORS, groups=range(n_groups))


def clustered(moments: mx.FactorMoments, k: int | range = 2) -> mx.MixtureFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return mx.StructuralMixture(STRUCTURAL, k=k, n_starts=20).fit(moments, seed=1)


@pytest.fixture(scope="module")
def fit() -> mx.MixtureFit:
    return clustered(given())


@pytest.fixture(scope="module")
def measured() -> mx.MixtureFit:
    truth = mx.simulate.draw_truth(mx.simulate.Population(10, 150, 2, beta=0.4), seed=3)
    step1 = mx.MGCFA(MEASUREMENT).fit(mx.simulate.draw_moments(truth, seed=3))
    return clustered(mx.factor_moments(step1))


def same(a: MixtureBootstrap, b: MixtureBootstrap) -> bool:
    pairs = ((a.coefficients, b.coefficients), (a.members, b.members), (a.loglik, b.loglik), (a.ari, b.ari))
    return all(np.array_equal(x, y, equal_nan=True) for x, y in pairs) and a.failures == b.failures


# --- what is drawn ----------------------------------------------------------------------------------------------


def test_wishart_covariances_have_the_right_mean_and_variance():
    rng = np.random.default_rng(1)
    Sigma = np.array([[2.0, 0.6], [0.6, 1.0]])
    n = np.full(20_000, 30)
    S = wishart_covariances(np.broadcast_to(Sigma, (n.size, 2, 2)), n, rng)
    assert S.mean(axis=0) == pytest.approx(Sigma * 29 / 30, abs=0.015)
    assert S[:, 0, 1].var() == pytest.approx(29 * (0.6**2 + 2.0) / 30**2, rel=0.05)


def test_copies_of_a_group_have_numbers():
    assert copied_labels(("a", "b", "c"), np.array([0, 0, 0, 2])) == ("a", "a#2", "a#3", "c")


def test_drawn_groups_keep_their_moments(fit):
    drawn, index = GroupDraw(fit.moments)(np.random.default_rng(1))
    assert drawn.n_groups == len(fit.groups) == len(set(drawn.groups))
    assert np.array_equal(drawn.Phi, fit.moments.Phi[index])
    assert np.array_equal(drawn.n, fit.moments.n[index])


def test_people_are_drawn_around_the_model_or_the_sample(measured):
    step1 = measured.moments.measurement
    draws = {c: people_draw(measured, c, measured.posterior) for c in ("model", "sample")}
    assert all(isinstance(draw, ItemDraw) for draw in draws.values())
    means = {}
    for center, draw in draws.items():
        rng = np.random.default_rng(2)
        means[center] = np.mean([draw(rng)[0].Phi for _ in range(60)], axis=0)
    n = step1.moments.n[0]
    expected = measured.moments.Phi * (n - 1) / n
    error = 4 * np.sqrt(2.0 / n / 60)  # of a variance of about 1, with room for measurement error
    assert means["sample"] == pytest.approx(expected, abs=2 * error)
    # The model's regressions are in the means of the model's draws.
    k = measured.clusters - 1
    A = np.linalg.inv(np.eye(4) - measured.B[k])
    implied = A @ measured.Psi[np.arange(10), k] @ A.swapaxes(1, 2) * (n - 1) / n
    assert means["model"] == pytest.approx(implied, abs=2 * error)


def test_step_1_is_fitted_again_with_its_options(measured):
    moments, _ = people_draw(measured, "sample", measured.posterior)(np.random.default_rng(5))
    again = mx.factor_moments(mx.MGCFA(MEASUREMENT).fit(moments.measurement.moments))
    assert moments.Phi == pytest.approx(again.Phi, abs=2e-3)  # step 1 stops at a thousandth of a standard error


# --- fitting again ----------------------------------------------------------------------------------------------


def test_refitting_the_same_moments_finds_the_fit(fit):
    found = refit(fit, fit.moments, fit.posterior[None], 10, np.random.default_rng(1))
    assert found.loglik == pytest.approx(fit.loglik, abs=1e-4)
    assert found.coefficients == pytest.approx(fit.coefficients, abs=1e-4)
    assert found.loglik_observed == pytest.approx(fit.loglik_observed, abs=1e-3)
    assert found.n_params == fit.n_params


def test_labels_are_matched(fit):
    turned = replace(fit, posterior=fit.posterior[:, ::-1], B=fit.B[::-1])
    order = label_order(fit.posterior, fit.coefficients, turned)
    assert np.array_equal(turned.coefficients[order], fit.coefficients)


@pytest.mark.parametrize("kind", ["groups", "people"])
def test_bootstrap_of_given_covariances(fit, kind):
    drawn = mx.bootstrap(fit, 40, kind=kind, seed=1)
    assert drawn.n_failed == 0
    assert drawn.se.shape == fit.coefficients.shape
    assert (drawn.se > 0.005).all()
    assert (drawn.se < 0.1).all()
    frame = drawn.intervals(0.9, "bc")
    assert ((frame["lower"] < frame["upper"]) & (frame["se"] > 0)).all()
    together = drawn.comembership
    assert np.array_equal(together, together.T, equal_nan=True)
    assert np.nanmin(np.diagonal(together)) == 1.0
    assert (drawn.shares.sum(axis=1) == pytest.approx(1.0)) and (drawn.stability > 0.5).all()
    assert drawn.ari.mean() > 0.8


def test_comembership_counts_samples_with_both(fit):
    members = np.zeros((4, len(fit.groups)), dtype=int)
    members[:, :3] = [[1, 1, 0], [1, 2, 2], [0, 2, 2], [1, 1, 1]]
    drawn = replace(mx.bootstrap(fit, 4), members=members)
    assert drawn.comembership[0, 1] == pytest.approx(2 / 3)
    assert drawn.comembership[1, 2] == pytest.approx(1.0)
    assert drawn.comembership[0, 2] == pytest.approx(1 / 2)
    assert np.isnan(drawn.comembership[0, 5])
    assert drawn.occurrences[:4].tolist() == [3, 4, 3, 0]


def test_fixed_and_equal_regressions_stay_so(fit):
    mixture = mx.StructuralMixture("F3 ~ 0.3*F1 + F2; F4 ~ F1 + F3", k=2, equal=("F4 ~ F3",), n_starts=10)
    drawn = mx.bootstrap(mixture.fit(fit.moments, seed=1), 10)
    assert drawn.se[:, 0] == pytest.approx(0.0, abs=EXACT)
    assert drawn.coefficients[:, 0, 3] == pytest.approx(drawn.coefficients[:, 1, 3], abs=EXACT)


def test_means_and_group_specific_regressions(fit):
    means = np.random.default_rng(1).normal(size=(len(fit.groups), 4))
    moments = mx.FactorMoments.from_covariances(
        fit.moments.Phi, n=fit.moments.n, factors=FACTORS, groups=fit.groups, means=means
    )
    own = ("F4 ~ F1", "F4 ~ 1")
    mixture = mx.StructuralMixture(STRUCTURAL, k=2, n_starts=10, meanstructure=True, group_specific=own)
    found = mixture.fit(moments, seed=1)
    for kind in ("groups", "people"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            drawn = mx.bootstrap(found, 10, kind=kind)
        assert drawn.n_failed < 8
        assert drawn.vcov.shape == (12, 12)


def test_a_cluster_of_one_group_is_often_not_drawn():
    Phi = [[[1.0, 0.6], [0.6, 1.0]]] + [[[1.0, 0.0], [0.0, 1.0]]] * 5
    moments = mx.FactorMoments.from_covariances(Phi, n=[400] * 6, factors=["x", "y"], groups=list("abcdef"))
    found = mx.StructuralMixture("y ~ x", k=2).fit(moments, seed=1)
    with pytest.warns(ConvergenceWarning, match="no group of cluster 2 was drawn"):
        drawn = mx.bootstrap(found, 60)
    assert drawn.n_failed == pytest.approx(60 * (5 / 6) ** 6, abs=4 * np.sqrt(60 * 0.33 * 0.67))
    assert np.isnan(drawn.coefficients[~drawn.usable]).all()
    assert "gave no estimates" in str(drawn)


def test_people_of_a_bayesian_step_1():
    truth = mx.simulate.draw_truth(mx.simulate.Population(8, 100, 2, beta=0.4), seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        moments = mx.simulate.draw_moments(truth, seed=3)
        model = mx.MLCFA(MEASUREMENT, method="laplace", sampling=mx.Sampling(chains=2, warmup=50, draws=60))
        step1 = model.fit(moments, seed=1)
        found = clustered(mx.factor_moments(step1))
        drawn = mx.bootstrap(found, 30, kind="people", seed=1)
        naive = mx.bootstrap(clustered(replace(found.moments, measurement=None)), 30, kind="people", seed=1)
        few = replace(model, sampling=mx.Sampling(chains=1, warmup=50, draws=20)).fit(moments, seed=1)
        sparse = clustered(mx.factor_moments(few))
    assert drawn.n_failed < 10
    assert drawn.se.mean() > naive.se.mean()  # measurement error and step 1 add to the error
    assert drawn.se.mean() < 3 * naive.se.mean()
    with pytest.raises(UnsupportedModelError, match="20 posterior draws"):
        mx.bootstrap(sparse, 10, kind="people")


# --- the same numbers, whatever happens -------------------------------------------------------------------------


def test_seeds_give_samples(fit):
    drawn = mx.bootstrap(fit, 15, seed=4)
    assert same(drawn, mx.bootstrap(fit, 15, seed=4))
    longer = mx.bootstrap(fit, 20, seed=4)
    assert np.array_equal(longer.coefficients[:15], drawn.coefficients)
    assert not np.array_equal(mx.bootstrap(fit, 15, seed=5).coefficients, drawn.coefficients)


def test_workers_change_nothing(measured):
    alone = mx.bootstrap(measured, 30, kind="people", seed=2)
    assert same(alone, mx.bootstrap(measured, 30, kind="people", seed=2, workers=2))


def test_a_store_goes_on(fit, tmp_path):
    store, told = tmp_path / "drawn.jsonl", []
    plain = mx.bootstrap(fit, 30, seed=4)
    mx.bootstrap(fit, 20, seed=4, store=store)
    with store.open("ab") as file:
        file.write(b'{"failure":"","coeff')  # a run that was killed while it wrote
    resumed = mx.bootstrap(fit, 30, seed=4, store=store, progress=lambda *args: told.append(args))
    assert same(plain, resumed)
    assert told == [("bootstrap", 20, 30), ("bootstrap", 30, 30)]
    assert len(store.read_text().splitlines()) == 31
    assert same(mx.bootstrap(fit, 10, seed=4, store=store), mx.bootstrap(fit, 10, seed=4))


def test_a_store_that_was_hardly_begun(fit, tmp_path):
    store = tmp_path / "drawn.jsonl"
    mx.bootstrap(fit, 10, store=store)
    store.write_bytes(store.read_bytes()[:20])
    assert same(mx.bootstrap(fit, 10, store=store), mx.bootstrap(fit, 10))


def test_other_stores_are_refused_and_left_alone(fit, tmp_path):
    store, text = tmp_path / "drawn.jsonl", tmp_path / "notes.txt"
    mx.bootstrap(fit, 10, store=store)
    before = store.read_bytes()
    for options in ({"seed": 1}, {"kind": "people"}, {"n_starts": 3}):
        with pytest.raises(OutputError, match="another fit, seed or option"):
            mx.bootstrap(fit, 10, store=store, **options)
    assert store.read_bytes() == before
    for content in ("what I must not forget", "[]\n", "no JSON\nat all"):
        text.write_text(content)
        with pytest.raises(OutputError, match="no store"):
            mx.bootstrap(fit, 10, store=text)
        assert text.read_text() == content
    with pytest.raises(OutputError):
        mx.bootstrap(fit, 10, store=tmp_path / "no" / "folder.jsonl")


SCRIPT = """
import sys
import numpy as np
import mixsem as mx
Phi = np.array({Phi})
moments = mx.FactorMoments.from_covariances(Phi, n={n}, factors=["F1", "F2", "F3", "F4"], groups=range(len(Phi)))
fit = mx.StructuralMixture("{structural}", k=2, n_starts=20).fit(moments, seed=1)
mx.bootstrap(fit, 4000, kind="people", seed=7, store=sys.argv[1])
"""


def test_a_killed_run_goes_on_with_the_same_numbers(fit, tmp_path):
    store, script = tmp_path / "drawn.jsonl", tmp_path / "run.py"
    script.write_text(
        SCRIPT.format(Phi=fit.moments.Phi.tolist(), n=fit.moments.n.tolist(), structural=STRUCTURAL), encoding="utf-8"
    )
    process = subprocess.Popen([sys.executable, "-W", "ignore", str(script), str(store)])
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if store.exists() and store.read_bytes().count(b"\n") > 15:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    assert process.wait() != 0
    done = store.read_bytes().count(b"\n") - 1
    assert done >= 15
    resumed = mx.bootstrap(fit, done + 15, kind="people", seed=7, store=store)
    assert same(resumed, mx.bootstrap(fit, done + 15, kind="people", seed=7))
    assert len([json.loads(line) for line in store.read_text().splitlines()]) >= done + 16


# --- the number of clusters -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def selection() -> mx.MixtureSelection:
    return clustered(given(), range(1, 5))


@pytest.mark.parametrize(("kind", "center"), [("groups", "model"), ("people", "model"), ("people", "sample")])
def test_bootstrap_of_the_number_of_clusters(selection, kind, center):
    drawn = mx.bootstrap(selection, 12, kind=kind, center=center, seed=1)
    shares = drawn.shares()
    assert shares["criterion"].tolist() == list(selection.choices)
    assert shares[[1, 2, 3, 4, "undecided"]].sum(axis=1).to_numpy() == pytest.approx(1.0)
    assert shares.set_index("criterion").loc["bic_n", 1] == 0.0
    assert shares.set_index("criterion").loc["chull", 2] > 0.7
    assert "Number of clusters in a bootstrap" in str(drawn)


def test_one_number_is_no_selection(fit):
    with pytest.raises(OptionError, match="one number of clusters"):
        mx.bootstrap(mx.MixtureSelection((fit,)), 10)


# --- refusals and words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{"kind": "rows"}, {"center": "data"}, {"n": 1}, {"seed": -1}, {"workers": 0}, {"n_starts": 1.5}]
)
def test_options_are_checked(fit, options):
    with pytest.raises(OptionError, match=next(iter(options))):
        mx.bootstrap(fit, **options)


def test_ordered_items_are_refused():
    rng = np.random.default_rng(1)
    f = rng.standard_normal((400, 1))
    x = np.hstack([f, 0.5 * f + rng.standard_normal((400, 1))]).repeat(3, axis=1) + rng.standard_normal((400, 6))
    frame = {f"x{j}": np.digitize(x[:, j], [-0.8, 0.8]) for j in range(6)} | {"g": np.arange(400) % 2}
    model = mx.MGCFA("A =~ x0 + x1 + x2; B =~ x3 + x4 + x5", ordered=True)
    import pandas as pd

    found = mx.StructuralMixture("B ~ A", k=1).fit(mx.factor_moments(model.fit(pd.DataFrame(frame), "g")), seed=1)
    with pytest.raises(UnsupportedModelError, match="ordered items"):
        mx.bootstrap(found, 10, kind="people")
    assert mx.bootstrap(found, 10).n_failed == 0


def test_summaries(fit):
    text = str(mx.bootstrap(fit, 20, kind="people"))
    assert "Bootstrap over people: 2 clusters" in text
    assert "95% interval" in text
    assert "as if it held" in text
    assert "memberships look less sure" in str(mx.bootstrap(fit, 5, kind="people", center="sample"))
    one = mx.bootstrap(clustered(fit.moments, 1), 5)
    assert "Adjusted Rand" not in str(one)


def test_comembership_figure(fit):
    drawn = mx.bootstrap(fit, 20, kind="people", center="sample", seed=1)
    data = mx.plots.comembership_data(drawn)
    assert len(data) == len(fit.groups) ** 2
    assert data["cluster"].is_monotonic_increasing
    row = data[(data["group"] == "3") & (data["other"] == "5")]["share"].item()
    assert row == drawn.comembership[3, 5]
    axes = mx.plots.comembership(drawn).axes[0]
    assert np.array_equal(axes.images[0].get_array(), data["share"].to_numpy().reshape(12, 12))
    assert [line.get_gid() for line in axes.lines] == ["cluster 1", "cluster 2"]
    with pytest.raises(OptionError, match="comembership"):
        mx.plots.comembership(fit)


# --- truth ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["people", "groups"])
def test_standard_errors_agree_with_the_monte_carlo_deviation(kind):
    """60 data sets of one population: the mean bootstrap SE against the SD of the estimates, within its error."""
    truth = mx.simulate.draw_truth(mx.simulate.Population(24, 100, 2, beta=0.4), seed=11)
    fits = []
    for seed in range(60):
        step1 = mx.MGCFA(MEASUREMENT).fit(mx.simulate.draw_moments(truth, seed))
        fits.append(clustered(mx.factor_moments(step1)))
    first = fits[0]
    estimates = [f.coefficients[label_order(first.posterior, first.coefficients, f)] for f in fits]
    deviation = np.std(estimates, axis=0, ddof=1)
    errors = []
    for f in fits[: 8 if kind == "people" else 30]:
        order = label_order(first.posterior, first.coefficients, f)
        errors.append(mx.bootstrap(f, 60, kind=kind, seed=1).se[order] ** 2)
    ratio = np.sqrt(np.mean(errors, axis=0)) / deviation
    # 60 data sets give an SD to 1 / sqrt(2 * 59) = 9%, the mean over eight regressions to about 4%. With 12 groups in a
    # cluster, standard errors over groups are themselves uncertain, and larger where a sample is split otherwise.
    assert ratio.mean() == pytest.approx(1.0, abs=0.15 if kind == "people" else 0.2)
    assert ((ratio > 0.65) & (ratio < (1.45 if kind == "people" else 1.7))).all()
