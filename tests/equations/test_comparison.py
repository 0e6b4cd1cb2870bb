"""Comparing models, scores of rows, and residuals: what the frames hold, and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import mixsem as mx
from mixsem.equations.score_tests import score_test
from mixsem.errors import DataError, MissingDataWarning, ModelError, OptionError, UnsupportedModelError

CFA = "visual =~ x1 + x2 + x3; speed =~ x7 + x8 + x9"


@pytest.fixture(scope="module")
def people():
    return mx.data.holzinger_swineford_1939()


@pytest.fixture(scope="module")
def ladder(people):
    return [mx.cfa(CFA, people, "school", group_equal=kinds) for kinds in ((), "loadings", ("loadings", "intercepts"))]


def test_models_are_put_in_order(ladder):
    names = ("configural", "metric", "scalar")
    one = mx.anova(*ladder, names=names)
    other = mx.anova(ladder[2], ladder[0], ladder[1], names=("scalar", "configural", "metric"))
    assert one.to_pandas().equals(other.to_pandas())
    frame = one.to_pandas()
    assert frame["model"].tolist() == list(names)
    np.testing.assert_allclose(frame["chisq_diff"][1:], np.diff(frame["chisq"]), rtol=1e-10)
    np.testing.assert_allclose(frame["cfi_diff"][1:], np.diff(frame["cfi"]), rtol=1e-10)
    assert "scalar" in repr(one) and "Difference" in repr(one) and "<table" in one._repr_html_()


def test_a_difference_is_close_to_the_score_test(people, ladder):
    test = score_test(ladder[1])
    assert mx.anova(ladder[0], ladder[1]).frame["chisq_diff"][1] == pytest.approx(test.statistic, abs=0.3)


def test_scaling_vanishes_for_normal_data():
    """With plenty of normal rows, all corrected differences are near the plain one."""
    data = mx.simulate_data("F =~ 1*x1 + .8*x2 + .7*x3 + .9*x4; x1 ~~ .1*x2", n=20_000, seed=2)
    for estimator in ("MLM", "MLMV", "MLR"):
        free = mx.cfa("F =~ x1 + x2 + x3 + x4; x1 ~~ x2", data, estimator=estimator)
        restricted = mx.cfa("F =~ x1 + x2 + x3 + x4", data, estimator=estimator)
        plain = mx.anova(free, restricted, method="standard").frame["chisq_diff"][1]
        methods = {"MLM": ("satorra-bentler-2001", "satorra-bentler-2010", "satorra-2000")}
        for method in methods.get(estimator, ("default",)):
            found = mx.anova(free, restricted, method=method).frame["chisq_diff"][1]
            assert found == pytest.approx(plain, rel=0.1), (estimator, method)


def test_what_cannot_be_compared(people, ladder):
    with pytest.raises(OptionError, match="one fit"):
        mx.anova(ladder[0])
    with pytest.raises(DataError, match="rows"):
        mx.anova(mx.cfa(CFA, people), mx.cfa(CFA, people[5:], orthogonal=True))
    with pytest.raises(DataError, match="x1 only in one"):
        mx.anova(mx.cfa(CFA, people), mx.cfa(CFA.replace("x1 + ", ""), people))
    with pytest.raises(OptionError, match="estimators ML and MLR"):
        mx.anova(mx.cfa(CFA, people, meanstructure=True), mx.cfa(CFA, people, estimator="MLR", orthogonal=True))
    with pytest.raises(ModelError, match="same degrees of freedom"):
        mx.anova(mx.cfa(CFA, people), mx.cfa(CFA, people, std_lv=True))
    with pytest.raises(OptionError, match="satorra-bentler-2001"):
        mx.anova(*ladder, method="satorra-bentler-2001")
    with pytest.raises(UnsupportedModelError, match="str"):
        mx.anova("a", "b")


def test_models_that_are_not_nested_are_told(people):
    better, worse = (
        mx.cfa("F =~ x1 + x2 + x3 + x7 + x8; x7 ~~ x8", people),
        mx.cfa("F =~ x1 + x2 + x3 + x7 + x8; x1 ~~ x2; x1~~x7", people),
    )
    found = mx.anova(better, worse)
    assert len(found.notes) == 1 and "not nested" in found.notes[0]


def test_scores_by_definition(people):
    """Regression scores are the regression of the factor on the items; Bartlett scores are unbiased."""
    fit = mx.cfa(CFA, people)
    items = people[list(fit.observed)]
    implied = fit.implied
    regression = mx.factor_scores(fit, people)
    weights = implied.LambdaPhi[0].T @ np.linalg.inv(implied.Sigma[0])
    np.testing.assert_allclose(regression, (items - items.mean()) @ weights.T, atol=1e-10)
    Lambda = fit.model.values_of(0, fit.coef)[0]
    truth = np.array([[1.0, -2.0], [0.5, 3.0]])
    exact = people.head(2).copy()
    exact[list(fit.observed)] = items.mean().to_numpy() + truth @ Lambda.T
    bartlett = mx.factor_scores(fit, exact, method="bartlett")
    np.testing.assert_allclose(bartlett, truth, atol=1e-8)
    errors = mx.factor_scores(fit, method="regression", standard_errors=True)
    variance = errors["visual"].var(ddof=0)
    assert errors["visual_se"].iloc[0] ** 2 + weights[0] @ implied.Sigma[0] @ weights[0] == pytest.approx(
        implied.Phi[0, 0, 0]
    )
    assert variance < implied.Phi[0, 0, 0]


def test_scores_of_incomplete_rows(people):
    """Full information scores what was answered; otherwise the row has no score."""
    holes = people.copy()
    holes.loc[3, "x1"] = np.nan
    with pytest.warns(MissingDataWarning):
        full = mx.factor_scores(mx.cfa(CFA, holes, missing="ml"), holes)
    assert full.notna().all(axis=None)
    with pytest.warns(UserWarning, match="Dropped 1"):
        fit = mx.cfa(CFA, holes)
    assert mx.factor_scores(fit, holes)["visual"].isna().tolist() == [i == 3 for i in range(len(holes))]
    assert 3 not in mx.factor_scores(fit).index


@pytest.mark.parametrize("missing", ["listwise", "ml"])
def test_scores_can_be_joined_to_their_table(people, missing):
    """They keep the index of a pandas table; of another one, the position of the row."""
    holes = people.assign(x1=people["x1"].where(people.index % 7 > 0))
    moved = holes.sample(frac=1.0, random_state=1).set_index("id")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit, of_moved = (mx.cfa(CFA, table, "school", missing=missing) for table in (holes, moved))
        of_mapping = mx.cfa(CFA, holes.to_dict("list"), "school", missing=missing)
    scores, found = mx.factor_scores(fit), mx.factor_scores(of_moved)
    assert found.index.name == "id" and mx.factor_scores(of_mapping).index.name == "row"
    assert found.index.tolist() == [i for i in moved.index if missing == "ml" or not np.isnan(moved.loc[i, "x1"])]
    joined = holes.set_index("id").join(found["visual"]).set_index(holes.index)["visual"].dropna()
    np.testing.assert_allclose(joined.loc[scores.index], scores["visual"], atol=1e-5)
    np.testing.assert_array_equal(mx.factor_scores(of_mapping).index, scores.index)
    with pytest.raises(OptionError, match="median"):
        mx.factor_scores(fit, method="median")


def test_residuals_of_a_model_that_fits_exactly(people):
    """A saturated model leaves nothing; a marker's variance is fitted in every model of one factor."""
    frame = mx.residuals(mx.cfa("F =~ x1 + x2 + x3", people), "standardized")
    assert np.abs(frame["residual"]).max() == 0 and frame["z"].isna().all()
    fit = mx.cfa(CFA, people, meanstructure=True)
    raw, cor = mx.residuals(fit), mx.residuals(fit, "cor")
    assert (raw[raw["op"] == "~1"]["residual"].abs() < 1e-8).all()
    covariances = cor[(cor["op"] == "~~")]["residual"].to_numpy()
    assert np.sqrt((covariances**2).sum() / (len(covariances) + 6)) == pytest.approx(fit.measures.srmr, rel=1e-8)
    top = mx.residuals(fit, "standardized", largest=5)["z"].abs()
    assert top.is_monotonic_decreasing and len(top) == 5


def test_r2_of_outcomes_and_items(people):
    fit = mx.sem(CFA + "; speed ~ visual + ageyr; grade ~ speed", people.dropna())
    found = mx.r2(fit).set_index("variable")["r2"]
    assert set(found.index) == {"x1", "x2", "x3", "x7", "x8", "x9", "grade", "speed"}
    loading = mx.standardized(fit).set_index(["lhs", "op", "rhs"])["estimate"]
    assert found["x1"] == pytest.approx(loading["visual", "=~", "x1"] ** 2, rel=1e-10)
    assert found["grade"] == pytest.approx(loading["grade", "~", "speed"] ** 2, rel=1e-10)
    with pytest.raises(UnsupportedModelError):
        mx.r2(3)
