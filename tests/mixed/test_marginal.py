"""Alternatives to mixed models beside R: clubSandwich, sandwich, plm, geepack, lme4."""

from __future__ import annotations

import json
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.data import sleepstudy
from mixsem.errors import DataError, ModelError, OptionError
from mixsem.mixed.marginal import cluster_robust, gee, within, within_between
from mixsem.mixed.marginal.sandwich import KINDS

#: Relative: closed forms on both sides, so that rounding is all that differs (clubSandwich takes roots of larger,
#: nearly singular matrices).
CLOSED = 1e-8
#: Relative: both iterate until steps are 1e-12.
ITERATED = 1e-8
#: Relative to the standard error: lme4 stops where the criterion is flat to 1e-9, theta is then good to 1e-5, and
#: coefficients depend on the square of its error, standard errors and the Wald test linearly.
LME4, LME4_LINEAR = 1e-6, 1e-5


@lru_cache
def reference() -> dict[str, Any]:
    path = Path(__file__).parents[1] / "reference" / "mixed" / "marginal.json"
    return json.loads(path.read_text(encoding="utf-8"))


def data_of(case: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(reference()["data"][case["set"]])


def cases(part: str) -> list[Any]:
    return [pytest.param(case, id=f"{part}-{i}-{case['set']}") for i, case in enumerate(reference()[part])]


def values(numbers: dict[str, float]) -> np.ndarray:
    return np.array(list(numbers.values()))


# ---- cluster-robust ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", cases("robust"))
def test_robust_errors_are_those_of_club_sandwich(case: dict[str, Any], kind: Any) -> None:
    known = case["kinds"][kind]
    found = cluster_robust(
        case["formula"], data_of(case), cluster=case["cluster"], kind=kind, weights=case["weights"], df="satterthwaite"
    )
    np.testing.assert_allclose(found.frame["estimate"], values(case["beta"]), rtol=CLOSED)
    np.testing.assert_allclose(found.frame["se"], known["se"], rtol=CLOSED)
    np.testing.assert_allclose(found.frame["df"], known["df"], rtol=CLOSED)
    np.testing.assert_allclose(found.frame["p_value"], known["p"], rtol=1e3 * CLOSED, atol=1e-12)
    np.testing.assert_allclose(np.sqrt(np.diagonal(found.vcov)), known["se"], rtol=CLOSED)


@pytest.mark.parametrize("case", cases("robust"))
def test_stata_kind_is_sandwich_default_with_clusters_less_one(case: dict[str, Any]) -> None:
    found = cluster_robust(
        case["formula"], data_of(case), cluster=case["cluster"], kind="CR1S", weights=case["weights"]
    )
    np.testing.assert_allclose(found.frame["se"], case["vcovCL"], rtol=CLOSED)
    np.testing.assert_allclose(found.frame["p_value"], case["kinds"]["CR1S"]["p_naive"], rtol=1e3 * CLOSED, atol=1e-12)
    assert (found.frame["df"] == found.n_clusters - 1).all()


@pytest.mark.parametrize("case", [c for c in cases("robust") if c.values[0]["inverse"]])
def test_weights_as_inverse_variances(case: dict[str, Any]) -> None:
    found = cluster_robust(
        case["formula"], data_of(case), cluster=case["cluster"], weights=case["weights"], target="weights"
    )
    np.testing.assert_allclose(found.frame["se"], case["inverse"]["se"], rtol=CLOSED)
    np.testing.assert_allclose(found.frame["df"], case["inverse"]["df"], rtol=CLOSED)


def test_a_cluster_that_determines_a_coefficient_alone_has_no_part_in_it() -> None:
    """The pseudo-inverse of Pustejovsky & Tipton: dummies for all clusters leave the others' errors as they are."""
    case = reference()["within"][1]
    text = case["formula"].replace("ses:treat", "ses:treat + C(school)")
    found = cluster_robust(text, data_of(case), cluster="school").frame.set_index("name")
    np.testing.assert_allclose(found.loc[list(case["beta"]), "se"], case["cr2_lm"]["se"], rtol=CLOSED)
    np.testing.assert_allclose(found.loc[list(case["beta"]), "df"], case["cr2_lm"]["df"], rtol=CLOSED)


def test_units_and_order_of_rows_do_not_matter() -> None:
    frame = data_of(reference()["robust"][2])
    plain = cluster_robust("y ~ ses + girl", frame, cluster="school")
    other = frame.assign(ses=frame["ses"] * 1e6 + 1e8).sample(frac=1.0, random_state=1)
    moved = cluster_robust("y ~ ses + girl", other, cluster="school")
    assert moved.frame["df"][1] == pytest.approx(plain.frame["df"][1], rel=1e-6)  # digits lost to the shift
    assert moved.frame["t"][1] == pytest.approx(plain.frame["t"][1], rel=1e-6)


def test_few_clusters_and_low_df_are_said() -> None:
    frame = data_of(reference()["robust"][2])
    notes = " ".join(cluster_robust("y ~ treat + ses", frame, cluster="school").notes)
    assert "12 clusters are few" in notes
    assert "CR2 with Satterthwaite's degrees of freedom is made for that" in notes
    assert "prefer kind='CR2'" in " ".join(cluster_robust("y ~ ses", frame, cluster="school", kind="CR0").notes)
    five = cluster_robust("y ~ treat + ses", frame[frame["school"] <= 5], cluster="school")
    assert "Degrees of freedom below 4 for" in " ".join(five.notes)
    assert "few clusters tell of" in " ".join(five.notes)


def test_what_one_cluster_alone_determines_is_said() -> None:
    frame = data_of(reference()["robust"][2])
    frame["last"] = (frame["school"] == 12) * 1.0
    found = cluster_robust("y ~ ses + last", frame, cluster="school")
    assert "No standard error for last: a single level of school determines it" in " ".join(found.notes)
    assert np.isnan(found.frame[["se", "df", "t", "p_value", "lower", "upper"]].iloc[2]).all()
    assert found.frame["se"][:2].notna().all()
    assert "No standard error" not in " ".join(cluster_robust("y ~ ses + treat", frame, cluster="school").notes)


@pytest.mark.parametrize("kind", KINDS)
def test_dummies_of_the_clusters_have_no_standard_errors_but_other_coefficients_do(kind: Any) -> None:
    frame = data_of(reference()["robust"][2])
    for found in (
        cluster_robust("y ~ C(school) + ses", frame, cluster="school", kind=kind),
        gee("y ~ C(school) + ses", frame, cluster="school"),
    ):
        known = found.frame.set_index("name")
        assert np.isfinite(known.loc["ses", ["se", "p_value"]].to_numpy(dtype=float)).all()
        assert known.drop(index="ses")[["se", "p_value"]].isna().all(axis=None)
        assert "a single level of school determines each of them" in " ".join(found.notes)
        assert np.isnan(found.vcov.loc["ses", "(Intercept)"])


def test_as_many_coefficients_as_clusters_have_no_standard_errors() -> None:
    """Two clusters of two rows: the residuals of both say the same, and a t of a million was shown."""
    frame = pd.DataFrame({"a": [0, 0, 1, 1], "x": [1.0, 2, 3, 5], "y": [1, 3.0, 2, 4]})
    for found in (gee("y ~ x", frame, cluster="a"), cluster_robust("y ~ x", frame, cluster="a", kind="CR0")):
        assert found.frame[["se", "p_value"]].isna().all(axis=None)
        assert "as many of these coefficients as levels of a" in " ".join(found.notes)
    wide = pd.DataFrame({"a": np.repeat([0, 1], 6), "y": np.arange(12.0) % 5})
    wide["x"], wide["z"] = np.arange(12.0) ** 2 % 7, np.arange(12.0) % 3
    inside = within("y ~ x + z", wide, cluster="a", kind="CR1")
    assert inside.frame[["se", "df", "p_value"]].isna().all(axis=None)
    assert "No standard error for x, z" in " ".join(inside.notes)
    assert within("y ~ x + z", wide, cluster="a", kind="classical").frame["se"].notna().all()


@pytest.mark.parametrize("function", [cluster_robust, within, gee, within_between, mx.alternatives])
def test_a_table_is_matched_to_the_rows_of_the_fit(function: Any) -> None:
    frame = data_of(reference()["robust"][2]).assign(half=lambda d: np.arange(len(d)) % 9)
    frame.loc[3, "ses"] = np.nan
    with pytest.warns(mx.errors.MissingDataWarning):
        fit = mx.lmer("y ~ ses + girl + (1 | school)", frame)
    found = function(fit, frame, cluster="half")
    text = frame.assign(y=frame["y"].map("{:.15g}".format).astype(float), school=frame["school"].astype("category"))
    np.testing.assert_allclose(found.frame["se"], function(fit, text, cluster="half").frame["se"], rtol=CLOSED)
    for other in (
        frame.sample(frac=1.0, random_state=2),
        frame.assign(girl=1 - frame["girl"]),
        frame.assign(ses=frame["ses"].fillna(0.0) + 1.0),
    ):
        with pytest.raises(DataError, match=r"not the table of the fit.*: row \d+ has (y|ses|girl|school) ="):
            function(fit, other, cluster="half")
        with pytest.raises(DataError, match="not the table of the fit"):
            function(fit, other)


def test_the_time_of_a_table_in_another_order_is_refused() -> None:
    frame = data_of(reference()["robust"][2]).assign(when=lambda d: np.arange(len(d)))
    fit = mx.lmer("y ~ ses + (1 | school)", frame)
    assert np.isfinite(gee(fit, frame, working="ar1", time="when").correlation)
    with pytest.raises(DataError, match="another order: row 1 has y"):
        gee(fit, frame[::-1], working="ar1", time="when")


@pytest.mark.parametrize("function", [cluster_robust, within, within_between])
def test_generalised_fits_are_refused_where_least_squares_is_fitted(function: Any) -> None:
    panel = pd.DataFrame(reference()["data"]["panel"])
    fit = mx.glmer("count ~ x + (1 | person)", panel, family="poisson", offset=np.log1p(panel["occ"]))
    with pytest.raises(ModelError, match=rf"{function.__name__}\(\) of a GeneralisedFit of poisson\(log\)"):
        function(fit)


def test_a_fit_brings_rows_weights_and_clusters() -> None:
    frame = data_of(reference()["robust"][3]).assign(late=np.nan)
    frame.loc[5:, "late"] = 1.0
    fit = mx.lmer("y ~ ses + I(late * girl) + (1 | school)", frame, weights="w")
    found = cluster_robust(fit)
    by_hand = cluster_robust("y ~ ses + girl", frame[5:], cluster="school", weights="w")
    np.testing.assert_allclose(found.frame["se"], by_hand.frame["se"], rtol=CLOSED)
    by_treat = cluster_robust(fit, frame, cluster="treat", kind="CR0")
    assert by_treat.n_clusters == 2
    with pytest.raises(OptionError, match="data="):
        cluster_robust(fit, cluster="treat")
    with pytest.raises(DataError, match="rows"):
        cluster_robust(fit, frame[5:], cluster="treat")


def test_nested_factors_have_a_top_and_crossed_ones_have_none() -> None:
    rng = np.random.default_rng(3)
    a, b = np.repeat(np.arange(8), 12), np.tile(np.repeat(np.arange(4), 3), 8)
    frame = pd.DataFrame({"a": a, "b": b, "x": rng.normal(size=96), "y": rng.normal(size=96) + rng.normal(size=8)[a]})
    nested = mx.lmer("y ~ x + (1 | a/b)", frame)
    assert cluster_robust(nested).cluster == "a"
    assert cluster_robust(nested, cluster="b:a").n_clusters == 32
    assert "may be too small" in " ".join(cluster_robust(nested, cluster="b:a").notes)
    crossed = mx.lmer("y ~ x + (1 | a) + (1 | b)", frame)
    with pytest.raises(OptionError, match="crossed"):
        cluster_robust(crossed)
    assert "b is left out" in " ".join(cluster_robust(crossed, cluster="a").notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "HC1"}, "kind='HC1'"),
        ({"df": "residual"}, "df='residual'"),
        ({"cluster": None}, "no cluster="),
        ({"cluster": "Subjct"}, "Subjct"),
        ({"level": 95}, "level=95"),
        ({"cluster": ["Subject"]}, r"cluster=\['Subject'\]"),
        ({"kind": sleepstudy()}, "kind="),
        ({"target": ["equal"]}, "target="),
        ({"df": [1]}, "df="),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises((OptionError, DataError), match=message):
        cluster_robust("Reaction ~ Days", sleepstudy(), **({"cluster": "Subject"} | options))


# ---- within --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases("within"))
def test_within_is_plm_and_least_squares_with_dummies(case: dict[str, Any]) -> None:
    frame, formula, cluster = data_of(case), case["formula"], case["cluster"]
    classical = within(formula, frame, cluster=cluster, kind="classical")
    assert list(classical.frame["name"]) == list(case["beta"])
    np.testing.assert_allclose(classical.frame["estimate"], values(case["beta"]), rtol=CLOSED)
    np.testing.assert_allclose(classical.frame["se"], case["se"], rtol=CLOSED)
    np.testing.assert_allclose(classical.frame["se"], case["se_lm"], rtol=CLOSED)
    assert (classical.frame["df"] == case["df"]).all()
    robust = within(formula, frame, cluster=cluster)
    for known in (case["cr2"], case["cr2_lm"]):
        np.testing.assert_allclose(robust.frame["se"], known["se"], rtol=CLOSED)
        np.testing.assert_allclose(robust.frame["df"], known["df"], rtol=CLOSED)
    for kind, name in (("CR0", "cr0"), ("CR1S", "sss")):
        found = within(formula, frame, cluster=cluster, kind=kind)
        np.testing.assert_allclose(found.frame["se"], case[name], rtol=CLOSED)


def test_columns_that_drop_out_are_named_with_the_reason() -> None:
    frame = data_of(reference()["within"][2])
    frame["year"] = 2000.0 + frame["occ"] + 5 * frame["person"]  # clusters start in different years
    found = within("y ~ occ + year + x * group", frame, cluster="person")
    reasons = {d.name: d.reason for d in found.dropped}
    assert reasons == {
        "(Intercept)": "part of the effects of person",
        "year": "follows from other columns within person",
        "group": "constant within person",
    }
    assert list(found.frame["name"]) == ["occ", "x", "x:group"]
    assert "No within coefficient for group: constant within person." in found.notes


def test_weighted_within_is_weighted_least_squares_with_dummies() -> None:
    frame = data_of(reference()["robust"][3])
    found = within("y ~ ses + girl", frame, cluster="school", weights="w")
    dummies = cluster_robust(
        "y ~ ses + girl + C(school)", frame, cluster="school", weights="w", target="weights"
    ).frame.set_index("name")
    for column in ("estimate", "se", "df"):
        np.testing.assert_allclose(found.frame[column], dummies.loc[["ses", "girl"], column], rtol=CLOSED)


def test_nothing_within_is_an_error() -> None:
    with pytest.raises(DataError, match="no predictor varies within school"):
        within("y ~ treat", data_of(reference()["within"][1]), cluster="school")


# ---- GEE -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases("gee"))
def test_gee_is_geepack(case: dict[str, Any]) -> None:
    found = gee(
        case["formula"],
        data_of(case),
        cluster=case["cluster"],
        family=case["family"],
        link=case["link"],
        working=case["working"],
        time=case["time"],
        weights=case["weights"],
    )
    assert list(found.frame["name"]) == list(case["beta"])
    np.testing.assert_allclose(
        found.frame["estimate"], values(case["beta"]), rtol=ITERATED, atol=ITERATED * min(case["se"])
    )
    np.testing.assert_allclose(found.frame["se"], case["se"], rtol=ITERATED)
    np.testing.assert_allclose(np.sqrt(np.diagonal(found.model_vcov)), case["naive"], rtol=ITERATED)
    assert found.scale == pytest.approx(case["scale"], rel=ITERATED)
    if case["alpha"] is not None:
        assert found.correlation == pytest.approx(case["alpha"], rel=ITERATED)
    assert found.notices == ()


@pytest.mark.parametrize("weights", [None, "w"])
def test_gaussian_independence_gee_is_least_squares_with_cr0(weights: str | None) -> None:
    frame = data_of(reference()["robust"][2])
    found = gee("y ~ treat + ses", frame, cluster="school", working="independence", weights=weights)
    plain = cluster_robust("y ~ treat + ses", frame, cluster="school", kind="CR0", df="none", weights=weights)
    for column in ("estimate", "se", "p_value"):
        np.testing.assert_allclose(found.frame[column], plain.frame[column], rtol=CLOSED)
    text = " ".join(found.notes)
    assert "least squares with cluster-robust standard errors without correction (CR0)" in text
    assert "no random effects" in text
    assert "one clustering variable" in text


def test_bias_reduced_errors_of_independence_are_cr3() -> None:
    frame = data_of(reference()["robust"][2])
    found = gee("y ~ treat + ses", frame, cluster="school", working="independence", se="bias-reduced")
    plain = cluster_robust("y ~ treat + ses", frame, cluster="school", kind="CR3")
    np.testing.assert_allclose(found.frame["se"], plain.frame["se"], rtol=CLOSED)


def test_ar1_counts_time_not_rows() -> None:
    """Occasions are missing in these data: the order of rows alone is another model, and is said to be a guess."""
    case = reference()["gee"][4]
    frame = data_of(case).sort_values(["person", "occ"])
    with_time = gee(case["formula"], frame, cluster="person", working="ar1", time="occ")
    without = gee(case["formula"], frame, cluster="person", working="ar1")
    assert abs(with_time.correlation - without.correlation) > 0.01
    assert "one step apart" in " ".join(without.notes)
    assert "one step apart" not in " ".join(with_time.notes)
    with pytest.raises(DataError, match="same group"):
        gee(case["formula"], frame, cluster="person", working="ar1", time="group")


def test_a_negative_ar1_correlation_is_found() -> None:
    rng = np.random.default_rng(5)
    e = rng.normal(size=(200, 6))
    for t in range(1, 6):
        e[:, t] = -0.6 * e[:, t - 1] + 0.8 * e[:, t]
    frame = pd.DataFrame({"y": e.ravel(), "g": np.repeat(np.arange(200), 6), "t": np.tile(np.arange(6), 200)})
    found = gee("y ~ 1", frame, cluster="g", working="ar1", time="t")
    assert found.correlation == pytest.approx(-0.6, abs=0.08)  # three standard errors of 1,000 products


def test_shares_with_numbers_of_trials_are_single_trials_under_independence() -> None:
    herds = pd.DataFrame(reference()["data"]["herds"])
    herds["share"] = herds["incidence"] / herds["size"]
    grouped = gee("share ~ period", herds, cluster="herd", family="binomial", weights="size", working="independence")
    rows = herds.loc[herds.index.repeat(herds["size"])].copy()
    rows["sick"] = (rows.groupby(level=0).cumcount() < rows["incidence"]) * 1.0
    single = gee("sick ~ period", rows, cluster="herd", family="binomial", working="independence")
    np.testing.assert_allclose(grouped.frame["estimate"], single.frame["estimate"], rtol=CLOSED)
    np.testing.assert_allclose(grouped.frame["se"], single.frame["se"], rtol=CLOSED)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"family": "binomial"}, "for the binomial family"),
        ({"family": "gausian"}, "gaussian"),
        ({"working": "unstructured"}, "working='unstructured'"),
        ({"time": "Days"}, "time='Days'"),
        ({"link": "logit"}, "link='logit'"),
        ({"working": sleepstudy()}, "working="),
        ({"family": 3}, "family=3"),
    ],
)
def test_wrong_options_of_gee_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises((OptionError, DataError), match=message):
        gee("Reaction ~ Days", sleepstudy(), **({"cluster": "Subject"} | options))


def test_binomial_responses_of_a_formula_are_read_as_those_of_a_fit() -> None:
    panel = pd.DataFrame(reference()["data"]["panel"]).assign(said=lambda d: np.where(d["event"] == 1, "yes", "no"))
    numbers = gee("event ~ x", panel, cluster="person", family="binomial").frame
    words = gee("said ~ x", panel, cluster="person", family="binomial").frame
    np.testing.assert_allclose(words["se"], numbers["se"], rtol=CLOSED)
    herds = pd.DataFrame(reference()["data"]["herds"]).assign(well=lambda d: d["size"] - d["incidence"])
    herds["share"] = herds["incidence"] / herds["size"]
    pairs = gee("cbind(incidence, well) ~ period", herds, cluster="herd", family="binomial").frame
    shares = gee("share ~ period", herds, cluster="herd", family="binomial", weights="size").frame
    np.testing.assert_allclose(pairs["se"], shares["se"], rtol=CLOSED)
    with pytest.raises(DataError, match="not a column of numbers"):
        gee("said ~ x", panel, cluster="person")


# ---- within and between --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases("mundlak"))
def test_mundlak_is_lme4_with_means(case: dict[str, Any]) -> None:
    formula = f"{case['outcome']} ~ {' + '.join(case['within'] + case['between'])} + (1 | {case['cluster']})"
    found = within_between(formula, data_of(case))
    np.testing.assert_allclose((found.fit.beta - values(case["beta"])) / case["se"], 0.0, atol=LME4)
    np.testing.assert_allclose(found.fit.se, case["se"], rtol=LME4_LINEAR)
    assert found.test.frame["statistic"][0] == pytest.approx(case["chisq"], rel=LME4_LINEAR)
    assert found.test.frame["num_df"][0] == case["df"]
    assert "mean(" in found.test.notes[0]


@pytest.mark.parametrize("case", cases("mundlak"))
def test_mundlak_reproduces_the_within_estimator(case: dict[str, Any]) -> None:
    """Exactly, for a random intercept, in unbalanced data too."""
    frame = data_of(case)
    formula = f"{case['outcome']} ~ {' + '.join(case['within'] + case['between'])}"
    found = within_between(formula, frame, cluster=case["cluster"])
    inside = within(formula, frame, cluster=case["cluster"]).frame.set_index("name")["estimate"]
    ours = found.frame.query("effect == 'within'").set_index("name")["estimate"]
    np.testing.assert_allclose(ours, inside[ours.index], rtol=CLOSED)
    assert "The within effects are those of the fixed effects estimator." in found.notes


def test_hybrid_coefficients_are_those_of_deviations_and_means() -> None:
    frame = data_of(reference()["mundlak"][0])
    for name in ("ses", "girl"):
        frame[f"m_{name}"] = frame.groupby("school")[name].transform("mean")
        frame[f"d_{name}"] = frame[name] - frame[f"m_{name}"]
    hybrid = mx.lmer("y ~ d_ses + d_girl + treat + m_ses + m_girl + (1 | school)", frame)
    found = within_between("y ~ ses + girl + treat + (1 | school)", frame).frame.set_index(["name", "effect"])
    for name in ("ses", "girl"):
        for effect, column in (("within", f"d_{name}"), ("between", f"m_{name}")):
            assert found.loc[(name, effect), "estimate"] == pytest.approx(hybrid.fixef[column], rel=LME4)
            assert found.loc[(name, effect), "se"] == pytest.approx(hybrid.se[column], rel=LME4_LINEAR)


def test_balanced_predictors_are_within_already_and_slopes_are_said() -> None:
    case = reference()["mundlak"][1]
    complete = data_of(case).groupby("person").filter(lambda rows: len(rows) == 7)
    found = within_between("y ~ occ + x + (occ | person)", complete)
    text = " ".join(found.notes)
    assert "occ: the same mean in all levels of person" in text
    assert "random slopes" in text
    with pytest.raises(DataError, match="between its levels"):
        within_between("y ~ occ", complete, cluster="person")


def test_offsets_weights_and_formula_columns_stay() -> None:
    frame = data_of(reference()["robust"][3])
    fit = mx.lmer("y ~ ses * girl + offset(treat) + (1 | school)", frame, weights="w", reml=False)
    found = within_between(fit)
    moved = within_between(
        "y0 ~ ses * girl + (1 | school)", frame.assign(y0=frame["y"] - frame["treat"]), weights="w", reml=False
    )
    np.testing.assert_allclose(found.frame["estimate"], moved.frame["estimate"], rtol=LME4_LINEAR)
    assert set(found.frame["name"]) == {"(Intercept)", "ses", "girl", "ses:girl"}
    assert not found.fit.reml


def test_means_that_follow_from_other_predictors_are_named_without_a_warning() -> None:
    """Balanced occasions: the mean of an interaction with a predictor of clusters is that predictor again."""
    frame = pd.DataFrame({"g": np.repeat(np.arange(20), 4), "t": np.tile(np.arange(4.0), 20)})
    rng = np.random.default_rng(3)
    frame["sex"], frame["x"] = frame["g"] % 2 * 1.0, rng.normal(size=80)
    frame["y"] = rng.normal(size=80) + rng.normal(size=20)[frame["g"]]
    fit = mx.lmer("y ~ t * sex + (1 | g)", frame)
    with warnings.catch_warnings():
        warnings.simplefilter("error", mx.errors.RankDeficiencyWarning)
        with pytest.raises(DataError, match="the means by g of t:sex follow from other predictors") as caught:
            within_between(fit)
        assert "within or between already" in caught.value.todo
        found = within_between("y ~ t * sex + x + (1 | g)", frame)
    assert "No contextual effect of t:sex: the means follow from other predictors." in found.notes
    assert set(found.frame.query("effect == 'contextual'")["name"]) == {"x"}


def test_weighted_means_are_said_to_be_weighted() -> None:
    frame = data_of(reference()["robust"][3])
    found = within_between("y ~ ses + (1 | school)", frame, weights="w")
    assert "Means of school are weighted by the weights of the rows" in " ".join(found.notes)
    for name, by in (("plain", np.ones(len(frame))), ("weighted", frame["w"])):
        sums = (by * frame["ses"]).groupby(frame["school"]).sum() / (frame["w"] * 0 + by).groupby(frame["school"]).sum()
        frame[name] = frame["school"].map(sums)
    by_hand = {n: mx.lmer(f"y ~ ses + {n} + (1 | school)", frame, weights="w").fixef[n] for n in ("plain", "weighted")}
    contextual = found.frame.query("effect == 'contextual'")["estimate"].item()
    assert contextual == pytest.approx(by_hand["weighted"], rel=LME4_LINEAR)
    assert abs(contextual - by_hand["plain"]) > 1e-3
    assert "are weighted" not in " ".join(within_between("y ~ ses + (1 | school)", frame).notes)
