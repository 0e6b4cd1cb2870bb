"""Marginal means, slopes and comparisons against the R package emmeans."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import mixsem as mx
from mixsem.errors import MixsemError, OptionError
from mixsem.mixed.inference.multiplicity import critical_values

from .references import DF_RELATIVE, FIXEF_RELATIVE, cases, table
from .test_lme4 import fitted

#: Relative, of numbers that R printed with ten digits, at this package's own optimum.
PRINTED = 1e-6
#: Relative, of quantiles of the studentized range by interpolation.
INTERPOLATED = 2e-6
#: Absolute, of Tukey's p-values: R's `ptukey` and SciPy's `studentized_range` are good to 1e-8.
TUKEY = 1e-5
#: Relative, of a difference quotient with one step of 1e-5 days against a slope: its error is the step's times the
#: second derivative.
ONE_SIDED = 1e-3

MEANS = [
    (case, means["specs"], method)
    for case in cases()
    for means in case.numbers.get("means") or ()
    for method in ("satterthwaite", "kenward_roger")
    if "error" not in means.get(method, {"error": ""})
]


@pytest.mark.parametrize(("case", "specs", "method"), MEANS, ids=lambda value: str(value))
def test_means_and_pairs(case, specs, method):
    (stored,) = [means[method] for means in case.numbers["means"] if means["specs"] == specs]
    means, pairs = table(stored["means"]), table(stored["pairs"])
    fit, ddf = fitted(case), method.replace("_", "-")
    found = mx.emmeans(fit, specs, ddf=ddf, contrasts="pairwise", adjust="none")
    factors = [name for name in means if name in case.data]
    assert found.frame[factors].astype(str).to_numpy().tolist() == means[factors].astype(str).to_numpy().tolist()
    compare(found.frame, means, {"estimate": "emmean", "lower": "lower.CL", "upper": "upper.CL"})
    ours = found.contrasts.frame
    compare(ours, pairs, {"estimate": "estimate", "lower": "lower.CL", "upper": "upper.CL"})
    np.testing.assert_allclose(ours["t"], pairs["t.ratio"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours["p_value"], pairs["p.value"], rtol=DF_RELATIVE, atol=1e-6)
    tukey = mx.emmeans(fit, specs, ddf=ddf, contrasts="pairwise").contrasts.frame
    np.testing.assert_allclose(tukey["p_value"], np.array(stored["tukey_p"], float), rtol=0, atol=TUKEY)


def compare(found, expected, columns):
    np.testing.assert_allclose(found["df"], expected["df"], rtol=DF_RELATIVE)
    np.testing.assert_allclose(found["se"], expected["SE"], rtol=FIXEF_RELATIVE)
    for ours, theirs in columns.items():
        gap = np.abs(found[ours] - expected[theirs].astype(float)) / found["se"]
        assert gap.max() < 1e-4


def test_there_were_many():
    assert len(MEANS) >= 25
    assert any("|" in specs for _, specs, _ in MEANS)


# --- numbers printed by emmeans for three_way, lmer.df = "satterthwaite" ---------------------------------------------


@pytest.fixture(scope="module")
def slopes() -> mx.MixedFit:
    return mx.lmer("y ~ A * C * x + (1 | g)", cases("three_way")[0].data)


@pytest.fixture(scope="module")
def curved() -> mx.MixedFit:
    data = cases("three_way")[0].data
    return mx.lmer("y ~ A * C + poly(x, 2) + z + two + (1 | g)", data.assign(two=1.0 * (data["z"] > 0.4)))


def check(frame, estimate, se, df):
    np.testing.assert_allclose(frame["estimate"], estimate, rtol=PRINTED)
    np.testing.assert_allclose(frame["se"], se, rtol=PRINTED)
    np.testing.assert_allclose(frame["df"], df, rtol=0, atol=0.0051)  # printed with two decimals


def test_slopes_are_emtrends(slopes):
    """emtrends(m, ~ A | C, var = "x"), and its pairs."""
    found = mx.emmeans(slopes, "A | C", slope="x").frame
    estimate = [-0.1064044880, 1.2042916024, 0.1138161978, 1.4785467344, -0.0264121768, 0.8509365443]
    se = [0.1462784190, 0.2798077729, 0.1760643813, 0.2641355473, 0.1815429772, 0.2885616407]
    check(found, estimate, se, [171.41, 174.01, 173.72, 172.36, 172.43, 171.46])
    pairs = mx.emmeans(slopes, "C", slope="x", contrasts="pairwise").contrasts.frame
    assert list(pairs["contrast"]) == ["t - u", "t - v", "u - v"]
    check(
        pairs,
        [-0.2472379089, 0.1366813734, 0.3839192823],
        [0.2264903877, 0.2304321951, 0.2319508892],
        [174.36, 171.48, 171.81],
    )
    np.testing.assert_allclose(pairs["p_value"], [0.5205, 0.8240, 0.2256], atol=5e-5)


def test_the_slope_of_a_parabola_is_its_derivative(curved):
    """emtrends takes a one-sided difference, which is off by half its step times the second derivative."""
    step = 0.01
    at = [mx.emmeans(curved, "1", at={"x": 0.5 + s}).frame["estimate"][0] for s in (-step, step)]
    found = mx.emmeans(curved, "1", slope="x", at={"x": 0.5}).frame["estimate"][0]
    assert found == pytest.approx((at[1] - at[0]) / (2 * step), rel=1e-8)
    assert found == pytest.approx(0.4108083443, rel=5e-3)


def test_numbers_with_two_values_are_factors(curved):
    """emmeans averages over the values 0 and 1 of `two`."""
    found = mx.emmeans(curved, "C")
    check(
        found.frame,
        [2.008625282, 2.231907427, 2.434911060],
        [0.2569730585, 0.2909784297, 0.2703964935],
        [28.44, 44.99, 34.38],
    )
    assert "A, two" in repr(found)
    assert "z = " in repr(found)


def test_proportional_weights(curved):
    found = mx.emmeans(curved, "C", weights="proportional").frame
    se = [0.2520704398, 0.2783532575, 0.2615119171]
    check(found, [1.904779336, 2.101838623, 2.340307597], se, [26.33, 38.31, 30.33])


def test_at(curved):
    found = mx.emmeans(curved, "A", at={"z": 1, "C": ["t", "u"]}).frame
    check(found, [2.102347763, 2.702345916], [0.4095179007, 0.4192145327], [120.03, 127.08])
    found = mx.emmeans(curved, "z | A", at={"z": [-1, 1]}).frame
    assert list(found["z"]) == [-1, 1, -1, 1]
    estimate = [1.105431215, 2.227927398, 1.664033234, 2.786529417]
    check(
        found,
        estimate,
        [0.8350438466, 0.4033150126, 0.8614756377, 0.4014785533],
        [189.77, 115.10, 189.73, 116.66],
    )


@pytest.mark.parametrize(
    ("contrasts", "adjust", "estimate", "p"),
    [
        ("reference", "holm", [0.2232821449, 0.4262857775], [0.3486, 0.1042]),
        ("reference", None, [0.2232821449, 0.4262857775], [0.3486, 0.1042]),
        ("consecutive", "bonferroni", [0.2232821449, 0.2030036327], [0.6972, 0.8236]),
        ("pairwise", None, [-0.2232821449, -0.4262857775, -0.2030036327], [0.6158, 0.1264, 0.6895]),
    ],
)
def test_comparisons(curved, contrasts, adjust, estimate, p):
    found = mx.emmeans(curved, "C", contrasts=contrasts, adjust=adjust).contrasts.frame
    np.testing.assert_allclose(found["estimate"], estimate, rtol=PRINTED)
    np.testing.assert_allclose(found["p_value"], p, atol=5e-5)


def test_simultaneous_limits(curved):
    tukey = mx.emmeans(curved, "C", contrasts="pairwise").contrasts.frame
    np.testing.assert_allclose(tukey["lower"], [-0.7848812158, -0.9415404621, -0.7863351280], rtol=PRINTED)
    bonferroni = mx.emmeans(curved, "C", contrasts="consecutive", adjust="bonferroni").contrasts.frame
    np.testing.assert_allclose(bonferroni["upper"], [0.7604167343, 0.7609240385], rtol=PRINTED)


def test_each_condition_is_a_family(curved):
    found = mx.emmeans(curved, "C | A", contrasts="pairwise").contrasts.frame
    assert list(found["A"]) == ["p"] * 3 + ["q"] * 3
    np.testing.assert_allclose(found["p_value"], [0.8391, 0.1588, 0.5282, 0.7270, 0.5091, 0.9644], atol=5e-5)
    six = mx.emmeans(curved, "A * C", contrasts="pairwise").contrasts.frame
    assert list(six["contrast"][:3]) == ["p t - q t", "p t - p u", "p t - q u"]
    np.testing.assert_allclose(six["p_value"][:5], [0.4517, 0.9932, 0.1718, 0.4411, 0.0411], atol=5e-5)


def test_many_quantiles_are_interpolated():
    df = np.linspace(6.0, 60.0, 8)
    found = critical_values(0.95, df, "tukey", 4, 6)
    exact = [stats.studentized_range.ppf(0.95, 4, v) / np.sqrt(2) for v in df[[0, 3, 7]]]
    np.testing.assert_allclose(found[[0, 3, 7]], exact, rtol=INTERPOLATED)
    z = critical_values(0.95, np.array([np.inf, np.nan]), "tukey", 3, 3)
    assert z[0] == pytest.approx(2.343701, abs=1e-6)  # R: qtukey(0.95, 3, Inf) / sqrt(2)
    assert np.isnan(z[1])


# --- without R --------------------------------------------------------------------------------------------------------


def test_the_overall_mean_of_a_model_without_predictors():
    fit = mx.lmer("Reaction ~ 1 + (1 | Subject)", mx.data.sleepstudy())
    found = mx.emmeans(fit, "1").frame
    assert found["estimate"][0] == pytest.approx(fit.fixef.iloc[0])
    assert found["mean"][0] == "overall"


def test_offsets_are_in_the_means():
    data = mx.data.sleepstudy()
    data = data.assign(off=5.0 * data["Days"], f=np.where(data["Days"] > 4, "late", "early"))
    plain = mx.lmer("I(Reaction - off) ~ f + (1 | Subject)", data)
    named = mx.lmer("Reaction ~ f + offset(off) + (1 | Subject)", data)
    given = mx.lmer("Reaction ~ f + (1 | Subject)", data, offset=data["off"].to_numpy())
    expected = mx.emmeans(plain, "f").frame
    for fit in (named, given):
        found = mx.emmeans(fit, "f", contrasts="pairwise")
        np.testing.assert_allclose(found.frame["estimate"], expected["estimate"] + 22.5, rtol=1e-7)
        np.testing.assert_allclose(found.frame["t"], found.frame["estimate"] / found.frame["se"])
        assert found.contrasts.frame["estimate"][0] == pytest.approx(expected["estimate"].diff().iloc[1] * -1, rel=1e-6)


def test_means_do_not_depend_on_contrasts_of_the_fit():
    data = cases("unbalanced_cells")[0].data
    one = mx.emmeans(mx.lmer("y ~ A * B + (1 | g)", data), "A").frame
    other = mx.emmeans(mx.lmer("y ~ C(A, contr.sum) * C(B, contr.helmert) + (1 | g)", data), "A").frame
    np.testing.assert_allclose(one[["estimate", "se"]], other[["estimate", "se"]], rtol=1e-6)


def test_z_and_kinds_of_columns():
    fit = mx.lmer("Reaction ~ late + (1 | Subject)", mx.data.sleepstudy().assign(late=lambda d: d["Days"] > 4))
    found = mx.emmeans(fit, "late", ddf="none", contrasts="pairwise")
    assert list(found.frame["late"]) == [False, True]
    assert "z" in found.frame
    assert "df" not in found.contrasts.frame
    assert found.contrasts.frame["estimate"][0] == pytest.approx(-fit.fixef.iloc[1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"specs": "D"}, "no variable"),
        ({"specs": ("A", "A")}, "twice"),
        ({"at": {"q": 1}}, "does not have"),
        ({"at": {"A": "r"}}, "'p', 'q'"),
        ({"at": {"x": "one"}}, "finite"),
        ({"slope": "A"}, "numeric"),
        ({"weights": "cells"}, "proportional"),
        ({"contrasts": "all"}, "pairwise"),
        ({"contrasts": "reference", "adjust": "tukey"}, "holm"),
        ({"contrasts": "pairwise", "adjust": "sidak"}, "bonferroni"),
        ({"contrasts": "pairwise", "specs": "1"}, "two means"),
        ({"level": 0}, "between 0 and 1"),
    ],
)
def test_options_that_are_refused(slopes, options, words):
    with pytest.raises(OptionError, match=words):
        mx.emmeans(slopes, **{"specs": "A", **options})


def test_slopes_at_the_ends_of_a_spline_step_inwards():
    """Against the slope of the spline's polynomial pieces, by quotients just inside."""
    data = sleepstudy_of_two_groups()
    fit = mx.lmer("Reaction ~ bs(Days, df=4) + (1 | Subject)", data)
    found = mx.emmeans(fit, "Days", slope="Days", at={"Days": [0, 4, 9]}).frame["estimate"]
    for at, inside, value in ((0, 1e-5, found[0]), (4, 1e-5, found[1]), (9, -1e-5, found[2])):
        means = mx.emmeans(fit, "Days", at={"Days": [at, at + inside]}).frame["estimate"]
        assert value == pytest.approx((means[1] - means[0]) / inside, rel=ONE_SIDED)
    with pytest.raises(MixsemError):
        mx.emmeans(fit, "Days", slope="Days", at={"Days": [9.5]})


def test_slopes_of_parabolas_are_exact_at_the_ends():
    fit = mx.lmer("Reaction ~ Days + I(Days**2) + (1 | Subject)", sleepstudy_of_two_groups())
    found = mx.emmeans(fit, "Days", slope="Days", at={"Days": [0, 4, 9, 20]}).frame["estimate"]
    np.testing.assert_allclose(found, fit.beta[1] + 2 * fit.beta[2] * np.array([0, 4, 9, 20]), rtol=1e-8)


def sleepstudy_of_two_groups():
    data = mx.data.sleepstudy()
    return data.assign(half=np.where(data["Subject"].astype(int) % 2, "odd", "even"))


@pytest.mark.parametrize(
    ("formula", "specs", "options", "said"),
    [
        ("Reaction ~ half + Days + (1 | Subject)", "half", {}, None),
        ("Reaction ~ half * Days + (1 | Subject)", "half", {}, "half interacts with Days"),
        ("Reaction ~ half : Days + (1 | Subject)", "half", {}, "half interacts with Days"),
        ("Reaction ~ half * Days + (1 | Subject)", "half", {"at": {"Days": 0}}, None),
        ("Reaction ~ half * C(Days) + (1 | Subject)", "half | Days", {}, None),
        ("Reaction ~ half * C(Days) + (1 | Subject)", "half", {}, "half interacts with Days"),
        ("Reaction ~ half * Days + (1 | Subject)", "1", {"slope": "Days"}, "Days interacts with half"),
        ("Reaction ~ half * Days + (1 | Subject)", "half", {"slope": "Days"}, None),
    ],
)
def test_means_of_variables_in_interactions_are_marked(formula, specs, options, said):
    notes = " ".join(mx.emmeans(mx.lmer(formula, sleepstudy_of_two_groups()), specs, **options).notes)
    assert ("may mislead" in notes) == (said is not None)
    assert said is None or said in notes


@pytest.mark.parametrize(
    ("response", "said"),
    [("Reaction", None), ("log(Reaction)", "On the scale of log(Reaction), not on that of Reaction.")],
)
def test_a_transformed_response_is_said(response, said):
    found = mx.emmeans(
        mx.lmer(f"{response} ~ half + (1 | Subject)", sleepstudy_of_two_groups()), "half", contrasts="pairwise"
    )
    for shown in (found, found.contrasts):
        assert [note for note in shown.notes if "scale" in note] == ([] if said is None else [said])


@pytest.mark.filterwarnings("ignore::mixsem.errors.RankDeficiencyWarning")
def test_what_the_data_do_not_determine_has_no_degrees_of_freedom():
    data = sleepstudy_of_two_groups()
    data = data.assign(late=np.where(data["Days"] > 4, "late", "early"))
    fit = mx.lmer("Reaction ~ half * late + (1 | Subject)", data[(data["half"] == "odd") | (data["late"] == "early")])
    frame = mx.emmeans(fit, ("half", "late")).frame
    assert frame["estimate"].isna().sum() == 1
    assert frame.loc[frame["estimate"].isna(), ["se", "df", "lower"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("specs", "options"), [(3, {}), ("", {}), ("| half", {}), ("half |", {}), ([1], {}), ("half", {"at": 5})]
)
def test_wrong_types_are_refused(specs, options):
    fit = mx.lmer("Reaction ~ half + Days + (1 | Subject)", sleepstudy_of_two_groups())
    with pytest.raises(OptionError):
        mx.emmeans(fit, specs, **options)


def test_without_fixed_effects_there_are_no_means():
    with pytest.raises(OptionError, match="without fixed effects"):
        mx.emmeans(mx.lmer("Reaction ~ 0 + (1 | Subject)", mx.data.sleepstudy()), "1")


def test_comparisons_of_booleans_are_labelled_as_their_means():
    data = mx.data.sleepstudy().assign(late=lambda frame: frame["Days"] > 4)
    found = mx.emmeans(mx.lmer("Reaction ~ late + (1 | Subject)", data), "late", contrasts="pairwise")
    assert found.contrasts.frame["contrast"].tolist() == ["no - yes"]


def test_what_was_given_is_quoted_briefly():
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy())
    for call in (lambda: mx.emmeans(fit, fit), lambda: mx.explain(fit), lambda: mx.supported_model(fit, {})):
        with pytest.raises(OptionError, match="MixedFit") as raised:
            call()
        assert len(str(raised.value)) < 400
