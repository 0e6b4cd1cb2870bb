"""Predictions, residuals, simulations and refits of generalised mixed models."""

from __future__ import annotations

import json
import warnings
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import mixsem as mx
from mixsem.errors import DataError, MixsemWarning, ModelError, OptionError

from .glmm_data import FOLDER, fitted, glmm_case

USES = json.loads((FOLDER / "glmm_uses.json").read_text(encoding="utf-8"))
#: Models of the predictions there, in the same order.
PREDICTED = [("bern_crossed", "slope"), ("cbpp", "laplace"), ("gamma_log", "correlated"), ("nb_crossed", "crossed")]
#: Relative: glmmTMB stops at gradients that leave estimates uncertain in the sixth digit.
TMB = 1e-5
#: Absolute: adaptive integration of smooth functions, and 61 nodes.
INTEGRAL = 1e-8
#: Absolute, of the same linear predictors summed in another order.
ROUNDING = 1e-12


@pytest.mark.parametrize(("name", "said"), list(zip(PREDICTED, USES["predictions"], strict=True)), ids=str)
def test_standard_errors_are_those_of_glmmtmb(name, said):
    fit, at = fitted(glmm_case(*name)), np.array(said["rows"]) - 1
    cases = {"link": {"type": "link"}, "response": {}, "none": {"type": "link", "random": "none"}}
    for key, arguments in cases.items():
        found = fit.predict(interval="confidence", **arguments).iloc[at]
        np.testing.assert_allclose(found["fit"], said[key]["fit"], rtol=TMB, atol=TMB)
        np.testing.assert_allclose(found["se"], said[key]["se"], rtol=TMB)


def test_limits_are_transformed_and_stay_inside():
    fit = fitted(glmm_case("cbpp", "laplace"))
    linear, mean = (fit.predict(type=scale, interval="confidence", level=0.999) for scale in ("link", "response"))
    np.testing.assert_allclose(mean[["lower", "upper"]], fit.family.link.inverse(linear[["lower", "upper"]].to_numpy()))
    assert ((mean["lower"] > 0.0) & (mean["upper"] < 1.0)).all()


def test_limits_of_falling_links_are_in_order():
    found = fitted(glmm_case("gamma_inverse", "one")).predict(interval="confidence")
    assert ((found["lower"] < found["fit"]) & (found["fit"] < found["upper"])).all()


def exact_mean(fit, eta, sd):
    inverse = fit.family.link.inverse
    return quad(lambda u: norm.pdf(u) * float(inverse(np.array([eta + sd * u]))[0]), -12.0, 12.0, epsabs=1e-12)[0]


@pytest.mark.parametrize("name", [("cbpp", "laplace"), ("bern_crossed", "slope"), ("gamma_log", "correlated")], ids=str)
def test_average_is_the_integral_over_random_effects(name):
    case = glmm_case(*name)
    fit, rows = fitted(case), case.new_rows
    found = fit.predict(rows, random="average")
    eta = fit.predict(rows, type="link", random="none")
    variance = np.zeros(len(rows))
    for term, known in zip(fit.design.terms, fit.varcorr.terms, strict=True):
        Z = np.ones((len(rows), 1)) if term.Z is None else fit.design.term_matrix(term, rows)
        variance += np.einsum("ni,ij,nj->n", Z, known.covariance, Z)
    expected = [exact_mean(fit, e, s) for e, s in zip(eta, np.sqrt(variance), strict=True)]
    np.testing.assert_allclose(found, expected, atol=INTEGRAL)


def test_known_levels_keep_their_effects_beside_new_ones_that_are_averaged_over():
    case = glmm_case("bern_crossed", "crossed")
    fit, rows = fitted(case), case.new_rows.tail(1).copy()
    rows["person"] = fit.design.factors[0].levels[0]
    assert rows["item"].iloc[0] == "new"
    found = fit.predict(rows, new_levels="average")
    eta = fit.predict(rows, type="link", new_levels="population")[0]
    assert found[0] == pytest.approx(exact_mean(fit, eta, float(fit.varcorr["item"].sd[0])), abs=INTEGRAL)


def test_errors_of_averages_are_those_of_the_delta_method():
    """Against differences of the average by every parameter."""
    fit = fitted(glmm_case("cbpp", "laplace"))
    row = fit.design.frame.head(1)
    found = fit.predict(row, random="average", interval="confidence").iloc[0]
    x, at = fit.design.X[0], np.concatenate([fit.theta, fit.beta])

    def mean(values):
        return exact_mean(fit, float(x @ values[1:]), abs(values[0]))

    slope = np.array([(mean(at + h) - mean(at - h)) / 2e-4 for h in 1e-4 * np.eye(5)])
    assert found["se"] == pytest.approx(float(np.sqrt(slope @ fit.spread.joint @ slope)), rel=1e-6)  # squared steps
    assert found["lower"] < found["fit"] < found["upper"]


def test_draws_of_new_levels_vary_as_the_random_effects():
    fit = fitted(glmm_case("cbpp", "laplace"))
    rows = pd.DataFrame({"herd": [f"new{i}" for i in range(4000)], "period": "1"})
    drawn = fit.predict(rows, type="link", new_levels="draw", seed=3)
    sd = float(fit.varcorr["herd"].sd[0])
    assert drawn.std() == pytest.approx(sd, abs=4.0 * sd / np.sqrt(8000.0))  # four standard errors of it


def test_refused_predictions():
    fit = fitted(glmm_case("cbpp", "laplace"))
    new = pd.DataFrame({"herd": ["strange"], "period": ["1"]})
    with pytest.raises(DataError, match="strange"):
        fit.predict(new)
    for arguments in (
        {"type": "mean"},
        {"interval": "prediction"},
        {"type": "link", "random": "average"},
        {"interval": "confidence", "new_levels": "draw"},
        {"seed": 1},
        {"level": 0.9},
        {"offset": [1.0]},
    ):
        with pytest.raises(OptionError):
            fit.predict(**arguments)


@pytest.mark.parametrize("name", [("cbpp", "laplace"), ("nb_crossed", "crossed"), ("gamma_log", "one")], ids=str)
def test_simulated_responses_have_the_moments_of_the_model(name):
    """Given the random effects, means of 4,000 draws are within five of their standard errors."""
    fit = fitted(glmm_case(*name))
    drawn = fit.simulate(4000, seed=2, random="conditional")
    d = 1.0 if fit.dispersion is None else fit.dispersion
    variance = fit.family.variance(fit.fitted, d) / fit.trials
    assert (np.abs(drawn.mean(axis=1) - fit.fitted) < 5.0 * np.sqrt(variance / 4000)).all()
    assert drawn.var(axis=1).sum() == pytest.approx(variance.sum(), rel=0.1)
    anew = fit.simulate(200, seed=2)
    assert anew.mean(axis=1).var() < drawn.mean(axis=1).var()  # random effects of the levels average out


def test_simulations_are_repeatable_and_refitted():
    fit = fitted(glmm_case("cbpp", "laplace"))
    drawn = fit.simulate(2, seed=5)
    np.testing.assert_array_equal(drawn, fit.simulate(2, seed=5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        again = fit.refit(drawn[:, 0])
        whole = mx.glmer(
            "y ~ period + (1 | herd)", fit.design.frame.assign(y=drawn[:, 0]), family="binomial", weights=fit.trials
        )
    assert again.objective == pytest.approx(whole.objective, abs=1e-6)
    assert fit.refit().objective == pytest.approx(fit.objective, abs=1e-7)


def test_weights_that_are_no_trials_cannot_be_drawn():
    with pytest.raises(ModelError, match="weights"):
        fitted(glmm_case("gamma_log", "weights")).simulate()


def test_refit_checks_responses():
    fit = fitted(glmm_case("cbpp", "laplace"))
    with pytest.raises(DataError, match="impossible"):
        fit.refit(np.full(fit.nobs, 1.5))
    with pytest.raises(OptionError, match="3 values"):
        fit.refit([0.0, 1.0, 0.0])


def test_update_changes_what_is_named():
    fit = fitted(glmm_case("cbpp", "laplace"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        assert fit.update(n_agq=9).n_agq == 9
        probit = fit.update(link="probit")
        small = fit.update("~ . - period")
    assert (probit.family.link.name, probit.formula) == ("probit", fit.formula)
    assert probit.objective == pytest.approx(glmm_case("cbpp", "probit").numbers["objective"], abs=1e-6)
    assert list(small.fixef.index) == ["(Intercept)"]
    assert small.nobs == fit.nobs
    with pytest.raises(OptionError, match="family"):
        fit.update(family="nothing")


@lru_cache
def poisson() -> mx.GeneralisedFit:
    return fitted(glmm_case("poisson_slopes", "slopes"))


def test_working_and_scaled_residuals():
    fit = poisson()
    working, response = fit.residuals("working"), fit.residuals("response")
    np.testing.assert_allclose(working, response / fit.fitted, rtol=ROUNDING)  # derivative of the mean of a log link
    np.testing.assert_array_equal(fit.residuals("scaled"), fit.residuals("pearson"))
    gamma = fitted(glmm_case("gamma_log", "one"))
    np.testing.assert_allclose(gamma.residuals("scaled"), gamma.residuals("pearson") / np.sqrt(gamma.dispersion))
    assert float((gamma.residuals() ** 2).sum()) == pytest.approx(gamma.conditional_deviance)
    with pytest.raises(OptionError, match="deviance"):
        fit.residuals("devianc")


def test_offsets_of_other_rows_come_from_their_column():
    fit = poisson()
    rows = fit.design.frame.head(2).copy()
    twice = rows.assign(hours=2.0 * rows["hours"])
    np.testing.assert_allclose(fit.predict(twice), 2.0 * fit.predict(rows), rtol=ROUNDING)
