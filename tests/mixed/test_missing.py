"""The account of missing values, and imputed data beside complete cases; pooled numbers are those of mice."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import DataError, MissingDataWarning, OptionError
from mixsem.mixed.missing.report import check_missing, loss_advice
from mixsem.mixed.missing.rubin import pool_estimates
from mixsem.mixed.missing.sensitivity import sensitivity

from .references import FOLDER

#: Relative to standard errors, of estimates: lme4 stops within 1e-5 of its optimum.
ESTIMATE = 1e-4
#: Relative, of degrees of freedom and fractions of missing information, which magnify that.
DF = 2e-3
#: The same without a fit: arithmetic.
EXACT = 1e-10

FORMULA = "y ~ time + x + z + (time | g)"


@pytest.fixture(scope="module")
def reference() -> dict:
    return json.loads((FOLDER / "missing.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tables() -> list[pd.DataFrame]:
    long = pd.read_csv(FOLDER / "missing.csv")
    return [part.drop(columns="imp").reset_index(drop=True) for _, part in long.groupby("imp")]


@pytest.fixture(scope="module")
def fit(tables) -> mx.MixedFit:
    with pytest.warns(MissingDataWarning):
        return mx.lmer(FORMULA, tables[0])


def holes() -> pd.DataFrame:
    """Four people at four occasions: complete, dropping out after 1, a gap at 1, never observed; one x missing."""
    frame = pd.DataFrame({"p": np.repeat(list("abcd"), 4), "t": np.tile(range(4), 4), "x": np.arange(16.0)})
    frame["y"] = np.arange(16.0) % 5
    frame.loc[[6, 7, 9, 12, 13, 14, 15], "y"] = np.nan
    frame.loc[[3, 6], "x"] = np.nan
    return frame


def test_rows_are_accounted_for():
    found = check_missing("y ~ x + (1 | p)", holes())
    frame = found.variables.frame.set_index("variable")
    assert frame.loc["y", ["missing", "alone"]].tolist() == [7, 6]
    assert frame.loc["x", ["missing", "alone"]].tolist() == [2, 1]
    assert frame["role"].to_dict() == {"y": "response", "x": "predictor", "p": "grouping"}
    assert found.to_predict.tolist() == [7, 9, 12, 13, 14, 15]
    assert found.left_out.tolist() == [3, 6, 7, 9, 12, 13, 14, 15]
    levels = found.levels.frame.iloc[0]
    assert levels[["group", "levels", "complete", "reduced", "lost"]].tolist() == ["p", 4, 0, 3, 1]
    assert "No row is left of p d" in found.levels.notes[0]
    assert "cannot be tested" in " ".join(found.notes)
    assert "what would tell is what is missing" in repr(found)


def test_dropout_tells_monotone_from_intermittent():
    found = check_missing("y ~ t + (1 | p)", holes(), time="t").dropout
    assert found.frame["observed"].tolist() == [3, 2, 2, 2]
    assert found.frame["gap"].tolist() == [0, 1, 0, 0]
    assert found.frame["gone"].tolist() == [1, 1, 2, 2]
    assert found.frame["left"].tolist() == [0, 0, 1, 0]
    note = found.notes[0]
    assert "1 are observed at all 4 occasions, 1 drop out for good (monotone), 1 have gaps (intermittent), 1" in note
    # before occasion 2: a (1) went on, b (0) left; c was not observed at 1
    assert found.frame.loc[2, ["before_stayed", "before_left"]].tolist() == [1.0, 0.0]


def test_absent_rows_count_as_missing_and_are_named():
    data = holes().dropna(subset="y")
    data.loc[0, "y"] = np.nan
    found = check_missing("y ~ t + (1 | p)", data, time="t").dropout
    assert found.frame["observed"].tolist() == [2, 2, 2, 2]
    assert "3 pairs of level and occasion without a row" in " ".join(found.notes)


def test_order_of_rows_does_not_matter():
    data, mixed = holes(), holes().sample(frac=1.0, random_state=1)
    one, other = (check_missing("y ~ x + (1 | p)", d, time="t") for d in (data, mixed))
    pd.testing.assert_frame_equal(one.dropout.frame, other.dropout.frame)
    pd.testing.assert_frame_equal(one.comparison.frame, other.comparison.frame)


def test_kept_and_left_out_rows_are_compared():
    data = holes()
    data["sex"] = np.where(np.arange(16) % 3 == 0, "m", "f")
    frame = check_missing("y ~ x + (1 | p)", data, covariates="sex").comparison.frame.set_index("variable")
    kept = data.dropna(subset=["x", "y"])
    out = data.drop(kept.index)
    spread = np.sqrt((kept["x"].var() + out["x"].var()) / 2)
    assert frame.loc["x", "difference"] == pytest.approx((out["x"].mean() - kept["x"].mean()) / spread)
    assert frame.loc["sex = m", "left_out"] == pytest.approx((out["sex"] == "m").mean())
    assert frame.loc["x", "n_out"] == 6


def test_a_fit_and_its_formula_have_the_same_account(fit, tables):
    one, other = check_missing(fit, tables[0]), check_missing(FORMULA, tables[0])
    pd.testing.assert_frame_equal(one.variables.frame, other.variables.frame)
    assert len(one.left_out) == fit.design.n_rows - fit.nobs
    assert len(fit.predict(tables[0].iloc[one.to_predict])) == len(one.to_predict)
    assert np.isfinite(fit.predict(tables[0].iloc[one.to_predict])).all()


def test_another_table_is_refused(fit, tables):
    with pytest.raises(DataError, match="complete"):
        check_missing(fit, tables[1])
    with pytest.raises(OptionError, match="DataFrame"):
        check_missing(tables[0], tables[0])
    with pytest.raises(OptionError, match="group='q'"):
        check_missing(fit, tables[0], time="time", group="q")


def test_other_values_in_the_rows_of_the_fit_are_refused(fit, tables):
    table = tables[0]
    for other in (table.assign(y=2 * table["y"]), table.assign(g=table["g"].to_numpy()[::-1])):
        with pytest.raises(DataError, match="not the table of the fit"):
            check_missing(fit, other)


def test_differences_by_chance_are_not_named():
    """Left out at random, in clusters that are alike: the 5 % of three variables, not most replications."""
    alarms = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        g = np.repeat(np.arange(50), 6)
        data = pd.DataFrame({"g": g, "x": rng.normal(size=50)[g], "z": rng.normal(size=300)})
        data["y"] = rng.normal(size=50)[g] + rng.normal(size=300)
        data.loc[np.isin(g, rng.choice(50, 8, replace=False)), "y"] = np.nan
        found = check_missing("y ~ x + z + (1 | g)", data)
        alarms += "Left-out rows differ" in repr(found)
    assert alarms <= 12  # two variables of which something is known: 6 expected, 12 by 2.5 standard errors


def test_differences_beyond_chance_are_named():
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(60), 5)
    data = pd.DataFrame({"g": g, "x": rng.normal(size=300), "y": rng.normal(size=300)})
    data.loc[data["x"] > 0.8, "y"] = np.nan
    notes = " ".join(check_missing("y ~ x + (1 | g)", data).comparison.notes)
    assert "more than 2 standard errors, which chance seldom does, in x:" in notes


def test_the_standard_error_of_a_difference_counts_clusters():
    """Of a variable of clusters that are lost as a whole it is that of the clusters' means."""
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(40), 7)
    x = rng.normal(size=40)
    data = pd.DataFrame({"g": g, "x": x[g], "y": rng.normal(size=280)})
    data.loc[g < 15, "y"] = np.nan
    frame = check_missing("y ~ x + (1 | g)", data).comparison.frame.set_index("variable")
    inside, outside = x[15:], x[:15]
    rows = [np.repeat(part, 7).var(ddof=1) for part in (inside, outside)]
    variance = (inside.var() / 25 + outside.var() / 15) * 40 / 39
    assert frame.loc["x", "se"] == pytest.approx(np.sqrt(variance / np.mean(rows)), rel=EXACT)


def leavers(slope: float, seed: int) -> str:
    rng = np.random.default_rng(seed)
    person, time = np.repeat(np.arange(80), 4), np.tile(np.arange(4), 80)
    data = pd.DataFrame({"p": person, "t": time, "y": rng.normal(size=320)})
    stays = rng.random((80, 4)) > 0.15 + slope * (data["y"].to_numpy().reshape(80, 4) < -0.5)
    stays[:, 1:] = np.logical_and.accumulate(stays[:, :-1], axis=1)  # who leaves after an occasion is seen there
    stays[:, 0] = True
    data.loc[~stays.ravel(), "y"] = np.nan
    return " ".join(check_missing("y ~ t + (1 | p)", data, time="t").dropout.notes)


def test_who_leaves_is_judged_against_chance():
    assert "those who left were lower" in leavers(0.5, 1)
    assert "leaving depends on what was observed" in leavers(0.5, 1)
    chance = [leavers(0.0, seed) for seed in range(20)]
    assert sum("no more than chance explains" in text for text in chance) >= 16  # 19 expected
    assert "as many as left says" in chance[0]


def test_complete_rows_that_make_no_model_are_told():
    data = mx.data.sleepstudy()
    text = repr(check_missing("Reaction ~ log(Days) + (1 | Subject)", data))
    assert "No model can be made of the complete rows yet: log(Days) is not finite in some rows." in text
    assert "No model" not in repr(check_missing("Reaction ~ log(Days + 1) + (1 | Subject)", data))
    words = data.assign(slow=np.where(data["Reaction"] > 300, "yes", "no"))
    assert "No model" not in repr(check_missing("slow ~ Days + (1 | Subject)", words))
    nothing = repr(check_missing("Reaction ~ Days + (1 | Subject)", data.assign(Reaction=np.nan)))
    assert "No row is complete: there is nothing to fit the model to" in nothing
    assert "predict() knows" not in nothing
    assert "leave it" not in nothing


@pytest.mark.parametrize("option", ["time", "group"])
def test_lists_of_names_are_refused_where_one_is_needed(option):
    with pytest.raises(OptionError, match=f"{option}="):
        check_missing("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy(), **{option: ["Days"]})


def test_weights_that_came_as_numbers_are_named():
    data = mx.data.sleepstudy()
    weights = np.ones(len(data))
    weights[:5] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = mx.lmer("Reaction ~ Days + (1 | Subject)", data, weights=weights)
    frame = check_missing(fit, data).variables.frame.set_index("variable")
    assert frame.loc["weights (numbers)", "missing"] == 5


def test_nothing_missing_is_said():
    found = check_missing("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy(), time="Days")
    assert found.comparison is None
    assert "All 180 rows are complete" in repr(found)
    assert not found.notes


def test_time_with_many_values_is_no_occasion():
    data = mx.data.sleepstudy()
    data["when"] = np.arange(180.0)
    with pytest.raises(OptionError, match="180 different values"):
        check_missing("Reaction ~ Days + (1 | Subject)", data, time="when")


@pytest.mark.parametrize(
    ("lost", "outcome", "expected"),
    [(0.04, 0.0, "leave it"), (0.3, 0.28, "leave it"), (0.2, 0.1, "impute once")],
)
def test_advice_depends_on_what_is_lost(lost, outcome, expected):
    assert expected in loss_advice(lost, outcome)


def test_rules_of_rubin_are_those_of_mice(reference):
    """From the within and between variances that mice reports: three imputations with just these moments."""
    within, between = np.array(reference["within"]), np.array(reference["between"])
    step = np.sqrt(between * 4 / 2.5) * np.array([-1.0, -0.5, 0.0, 0.5, 1.0])[:, None]
    found = pool_estimates(np.array(reference["estimate"]) + step, np.tile(within, (5, 1)), reference["dfcom"])
    for ours, theirs in ((found.se, "se"), (found.df, "df"), (found.fmi, "fmi"), (found.p_value, "p")):
        np.testing.assert_allclose(ours, reference[theirs], rtol=EXACT)


def test_pooled_fits_are_those_of_mice(fit, tables, reference):
    found = sensitivity(fit, tables[1:], df_complete="residual")
    assert list(found.fixed.frame["name"]) == reference["names"]
    se = np.array(reference["se"])
    assert found.pooled.estimate / se == pytest.approx(np.array(reference["estimate"]) / se, abs=ESTIMATE)
    assert found.pooled.se == pytest.approx(se, rel=ESTIMATE)
    assert found.pooled.df == pytest.approx(reference["df"], rel=DF)
    assert found.pooled.fmi == pytest.approx(reference["fmi"], rel=DF)
    complete = reference["complete_cases"]
    assert found.fixed.frame["estimate"].to_numpy() / se == pytest.approx(np.array(complete["beta"]) / se, abs=ESTIMATE)


def test_degrees_of_freedom_rest_on_satterthwaite(fit, tables, reference):
    """By mice's own rules with lmerTest's degrees of freedom as those of complete data."""
    found = sensitivity(fit, tables[1:])
    expected = reference["satterthwaite"]
    assert found.pooled.df == pytest.approx(expected["df"], rel=DF)
    assert found.pooled.fmi == pytest.approx(expected["fmi"], rel=DF)
    frame = found.fixed.frame.set_index("name")
    assert frame.loc["z", "df"] < 30  # a predictor of 30 clusters


def test_variance_components_are_averaged_on_their_scales(fit, tables, reference):
    found = sensitivity(fit, tables[1:]).random.frame.set_index("name")
    sd = np.array(reference["sd"])  # lme4's order: intercept, slope, correlation, residual
    assert found.loc["sd_(Intercept)|g", "pooled"] == pytest.approx(np.exp(np.log(sd[:, 0]).mean()), rel=1e-3)
    assert found.loc["sd_time|g", "pooled"] == pytest.approx(np.exp(np.log(sd[:, 1]).mean()), rel=1e-3)
    assert found.loc["cor_time.(Intercept)|g", "pooled"] == pytest.approx(
        np.tanh(np.arctanh(sd[:, 2]).mean()), abs=1e-3
    )
    assert found.loc["sigma", "lowest"] == pytest.approx(sd[:, 3].min(), rel=1e-3)


def test_scenarios_stand_side_by_side(fit, tables):
    found = sensitivity(fit, tables[1:3], names=["low", "high"], pool=False)
    assert found.pooled is None
    assert list(found.fixed.frame.columns) == ["name", "estimate", "se", "low", "low SE", "high", "high SE"]
    assert found.fixed.frame["high"].to_numpy() == pytest.approx(found.fits[1].beta)


def test_options_of_the_fit_are_kept(tables):
    data = [table.assign(w=1.0 + table["time"], late=table["time"] > 2) for table in tables]
    with pytest.warns(MissingDataWarning):
        fit = mx.lmer(FORMULA, data[0], reml=False, weights="w", residual=mx.Residual(by="late"))
    found = sensitivity(fit, data[1])
    alone = mx.lmer(FORMULA, data[1], reml=False, weights="w", residual=mx.Residual(by="late"))
    assert found.fits[0].objective == alone.objective
    assert found.random.frame["name"].tolist()[-2:] == ["sigma late = False", "sigma late = True"]


def test_what_does_not_fit_together_is_refused(fit, tables):
    with pytest.raises(OptionError, match="names"):
        sensitivity(fit, tables[1:], names=["one"])
    with pytest.raises(OptionError, match="df_complete"):
        sensitivity(fit, tables[1], df_complete="residual")
    with pytest.raises(DataError, match="imputed: "):
        sensitivity(fit, tables[1].drop(columns="x"))
    with pytest.warns(MissingDataWarning):
        numbers = mx.lmer(FORMULA, tables[0], weights=np.ones(len(tables[0])))
    with pytest.raises(OptionError, match="came as numbers"):
        sensitivity(numbers, tables[1])


def test_tables_that_still_miss_values_are_named(fit, tables):
    again = tables[1].copy()
    again.loc[3, "x"] = np.nan
    assert "imputed 1 (1)" in " ".join(sensitivity(fit, [again, tables[2]]).fixed.notes)


def test_bases_of_columns_are_those_of_the_fit(tables):
    """A basis of its own in each table has coefficients in other units: sqrt(480 / 330) was called a change."""
    data = [table.assign(pos=(table["y"] > table["y"].median()) * 1.0) for table in tables[:3]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = mx.lmer("y ~ time + I(time**2) + x + (1 | g)", data[0], reml=False)
        poly = mx.lmer("y ~ poly(time, 2) + scale(x) + (scale(time) | g)", data[0], reml=False)
        same = mx.lmer("y ~ time + I(time**2) + x + (time | g)", data[0], reml=False)
        count = mx.glmer("pos ~ scale(x) + center(time) + (1 | g)", data[0], family="binomial")
        alone = mx.glmer("pos ~ x + time + (1 | g)", data[0], family="binomial")
    for one, other, names in (
        (poly, same, {"poly(time, 2)[2]": "I(time ** 2)", "scale(x)": "x"}),
        (count, alone, {"scale(x)": "x", "center(time)": "time"}),
    ):
        ours, theirs = sensitivity(one, data[1]), sensitivity(other, data[1])
        change = ours.fixed.frame.set_index("name")["change"]
        known = theirs.fixed.frame.set_index("name")["change"]
        assert change[list(names)].to_numpy() == pytest.approx(known[list(names.values())].to_numpy(), abs=1e-3)
        assert ours.fits[0].objective == pytest.approx(theirs.fits[0].objective, abs=1e-6)
        assert "coefficients have the same units" in " ".join(ours.fixed.notes)
        assert "coefficients have the same units" not in " ".join(theirs.fixed.notes)
    pooled = sensitivity(poly, data[1:]).fixed.frame.set_index("name")
    known = sensitivity(same, data[1:]).fixed.frame.set_index("name")
    unit = poly.fixef["scale(x)"] / same.fixef["x"]
    assert pooled.loc["scale(x)", "pooled"] == pytest.approx(unit * known.loc["x", "pooled"], rel=1e-4)
    again = sensitivity(poly, data[1]).fits[0]
    assert again.predict(data[1]) == pytest.approx(again.fitted, abs=1e-9)
    assert plain.nobs < len(data[0])


def test_values_beyond_a_spline_of_the_fit_are_refused(fit, tables):
    with pytest.warns(MissingDataWarning):
        spline = mx.lmer("y ~ bs(x, df=4) + (1 | g)", tables[0])
    known = spline.design.frame["x"]
    inside = tables[1].assign(x=tables[1]["x"].clip(known.min(), known.max()))
    assert np.isfinite(sensitivity(spline, inside).fits[0].beta).all()
    with pytest.raises(DataError, match="with the columns of the fit, values beyond the range of the fit"):
        sensitivity(spline, inside.assign(x=inside["x"] + np.where(tables[0]["x"].isna(), 100.0, 0.0)))


def test_what_is_no_fit_or_no_imputed_table_is_refused(fit, tables):
    for thing in (None, "y ~ x", tables[0], [fit], 3):
        with pytest.raises(OptionError, match=r"sensitivity\(\) got"):
            sensitivity(thing, tables[1])
    with pytest.raises(DataError, match="fewer than"):
        sensitivity(fit, tables[1].head(fit.nobs - 1))
    some = sensitivity(fit, tables[1].head(fit.nobs))
    assert "the change is also one of rows" in " ".join(some.fixed.notes)
    assert "the change is also one of rows" not in " ".join(sensitivity(fit, tables[1]).fixed.notes)
    with pytest.warns(MissingDataWarning):
        scaled = mx.lmer("scale(y) ~ x + (1 | g)", tables[0])
    with pytest.raises(OptionError, match=r"the response scale\(y\)"):
        sensitivity(scaled, tables[1])
