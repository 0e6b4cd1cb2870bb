"""Bias-adjusted regression of membership and distal outcomes: by hand, by formula, by simulation, and trouble named."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax

import mixsem as mx
from mixsem.errors import (
    DataError,
    FewGroupsWarning,
    MissingDataWarning,
    ModelError,
    OptionError,
    SeparationWarning,
)
from mixsem.mixtures.assignment import assign_groups
from mixsem.mixtures.membership_logit import LogitProblem

SLOPE, INTERCEPT = 1.0, -0.3


def two_clusters(n_groups: int, k: int = 2) -> mx.MixtureFit:
    """A mixture whose memberships are replaced by those of the tests."""
    slopes = np.array([0.6, 0.0, -0.6])[np.arange(n_groups) % k]
    Phi = np.array([[[1.0, b], [b, 1.0]] for b in slopes])
    moments = mx.FactorMoments.from_covariances(Phi, n=[80] * n_groups, factors=["x", "y"], groups=range(n_groups))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mx.StructuralMixture("y ~ x", k=k, n_starts=3).fit(moments, seed=1)


def draw(rng: np.random.Generator, n: int, distance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A predictor, true membership, and probabilities from a measure of it that two normals overlap in."""
    x = rng.normal(size=n)
    p = 1 / (1 + np.exp(-(INTERCEPT + SLOPE * x)))
    c = (rng.random(n) < p).astype(int)
    measure = rng.normal(size=n) + distance * c
    share = p.mean()
    odds = np.exp(distance * measure - distance**2 / 2) * share / (1 - share)
    return x, c, np.column_stack([1 / (1 + odds), odds / (1 + odds)])


@pytest.fixture(scope="module")
def fit() -> mx.MixtureFit:
    return two_clusters(40)


@pytest.fixture(scope="module")
def three() -> mx.MixtureFit:
    return two_clusters(60, 3)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "country": range(60),
            "hdi": rng.normal(0.7, 0.1, 60) + 0.05 * (np.arange(60) % 3),
            "region": np.array(["north", "south", "east"])[rng.integers(3, size=60)],
            "gdp": np.exp(rng.normal(10, 1, 60)),
        }
    )


def test_classification_errors_by_hand():
    posterior = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.1, 0.9]])
    modal = assign_groups(posterior)
    np.testing.assert_allclose(modal.errors, [[1.7 / 2.2, 0.5 / 2.2], [0.3 / 1.8, 1.5 / 1.8]])
    proportional = assign_groups(posterior, "proportional")
    np.testing.assert_allclose(
        proportional.errors[0], [(0.81 + 0.64 + 0.16 + 0.01) / 2.2, (0.09 + 0.16 + 0.24 + 0.09) / 2.2]
    )
    for kind in (modal, proportional):
        weights = kind.corrected()
        np.testing.assert_allclose(weights.sum(axis=1), 1.0)
        np.testing.assert_allclose(weights.sum(axis=0), posterior.sum(axis=0))  # errors cancel on the whole


def test_without_errors_all_methods_are_the_ordinary_regression(fit):
    """Certain memberships and one 0/1 predictor: the logit is the log odds ratio of the two-by-two table."""
    rng = np.random.default_rng(1)
    x = rng.integers(2, size=40)
    c = (rng.random(40) < 0.3 + 0.4 * x).astype(int)
    posterior = np.eye(2)[c]
    n = np.array([[(x == i) & (c == j) for j in (0, 1)] for i in (0, 1)]).sum(axis=2).astype(float)
    for method in ("ml", "bch", "naive"):
        found = mx.predictors(fit, {"g": range(40), "x": x}, "x", method=method, posterior=posterior)
        assert found.coefficients[0, 1] == pytest.approx(np.log(n[1, 1] * n[0, 0] / n[1, 0] / n[0, 1]), abs=1e-6)
        assert found.coefficients[0, 0] == pytest.approx(np.log(n[0, 1] / n[0, 0]), abs=1e-6)
        # saturated: sandwich and inverse information are the same
        assert found.se[0, 1] == pytest.approx(np.sqrt((1 / n).sum()), abs=1e-5)
    exact = mx.predictors(fit, {"g": range(40), "x": x}, "x", se="information", posterior=posterior)
    assert exact.se[0, 1] == pytest.approx(np.sqrt((1 / n).sum()), abs=1e-6)


@pytest.mark.parametrize("assignment", ["modal", "proportional"])
def test_three_step_likelihood_is_maximised(three, table, assignment):
    """The likelihood of the assignments written out, raised by a general optimiser, ends at the same place."""
    rng = np.random.default_rng(2)
    posterior = rng.dirichlet([0.4, 0.4, 0.4], 60)
    found = mx.predictors(three, table, "hdi", assignment=assignment, posterior=posterior, reference=2, group="country")
    assigned = assign_groups(posterior, assignment)
    X = np.column_stack([np.ones(60), (table["hdi"] - 0.7) / 0.1])

    def minus(gamma):
        eta = np.zeros((60, 3))
        eta[:, [0, 2]] = X @ gamma.reshape(2, 2).T
        mixed = np.exp(log_softmax(eta, axis=1)) @ assigned.errors
        return -(assigned.weights * np.log(mixed)).sum()

    best = minimize(minus, np.zeros(4), method="BFGS", options={"gtol": 1e-7})
    assert found.loglik == pytest.approx(-best.fun, abs=1e-6)
    gamma = best.x.reshape(2, 2)
    np.testing.assert_allclose(found.coefficients[:, 1], gamma[:, 1] / 0.1, rtol=1e-3)
    assert found.clusters == (1, 3)


@pytest.mark.parametrize("with_errors", [True, False])
def test_derivatives_of_the_likelihood(with_errors):
    rng = np.random.default_rng(4)
    X = np.column_stack([np.ones(12), rng.normal(size=(12, 2))])
    D = rng.dirichlet([5, 1, 1], 3)
    problem = LogitProblem(X, rng.dirichlet([1, 1, 1], 12), D if with_errors else None, 1, np.zeros(3))
    gamma = rng.normal(size=6)
    _, scores, H = problem.evaluate(gamma.reshape(2, 3))
    for i in range(6):
        step = 1e-5 * np.eye(6)[i]
        high, low = (problem.evaluate((gamma + s * step).reshape(2, 3)) for s in (1, -1))
        assert scores.sum(axis=0)[i] == pytest.approx((high[0] - low[0]) / 2e-5, abs=1e-6)
        np.testing.assert_allclose(H[i], (high[1].sum(axis=0) - low[1].sum(axis=0)) / 2e-5, atol=1e-6)


def test_order_of_rows_reference_and_units_change_nothing(three, table):
    posterior = np.random.default_rng(5).dirichlet([0.3, 0.3, 0.3], 60)
    first = mx.predictors(three, table, "hdi + region", posterior=posterior, group="country")
    shuffled = table.sample(frac=1.0, random_state=1).assign(hdi=lambda t: 100 * t["hdi"] + 3)
    again = mx.predictors(three, pl.from_pandas(shuffled), "~ hdi + region", posterior=posterior, reference=3)
    np.testing.assert_allclose(again.probabilities, first.probabilities, atol=1e-6)
    b, a = (
        first.coefficients[:, list(first.columns).index("hdi")],
        again.coefficients[:, list(again.columns).index("hdi")],
    )
    np.testing.assert_allclose(100 * a, [-b[1], b[0] - b[1]], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(again.tests()["chisq"], first.tests()["chisq"], rtol=1e-4)
    assert first.tests()["df"].tolist() == [2, 4]


def test_tests_and_odds_ratios_follow_from_the_covariance(three, table):
    found = mx.predictors(three, table, "hdi + log(gdp)", group="country", penalty=0.16)
    frame = found.to_frame()
    row = frame.iloc[1]
    assert row["odds_ratio"] == pytest.approx(np.exp(row["estimate"]))
    assert row["odds_upper"] == pytest.approx(np.exp(row["estimate"] + 1.959964 * row["se"]), rel=1e-6)
    at = [1, 4]
    b = found.coefficients.ravel()[at]
    wald = b @ np.linalg.inv(found.vcov[np.ix_(at, at)]) @ b
    assert found.tests()["chisq"][0] == pytest.approx(wald)
    assert "penalised" in repr(found) and "Log odds of a cluster against cluster 1" in repr(found)
    grid = found.predict({"hdi": [0.6, 0.8], "gdp": [20000.0, 20000.0]})
    np.testing.assert_allclose(grid[["p1", "p2", "p3"]].sum(axis=1), 1.0)
    eta = np.concatenate([[0.0], found.coefficients @ [1.0, 0.6, np.log(20000.0)]])
    np.testing.assert_allclose(grid.loc[0, ["p1", "p2", "p3"]].astype(float), np.exp(log_softmax(eta)), rtol=1e-6)
    np.testing.assert_allclose(found.predict()[["p1", "p2", "p3"]], found.probabilities)


def test_groups_without_a_value_are_left_out_and_named(three, table):
    holes = table.assign(hdi=table["hdi"].where(table["country"] != 7))
    with pytest.warns(MissingDataWarning, match=r"1 of 60 groups have no value of hdi .*: 7\."):
        found = mx.predictors(three, holes, "hdi", group="country", penalty=0.16)
    assert 7 not in found.groups and len(found.groups) == 59
    assert found.notices[0].groups == (7,)


def test_separated_clusters_are_named(fit):
    tab = {"g": range(40), "x": fit.clusters + 0.01 * np.arange(40)}
    with pytest.warns(SeparationWarning, match="x separates cluster 2"):
        mx.predictors(fit, tab, "x")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        held = mx.predictors(fit, tab, "x", penalty=0.16)
    assert np.isfinite(held.se).all() and held.penalty == 0.16


def test_few_groups_per_predictor_are_named(fit):
    rng = np.random.default_rng(6)
    tab = {"g": range(40)} | {f"x{i}": rng.normal(size=40) for i in range(5)}
    with pytest.warns(FewGroupsWarning, match="20 groups for 5 predictors"):
        mx.predictors(fit, tab, " + ".join(f"x{i}" for i in range(5)), penalty=0.16)


BAD = [
    ({"formula": "hdi + "}, OptionError, "cannot be read"),
    ({"formula": "country ~ hdi"}, OptionError, "several parts"),
    ({"formula": "1"}, OptionError, "names no variable"),
    ({"formula": 3}, OptionError, "formula=3"),
    ({"formula": "hdy"}, DataError, "no column 'hdy'"),
    ({"formula": "log(region)"}, OptionError, "cannot be computed"),
    ({"formula": "one"}, DataError, "the predictor one is the same in all 60 groups"),
    ({"formula": "word"}, DataError, "the predictor word is the same"),
    ({"formula": "hdi + twice"}, DataError, "follows from the others"),
    ({"formula": "text"}, DataError, "text holds numbers as text"),
    ({"formula": "log(zero)"}, DataError, r"log\(zero\) is not finite"),
    ({"method": "em"}, OptionError, "method='em'"),
    ({"assignment": "soft"}, OptionError, "assignment='soft'"),
    ({"se": "hessian"}, OptionError, "se='hessian'"),
    ({"se": "information", "method": "bch"}, OptionError, "se='information'"),
    ({"penalty": -1}, OptionError, "penalty=-1"),
    ({"reference": 4}, OptionError, "reference=4"),
    ({"group": "nation"}, DataError, "no column 'nation'"),
    ({"posterior": np.ones((60, 3))}, OptionError, "not probabilities"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD)
def test_bad_input(three, table, options, error, message):
    rows = table.assign(
        one=1.0, word="a", twice=2 * table["hdi"], text=table["hdi"].round(2).astype(str), zero=np.arange(60) - 1.0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(error, match=message):
            mx.predictors(three, rows, **({"formula": "hdi", "group": "country"} | options))


def test_tables_that_do_not_fit(three, table):
    with pytest.raises(DataError, match="no row for 1 of 60 groups: 59"):
        mx.predictors(three, table.iloc[:59], "hdi", "country")
    with pytest.raises(DataError, match="1 groups have more than one row: 0"):
        mx.predictors(three, pd.concat([table, table.iloc[:1]]), "hdi", "country")
    with pytest.raises(DataError, match="no row for 60 of 60") as caught:
        mx.predictors(three, table.assign(country=table["country"].astype(str)), "hdi", "country")
    assert "1 is not '1'" in caught.value.todo
    with pytest.raises(DataError, match="several columns hold"):
        mx.predictors(three, table.assign(other=table["country"]), "hdi")
    with pytest.raises(OptionError, match="got MixtureSelection"):
        mx.predictors(mx.MixtureSelection((three,)), table, "hdi")
    extra = pd.concat([table, table.iloc[:1].assign(country=99)])
    assert len(mx.predictors(three, extra, "hdi", penalty=0.16).groups) == 60


def test_distal_means_by_hand(fit):
    posterior = np.tile([[0.9, 0.1], [0.2, 0.8]], (20, 1))
    y = np.random.default_rng(7).normal(size=40)
    found = mx.distal(fit, {"g": range(40), "y": y}, "y", posterior=posterior)
    D = np.array([[18 / 22, 4 / 22], [2 / 18, 16 / 18]])
    w = np.eye(2)[np.arange(40) % 2] @ np.linalg.inv(D)
    means = (w * y[:, None]).sum(axis=0) / w.sum(axis=0)
    np.testing.assert_allclose(found.means, means)
    influence = w * (y[:, None] - means) / w.sum(axis=0)
    np.testing.assert_allclose(found.vcov, influence.T @ influence * 40 / 38)
    difference = means[0] - means[1]
    variance = found.vcov[0, 0] + found.vcov[1, 1] - 2 * found.vcov[0, 1]
    assert found.test == (pytest.approx(difference**2 / variance), 1, pytest.approx(found.pairs()["p_value"][0]))
    naive = mx.distal(fit, {"g": range(40), "y": y}, "y", posterior=posterior, method="naive")
    np.testing.assert_allclose(naive.means, [y[::2].mean(), y[1::2].mean()])
    assert "All means equal" in repr(found)


def test_distal_refuses_by_name(three, table):
    with pytest.raises(DataError, match="region is not a column of numbers"):
        mx.distal(three, table, "region", "country")
    with pytest.raises(DataError, match="same in all groups"):
        mx.distal(three, table.assign(one=1), "one", "country")
    with pytest.raises(OptionError, match="method='ml'"):
        mx.distal(three, table, "hdi", "country", method="ml")
    empty = np.tile([0.6, 0.3, 0.1], (60, 1))
    with pytest.raises(ModelError, match="cluster 2 holds no group"):
        mx.distal(three, table, "hdi", "country", posterior=empty)


def test_box_plots_show_the_groups(three, table):
    holes = table.assign(
        hdi=table["hdi"].where(table["country"] > 2), gdp=table["gdp"].where(table["country"] != 9, 1e9)
    )
    data = mx.plots.predictors_data(three, holes, ("hdi", "gdp"), "country")
    assert data.groupby("variable").size().to_dict() == {"hdi": 57, "gdp": 60}
    row = data[(data["variable"] == "gdp") & (data["group"] == 9)].iloc[0]
    assert row["outside"] and row["cluster"] == three.clusters[9]
    figure = mx.plots.predictors(three, holes, ("hdi", "gdp"), "country")
    assert [ax.get_title() for ax in figure.axes] == ["hdi", "gdp"]
    assert any(text.get_text() == "9" for text in figure.axes[1].texts)
    figure.canvas.draw()
    with pytest.raises(DataError, match="region is not a column of numbers"):
        mx.plots.predictors(three, table, "region", "country")


@pytest.mark.slow
def test_the_correction_recovers_what_naive_regression_attenuates():
    """200 groups, clusters two normals 2 SD apart: about 16% are misclassified. Intervals cover."""
    n, runs = 200, 150
    fit = two_clusters(n)
    rng = np.random.default_rng(7)
    found = {"ml": [], "bch": [], "naive": []}
    means = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(runs):
            x, c, posterior = draw(rng, n, 2.0)
            for method, kept in found.items():
                one = mx.predictors(fit, {"g": range(n), "x": x}, "x", method=method, posterior=posterior)
                kept.append((one.coefficients[0, 1], one.se[0, 1]))
            y = rng.normal(size=n) + 0.8 * c
            outcome = mx.distal(fit, {"g": range(n), "y": y}, "y", posterior=posterior)
            means.append(outcome.means[1] - outcome.means[0])
    for method in ("ml", "bch"):
        estimate, se = np.array(found[method]).T
        assert estimate.mean() == pytest.approx(SLOPE, abs=0.1)
        assert 0.9 < np.mean(np.abs(estimate - SLOPE) < 1.96 * se) <= 1.0
    assert np.mean([b for b, _ in found["naive"]]) < 0.75 * SLOPE
    assert np.mean(means) == pytest.approx(0.8, abs=0.06)
