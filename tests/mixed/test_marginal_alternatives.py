"""A mixed model beside its alternatives, and what a generalised one says of averages."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.data import sleepstudy
from mixsem.errors import BoundaryWarning, OptionError
from mixsem.mixed.generalised.glmer import glmer
from mixsem.mixed.marginal import alternatives, cluster_robust, gee, within, within_between
from mixsem.mixed.marginal.marginalised import marginalised, predictor_variance
from mixsem.mixed.marginal.remarks import own_ratios
from mixsem.mixed.marginal.source import clustered_regression

#: Relative: the same closed forms twice.
SAME = 1e-9
#: Relative: lme4's theta is good to 1e-5, and standard errors are linear in it.
LME4 = 1e-5
#: Absolute, of means over the random effects: the quadrature's own error.
QUADRATURE = 1e-8


@lru_cache
def reference() -> dict[str, Any]:
    path = Path(__file__).parents[1] / "reference" / "mixed" / "marginal.json"
    return json.loads(path.read_text(encoding="utf-8"))


def data(name: str) -> pd.DataFrame:
    return pd.DataFrame(reference()["data"][name])


@pytest.fixture(scope="module")
def grades() -> pd.DataFrame:
    """Slopes of time that differ, and a predictor x whose mean is correlated with the person's intercept."""
    rng = np.random.default_rng(8)
    person, time = np.repeat(np.arange(150), 5), np.tile(np.arange(5.0), 150)
    u, slope = rng.normal(size=150), rng.normal(0.4, 0.5, size=150)
    frame = pd.DataFrame({"person": person, "time": time, "sex": np.where(person % 2, "f", "m")})
    frame["x"] = u[person] + rng.normal(size=750)
    frame["y"] = u[person] + slope[person] * time + 0.5 * frame["x"] + rng.normal(size=750)
    return frame


def test_columns_are_the_methods_themselves() -> None:
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", sleepstudy())
    found = alternatives(fit).frame.set_index("method")
    single = {
        "Least squares, CR2": cluster_robust(fit),
        "Within, CR2": within(fit),
        "GEE, exchangeable": gee(fit, se="bias-reduced"),
    }
    for method, alone in single.items():
        rows, own = found.loc[[method]].set_index("name"), alone.frame.set_index("name")
        assert list(rows.index) == list(own.index)
        for column in ("estimate", "se", "df", "p_value"):
            np.testing.assert_allclose(rows[column], own[column], rtol=SAME)
    mixed = found.loc[["Mixed model"]]
    np.testing.assert_allclose(mixed["se"], fit.se, rtol=SAME)
    np.testing.assert_allclose(mixed["df"], [22.81, 161.0], rtol=1e-3)  # lmerTest
    assert found["conditions_on"].notna().all()


def test_an_absent_slope_is_named_and_a_present_one_is_not(grades: pd.DataFrame) -> None:
    plain = " ".join(alternatives(mx.lmer("y ~ time + x + sex + (1 | person)", grades)).notes)
    assert "Robust errors are larger than those of the model for time (" in plain
    assert "Try (time | person)." in plain
    found = alternatives(mx.lmer("y ~ time + x + sex + (time | person)", grades))
    assert "Robust errors are larger" not in " ".join(found.notes)
    assert "Try (" not in " ".join(found.notes)


@pytest.mark.parametrize("case", [pytest.param(c, id=c["set"]) for c in reference()["mundlak"]])
def test_robust_errors_of_the_models_own_estimates_are_those_of_club_sandwich(case: dict[str, Any]) -> None:
    """That is, vcovCR of an lmer fit, type CR1."""
    formula = f"{case['outcome']} ~ {' + '.join(case['within'] + case['between'])} + (1 | {case['cluster']})"
    fit = within_between(formula, data(case["set"])).fit
    source = clustered_regression(fit, None, None)
    np.testing.assert_allclose(own_ratios(fit, source) * fit.se, case["cr1"], rtol=LME4)


def test_the_ratio_is_that_of_balanced_data() -> None:
    """Where both estimators weigh rows the same, the ratio is that of least squares."""
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", sleepstudy())
    ratio = cluster_robust(fit, kind="CR1").frame["se"][1] / fit.se["Days"]
    assert f"for Days ({ratio:.2f} times), whose slope is not random" in " ".join(alternatives(fit).notes)


def test_an_interaction_asks_for_the_part_that_varies_within(grades: pd.DataFrame) -> None:
    notes = " ".join(alternatives(mx.lmer("y ~ time * sex + x + (1 | person)", grades)).notes)
    assert "Try (time | person)." in notes


def test_what_drops_out_is_listed_and_other_effects_within_are_said(grades: pd.DataFrame) -> None:
    found = alternatives(mx.lmer("y ~ time + x + sex + (1 | person)", grades))
    text = " ".join(found.notes)
    assert "No within coefficient for sex[T.m]: constant within person." in text
    assert "Within person the estimate of x differs from the mixed model's" in text
    assert "See within_between()" in text
    assert "Within, CR2" not in set(found.frame.query("name == 'sex[T.m]'")["method"])
    assert "GEE gives marginal effects" in text


def test_few_clusters_have_their_note_and_many_do_not(grades: pd.DataFrame) -> None:
    few = " ".join(alternatives(mx.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())).notes)
    assert "18 clusters of Subject, few for robust errors" in few
    assert "Satterthwaite's degrees of freedom, which are made for that" in few
    assert "bias-reduced" in few
    many = " ".join(alternatives(mx.lmer("y ~ time + x + (time | person)", grades)).notes)
    assert "few for robust errors" not in many


def test_without_predictors_within_there_is_no_within_column(grades: pd.DataFrame) -> None:
    found = alternatives(mx.lmer("y ~ sex + (1 | person)", grades))
    assert "Within, CR2" not in found.methods
    assert "Within: left out, no predictor varies within person." in found.notes


def test_it_prints_all_methods_and_coefficients(grades: pd.DataFrame) -> None:
    found = alternatives(mx.lmer("y ~ time + x + sex + (1 | person)", grades))
    text = repr(found)
    for word in (*found.methods, "time", "sex[T.m]", "person"):
        assert word in text
    assert found.to_pandas().shape == (14, 7)
    assert "<table" in found._repr_html_()


def test_crossed_factors_ask_which() -> None:
    rng = np.random.default_rng(1)
    a, b = np.repeat(np.arange(12), 12), np.tile(np.arange(12), 12)
    y = rng.normal(size=12)[a] + rng.normal(size=12)[b] + rng.normal(size=144)
    fit = mx.lmer("y ~ x + (1 | a) + (1 | b)", {"y": y, "x": rng.normal(size=144), "a": a, "b": b})
    with pytest.raises(OptionError, match="cluster= one of"):
        alternatives(fit)
    assert "b is left out" in " ".join(alternatives(fit, cluster="a").notes)
    with pytest.raises(OptionError, match="got str"):
        alternatives("y ~ x + (1 | a)")  # type: ignore[arg-type]


def test_a_predictor_of_clusters_that_least_squares_weighs_otherwise_is_named() -> None:
    """An effect that grows with time: the mixed model with random slopes looks at where people vary least."""
    rng = np.random.default_rng(6)
    person, time = np.repeat(np.arange(120), 5), np.tile(np.arange(5.0), 120)
    sex = person % 2 * 1.0
    y = 0.4 * rng.normal(size=120)[person] + (0.4 * rng.normal(size=120)[person] - 0.4 * sex) * time
    frame = pd.DataFrame({"person": person, "time": time, "sex": sex, "y": y + 0.5 * rng.normal(size=600)})
    text = " ".join(alternatives(mx.lmer("y ~ time + sex + (time | person)", frame)).notes)
    assert "Least squares and mixed model differ by more than a standard error in sex: of a level of person" in text
    assert "look for an interaction that is missing" in text
    told = " ".join(alternatives(mx.lmer("y ~ time * sex + (time | person)", frame)).notes)
    assert "Least squares and mixed model differ" not in told


def test_degrees_of_freedom_and_penalties_are_told_of_the_mixed_model() -> None:
    plain = alternatives(mx.lmer("Reaction ~ Days + (1 | Subject)", sleepstudy()))
    assert "Mixed model: degrees of freedom by Satterthwaite's method." in plain.notes
    held = alternatives(mx.lmer("Reaction ~ Days + (1 | Subject)", sleepstudy(), penalty="wishart"))
    assert held.methods[0] == "Mixed model, penalised"


def test_a_table_of_names_is_no_clustering_variable() -> None:
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", sleepstudy())
    with pytest.raises(OptionError, match="cluster="):
        alternatives(fit, cluster=["Subject"])  # type: ignore[arg-type]


# ---- generalised ---------------------------------------------------------------------------------------------------


def test_marginal_probit_coefficients_are_attenuated_as_known() -> None:
    """E Phi(eta + z'b) = Phi(eta / sqrt(1 + var)): with an intercept alone all coefficients shrink by the same."""
    panel = data("panel")
    fit = glmer("event ~ x + occ + (1 | person)", panel, family="binomial", link="probit")
    found = marginalised(fit)
    shrink = 1.0 / np.sqrt(1.0 + fit.theta[0] ** 2)
    np.testing.assert_allclose(found.beta, shrink * fit.beta, atol=QUADRATURE)
    np.testing.assert_allclose(found.vcov, shrink**2 * np.asarray(fit.vcov), atol=QUADRATURE)


def test_marginal_poisson_coefficients_shift_the_intercept() -> None:
    """E exp(eta + b) = exp(eta + var / 2)."""
    fit = glmer("count ~ x + group + (1 | person)", data("panel"), family="poisson")
    found = marginalised(fit)
    shift = np.array([0.5 * fit.theta[0] ** 2, 0.0, 0.0])
    np.testing.assert_allclose(found.beta, fit.beta + shift, atol=QUADRATURE)
    assert found.mean.sum() == pytest.approx(np.exp(fit.design.X @ fit.beta + shift[0]).sum())


def test_marginal_means_with_slopes_are_those_of_simulated_random_effects() -> None:
    """Of a slope model: the variance of z'b differs between rows, and the mean over draws of b is the same."""
    fit = glmer("count ~ x + (x | person)", data("panel"), family="poisson")
    factor = np.array([[fit.theta[0], 0.0], [fit.theta[1], fit.theta[2]]])
    covariance = factor @ factor.T
    Z = fit.design.X[:, :2]
    np.testing.assert_allclose(predictor_variance(fit), np.einsum("ni,ij,nj->n", Z, covariance, Z), atol=1e-12)
    draws = np.random.default_rng(2).multivariate_normal(np.zeros(2), covariance, size=40_000)
    row = 7
    simulated = np.exp(fit.design.X[row] @ fit.beta + draws @ Z[row])
    error = simulated.std() / np.sqrt(len(draws))
    assert marginalised(fit).mean[row] == pytest.approx(simulated.mean(), abs=4 * error)


def test_conditional_and_marginal_coefficients_stand_side_by_side() -> None:
    fit = glmer("event ~ x + occ + (1 | person)", data("panel"), family="binomial", n_agq=9)
    found = alternatives(fit)
    assert found.methods == ("Mixed model", "Mixed model, averaged", "GEE, exchangeable", "GEE, independence")
    x = found.frame.query("name == 'x'").set_index("method")["estimate"]
    assert abs(x["Mixed model, averaged"]) < abs(x["Mixed model"])
    assert x["Mixed model, averaged"] == pytest.approx(x["GEE, exchangeable"], abs=0.05)  # half a standard error
    text = " ".join(found.notes)
    assert "answers another question" in text
    assert "no random effects" in text
    direct = gee("event ~ x + occ", data("panel"), cluster="person", family="binomial")
    np.testing.assert_allclose(found.frame.query("method == 'GEE, exchangeable'")["se"], direct.frame["se"], rtol=SAME)


def test_a_contextual_effect_shows_in_the_working_correlation() -> None:
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(60), 8)
    u = rng.normal(size=60)[g]
    x, z = u + rng.normal(size=480), rng.normal(size=480)
    y = (rng.random(480) < 1.0 / (1.0 + np.exp(-x - z + 2.5 * u))) * 1.0
    frame = {"y": y, "x": x, "z": z, "g": g}
    text = " ".join(alternatives(glmer("y ~ x + z + (1 | g)", frame, family="binomial")).notes)
    assert "The working correlation matters for x, by more than two standard errors" in text


def test_shares_keep_their_trials() -> None:
    herds = data("herds").assign(share=lambda frame: frame["incidence"] / frame["size"])
    found = alternatives(glmer("share ~ period + (1 | herd)", herds, family="binomial", weights="size"))
    direct = gee(
        "share ~ period",
        herds,
        cluster="herd",
        family="binomial",
        weights="size",
        working="independence",
        se="bias-reduced",
    )
    rows = found.frame.query("method == 'GEE, independence'")
    np.testing.assert_allclose(rows["estimate"], direct.frame["estimate"], rtol=SAME)
    np.testing.assert_allclose(rows["se"], direct.frame["se"], rtol=SAME)
    assert "15 clusters of herd, few for robust errors" in " ".join(found.notes)


def test_what_the_first_column_answers_depends_on_link_and_variance() -> None:
    panel = data("panel")
    counts = " ".join(alternatives(glmer("count ~ x + group + (1 | person)", panel, family="poisson")).notes)
    assert "They differ in (Intercept), and are the same in the other coefficients, as the log link has it" in counts
    slopes = " ".join(alternatives(glmer("count ~ x + group + (x | person)", panel, family="poisson")).notes)
    assert "answers another question" in slopes
    assert "are the same" not in slopes
    rng = np.random.default_rng(1)
    frame = {"y": rng.gamma(5.0, 1.0, 120), "x": rng.normal(size=120), "g": np.tile(np.arange(10), 12)}
    with pytest.warns(BoundaryWarning):
        singular = glmer("y ~ x + (1 | g)", frame, family="gamma")
    text = " ".join(alternatives(singular).notes)
    assert "answers another question" not in text
    assert "the estimated random effects have no variance" in text
