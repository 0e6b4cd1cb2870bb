"""Bootstrap and simulation: the same seed, the right spread, and nothing hidden."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import mixsem as mx
from mixsem.equations.resampling import Sampler, refit, rescaled_rows
from mixsem.errors import (
    ConvergenceWarning,
    DataError,
    MissingDataWarning,
    ModelError,
    OptionError,
    UnsupportedModelError,
)

MODEL = "F =~ 1*x1 + .8*x2 + .7*x3; G =~ 1*y1 + .9*y2 + .8*y3; G ~ .5*F"
FREE = "F =~ x1 + x2 + x3; G =~ y1 + y2 + y3; G ~ b*F; twice := 2*b"


@pytest.fixture(scope="module")
def data():
    return mx.simulate_data(MODEL, n=800, seed=5)


@pytest.fixture(scope="module")
def fit(data):
    return mx.sem(FREE, data)


@pytest.mark.parametrize("kind", ["rows", "parametric"])
def test_spread_is_that_of_theory_for_normal_data(fit, kind):
    """The relative error of a standard deviation from 300 samples is about 4%; the bound is five of these."""
    drawn = mx.bootstrap(fit, 300, kind=kind, seed=2)
    np.testing.assert_allclose(drawn.standard_errors, fit.standard_errors, rtol=0.2)
    assert drawn.n_failed == 0
    frame = drawn.intervals()
    assert (frame["lower"] < frame["estimate"]).all() and (frame["estimate"] < frame["upper"]).all()
    b, twice = frame.query("op == '~'").iloc[0], frame.query("op == ':='").iloc[0]
    assert twice["lower"] == pytest.approx(2 * b["lower"]) and twice["se"] == pytest.approx(2 * b["se"])


def test_statistic_where_the_model_holds(fit):
    """Bollen-Stine samples have the model's moments: the mean statistic is about df, and p is uniform."""
    drawn = mx.bootstrap(fit, 200, kind="bollen-stine", seed=3)
    df = fit.measures.df
    assert drawn.chisq.mean() == pytest.approx(df, abs=4 * np.sqrt(2 * df / 200))
    assert 0 <= drawn.p_value <= 1
    assert drawn.p_value == pytest.approx(fit.measures.pvalue, abs=0.15)
    assert np.isnan(mx.bootstrap(fit, 3, seed=1).p_value)


def test_moved_rows_have_the_moments_of_the_model(data):
    two = data.assign(half=np.arange(len(data)) % 2)
    fit = mx.sem("F =~ x1 + x2 + x3", two, "half", group_equal=("loadings", "intercepts"))
    moved = refit(fit.compiled, rescaled_rows(fit)).data.moments
    np.testing.assert_allclose(moved.covariances, fit.implied.Sigma, atol=1e-10)
    np.testing.assert_allclose(moved.means, fit.implied.mu, atol=1e-10)


def test_the_same_rows_give_the_same_estimates(data):
    """Covariates' own moments are replaced too."""
    model = "F =~ x1 + x2 + x3; F ~ y1 + y2"
    fit, other = mx.sem(model, data), mx.sem(model, data.iloc[:400])
    sampler = Sampler(other.compiled, other.coef, None, np.zeros((1, 5)), np.eye(5)[None])
    assert refit(other.compiled, other.data.values).loss.value(other.coef) == pytest.approx(
        other.loss.value(other.coef)
    )
    assert sampler.replicate(np.random.SeedSequence(1)).theta.shape == other.coef.shape
    moved = refit(fit.compiled, np.tile(other.data.values, (2, 1)))
    np.testing.assert_allclose(moved.model.fixed, other.model.fixed, atol=1e-10)


def test_the_seed_decides_whatever_the_number_of_workers(fit):
    one, two = (mx.bootstrap(fit, 6, seed=9, workers=workers) for workers in (1, 2))
    np.testing.assert_array_equal(one.estimates, two.estimates)
    assert not np.array_equal(one.estimates, mx.bootstrap(fit, 6, seed=10).estimates)


def test_incomplete_rows(data):
    holes = data.mask(np.random.default_rng(0).random(data.shape) < 0.1)
    with pytest.warns(MissingDataWarning):
        fit = mx.cfa("F =~ x1 + x2 + x3", holes, missing="ml")
    drawn = mx.bootstrap(fit, 60, seed=1)
    np.testing.assert_allclose(drawn.standard_errors, fit.standard_errors, rtol=0.45)
    with pytest.raises(DataError, match="incomplete rows"):
        mx.bootstrap(fit, 10, kind="bollen-stine")


def test_failures_are_counted_and_told(data):
    """Rows in which an item varies with one person only: samples without that person cannot be used."""
    few = data.head(60).assign(x3=np.r_[5.0, np.zeros(59)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = mx.sem("x1 ~ x2 + x3", few, fixed_x=False)
    with pytest.warns(ConvergenceWarning, match="of 40 bootstrap samples gave no estimates"):
        drawn = mx.bootstrap(fit, 40, seed=1)
    assert drawn.n_failed == len(drawn.failures) == np.isnan(drawn.chisq).sum() > 5
    assert drawn.notices and np.isfinite(drawn.intervals(method="bc")[["lower", "upper"]]).all(axis=None)


def test_simulated_rows_have_the_moments_of_the_text():
    text = "F =~ 1*x1 + c(.8, .4)*x2 + .6*x3; x2 ~ c(0, 2)*1; F ~~ c(1, 2)*F; x3 ~~ .3*x3; x1 ~~ -.2*x3"
    data = mx.simulate_data(text, n=[40_000, 20_000], seed=1, groups=("a", "b"))
    assert data["group"].value_counts().to_dict() == {"a": 40_000, "b": 20_000}
    loadings, variances = {"a": [1, 0.8, 0.6], "b": [1, 0.4, 0.6]}, {"a": 1.0, "b": 2.0}
    for group, rows in data.groupby("group"):
        L = np.array(loadings[group])
        Sigma = variances[group] * np.outer(L, L) + np.array([[1, 0, -0.2], [0, 1, 0], [-0.2, 0, 0.3]])
        np.testing.assert_allclose(rows[["x1", "x2", "x3"]].cov(), Sigma, atol=0.08)
        assert rows["x2"].mean() == pytest.approx(0 if group == "a" else 2, abs=0.05)


def test_simulated_from_a_fit(fit, data):
    drawn = mx.simulate_data(fit, seed=1)
    assert list(drawn.columns) == list(fit.observed) and len(drawn) == len(data)
    many = mx.simulate_data(fit, n=50_000, seed=1)
    np.testing.assert_allclose(many.cov(), fit.implied.Sigma[0], atol=0.06)
    np.testing.assert_allclose(many.mean(), data[list(fit.observed)].mean(), atol=0.03)
    assert mx.simulate_data(fit, seed=1).equals(drawn)


def test_refusals(fit):
    with pytest.raises(ModelError, match="no value for F=~x2"):
        mx.simulate_data("F =~ x1 + x2")
    with pytest.raises(ModelError, match="positive definite"):
        mx.simulate_data("F =~ 1*x1 + .8*x2; x1 ~~ 5*x2")
    with pytest.raises(OptionError, match="n="):
        mx.simulate_data("F =~ 1*x1 + .8*x2", n=[10, 20])
    with pytest.raises(UnsupportedModelError, match="int"):
        mx.simulate_data(3)
    with pytest.raises(OptionError, match="kind"):
        mx.bootstrap(fit, 10, kind="jackknife")
    with pytest.raises(OptionError, match="n=1"):
        mx.bootstrap(fit, 1)
    with pytest.raises(UnsupportedModelError, match="str"):
        mx.bootstrap("fit")
