"""Predictions against lme4, and what lme4 does not have: intervals and draws."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.data import sleepstudy
from mixsem.errors import DataError, MixsemWarning, OptionError

from .references import MODES, Case, cases, read_data

#: Relative, where the same sums are taken in another order.
ROUNDING = 1e-10
#: Share of simulated truths inside 95 % intervals: three standard errors of 20,000 dependent draws, about.
COVERAGE = 0.02

WITH_PREDICTIONS = [case for case in cases() if case.numbers.get("predict")]


@lru_cache
def fitted(case: Case) -> mx.MixedFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return mx.lmer(case.formula, case.data, reml=case.reml, weights=case.weights)


@lru_cache
def sleep() -> mx.MixedFit:
    return mx.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())


@lru_cache
def pastes() -> mx.MixedFit:
    return mx.lmer("strength ~ 1 + (1 | batch/cask)", read_data("pastes"))


def test_there_are_predictions_to_compare():
    assert len(WITH_PREDICTIONS) >= 20
    assert any(case.numbers["predict"]["terms"] for case in WITH_PREDICTIONS)


@pytest.mark.parametrize("case", WITH_PREDICTIONS, ids=str)
def test_predictions_are_those_of_lme4(case):
    fit, expected = fitted(case), case.numbers["predict"]
    near = {"rtol": 1e-12, "atol": MODES * case.numbers["sigma"]}
    rows = fit.design.frame.head(5)
    for random in ("all", "none"):
        np.testing.assert_allclose(fit.predict(random=random)[:5], expected[random], **near)
        np.testing.assert_allclose(fit.predict(rows, random=random), expected[random], **near)
    if expected["new"]:
        new = pd.DataFrame(expected["new"]["rows"])
        for name in new.columns.intersection(rows.columns):
            if isinstance(rows[name].dtype, pd.CategoricalDtype):
                new[name] = new[name].astype(str)
        for random in ("all", "none"):
            found = fit.predict(new, random=random, new_levels="population")
            np.testing.assert_allclose(found, expected["new"][random], **near)


def test_single_terms_are_those_of_lme4():
    compared = [
        (case, term["re_form"].removeprefix("~"), term["values"])
        for case in WITH_PREDICTIONS
        if "||" not in case.formula  # two terms for R, one for us
        for term in case.numbers["predict"]["terms"] or ()
    ]
    assert len(compared) >= 25
    for case, text, values in compared:
        near = {"rtol": 1e-12, "atol": MODES * case.numbers["sigma"]}
        np.testing.assert_allclose(fitted(case).predict(random=text)[:5], values, **near)


def test_terms_are_chosen_by_group_and_by_bar():
    fit = pastes()
    both, batch = fit.predict(), fit.predict(random="batch")
    assert not np.allclose(both, batch)
    np.testing.assert_array_equal(batch, fit.predict(random="(1|batch)"))
    np.testing.assert_array_equal(both, fit.predict(random=["batch", "(1 | cask:batch)"]))
    np.testing.assert_array_equal(both, fit.predict(random="(1 | batch/cask)"))
    np.testing.assert_array_equal(fit.predict(random=[]), fit.predict(random="none"))
    with pytest.raises(OptionError, match="did you mean 'batch'"):
        fit.predict(random="bach")


def test_new_levels_are_refused_by_name():
    new = {"Days": [1, 2, 2], "Subject": [308, 999, 1000]}
    with pytest.raises(DataError, match=r"2 levels of Subject unknown to the fit: 999, 1000"):
        sleep().predict(new)
    found = sleep().predict(new, random="none")
    np.testing.assert_allclose(found, sleep().beta @ [[1, 1, 1], [1, 2, 2]], rtol=ROUNDING)


def test_draws_of_new_levels_are_shared_by_their_rows():
    new = {"Days": [0, 0, 0, 0], "Subject": [998, 999, 999, 308]}
    drawn = [sleep().predict(new, new_levels="draw", seed=seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert drawn[0][1] == drawn[0][2] != drawn[0][0]
    assert drawn[0][3] == drawn[2][3]
    assert drawn[0][0] != drawn[2][0]
    many = {"Days": np.tile([0.0, 9.0], 20_000), "Subject": 1000 + np.repeat(np.arange(20_000), 2)}
    deviations = (sleep().predict(many, new_levels="draw", seed=3) - sleep().predict(many, random="none")).reshape(
        -1, 2
    )
    z = np.array([[1, 0], [1, 9]])
    expected = z @ sleep().varcorr["Subject"].covariance @ z.T
    # a covariance of 20,000 draws has a relative standard error of 1 %
    np.testing.assert_allclose(np.cov(deviations.T), expected, rtol=0.04)


def test_missing_predictors_and_labels_give_nan():
    new = {"Days": [1.0, np.nan, 3.0], "Subject": pd.array([308, 308, None], dtype="Int64")}
    for interval in (None, "confidence"):
        found = sleep().predict(new, interval=interval)
        values = found if interval is None else found.to_numpy().T
        assert np.isnan(values).T.any(axis=-1).tolist() == [False, True, True] if interval else True
        assert np.isnan(np.atleast_2d(values)[0]).tolist() == [False, True, True]
    assert not np.isnan(sleep().predict({"Days": [3.0]}, random="none")).any()


def dense_variance(fit: mx.MixedFit, x: np.ndarray, z: np.ndarray, subject: int | None) -> float:
    """Variance of x'beta + z'b less its prediction, from the joint normal distribution of y and b."""
    design, sigma = fit.design, fit.sigma
    codes, Z = design.factors[0].codes, design.terms[0].Z
    Sigma = fit.varcorr.terms[0].covariance
    V = Z @ Sigma @ Z.T * (codes[:, None] == codes) + sigma**2 * np.eye(design.n)
    level = -1 if subject is None else design.factors[0].levels.index(subject)
    c = Z @ Sigma @ z * (codes == level)
    left = x - design.X.T @ np.linalg.solve(V, c)
    information = design.X.T @ np.linalg.solve(V, design.X)
    return z @ Sigma @ z - c @ np.linalg.solve(V, c) + left @ np.linalg.solve(information, left)


@pytest.mark.parametrize("subject", [308, None])
@pytest.mark.parametrize("day", [0.0, 4.5, 20.0])
def test_intervals_hold_the_uncertainty_of_fixed_and_random_effects(subject, day):
    new = pd.DataFrame({"Days": [day], "Subject": [subject or 999]}, index=["here"])
    confidence = sleep().predict(new, new_levels="population", interval="confidence", level=0.9)
    prediction = sleep().predict(new, new_levels="population", interval="prediction", level=0.9, weights=[4.0])
    z = np.array([1.0, day])
    variance = dense_variance(sleep(), z, z, subject)
    assert confidence.index.tolist() == ["here"]
    assert confidence.se.iloc[0] ** 2 == pytest.approx(variance, rel=ROUNDING)
    assert prediction.se.iloc[0] ** 2 == pytest.approx(variance + sleep().sigma ** 2 / 4.0, rel=ROUNDING)
    # the 95 % point of the normal distribution
    half = 1.6448536269514722 * confidence.se
    np.testing.assert_allclose(confidence.upper - confidence.fit, half, rtol=ROUNDING)
    np.testing.assert_allclose(confidence.fit - confidence.lower, half, rtol=ROUNDING)


def test_intervals_without_random_effects_are_those_of_the_fixed_ones():
    found = sleep().predict({"Days": [3.0]}, random="none", interval="confidence")
    x = np.array([1.0, 3.0])
    assert found.se[0] ** 2 == pytest.approx(x @ sleep().vcov.to_numpy() @ x, rel=ROUNDING)


def test_intervals_cover():
    """Simulated means of rows, with theta known, lie in 95 % intervals 95 % of the time."""
    fit, inside, rng = sleep(), [], np.random.default_rng(5)
    design, lam = fit.design, fit.model.theta_map.lambdas(fit.theta)[0]
    codes, Z = design.factors[0].codes, design.terms[0].Z
    se = fit.predict(interval="confidence").se.to_numpy()
    for _ in range(110):
        b = fit.sigma * rng.standard_normal((18, 2)) @ lam.T
        truth = fit.fixed_part + (Z * b[codes]).sum(axis=1)
        state = fit.model.with_response(truth + fit.sigma * rng.standard_normal(design.n)).state(fit.theta)
        found = design.X @ state.beta + (Z * state.b[0][codes]).sum(axis=1)
        inside.append(np.abs(found - truth) < 1.96 * se)
    assert np.mean(inside) == pytest.approx(0.95, abs=COVERAGE)


def test_offsets_are_found_or_asked_for():
    data = sleepstudy().assign(off=lambda d: 5.0 * d["Days"])
    written = mx.lmer("Reaction ~ Days + offset(off) + (1 | Subject)", data)
    named = mx.lmer("Reaction ~ Days + (1 | Subject)", data, offset="off")
    given = mx.lmer("Reaction ~ Days + (1 | Subject)", data, offset=data["off"])
    expected = mx.lmer("Reaction ~ Days + (1 | Subject)", data).predict(data.head(3))
    for fit in (written, named):
        np.testing.assert_allclose(fit.predict(data.head(3)), expected, rtol=1e-9)
    np.testing.assert_allclose(given.predict(data.head(3), offset=data["off"].head(3)), expected, rtol=1e-9)
    with pytest.raises(OptionError, match="given as numbers"):
        given.predict(data.head(3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"new_levels": "zero"}, "new_levels='zero'"),
        ({"interval": "credible"}, "interval='credible'"),
        ({"level": 95}, "level=95"),
        ({"seed": -1}, "seed=-1"),
        ({"interval": "confidence", "new_levels": "draw"}, "one of the two"),
        ({"weights": [1.0], "interval": "prediction"}, "weights= without newdata"),
        ({"weights": [1.0]}, 'weights= without interval="prediction"'),
        ({"level": 0.9}, "level= without interval="),
        ({"level": "a", "interval": "confidence"}, "level='a'"),
        ({"seed": 1}, 'seed= without new_levels="draw"'),
        ({"random": 3}, "random=3"),
    ],
)
def test_slips_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        sleep().predict(**options)


def test_weights_are_found_in_newdata_by_the_name_that_the_fit_had():
    data = sleepstudy().assign(**{"my w": lambda d: 1.0 + d["Days"] % 3})
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", data, weights="my w")
    rows = data.head(4)
    found = fit.predict(rows, interval="prediction")
    given = fit.predict(rows, interval="prediction", weights=rows["my w"].to_numpy())
    plain = fit.predict(rows, interval="prediction", weights=np.ones(4))
    np.testing.assert_allclose(found["se"], given["se"], rtol=ROUNDING)
    assert (found["se"] < plain["se"]).tolist() == [False, True, True, False]
    with pytest.raises(DataError, match="give weights="):
        fit.predict(sleepstudy().head(4), interval="prediction")


@pytest.mark.parametrize("empty", [sleepstudy().head(0), {"Days": [], "Subject": []}], ids=["frame", "columns"])
def test_no_rows_have_no_predictions(empty):
    assert sleep().predict(empty).shape == (0,)
    assert list(sleep().predict(empty, interval="confidence")) == ["fit", "se", "lower", "upper"]


def test_a_label_of_another_type_is_named_with_its_type():
    with pytest.raises(DataError, match=r"unknown to the fit: '308'\n.*\n.*the fit has 308 \(int\), not '308' \(str\)"):
        sleep().predict({"Days": [1], "Subject": ["308"]})
    with pytest.raises(OptionError, match=r"the fit has 308 \(int\), not '308' \(str\)"):
        mx.implied_cov(sleep(), "308")
    assert "Subject 308" in repr(mx.implied_cov(sleep(), np.int64(308)))
    for strange in (3, "y ~ x", None):
        with pytest.raises(OptionError, match="a fit of lmer"):
            mx.implied_cov(strange, 308)


def test_beyond_the_range_of_a_spline():
    data = sleepstudy()
    with pytest.raises(DataError, match=r"(?s)beyond the range of the fit in bs\(Days, df=4\).*extrapolation='extend'"):
        mx.lmer("Reaction ~ bs(Days, df=4) + (1 | Subject)", data).predict({"Days": [12], "Subject": [308]})
    extended = mx.lmer("Reaction ~ bs(Days, df=4, extrapolation='extend') + (1 | Subject)", data)
    assert np.isfinite(extended.predict({"Days": [12], "Subject": [308]})).all()


def test_short_integers_predict_as_others_do():
    data = sleepstudy().assign(x=lambda d: d["Days"] * 20)
    fit = mx.lmer("Reaction ~ I(x^2) + (1 | Subject)", data)
    short = data.assign(x=data["x"].astype("uint8"))
    np.testing.assert_allclose(fit.predict(short), fit.fitted, rtol=ROUNDING)
