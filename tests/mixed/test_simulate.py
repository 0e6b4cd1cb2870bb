"""Simulation from fits and from designs."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.data import sleepstudy
from mixsem.errors import OptionError

#: Relative to the standard deviations, of moments of 4,000 simulations: four standard errors are 0.09.
MOMENTS = 0.1


@lru_cache
def fit() -> mx.MixedFit:
    data = sleepstudy().assign(w=lambda d: 1.0 + d["Days"] % 3)
    return mx.lmer("Reaction ~ Days + (Days | Subject)", data, weights="w")


@pytest.mark.parametrize("random", ["new", "conditional"])
def test_moments_of_simulations_are_those_of_the_model(random):
    drawn = fit().simulate(4000, seed=1, random=random)
    assert drawn.shape == (180, 4000)
    implied = mx.implied_cov(fit(), 308).covariance.to_numpy()
    mean, covariance = fit().fixed_part, implied
    if random == "conditional":
        mean, covariance = fit().fitted, np.diag(fit().sigma ** 2 / fit().design.weights[:10])
    sd = np.sqrt(np.diagonal(covariance))
    assert np.all(np.abs(drawn.mean(axis=1) - mean)[:10] < MOMENTS * sd)
    assert np.all(np.abs(np.cov(drawn[:10]) - covariance) < MOMENTS * np.outer(sd, sd))
    other = np.corrcoef(drawn[0], drawn[10])[0, 1]  # rows of different subjects
    assert abs(other) < MOMENTS


def test_seeds_repeat():
    np.testing.assert_array_equal(fit().simulate(2, seed=3), fit().simulate(2, seed=3))
    assert not np.array_equal(fit().simulate(1, seed=3), fit().simulate(1, seed=4))


def test_a_design_without_a_fit_gives_data_that_lmer_finds_back():
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {"g": np.repeat(np.arange(400), 10), "h": np.tile(np.arange(200), 20), "x": rng.normal(size=4000)}
    )
    truth = {"g.(Intercept)": 1.0, "g.x.(Intercept)": 0.3, "g.x": 0.5, "h.(Intercept)": 0.7}
    y = mx.simulate_mixed(
        "y ~ x + (x | g) + (1 | h)", data, beta={"(Intercept)": 2, "x": -1}, theta=truth, sigma=2, seed=2
    )
    assert y.shape == (4000, 1)
    found = mx.lmer("y ~ x + (x | g) + (1 | h)", data.assign(y=y[:, 0]))
    # standard errors of standard deviations from 200 levels or more: 5 % at most, so that these are three of them
    assert found.theta_names == tuple(truth)
    np.testing.assert_allclose(found.theta, list(truth.values()), atol=0.15)
    np.testing.assert_allclose(found.beta, [2, -1], atol=0.5)
    assert found.sigma == pytest.approx(2.0, rel=0.05)


def test_simulated_rows_are_those_of_the_table():
    data = {"x": [0.0, 1.0, np.nan, 3.0], "g": ["a", "a", "b", "b"], "off": [10.0, 20.0, 30.0, 40.0]}
    y = mx.simulate_mixed("log(y) ~ x + (1 | g)", data, beta=[0, 1], theta=[0.0], sigma=0.0, offset="off", n=2)
    np.testing.assert_allclose(y, np.tile([[10.0], [21.0], [np.nan], [43.0]], 2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": [1.0], "theta": [1.0]}, r"allowed: 2 numbers: \(Intercept\), x"),
        ({"beta": {"(Intercept)": 1, "z": 1}, "theta": [1.0]}, "beta: z, x missing or unknown"),
        ({"beta": [1, 1], "theta": [1.0, 2.0]}, r"allowed: 1 numbers: g.\(Intercept\)"),
        ({"beta": [1, 1], "theta": [1.0], "sigma": -1.0}, "sigma=-1.0"),
        ({"beta": [1, 1], "theta": [1.0], "n": 0}, "n=0"),
        ({"beta": ["a", "b"], "theta": [1.0]}, r"beta=\['a', 'b'\]"),
        ({"beta": [1, 1], "theta": 1.0}, "theta=1.0"),
        ({"beta": [1, 1], "theta": [1.0], "sigma": "a"}, "sigma='a'"),
        ({"beta": [1, 1], "theta": [1.0], "n": 2.5}, "n=2.5"),
    ],
)
def test_wrong_parameters_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        mx.simulate_mixed("y ~ x + (1 | g)", {"x": [0.0, 1.0, 2.0], "g": [1, 2, 2]}, **options)


def test_fits_refuse_unknown_random_effects():
    with pytest.raises(OptionError, match="random='old'"):
        fit().simulate(random="old")


def test_covariances_are_another_way_to_say_theta():
    design = pd.DataFrame(
        {"g": np.repeat(np.arange(20), 6), "x": np.tile(np.arange(6.0), 20), "h": np.tile([1, 2], 60)}
    )
    formula, sigma = "y ~ x + (x | g) + (1 | h)", 2.0
    covariance = np.array([[4.0, 0.6], [0.6, 0.25]])
    root = np.linalg.cholesky(covariance) / sigma
    options = {"beta": [1.0, 0.5], "sigma": sigma, "n": 2, "seed": 4}
    by_theta = mx.simulate_mixed(formula, design, theta=[root[0, 0], root[1, 0], root[1, 1], 0.35], **options)
    by_matrix = mx.simulate_mixed(formula, design, varcorr={"g": covariance, "h": 0.7}, **options)
    np.testing.assert_allclose(by_matrix, by_theta, rtol=1e-12)
    alone = mx.simulate_mixed("y ~ x + (x || g) + (1 | h)", design, varcorr={"g": [2.0, 0.5], "h": [0.7]}, **options)
    parts = mx.simulate_mixed("y ~ x + (x || g) + (1 | h)", design, theta=[1.0, 0.25, 0.35], **options)
    np.testing.assert_allclose(alone, parts, rtol=1e-12)
    singular = mx.simulate_mixed(formula, design, varcorr={"g": [[1.0, 1.0], [1.0, 1.0]], "h": 0.0}, **options)
    assert np.isfinite(singular).all()


def test_two_terms_of_a_factor_have_labels():
    design = {"g": [1, 1, 2, 2, 3, 3], "x": [0, 1, 0, 1, 0, 1]}
    formula = "y ~ x + (1 | g) + (0 + x | g)"
    found = mx.simulate_mixed(formula, design, beta=[0, 0], varcorr={"g": 1.0, "g.1": 0.5}, seed=1)
    np.testing.assert_allclose(found, mx.simulate_mixed(formula, design, beta=[0, 0], theta=[1.0, 0.5], seed=1))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "neither theta= nor varcorr="),
        ({"theta": [1.0], "varcorr": {"g": 1.0}}, "both theta= and varcorr="),
        ({"varcorr": {"h": 1.0}}, "for each of g"),
        ({"varcorr": {"g": [1.0, 2.0]}}, "1 standard deviation,"),
        ({"varcorr": {"g": -1.0}}, "without negative"),
        ({"varcorr": {"g": 1.0}, "sigma": 0}, "a positive number"),
        ({"theta": [1.0], "link": "log"}, "without family="),
        ({"theta": [1.0], "family": "poison"}, "did you mean 'poisson'"),
        ({"theta": [1.0], "family": "poisson", "sigma": 2.0}, "leave sigma= out"),
        ({"theta": [1.0], "family": "poisson", "dispersion": 2.0}, "leave it out"),
        ({"theta": [1.0], "family": "gamma"}, "give dispersion="),
    ],
)
def test_parameters_that_make_no_sense_are_refused(options, said):
    with pytest.raises(OptionError) as caught:
        mx.simulate_mixed("y ~ 1 + (1 | g)", {"g": [1, 1, 2, 2]}, beta=[1.0], **options)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("family", "link", "dispersion", "mean", "variance"),
    [
        ("poisson", None, None, np.exp(1.0), np.exp(1.0)),
        ("binomial", "probit", None, 0.841345, 0.841345 * 0.158655 / 8),
        ("negative binomial", None, 2.0, np.exp(1.0), np.exp(1.0) + np.exp(2.0) / 2.0),
        ("gamma", "log", 0.25, np.exp(1.0), 0.25 * np.exp(2.0)),
    ],
)
def test_families_have_their_mean_and_variance(family, link, dispersion, mean, variance):
    """Without random effects; weights are the trials of proportions."""
    trials = np.full(4, 8.0) if family == "binomial" else None
    drawn = mx.simulate_mixed(
        "y ~ 1 + (1 | g)", {"g": [1, 1, 2, 2]}, beta=[1.0], theta=[0.0], family=family, link=link,
        dispersion=dispersion, weights=trials, n=20000, seed=6,
    )  # fmt: skip
    assert drawn.mean() == pytest.approx(mean, abs=4.0 * np.sqrt(variance / drawn.size))
    assert drawn.var() == pytest.approx(variance, rel=0.05)


def test_random_effects_are_on_the_scale_of_the_link():
    design = {"g": np.repeat(np.arange(2000), 2)}
    drawn = mx.simulate_mixed("y ~ 1 + (1 | g)", design, beta=[3.0], varcorr={"g": 0.5}, family="poisson", seed=6)[:, 0]
    mean = np.exp(3.0 + 0.125)
    assert drawn.mean() == pytest.approx(mean, rel=0.05)
    covariance = np.cov(drawn.reshape(2000, 2).T)[0, 1]
    assert covariance == pytest.approx(mean**2 * np.expm1(0.25), rel=0.2)
