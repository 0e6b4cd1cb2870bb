"""Growth curves: mixed model, SEM, lavaan, nlme and lme4 agree; what has no such form is refused by name."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import DataError, ModelError, OptionError
from mixsem.growth_curves import growth_curve
from mixsem.mixed.growth.curve import plain_name, read_growth
from mixsem.mixed.growth.notes import fit_note
from mixsem.mixed.growth.syntax import growth_syntax

from .references import FOLDER, matrix, vector

#: Absolute, of log-likelihoods of R: where its optimisers stop, they are up to 1e-7 short of the maximum.
LOGLIK = 1e-6
#: Relative, of estimates: the square root of that, relative to their standard errors.
ESTIMATES = 2e-4
#: Absolute, in -2 log-likelihoods of both sides here: each search ends closer to its maximum.
SAME_FIT = 1e-6

SETS = json.loads((FOLDER / "growth.json").read_text(encoding="utf-8"))["sets"]
FORMULAS = {
    "sleepstudy": "Reaction ~ Days + (Days | Subject)",
    "growth": "y ~ time * sex + age + (time | id)",
}
PARTS = [("sleepstudy", "equal"), ("sleepstudy", "free"), ("growth", "equal"), ("growth", "free")]


def read(name: str) -> pd.DataFrame:
    data = pd.read_csv(FOLDER / f"{name}.csv")
    return data if name == "sleepstudy" else data[data["kept"] == 1].reset_index(drop=True)


def curve_of(name: str, part: str = "equal", **options):
    fit = mx.lmer(FORMULAS[name], read(name))
    return growth_curve(fit, "by occasion" if part == "free" else "equal", **options)


@pytest.fixture(scope="module")
def sleep():
    return curve_of("sleepstudy")


@pytest.fixture(scope="module")
def balanced() -> pd.DataFrame:
    """Six occasions of 60 people, none missing."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"id": np.repeat(np.arange(60), 6), "time": np.tile(np.arange(6.0), 60)})
    frame["group"] = np.where(frame["id"] % 3 == 0, "a", np.where(frame["id"] % 3 == 1, "b", "c"))
    frame["name"] = frame["time"].map(lambda t: f"wave {t:.0f}")
    frame["x"] = rng.normal(size=60).round(2)[frame["id"]]
    frame["z"] = rng.normal(size=360)
    b = rng.normal(size=(60, 2))[frame["id"]] @ [[1.0, 0.1], [0.0, 0.3]]
    frame["y"] = 3 + b[:, 0] + (0.5 + b[:, 1]) * frame["time"] + 0.4 * frame["x"] + rng.normal(size=360)
    return frame


def value(curve, parameter: str, column: str = "sem") -> float:
    return float(curve.frame.set_index("parameter")[column][parameter])


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_agrees_with_lavaan_on_the_text_that_lavaan_read(name, part):
    numbers, curve = SETS[name][part], curve_of(name, part)
    assert curve.syntax == numbers["text"]
    assert curve.equal
    assert curve.sem.loglik == pytest.approx(numbers["logLik"], abs=LOGLIK)
    assert curve.sem.n_params == numbers["npar"]
    assert curve.sem.nobs == numbers["people"]
    assert curve.sem.measures.df == numbers["df"]
    assert value(curve, "BIC") == pytest.approx(numbers["bic"], abs=10 * LOGLIK)
    found = mx.tidy(curve.sem).set_index(["lhs", "op", "rhs"])
    rows = pd.DataFrame(numbers["estimates"])
    rows = rows[~rows["lhs"].isin(["sex_m", "age"])]  # moments of covariates, which are given
    assert len(rows) >= numbers["npar"]
    for row in rows.itertuples():
        ours = found.loc[(row.lhs, row.op, row.rhs)]
        assert ours["estimate"] == pytest.approx(row.est, rel=ESTIMATES, abs=ESTIMATES), row
        assert ours["se"] == pytest.approx(row.se, rel=10 * ESTIMATES), row
    scores = curve.scores.pivot(index=curve.wide.index.name, columns="factor", values="score")
    people = [int(label) for label in numbers["scores"]["rows"]]
    labels = [label.replace("Intercept", "(Intercept)") for label in numbers["scores"]["cols"]]
    expected = matrix(numbers["scores"])
    np.testing.assert_allclose(scores.loc[people, labels], expected, rtol=ESTIMATES, atol=ESTIMATES)


@pytest.mark.parametrize("name", ["sleepstudy", "growth"])
def test_agrees_with_lme4_and_nlme(name):
    for part, numbers in (("equal", SETS[name]["lmer"]), ("free", SETS[name]["lme"])):
        curve = curve_of(name, part)
        assert curve.fit.loglik == pytest.approx(numbers["logLik"], abs=LOGLIK)
        assert curve.sem.loglik == pytest.approx(numbers["logLik"], abs=LOGLIK)
        fixed = curve.frame[curve.frame["part"] == "fixed"]
        for side in ("mixed", "sem"):
            np.testing.assert_allclose(fixed[side], vector(numbers["beta"]), rtol=ESTIMATES)
        np.testing.assert_allclose(fixed["mixed_se"], vector(numbers["se"]), rtol=ESTIMATES)
        covariance = matrix(numbers["cov"])
        random = curve.frame[curve.frame["part"] == "random"]["sem"].to_numpy()
        # 2e-3: relative, of a covariance that is small beside its variances
        np.testing.assert_allclose(random[:3], covariance[[0, 1, 0], [0, 1, 1]], rtol=2e-3)
        assert random[3] == pytest.approx(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]), rel=2e-3)
        expected = vector(numbers["residual_sd"]) if part == "free" else [numbers["sigma"]]
        residual = curve.frame[curve.frame["part"] == "residual"]
        np.testing.assert_allclose(residual["sem"], expected, rtol=ESTIMATES)
        np.testing.assert_allclose(residual["mixed"], expected, rtol=ESTIMATES)


def test_listwise_uses_fewer_people_and_says_so():
    numbers, curve = SETS["growth"]["listwise"], curve_of("growth", missing="listwise")
    assert curve.sem.loglik == pytest.approx(numbers["logLik"], abs=LOGLIK)
    assert not curve.equal
    assert value(curve, "people") == numbers["people"] < value(curve, "people", "mixed") == len(curve.wide)
    text = " ".join(curve.notes)
    assert f"leaves out {len(curve.wide) - numbers['people']} people with a missing occasion" in text
    assert "(listwise deletion)" in text
    assert "are equal" not in text


def test_full_information_keeps_every_row():
    curve = curve_of("growth")
    n = len(read("growth"))
    assert value(curve, "rows") == value(curve, "rows", "mixed") == n
    assert f"all {n} rows of 80 people (id); the SEM the same, by full information" in " ".join(curve.notes)


def test_coefficients_are_the_factor_scores(sleep):
    fit = sleep.fit
    wide = sleep.scores.pivot(index="Subject", columns="factor", values="coefficient")
    np.testing.assert_allclose(wide, fit.coef("Subject")[list(wide.columns)])
    # both at their own optimum: theta is known to about 1e-6
    assert sleep.scores["difference"].abs().max() < 1e-3
    assert "regression factor scores of the SEM are equal" in " ".join(sleep.notes)


def test_says_what_was_done(sleep):
    text = " ".join(sleep.notes)
    assert sleep.notes[0] == "The same model: the two log-likelihoods are equal."
    assert "a SEM has no REML. The fit that was given is by REML" in text
    assert "One residual variance for all occasions" in text
    assert "everyone has every occasion" in text
    assert "chi-square 141.1 with 59 degrees of freedom, p < 0.001" in text
    assert "With 18 people it rejects too often" in text
    assert value(sleep, "correlation of (Intercept) and Days") == pytest.approx(0.0813, abs=1e-3)
    by_ml = growth_curve(mx.lmer(FORMULAS["sleepstudy"], read("sleepstudy"), reml=False))
    assert "Both by maximum likelihood (ML)." in by_ml.notes
    printed = repr(sleep)
    assert "Days ~ 1" in printed
    assert "1,751.939" in printed
    assert "rows" in printed and "180" in printed


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ time + (1 | id)",
        "y ~ time + I(time**2) + (time | id)",
        "y ~ time + I(time**2) + (time + I(time**2) | id)",
        "y ~ time * group + x + (time || id)",
        "y ~ C(name) + x:time + (time | id)",
        "y ~ 0 + time + x + (0 + time | id)",
        "y ~ x:I(time**2) + group + (time | id)",
        "y ~ I(time - 2.5) * x + (I(time - 2.5) | id)",
        "y ~ poly(time, 2) + x + (1 | id)",
    ],
)
@pytest.mark.filterwarnings("ignore::mixsem.errors.BoundaryWarning")
def test_every_such_model_is_the_same_model(balanced, formula):
    fit = mx.lmer(formula, balanced, reml=False)
    curve = growth_curve(fit)
    assert -2 * curve.sem.loglik == pytest.approx(fit.objective, abs=SAME_FIT)
    assert curve.sem.n_params == fit.n_params
    fixed = curve.frame[curve.frame["part"] == "fixed"]
    assert list(fixed["parameter"]) == list(fit.design.fixed_names)
    np.testing.assert_allclose(fixed["sem"], fit.beta, rtol=1e-3, atol=1e-4)
    assert curve.scores["difference"].abs().max() < 1e-3


def test_the_same_with_holes_and_in_any_order(balanced):
    some = balanced[np.random.default_rng(2).random(len(balanced)) > 0.25].sample(frac=1.0, random_state=3)
    fit = mx.lmer("y ~ time * group + x + (time | id)", some)
    curve = growth_curve(fit)
    assert curve.equal
    again = growth_curve(mx.lmer("y ~ time * group + x + (time | id)", some.sort_values(["id", "time"])))
    assert again.syntax == curve.syntax
    pd.testing.assert_frame_equal(again.wide, curve.wide)


def test_variances_shared_by_some_occasions(balanced):
    late = balanced.assign(late=np.where(balanced["time"] > 2, "late", "early"))
    fit = mx.lmer("y ~ time + (time | id)", late, reml=False, residual=mx.Residual(by="late"))
    curve = growth_curve(fit)
    assert curve.equal
    assert "y_5 ~~ residual_late*y_5" in curve.syntax
    assert "2 residual variances for 6 occasions, as in the fit." in curve.notes
    equal = growth_curve(fit, "equal")
    assert equal.fit.residual is None
    assert equal.sem.loglik < curve.sem.loglik


def test_a_negative_variance_is_the_reason_for_another_likelihood():
    """Slopes that vary less than by chance: the mixed model stays at zero, the SEM goes below."""
    rng = np.random.default_rng(6)
    frame = pd.DataFrame({"id": np.repeat(np.arange(100), 4), "time": np.tile(np.arange(4.0), 100)})
    noise = rng.normal(size=(100, 4))
    slope = noise @ [-1.5, -0.5, 0.5, 1.5] / 5
    frame["y"] = (noise - 0.7 * np.outer(slope, [-1.5, -0.5, 0.5, 1.5]) + rng.normal(size=(100, 1))).ravel()
    with pytest.warns(mx.errors.BoundaryWarning):
        fit = mx.lmer("y ~ time + (time || id)", frame)
    with pytest.warns(mx.errors.HeywoodWarning):
        curve = growth_curve(fit)
    assert not curve.equal
    assert value(curve, "-2 log-likelihood", "difference") < -1.0
    assert "in the SEM the variance of time is negative, which a SEM allows" in curve.notes[0]


@pytest.mark.filterwarnings("ignore::mixsem.errors.BoundaryWarning", "ignore::mixsem.errors.HeywoodWarning")
def test_few_occasions_are_said(balanced):
    three = balanced[balanced["time"] < 3]
    with_slopes = growth_curve(mx.lmer("y ~ time + (time | id)", three))
    assert "3 occasions for 2 random effects per person" in " ".join(with_slopes.notes)
    without = growth_curve(mx.lmer("y ~ time + (1 | id)", three))
    assert "random effects per person" not in " ".join(without.notes)


def test_syntax_can_be_had_where_the_sem_cannot(sleep):
    data = read("sleepstudy")
    few = data[data["Subject"] < 333]
    fit = mx.lmer(FORMULAS["sleepstudy"], few)
    assert growth_syntax(fit) == sleep.syntax
    assert "residual*" not in growth_syntax(fit, "by occasion")
    with pytest.raises(DataError, match="6 people for 10 variables"):
        growth_curve(fit)


@pytest.mark.filterwarnings("ignore::mixsem.errors.FewGroupsWarning")
def test_what_has_no_such_form(balanced):
    def refuse(formula, match, error=ModelError, data=balanced, **options):
        with pytest.raises(error, match=match):
            growth_curve(mx.lmer(formula, data, **options))

    refuse("y ~ time + z + (1 | id)", "z varies within id and is no function of time")
    refuse("y ~ time + (1 | id) + (1 | group)", "2 grouping factors")
    refuse("y ~ x + (1 | id)", "no predictor of .* varies within id: the model has no time")
    refuse("y ~ time + (1 | id)", "the fit has weights", weights=np.ones(360))
    refuse("y ~ time + (1 | id)", "the fit has an offset", offset="x")
    refuse("y ~ time + (1 | id)", "autocorrelated", residual=mx.Residual(ar1=("id", "time")))
    refuse("y ~ time + (1 | id)", "residual variances by group differ", residual=mx.Residual(by="group"))
    refuse("y ~ z + (1 | id)", "360 different values of z in 360 rows: times are not common", DataError)
    refuse("y ~ 0 + time + group + (time | id)", "group_a, group_b, group_c add up to a constant")
    refuse("y ~ time + np.exp(x * time / 9) + (1 | id)", "no product of a covariate and a function of time")
    refuse("y ~ time + (x | id)", "the random effect x of .* is no function of time alone")
    twice = pd.concat([balanced, balanced.tail(1)], ignore_index=True)
    refuse("y ~ time + (1 | id)", "id 59 has more than one row with time = 5", DataError, twice)


def test_options_are_checked(sleep):
    for options in ({"residuals": "free"}, {"missing": "fiml"}, {"time": "days"}):
        with pytest.raises(OptionError):
            growth_curve(sleep.fit, **options)
    with pytest.raises(OptionError, match=r"growth_curve\(\) got str"):
        growth_curve("y ~ x")


@pytest.mark.filterwarnings("ignore::mixsem.errors.RankDeficiencyWarning")
def test_time_can_be_named(balanced):
    fit = mx.lmer("y ~ time + C(name) + (1 | id)", balanced)
    assert read_growth(fit, None).items[:2] == ("y_0", "y_1")
    assert read_growth(fit, None, "name").items[:2] == ("y_wave_0", "y_wave_1")


def test_names_that_model_text_can_hold(balanced):
    odd = balanced.rename(columns={"y": "log income", "group": "a b"}).assign(time=balanced["time"] - 2.5)
    curve = growth_curve(mx.lmer("`log income` ~ time * `a b` + (time | id)", odd))
    assert curve.equal
    assert curve.wide.columns[0] == "log_income_m2.5"
    assert plain_name("5th") == "v5th"


@pytest.mark.filterwarnings("ignore::mixsem.errors.MixsemWarning")
def test_scores_of_other_fits_are_not_called_equal():
    rng = np.random.default_rng(4)
    person, time = np.repeat(np.arange(40), 4), np.tile(np.arange(4.0), 40)
    y = rng.normal(size=40)[person] + rng.normal(size=160)
    y -= 0.9 * pd.Series(y).groupby(person).transform("mean").to_numpy()  # rows of a person are less alike than others
    curve = mx.growth_curve(mx.lmer("y ~ time + (1 | person)", pd.DataFrame({"y": y, "time": time, "person": person})))
    assert not curve.equal
    (note,) = [text for text in curve.notes if "factor scores" in text]
    assert "differ by up to" in note
    assert "equal" not in note


def test_a_rejected_model_is_called_so():
    said = fit_note(115.3, 26, 1e-9, 400, known=True, one_variance=True)
    assert "It rejects the model" in said
    assert "residuals='by occasion'" in said
    assert "residuals=" not in fit_note(115.3, 26, 1e-9, 400, known=True)
    assert "rejects" not in fit_note(25.0, 26, 0.5, 400, known=True, one_variance=True)
