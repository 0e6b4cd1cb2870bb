"""Step 1 for ordered items: lavaan's WLSMV numbers, the way to step 3, and what is refused."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.data.ordinal import OrdinalMoments
from mixsem.errors import HeywoodWarning, ModelError, OptionError, SparseCategoriesWarning, UnsupportedModelError
from mixsem.measurement.ordinal import OrderedBlock, adjusted_test

CASES = {
    case["name"]: case
    for case in json.loads((Path(__file__).parents[1] / "reference" / "ordinal.json").read_text())["cases"]
}
# Small samples cut into categories have empty cells.
pytestmark = pytest.mark.filterwarnings("ignore::mixsem.errors.SparseCategoriesWarning")

ITEMS = [f"x{i}" for i in range(1, 10)]
THREE = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"

#: lavaan's optimiser stops at gradients near 1e-6: estimates and standard errors are uncertain by some 1e-6.
ESTIMATE = 2e-5
#: The statistic is flat at its minimum, but inherits the 1e-6 of the correlations with weights of a few hundred.
CHISQ = 2e-4
#: Fit indices are ratios of such statistics to some hundreds.
INDEX = 2e-6
#: The interval of RMSEA comes from lavaan's own root finder, which stops early.
INTERVAL = 1e-4


def cut_data(case):
    table = mx.data.holzinger_swineford_1939()
    data = pd.DataFrame({name: np.asarray(table[name])[: case["rows"]] for name in [*ITEMS, "school"]})
    for name in case["ordered"]:
        data[name] = 1 + np.searchsorted(np.quantile(data[name], case["at"]), data[name], side="left")
    return data


def fitted(name, **options):
    case = CASES[name]
    model = mx.MGCFA(
        "\n".join(case["syntax"]), equal=case["group_equal"], blocks="joint", ordered=case["ordered"], **options
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return case, model.fit(cut_data(case), case["group"])


@pytest.mark.parametrize("name", ["quartiles", "quartiles_school", "mixed", "mixed_school", "binary", "one_factor"])
def test_fit_is_lavaans(name):
    case, fit = fitted(name)
    (block,) = fit.blocks
    expected, found = case["fit"], block.measures
    assert block.optimum.converged
    assert (found.df, found.baseline_df) == (expected["df"], expected["baseline.df"])
    assert block.test.plain == pytest.approx(expected["chisq"], abs=CHISQ)
    assert found.chisq == pytest.approx(expected["chisq.scaled"], abs=CHISQ)
    assert block.test.scale == pytest.approx(expected["chisq.scaling.factor"], abs=ESTIMATE)
    assert found.baseline_chisq == pytest.approx(expected["baseline.chisq.scaled"], rel=ESTIMATE)
    for mine, theirs in (("cfi", "cfi.scaled"), ("tli", "tli.scaled"), ("rmsea", "rmsea.scaled"), ("srmr", "srmr")):
        assert getattr(found, mine) == pytest.approx(expected[theirs], abs=INDEX), mine
    assert found.rmsea_lower == pytest.approx(expected["rmsea.ci.lower.scaled"], abs=INTERVAL)
    assert found.rmsea_upper == pytest.approx(expected["rmsea.ci.upper.scaled"], abs=INTERVAL)
    assert found.pvalue == pytest.approx(expected["pvalue.scaled"], rel=1e-3)
    assert found.nobs == sum(case["n"])


@pytest.mark.parametrize("name", ["quartiles", "quartiles_school", "mixed", "mixed_school", "binary", "one_factor"])
def test_estimates_and_standard_errors_are_lavaans(name):
    case, fit = fitted(name)
    (block,) = fit.blocks
    p = case["parameters"]
    compared, errors = 0, dict(zip(block.model.names, block.standard_errors, strict=True))
    for lhs, op, rhs, g, free, est, se in zip(
        *(p[k] for k in ("lhs", "op", "rhs", "group", "free", "est", "se")), strict=True
    ):
        if op == "=~":
            found = fit.Lambda[g - 1, fit.items.index(rhs), fit.factors.index(lhs)]
        elif op == "~~" and lhs in fit.factors:
            found = fit.Phi[g - 1, fit.factors.index(lhs), fit.factors.index(rhs)]
        elif op == "~~":
            found = fit.Theta[g - 1, fit.items.index(lhs), fit.items.index(rhs)]
        else:
            continue
        assert found == pytest.approx(est, abs=ESTIMATE), (lhs, op, rhs, g)
        name_of = f"{lhs}{op}{rhs}"
        keys = [key for key in (name_of, f"{name_of}[{fit.groups[g - 1]}]") if key in errors]
        if free and keys:
            assert errors[keys[0]] == pytest.approx(se, abs=ESTIMATE), name_of
            compared += 1
    assert compared >= min(block.model.n_free, 12) - 1


def survey(G=6, n=250, seed=3):
    """Groups whose regression of y on x is 0.2 in one half and 0.7 in the other; items with four categories."""
    rng = np.random.default_rng(seed)
    loadings, rows = {"x": (0.8, 0.7, 0.75), "y": (0.8, 0.7, 0.75)}, []
    for g in range(G):
        slope = 0.2 if g < G // 2 else 0.7
        x = rng.normal(size=n)
        y = slope * x + np.sqrt(1 - slope**2) * rng.normal(size=n)
        data = {"g": [f"g{g}"] * n}
        for factor, scores in (("x", x), ("y", y)):
            for j, loading in enumerate(loadings[factor], start=1):
                latent = loading * scores + np.sqrt(1 - loading**2) * rng.normal(size=n)
                data[f"{factor}{j}"] = np.digitize(latent, [-0.9 + 0.1 * g, 0.1, 1.0])
        rows.append(pd.DataFrame(data))
    return pd.concat(rows)


MEASUREMENT = "x =~ x1 + x2 + x3; y =~ y1 + y2 + y3"


def test_three_steps_recover_the_clusters_and_their_slopes():
    fit = mx.mmgsem(MEASUREMENT, "y ~ x", survey(), "g", k=2, ordered=True, seed=1)
    low, high = sorted(fit.coefficients[:, 0].tolist())
    # Standard error of a slope of three groups of 250 with reliabilities near .8: about .04.
    assert low == pytest.approx(0.2, abs=0.12)
    assert high == pytest.approx(0.7, abs=0.12)
    assert len(set(fit.clusters[:3])) == len(set(fit.clusters[3:])) == 1


def test_blocks_share_the_matrices_of_the_groups():
    step1 = mx.MGCFA(MEASUREMENT, ordered=True).fit(survey(), "g")
    assert len(step1.blocks) == 2
    assert all(isinstance(block, OrderedBlock) for block in step1.blocks)
    communality = np.einsum("gpq,gqr,gpr->gp", step1.Lambda, step1.Phi, step1.Lambda)
    np.testing.assert_allclose(np.diagonal(step1.Theta, axis1=1, axis2=2) + communality, 1.0, atol=1e-12)
    assert np.isnan(step1.loglik)
    step2 = mx.factor_moments(step1)
    np.testing.assert_array_equal(step2.observed, step1.moments.covariances)
    assert (step2.reliability > 0.5).all()


def test_moments_of_ordered_items_do_in_the_place_of_rows():
    data = survey()
    items = ["x1", "x2", "x3", "y1", "y2", "y3"]
    moments = OrdinalMoments.from_frame(data, items, "g")
    from_moments = mx.MGCFA(MEASUREMENT, ordered=True).fit(moments)
    from_rows = mx.MGCFA(MEASUREMENT, ordered=items).fit(data, "g")
    np.testing.assert_array_equal(from_moments.Lambda, from_rows.Lambda)
    with pytest.raises(OptionError, match="ordered="):
        mx.MGCFA(MEASUREMENT).fit(moments)
    with pytest.raises(OptionError, match="other items"):
        mx.MGCFA(MEASUREMENT, ordered=("x1",)).fit(moments)


def test_a_residual_covariance_of_ordered_items_is_estimated():
    rng = np.random.default_rng(9)
    factor, shared = rng.normal(size=4000), rng.normal(size=4000)
    data = {}
    for j in range(5):
        own = 0.5 * shared + np.sqrt(0.26) * rng.normal(size=4000) if j < 2 else np.sqrt(0.51) * rng.normal(size=4000)
        data[f"x{j}"] = np.digitize(0.7 * factor + own, [-0.8, 0.3])
    model = "F =~ x4 + x2 + x3 + x0 + x1; x0 ~~ x1"
    step1 = mx.MGCFA(model, ordered=True).fit(data)
    at = step1.items.index("x0"), step1.items.index("x1")
    assert step1.Theta[0][at] == pytest.approx(0.25, abs=0.06)  # a standard error of about .02
    assert step1.blocks[0].measures.pvalue > 0.001


def test_a_heywood_case_of_an_ordered_item_is_named():
    rng = np.random.default_rng(6)
    factor = rng.normal(size=60)
    data = {f"x{j}": np.digitize(0.8 * factor + 0.6 * rng.normal(size=60), [-0.5, 0.5]) for j in range(3)}
    with pytest.warns(HeywoodWarning, match="x2"):
        step1 = mx.MGCFA("F =~ x0 + x1 + x2", ordered=True).fit(data)
    assert step1.Theta[0, 2, 2] == pytest.approx(1 - (step1.Lambda[0, 2, 0] ** 2 * step1.Phi[0, 0, 0]), abs=1e-12)
    assert step1.Theta[0, 2, 2] < 0


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"equal": ("loadings", "intercepts")}, "intercepts"),
        ({"equal": ("loadings", "residuals")}, "residuals"),
        ({"equal": "means"}, "means"),
        ({"missing": "ml"}, "missing"),
        ({"ordered": ("x1", "z")}, "z"),
    ],
)
def test_options_that_ordered_items_do_not_go_with_are_refused(options, named):
    with pytest.raises(OptionError, match=named):
        mx.MGCFA(**({"measurement": MEASUREMENT, "ordered": True} | options)).fit(survey(), "g")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("x =~ x1 + x2 + x3; x1 ~~ 0.5*x1", "residual variance of an ordered item"),
        ("x =~ x1 + x2 + x3; y =~ y1", "only item"),
        ("x =~ x1 + x2 + x3; x1 ~ 1", "x1~1"),
    ],
)
def test_models_that_ordered_items_do_not_go_with_are_refused(text, named):
    with pytest.raises(UnsupportedModelError, match=named):
        mx.MGCFA(text, ordered=True).fit(survey(), "g")


def test_two_items_alone_are_not_identified():
    with pytest.raises(ModelError, match="not identified"):
        mx.MGCFA("x =~ x1 + x2", ordered=True).fit(survey(), "g")


def test_sample_moments_are_refused():
    data = survey()
    moments = mx.SampleMoments.from_frame(data, ["x1", "x2", "x3"], "g")
    with pytest.raises(OptionError, match="categories"):
        mx.MGCFA("x =~ x1 + x2 + x3", ordered=True).fit(moments)


def test_a_missing_category_costs_thresholds_only():
    data = survey()
    first = data["g"] == "g0"
    data.loc[first & (data["x1"] == 3), "x1"] = 2
    with pytest.warns(SparseCategoriesWarning, match="g0"):
        step1 = mx.MGCFA(MEASUREMENT, ordered=True).fit(data, "g")
    whole = mx.MGCFA(MEASUREMENT, ordered=True).fit(survey(), "g")
    assert whole.n_params - step1.n_params == 1


def test_the_correction_gives_mean_and_variance_of_a_chi_square():
    weights = np.array([0.2, 0.5, 1.1, 2.0, 3.0])
    rng = np.random.default_rng(2)
    plain = rng.chisquare(1, (200_000, 5)) @ weights
    test = adjusted_test(0.0, 5, weights.sum(), (weights**2).sum())
    corrected = plain / test.scale + test.shift
    assert corrected.mean() == pytest.approx(5, abs=0.05)
    assert corrected.var() == pytest.approx(10, abs=0.3)


def test_summary_says_what_was_done_and_prints_no_nan():
    step1 = mx.MGCFA(MEASUREMENT, ordered=("x1", "y1", "x2", "x3", "y2", "y3")).fit(survey(), "g")
    text = mx.summary(step1).to_text(100)
    assert "nan" not in text
    assert "polychoric" in text
    assert "corrected in mean and variance" in text
    glance = mx.glance(step1)
    assert glance["chisq"].notna().all()
    assert glance["aic"].isna().all()
