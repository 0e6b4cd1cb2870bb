"""F tables against lmerTest and pbkrtest, and what they must be whatever the coding; comparison of mixed models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import DataError, OptionError, UnsupportedModelError
from mixsem.mixed.inference.f_tables import f_table
from mixsem.mixed.inference.hypotheses import sequential, type_2, type_3

from .references import DF_RELATIVE, LOGLIK, cases, load, table
from .test_lme4 import fitted

#: Relative, of F and sums of squares: quotients of squares that agree to 1e-5.
F_RELATIVE = 1e-4
#: Relative, of tests of the same hypothesis written with other contrasts: rounding and two optima.
SAME = 1e-5
#: Relative, of numbers that R printed.
PRINTED = 1e-5

TABLES = [
    (case, method, number)
    for case in cases()
    for method in ("satterthwaite", "kenward_roger")
    for number in (1, 3)
    if ((case.numbers.get("tests") or {}).get(method, {}).get(f"anova_type_{number}") or {}).get("row")
]


@pytest.mark.parametrize(("case", "method", "number"), TABLES, ids=lambda value: str(value))
def test_terms(case, method, number):
    expected = table(case.numbers["tests"][method][f"anova_type_{number}"]).astype(float)
    found = f_table(fitted(case), number, method.replace("_", "-")).frame
    assert len(found) == len(expected)
    assert list(found["num_df"]) == list(expected["num_df"])
    for name in ("sum_sq", "mean_sq", "F"):
        np.testing.assert_allclose(found[name], expected[name], rtol=F_RELATIVE)
    np.testing.assert_allclose(found["den_df"], expected["den_df"], rtol=DF_RELATIVE)
    np.testing.assert_allclose(found["p_value"], expected["p"], rtol=DF_RELATIVE, atol=1e-6)


def test_there_were_many():
    assert len(TABLES) >= 150
    assert sum(len(table(c.numbers["tests"][m][f"anova_type_{n}"])) > 3 for c, m, n in TABLES) >= 8


# --- type II: lmerTest's anova(lmer(y ~ A * C + poly(x, 2) + z + two + (1 | g)), type = 2) ---------------------------


def test_type_2_against_lmertest():
    data = cases("three_way")[0].data
    fit = mx.lmer("y ~ A * C + poly(x, 2) + z + two + (1 | g)", data.assign(two=1.0 * (data["z"] > 0.4)))
    found = f_table(fit, "II").frame.set_index("term")
    expected = {
        "A": (8.65165, 1, 173.65918),
        "C": (2.30571, 2, 173.68877),
        "poly(x, 2)": (6.97220, 2, 172.63443),
        "z": (1.00090, 1, 175.77927),
        "two": (0.05363, 1, 178.16136),
        "A:C": (0.08389, 2, 174.33385),
    }
    assert list(found.index) == list(expected)
    for term, (F, q, df) in expected.items():
        assert found.loc[term, "F"] == pytest.approx(F, abs=6e-6)  # digits printed
        assert (found.loc[term, "num_df"], found.loc[term, "den_df"]) == (q, pytest.approx(df, rel=PRINTED))
    adjusted = f_table(fit, 2, "kenward-roger").frame["F"]
    assert list(adjusted) == pytest.approx([8.62451, 2.29860, 6.95141, 0.99627, 0.05330, 0.08362], abs=6e-6)


def test_type_2_with_numbers_that_interact():
    """A number is not contained in its product with another number, but in that with a factor."""
    found = f_table(mx.lmer("y ~ A * x + z * x + (1 | g)", cases("three_way")[0].data), 2).frame
    assert list(found["F"]) == pytest.approx([5.14328, 1.27103, 1.55896, 42.28339, 0.13122], abs=6e-6)


# --- what holds whatever the coding ----------------------------------------------------------------------------------


@pytest.mark.parametrize("contrast", ["contr.sum", "contr.helmert", "contr.poly", "contr.treatment('q')"])
@pytest.mark.parametrize("rest", ["", " * x"])
def test_type_3_does_not_depend_on_contrasts(contrast, rest):
    data = cases("three_way")[0].data.rename(columns={"C": "D"})
    usual = f_table(mx.lmer(f"y ~ A * D{rest} + (1 | g)", data)).frame
    other = f_table(mx.lmer(f"y ~ C(A, {contrast}) * D{rest} + (1 | g)", data)).frame
    assert [t.replace(f"C(A, {contrast})", "A") for t in other["term"]] == list(usual["term"])
    np.testing.assert_allclose(other["F"], usual["F"], rtol=SAME)
    np.testing.assert_allclose(other["den_df"], usual["den_df"], rtol=SAME)


def test_type_3_is_the_wald_test_of_sum_contrasts():
    data = cases("unbalanced_cells")[0].data
    fit = mx.lmer("y ~ C(A, contr.sum) * C(B, contr.sum) + (1 | g)", data)
    by_hand = mx.contrast(fit, np.eye(6)[[1, 2]]).joint
    found = f_table(mx.lmer("y ~ A * B + (1 | g)", data)).frame.iloc[0]
    assert found["F"] == pytest.approx(by_hand.F, rel=SAME)


def test_main_effects_of_type_3_are_differences_of_marginal_means():
    data = cases("unbalanced_cells")[0].data
    fit = mx.lmer("y ~ A * B + (1 | g)", data)
    (difference,) = mx.emmeans(fit, "B", contrasts="pairwise").contrasts.frame["t"]
    found = f_table(fit).frame.set_index("term")
    assert found.loc["B", "F"] == pytest.approx(difference**2, rel=1e-9)
    hypothesis = type_3(fit.design)["B"][0]
    np.testing.assert_allclose(hypothesis / hypothesis[3], [0, 0, 0, 1, 1 / 3, 1 / 3], atol=1e-12)


def test_all_types_agree_for_one_term_and_for_the_last():
    fit = mx.lmer("y ~ A * B + (1 | g)", cases("unbalanced_cells")[0].data)
    last = [f_table(fit, number).frame.iloc[-1]["F"] for number in (1, 2, 3)]
    assert last == pytest.approx([last[0]] * 3, rel=1e-9)
    first = [hypotheses(fit.design)["A"] for hypotheses in (sequential, type_2, type_3)]
    assert not np.allclose(first[0], first[1])
    assert not np.allclose(first[1], first[2])


def test_sequential_tests_follow_the_order_of_the_formula():
    data = cases("unbalanced_cells")[0].data
    one, other = (f_table(mx.lmer(f"y ~ {terms} + (1 | g)", data), 1).frame for terms in ("A + B", "B + A"))
    assert one["F"][1] == pytest.approx(f_table(mx.lmer("y ~ A + B + (1 | g)", data), 2).frame["F"][1], rel=1e-9)
    assert one["F"][1] != pytest.approx(other["F"][0], rel=1e-3)


def test_empty_cells():
    data = cases("unbalanced_cells")[0].data
    data = data[~((data["A"] == "top") & (data["B"] == "yes"))]
    with pytest.warns(mx.errors.RankDeficiencyWarning):
        fit = mx.lmer("y ~ A * B + (1 | g)", data)
    found = f_table(fit)
    assert list(found.frame["num_df"]) == [2, 1, 1]
    assert np.isfinite(found.frame["F"]).all()
    assert "cells are empty" in repr(found)
    assert "sum to zero)" in repr(found)  # as car has them; no longer said of these
    assert "factors with contrasts" not in repr(found)
    means = mx.emmeans(fit, "A * B").frame
    assert means["estimate"].isna().sum() == 1
    assert list(means.loc[means["estimate"].isna(), ["A", "B"]].iloc[0]) == ["top", "yes"]


EMPTY = load("empty_cells")


@pytest.mark.filterwarnings("ignore::mixsem.errors.RankDeficiencyWarning")
@pytest.mark.parametrize("formula", EMPTY)
@pytest.mark.parametrize("levels", [["low", "mid", "top"], ["top", "mid", "low"]], ids=["as in R", "turned"])
def test_empty_cells_are_as_in_lmer_test(formula, levels):
    data = cases("unbalanced_cells")[0].data
    data = data[~((data["A"] == "top") & (data["B"] == "yes"))].reset_index(drop=True)
    data = data.assign(x=(np.arange(1, len(data) + 1) * 7) % 11.0, A=pd.Categorical(data["A"], levels))
    found, expected = f_table(mx.lmer(formula, data)).frame.set_index("term"), EMPTY[formula]
    at = expected["row"]
    assert set(found.index) == set(at)
    found = found.loc[at]
    assert found["num_df"].tolist() == expected["NumDF"]
    assert found["F"].tolist() == pytest.approx(expected["F value"], rel=F_RELATIVE)
    assert found["den_df"].tolist() == pytest.approx(expected["DenDF"], rel=DF_RELATIVE)


@pytest.mark.filterwarnings("ignore::mixsem.errors.RankDeficiencyWarning")
def test_empty_cells_without_a_main_effect_do_not_depend_on_the_first_level():
    # lmerTest does not see that A is in A:B here, and tests B at the first level of A
    data = cases("unbalanced_cells")[0].data
    data = data[~((data["A"] == "top") & (data["B"] == "yes"))]
    F = [
        f_table(mx.lmer("y ~ B + A:B + (1 | g)", data.assign(A=pd.Categorical(data["A"], levels)))).frame["F"].tolist()
        for levels in (["low", "mid", "top"], ["top", "low", "mid"])
    ]
    assert F[0] == pytest.approx(F[1], rel=1e-9)


def test_chi_square_without_degrees_of_freedom():
    fit = mx.lmer("y ~ A * B + (1 | g)", cases("unbalanced_cells")[0].data)
    found = f_table(fit, ddf="none").frame
    assert list(found.columns) == ["term", "chisq", "num_df", "p_value"]
    np.testing.assert_allclose(found["chisq"], f_table(fit).frame["F"] * found["num_df"])


@pytest.mark.parametrize("type", [4, "three", True, None])
def test_other_types_are_refused(type):
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy())
    with pytest.raises(OptionError, match="1, 2 or 3"):
        mx.anova(fit, type=type)


# --- comparison ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sleep() -> dict[str, mx.MixedFit]:
    data = mx.data.sleepstudy()
    bars = {"one": "Days + (1 | Subject)", "two": "Days + (Days | Subject)", "none": "1 + (Days | Subject)"}
    return {name: mx.lmer(f"Reaction ~ {bar}", data) for name, bar in bars.items()}


def test_anova_of_one_mixed_model_is_its_f_table(sleep):
    assert mx.anova(sleep["two"]).frame.equals(f_table(sleep["two"]).frame)
    assert mx.anova(sleep["two"], type=1, ddf="none").type == 1


def test_same_fixed_part_keeps_reml(sleep):
    found = mx.anova(sleep["two"], sleep["one"], names=("slopes", "intercepts"))
    assert list(found.frame["model"]) == ["intercepts", "slopes"]
    expected = sleep["one"].objective - sleep["two"].objective
    assert found.frame["chisq"][1] == pytest.approx(expected)
    assert found.frame["df_diff"][1] == 2
    assert "REML" in repr(found)
    assert "too large" in repr(found)


def test_different_fixed_parts_are_refitted_by_maximum_likelihood(sleep):
    found = mx.anova(sleep["two"], sleep["none"])
    large, small = ({c.model: c for c in cases("sleepstudy") if not c.reml}[name] for name in ("slope", "null_fixed"))
    expected = small.numbers["objective"] - large.numbers["objective"]
    assert found.frame["chisq"][1] == pytest.approx(expected, abs=4 * LOGLIK)
    assert list(found.frame["n_params"]) == [5, 6]
    assert "Refitted by maximum likelihood" in repr(found)
    assert all(not fit.reml for fit in found.fits)


def test_against_lme4s_table():
    data = cases("three_way")[0].data
    data = data.assign(two=1.0 * (data["z"] > 0.4))
    large = mx.lmer("y ~ A * C + poly(x, 2) + z + two + (1 | g)", data)
    small = mx.lmer("y ~ A * C + x + z + two + (1 | g)", data)
    found = mx.anova(large, small).frame
    assert list(found["aic"]) == pytest.approx([686.69752, 685.01922], abs=1e-5)
    assert list(found["bic"]) == pytest.approx([722.97901, 724.59903], abs=1e-5)
    assert found["chisq"][1] == pytest.approx(3.6783, abs=5e-5)
    assert found["p_value"][1] == pytest.approx(0.055125, abs=5e-7)


def test_models_that_are_not_nested_are_not_tested(sleep):
    data = mx.data.sleepstudy()
    other = mx.lmer("Reaction ~ I(Days ** 2) + I(Days ** 3) + (1 | Subject)", data, reml=False)
    found = mx.anova(other, mx.lmer("Reaction ~ Days + (1 | Subject)", data, reml=False))
    assert found.frame["p_value"].isna().all()
    assert "not within" in repr(found)


def test_other_data_are_refused(sleep):
    data = mx.data.sleepstudy()
    with pytest.raises(DataError, match="180 rows"):
        mx.anova(sleep["one"], mx.lmer("Reaction ~ Days + (1 | Subject)", data[data["Days"] > 0]))
    with pytest.raises(DataError, match="responses"):
        mx.anova(sleep["one"], mx.lmer("np.log(Reaction) ~ Days + (1 | Subject)", data))
    with pytest.raises(DataError, match="weights"):
        mx.anova(sleep["one"], mx.lmer("Reaction ~ Days + (1 | Subject)", data, weights=np.arange(1.0, 181.0)))
    # weights of 1 are none
    equal = mx.lmer("Reaction ~ Days + (Days | Subject)", data, weights=np.ones(180))
    assert mx.anova(sleep["one"], equal).frame["chisq"][1] > 40


def test_fits_of_several_kinds_and_options_of_others_are_refused(sleep):
    with pytest.raises(OptionError, match="one kind"):
        mx.anova(sleep["one"], "a text")
    with pytest.raises(OptionError, match="method="):
        mx.anova(sleep["one"], method="standard")
    with pytest.raises(OptionError, match="ddf="):
        mx.anova(sleep["one"], sleep["two"], ddf="kenward-roger")
    with pytest.raises(OptionError, match="names="):
        mx.anova(sleep["one"], names=("a",))
    with pytest.raises(UnsupportedModelError):
        mx.anova("a text")
