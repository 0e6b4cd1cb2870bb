"""What a fit can be asked: refits, variations, the implied covariance of a cluster, pickles."""

from __future__ import annotations

import pickle
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.data import sleepstudy
from mixsem.errors import DataError, MixsemError, ModelSyntaxError, OptionError
from mixsem.mixed.formulas.formula import parse_formula
from mixsem.mixed.formulas.formula_update import update_formula

from .references import read_data

#: Two searches for the same optimum.
SAME_OPTIMUM = 1e-7
ROUNDING = 1e-12


@lru_cache
def sleep() -> mx.MixedFit:
    return mx.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())


def test_a_pickled_fit_answers_as_before():
    fit = sleep()
    assert len(fit.ranef.frame) == 36  # kept values go along
    again = pickle.loads(pickle.dumps(fit))
    new = {"Days": [1, 2], "Subject": [308, 1]}
    np.testing.assert_array_equal(again.hat_values(), fit.hat_values())
    found = again.predict(new, new_levels="population", interval="prediction")
    pd.testing.assert_frame_equal(found, fit.predict(new, new_levels="population", interval="prediction"))
    pd.testing.assert_frame_equal(again.ranef.frame, fit.ranef.frame)
    assert again.update("~ . - Days").loglik == fit.update("~ . - Days").loglik


def test_a_formula_with_functions_can_be_pickled():
    fit = mx.lmer("log(Reaction) ~ poly(Days, 2) + (1 | Subject)", sleepstudy())
    rows = sleepstudy().head(4)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fit)).predict(rows), fit.predict(rows))


def test_theta_level_access():
    fit = sleep()
    assert fit.model.criterion(fit.theta, fit.reml) == pytest.approx(fit.objective, rel=ROUNDING)
    elsewhere, step = fit.theta * [1.1, 1.0, 1.0], np.array([1e-6, 0.0, 0.0])
    slope = fit.model.gradient(elsewhere, fit.reml)[1][0]
    ends = [fit.model.criterion(elsewhere + s, fit.reml) for s in (step, -step)]
    # central differences of a criterion of 1e3 with a step of 1e-6
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-5)
    np.testing.assert_array_equal(fit.model.state(fit.theta).beta, fit.beta)


@pytest.mark.parametrize("offset", [None, "off"])
def test_refit_is_a_fit_of_the_other_response(offset):
    data = sleepstudy().assign(off=lambda d: 3.0 * d["Days"])
    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", data, offset=offset)
    y = fit.simulate(seed=1)[:, 0]
    again = fit.refit(y)
    fresh = mx.lmer("y ~ Days + (Days | Subject)", data.assign(y=y), offset=offset)
    assert again.objective == pytest.approx(fresh.objective, abs=SAME_OPTIMUM)
    np.testing.assert_allclose(again.beta, fresh.beta, rtol=1e-6)
    assert fit.refit().objective == pytest.approx(fit.objective, abs=SAME_OPTIMUM)


def test_refit_takes_rows_of_the_fit_or_of_the_table():
    data = sleepstudy()
    data.loc[[3, 50], "Reaction"] = np.nan
    with pytest.warns(mx.errors.MissingDataWarning):
        fit = mx.lmer("Reaction ~ Days + (1 | Subject)", data)
    y = np.arange(180.0) % 17 + data["Days"].to_numpy()
    kept = np.delete(y, [3, 50])
    assert fit.refit(y).objective == fit.refit(kept).objective
    with pytest.raises(OptionError, match="3 values"):
        fit.refit([1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="1 values of y are missing"):
        fit.refit(np.where(np.arange(178) == 4, np.nan, kept))


OLD = "y ~ x + z + offset(o) + (x || g) + (1 | a/b)"
CHANGES = {
    "~ .": "y ~ x + z + offset(o) + (x || g) + (1 | b:a) + (1 | a)",
    ". ~ .": "y ~ x + z + offset(o) + (x || g) + (1 | b:a) + (1 | a)",
    "~ . + w + (1 | h)": "y ~ x + z + w + offset(o) + (x || g) + (1 | b:a) + (1 | a) + (1 | h)",
    "~ . - x": "y ~ z + offset(o) + (x || g) + (1 | b:a) + (1 | a)",
    "~ . - x - z": "y ~ 1 + offset(o) + (x || g) + (1 | b:a) + (1 | a)",
    "~ . - (1 | a/b) - offset(o)": "y ~ x + z + (x || g)",
    "~ . - (1 + x||g)": "y ~ x + z + offset(o) + (1 | b:a) + (1 | a)",
    "~ . - (1 | a:b) + offset(log(n))": "y ~ x + z + offset(o) + offset(log(n)) + (x || g) + (1 | a)",
    "~ . - 1": "y ~ x + z - 1 + offset(o) + (x || g) + (1 | b:a) + (1 | a)",
    "~ . + x:z": "y ~ x + z + x:z + offset(o) + (x || g) + (1 | b:a) + (1 | a)",
    "log(.) ~ x + (1 | g)": "log(y) ~ x + (1 | g)",
    "u ~ (1 | g)": "u ~ 1 + (1 | g)",
    "~ . + I(x^2)": "y ~ x + z + I(x**2) + offset(o) + (x || g) + (1 | b:a) + (1 | a)",
    "~ . + (w | h) - z": "y ~ x + offset(o) + (x || g) + (1 | b:a) + (1 | a) + (w | h)",
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_formulas(change):
    found = update_formula(parse_formula(OLD), change)
    assert found == CHANGES[change]
    assert str(parse_formula(found)) == str(parse_formula(CHANGES[change]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("x + z", "one '~'"),
        (". ~ . ~ .", "one '~'"),
        ("~ . - (1 | h)", r"column 7: the random term \(1 \| h\) is taken away but not there"),
        ("~ . - w", "w is taken away but not there"),
        ("~ . - offset(n)", "offset n is taken away"),
        ("~ x:. + (1 | g)", "'.' within a term"),
        ("~ . + + x", "two signs in a row"),
        ("~ . +", "something is missing"),
        ("~", "something is missing"),
        ("~ - . + (1 | g)", "the old formula is taken away"),
        ("~ . + (x", "never closed"),
        ("~ . + (x | )", "nothing stands behind the bar"),
        ("~ x", "no random term"),
    ],
)
def test_slips_in_changes_have_a_place(change, message):
    with pytest.raises(ModelSyntaxError, match=message) as caught:
        parse_formula(update_formula(parse_formula(OLD), change))
    assert caught.value.line == 1


def test_update_fits_the_variation():
    fit = sleep()
    found = fit.update("~ . - (Days | Subject) + (1 | Subject)", reml=False)
    expected = mx.lmer("Reaction ~ Days + (1 | Subject)", sleepstudy(), reml=False)
    assert found.formula == expected.formula
    assert found.objective == pytest.approx(expected.objective, abs=SAME_OPTIMUM)
    assert fit.update(reml=False).reml is False
    assert fit.update("~ . + I(Days^2)").fixef.index.tolist() == ["(Intercept)", "Days", "I(Days ** 2)"]


def test_update_keeps_weights_and_offsets():
    data = sleepstudy().assign(w=lambda d: 1.0 + d["Days"] % 3, off=lambda d: 3.0 * d["Days"])
    fit = mx.lmer("Reaction ~ Days + offset(off) + (Days | Subject)", data, weights="w", offset=data["off"])
    found = fit.update("~ . - (Days | Subject) + (1 | Subject)")
    expected = mx.lmer("Reaction ~ Days + (1 | Subject)", data, weights="w", offset=2.0 * data["off"])
    assert found.objective == pytest.approx(expected.objective, abs=SAME_OPTIMUM)
    np.testing.assert_allclose(found.beta, expected.beta, rtol=1e-7)
    with pytest.raises(OptionError, match="the fit had offset"):
        fit.update(data=data)
    plain = mx.lmer("Reaction ~ Days + (1 | Subject)", data, weights=data["w"].to_numpy())
    with pytest.raises(OptionError, match="the fit had weights"):
        plain.update(data=data)
    again = fit.update("~ . - offset(off)", data=data, weights="w", offset="off")
    assert again.beta[1] == pytest.approx(fit.beta[1] + 3.0, rel=1e-6)


def test_update_asks_for_the_table_where_columns_are_missing():
    with pytest.raises(DataError, match=r"does not keep the column w\b") as caught:
        sleep().update("~ . + w")
    assert "update(..., data=)" in str(caught.value)
    data = sleepstudy().assign(w=np.arange(180) % 7)
    assert sleep().update("~ . + w", data).fixef.index.tolist() == ["(Intercept)", "Days", "w"]


def test_the_covariance_of_a_cluster_is_that_of_the_model():
    fit = sleep()
    found = mx.implied_cov(fit, 309)
    z = np.column_stack([np.ones(10), np.arange(10.0)])
    expected = z @ fit.varcorr["Subject"].covariance @ z.T + fit.sigma**2 * np.eye(10)
    np.testing.assert_allclose(found.covariance, expected, rtol=ROUNDING)
    assert found.covariance.index.tolist() == list(range(10, 20))
    sd = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(found.correlation, expected / np.outer(sd, sd), rtol=ROUNDING)


def test_crossed_factors_add_to_it_where_rows_share_levels():
    fit = mx.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", read_data("penicillin"))
    plate, sample = (fit.varcorr[name].covariance[0, 0] for name in ("plate", "sample"))
    by_plate = mx.implied_cov(fit, "a", "plate").covariance.to_numpy()
    assert by_plate[0, 1] == pytest.approx(plate, rel=ROUNDING)
    assert by_plate[0, 0] == pytest.approx(plate + sample + fit.sigma**2, rel=ROUNDING)
    with pytest.raises(OptionError, match="plate, sample"):
        mx.implied_cov(fit, "a")
    with pytest.raises(OptionError, match="level='z'"):
        mx.implied_cov(fit, "z", "plate")


def test_autocorrelated_residuals_are_in_it():
    data = sleepstudy()
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", data, residual=mx.Residual(ar1=("Subject", "Days")))
    found = mx.implied_cov(fit, 308).covariance.to_numpy() - fit.varcorr["Subject"].covariance
    phi = fit.residual.phi
    assert phi > 0.05
    distance = np.abs(np.subtract.outer(np.arange(10), np.arange(10)))
    np.testing.assert_allclose(found, fit.sigma**2 * phi**distance, rtol=1e-9, atol=1e-9)
    whole = [fit.simulate(3, seed=2), fit.residuals("normalized")]
    assert np.isfinite(whole[0]).all()
    assert not np.allclose(whole[1], fit.residuals("scaled"))
    with pytest.raises(MixsemError, match="hat values"):
        fit.hat_values()


def test_refits_to_a_column_by_its_name():
    data = sleepstudy().assign(other=lambda d: 2.0 * d["Reaction"] + 5.0 * d["Days"])
    fit = mx.lmer("Reaction ~ Days + offset(0 * other) + (1 | Subject)", data)
    np.testing.assert_allclose(fit.refit("other").beta, fit.refit(data["other"]).beta, rtol=ROUNDING)
    with pytest.raises(DataError, match="does not keep the column absent"):
        fit.refit("absent")
    with pytest.raises(OptionError, match="y has shape"):
        fit.refit(np.ones((180, 2)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"formula": 3}, "formula=3"),
        ({"formula": sleepstudy()}, r"update\(data=...\)"),
        ({"optimizer": "newton"}, "method='newton'"),
        ({"reml": "ML"}, "reml='ML'"),
    ],
)
def test_slips_in_updates(options, message):
    with pytest.raises(OptionError, match=message):
        sleep().update(**options)
