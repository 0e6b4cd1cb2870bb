"""Choosing among mixed models, beside R's numbers (cAIC4, anova, RLRsim) and by definition."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import DataError, OptionError, UnsupportedModelError
from mixsem.mixed.generalised.glmer import glmer
from mixsem.mixed.judgement.singular import boundary
from mixsem.mixed.linear import fit_model
from mixsem.mixed.selection.comparable import describe
from mixsem.mixed.selection.random_nesting import mixture_p_value, random_change
from mixsem.mixed.selection.reduced_formula import without_zero_variances
from mixsem.mixed.selection.variance_test import null_ratios

from .references import FOLDER, read_data

REFERENCE = json.loads((FOLDER / "selection.json").read_text(encoding="utf-8"))
#: Of log-likelihoods, criteria and effective degrees of freedom: BOBYQA leaves 1e-5 in theta, of which rho and the
#: conditional log-likelihood are linear functions with coefficients of 10 to 20.
R_CLOSE = 3e-4
#: Absolute, of quantiles of 100,000 and 40,000 simulated ratios, in standard errors of the difference.
STANDARD_ERRORS = 4.5
#: The derivative of fitted values by refitting: searches end within 1e-6 of theta, and steps are 0.02 sigma wide.
BY_REFITTING = 2e-3


def label(entry: dict) -> str:
    return f"{entry['data']}: {entry['formula']}"


@pytest.fixture(scope="module")
def sleep() -> pd.DataFrame:
    return mx.data.sleepstudy()


@pytest.fixture(scope="module")
def crossed() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"s": np.repeat(np.arange(24), 12), "i": np.tile(np.arange(12), 24)})
    frame["x"], frame["z"] = rng.normal(size=288), rng.normal(size=288)
    frame["ward"] = frame["s"] // 4
    frame["y"] = frame["x"] + rng.normal(size=24)[frame["s"]] + 0.6 * rng.normal(size=12)[frame["i"]]
    frame["y"] += 0.5 * rng.normal(size=24)[frame["s"]] * frame["x"] + rng.normal(size=288)
    return frame


# ---- compare() -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", REFERENCE["anova"], ids=lambda e: f"{e['data']}: {e['large']}")
def test_likelihood_ratios_are_those_of_anova(entry):
    data = read_data(entry["data"])
    found = mx.compare(*(mx.lmer(entry[which], data) for which in ("small", "large")))
    assert ("Refitted by maximum likelihood" in found.notes[0]) == entry["refit"]
    row = found.frame.iloc[1]
    assert found.frame["aic"].to_numpy() == pytest.approx(entry["AIC"], abs=R_CLOSE)
    assert (row["chisq"], row["df_diff"]) == (pytest.approx(entry["chisq"], abs=R_CLOSE), entry["df"])
    assert row["p_value"] == pytest.approx(entry["p"], rel=R_CLOSE)


@pytest.mark.parametrize(
    ("small", "large", "variances", "covariances", "closed"),
    [
        ("(1 | s)", "(x | s)", 1, 1, True),
        ("(1 | s)", "(x || s)", 1, 0, True),
        ("(x || s)", "(x | s)", 0, 1, True),
        ("(x | s)", "(x + z | s)", 1, 2, True),
        ("(x || s)", "(x + z | s)", 1, 3, True),
        ("(1 | s)", "(1 | s) + (1 | i)", 1, 0, True),
        ("(1 | s)", "(x || s) + (1 | i)", 2, 0, True),
        ("(1 | s)", "(x + z | s)", 2, 3, False),
        ("(1 | s)", "(1 | s) + (x | i)", 2, 1, False),
        ("(x | s)", "(I(x + 3) | s)", 0, 0, True),
    ],
)
def test_what_a_random_part_adds(crossed, small, large, variances, covariances, closed):
    fits = [quiet(crossed, f"y ~ x + z + {part}") for part in (small, large)]
    found = random_change(*fits)
    assert (found.nested, found.variances, found.covariances, found.closed) == (True, variances, covariances, closed)


@pytest.mark.parametrize(
    ("small", "large"),
    [("(1 | i)", "(x | s)"), ("(z | s)", "(x | s)"), ("(x | s)", "(x || s) + (1 | i)"), ("(x || s)", "(I(x+3) || s)")],
)
def test_random_parts_that_are_not_nested(crossed, small, large):
    fits = [quiet(crossed, f"y ~ x + z + {part}") for part in (small, large)]
    assert not random_change(*fits).nested


def quiet(data, formula, **options) -> mx.MixedFit:
    """A fit; what it warns of is not the matter."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mx.lmer(formula, data, **options)


def test_the_mixture_by_hand():
    from scipy.stats import chi2

    assert mixture_p_value(3.0, 2, 1) == pytest.approx(0.5 * chi2.sf(3, 1) + 0.5 * chi2.sf(3, 2))
    assert mixture_p_value(3.0, 2, 2) == pytest.approx(0.5 * chi2.sf(3, 1) + 0.25 * chi2.sf(3, 2))
    assert mixture_p_value(3.0, 1, 0) == pytest.approx(chi2.sf(3, 1))
    assert mixture_p_value(0.0, 1, 1) == 1.0


def test_the_boundary_is_told_and_both_p_values_stand_side_by_side(sleep):
    found = mx.compare(*(mx.lmer(f"Reaction ~ Days + {part}", sleep) for part in ("(1 | Subject)", "(Days | Subject)")))
    row, text = found.frame.iloc[1], " ".join(found.notes)
    assert row["p_boundary"] == pytest.approx(mixture_p_value(row["chisq"], 2, 1))
    assert row["p_boundary"] < row["p_value"]
    assert "1/2 chi-square(1) + 1/2 chi-square(2)" in text
    assert "Parameters are fixed effects, variances and covariances of random effects and the residual variance" in text


def test_two_questions_at_once_are_named_where_they_are(sleep):
    parts = ("Days + (1 | Subject)", "Days + (Days | Subject)", "Days + I(Days ** 2) + (Days | Subject)")
    fits = [mx.lmer(f"Reaction ~ {part}", sleep) for part in parts]
    assert "two questions" not in " ".join(mx.compare(*fits).notes)
    assert "two questions" in " ".join(mx.compare(fits[0], fits[2]).notes)


def test_other_scaling_of_the_fixed_part_is_no_reml_comparison(sleep):
    """Restricted likelihoods depend on the units of the columns, even under the same names."""
    hours = sleep.assign(Days=24 * sleep["Days"])
    found = mx.compare(
        mx.lmer("Reaction ~ Days + (1 | Subject)", sleep), mx.lmer("Reaction ~ Days + (Days | Subject)", hours)
    )
    assert "Refitted by maximum likelihood: the fixed parts differ." in found.notes


def test_simulated_p_values_repeat_and_are_about_the_mixture(crossed):
    useless = [quiet(crossed, f"y ~ x + {part}") for part in ("(x || s)", "(x || s) + (1 | ward)")]
    assert mx.compare(*useless, simulate=9).frame["p_simulated"][1] == 1.0
    fits = [quiet(crossed, f"y ~ x + {part}") for part in ("(1 | s)", "(1 | s) + (0 + z | ward)")]
    found = mx.compare(*fits, simulate=100, seed=5).frame.iloc[1]
    # four standard errors of a share of 100, about the asymptotic value
    assert found["p_simulated"] == pytest.approx(found["p_boundary"], abs=4 * np.sqrt(0.25 / 100))
    again = [mx.compare(*fits, simulate=9, seed=seed).frame.iloc[1]["p_simulated"] for seed in (6, 6)]
    assert again[0] == again[1]


def test_random_parts_side_by_side_are_not_tested(crossed):
    found = mx.compare(quiet(crossed, "y ~ x + (1 | i)"), quiet(crossed, "y ~ x + (x | s)"))
    assert found.frame["chisq"].isna().all()
    assert "The random part of model 1 is not within that of model 2: no test" in " ".join(found.notes)


def test_what_cannot_be_compared(sleep):
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", sleep)
    with pytest.raises(OptionError, match="two fits or more"):
        mx.compare(fit)
    with pytest.raises(OptionError, match="compare\\(small, large\\)"):
        mx.compare([fit, fit])
    with pytest.raises(DataError, match="180 rows and model 2 170"):
        mx.compare(fit, mx.lmer("Reaction ~ Days + (Days | Subject)", sleep.iloc[10:]))
    with pytest.raises(DataError, match="other weights"):
        mx.compare(fit, mx.lmer("Reaction ~ Days + (Days | Subject)", sleep, weights=1.0 + sleep["Days"].to_numpy()))


# ---- one variance --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", REFERENCE["rlrt"], ids=label)
def test_the_null_distribution_is_that_of_rlrsim(entry):
    fit = mx.lmer(entry["formula"], read_data(entry["data"]))
    term = {"pastes": "batch"}.get(entry["data"])
    found = mx.variance_test(fit, term, n=40_000, seed=2).frame.iloc[0]
    assert found["rlr"] == pytest.approx(entry["rlr"], abs=R_CLOSE)
    shares = 1 / 40_000 + 1 / entry["n"]
    spread = np.sqrt(entry["p"] * (1 - entry["p"]) * shares)
    assert found["p_value"] == pytest.approx(entry["p"], abs=STANDARD_ERRORS * spread + 5e-5)
    assert found["zeros"] == pytest.approx(entry["zeros"], abs=STANDARD_ERRORS * np.sqrt(0.25 * shares))
    t = 0 if term is None else 1
    ratios = null_ratios(fit, t, 40_000, np.random.default_rng(3))
    for level, quantile in zip((0.8, 0.9, 0.95, 0.99), entry["quantiles"], strict=True):
        assert (ratios <= quantile).mean() == pytest.approx(
            level, abs=STANDARD_ERRORS * np.sqrt(level * (1 - level) * shares)
        )


def test_a_variance_of_zero_has_p_value_one():
    found = mx.variance_test(quiet(read_data("zero_variance"), "strength ~ 1 + (1 | batch)"), n=100)
    assert found.frame["p_value"][0] == found.frame["p_boundary"][0] == 1.0


def test_which_variance(sleep):
    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", sleep)
    with pytest.raises(OptionError, match="has 2 random effects"):
        mx.variance_test(fit)
    with pytest.raises(OptionError, match="Subject"):
        mx.variance_test(fit, "Subjekt")


# ---- information criteria ------------------------------------------------------------------------------------------


def test_the_table_by_hand(sleep):
    fits = [mx.lmer(f"Reaction ~ {fixed} + (Days | Subject)", sleep) for fixed in ("Days", "1", "Days + I(Days ** 2)")]
    found = mx.aic_table(*fits, names=("line", "flat", "curve"), reml=True)
    assert found.frame["model"].tolist() == ["line", "curve", "flat"]
    aic = np.array([fit.update(reml=False).aic for fit in (fits[0], fits[2], fits[1])])
    assert found.frame["aic"].to_numpy() == pytest.approx(aic, abs=1e-6)
    weights = np.exp(-0.5 * (aic - aic.min()))
    assert found.frame["weight"].to_numpy() == pytest.approx(weights / weights.sum(), abs=1e-6)
    assert found.frame["aicc"][0] - aic[0] == pytest.approx(2 * 6 * 7 / (180 - 6 - 1), abs=1e-6)
    assert found.frame["aic_reml"].tolist() == [fits[0].aic, fits[2].aic, fits[1].aic]
    text = " ".join(found.notes)
    assert "indistinguishable: line, curve" in text
    assert "must not be compared" in text


def test_the_same_fixed_part_keeps_reml(sleep):
    fits = [mx.lmer(f"Reaction ~ Days + {part}", sleep) for part in ("(1 | Subject)", "(Days | Subject)")]
    found = mx.aic_table(*fits, reml=True)
    assert found.frame["aic"].tolist() == [fits[1].aic, fits[0].aic]
    assert "must not be compared" not in " ".join(found.notes)


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("entry", REFERENCE["caic"], ids=label)
def test_conditional_aic_agrees_with_caic4(entry, method):
    found = mx.caic(quiet(read_data(entry["data"]), entry["formula"], reml=method == "REML"))
    expected = entry[method]
    assert found.cond_loglik == pytest.approx(expected["loglik"], abs=R_CLOSE)
    assert found.rho == pytest.approx(expected["rho"], abs=R_CLOSE)
    assert found.caic == pytest.approx(expected["caic"], abs=2 * R_CLOSE)
    if expected["dropped"]:
        assert found.formula == expected["formula"]
        assert "(Intercept) by g" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("dataset", "formula", "weighted"),
    [
        ("tiny_groups", "y ~ x + (1 | g)", False),
        ("singular_slope", "y ~ x + (x | g)", False),
        ("tiny_groups", "y ~ x + (1 | g)", True),
    ],
)
def test_the_exact_derivative_is_what_refitting_shows(dataset, formula, weighted):
    """Trace of d yhat / d y, row by row: also on the boundary (correlation 1), and with weights."""
    data = read_data(dataset)
    weights = 0.5 + np.arange(len(data)) % 3 if weighted else None
    fit = quiet(data, formula, weights=weights)
    step, trace = 0.02 * fit.sigma, 0.0
    for i in range(fit.nobs):
        ends = []
        for sign in (1.0, -1.0):
            y = fit.model.y.copy()
            y[i] += sign * step
            ends.append(fit_model(fit.specification, fit.model.with_response(y), fit.theta).fitted[i])
        trace += (ends[0] - ends[1]) / (2.0 * step)
    assert mx.caic(fit).rho_exact == pytest.approx(trace + 1.0, rel=BY_REFITTING)


def test_nothing_but_fixed_effects_left():
    fit = quiet(read_data("zero_variance"), "strength ~ 1 + (1 | batch)")
    found = mx.caic(fit)
    assert found.rho == pytest.approx(2.0, abs=1e-8)
    assert found.formula is None
    assert without_zero_variances(fit)[1] == ("(Intercept) by batch",)


# ---- prediction ----------------------------------------------------------------------------------------------------


def test_new_clusters_by_the_definition(sleep):
    """Leave one subject out: the joint normal density with the covariance of a fit to the others."""
    from scipy.stats import multivariate_normal

    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", sleep)
    found = mx.cross_validate(fit, folds=18)
    for unit, subject in enumerate(fit.design.factors[0].levels[:3]):
        other = mx.lmer("Reaction ~ Days + (Days | Subject)", sleep[sleep["Subject"] != subject])
        X = fit.design.X[fit.design.factors[0].codes == unit]
        y = fit.design.y[fit.design.factors[0].codes == unit]
        spread = X @ (other.varcorr["Subject"].covariance + other.vcov.to_numpy()) @ X.T + other.sigma**2 * np.eye(10)
        expected = multivariate_normal(X @ other.beta, spread).logpdf(y)
        # theta is found again from another start, to 1e-5
        assert found.scores["log_score model 1"][unit] == pytest.approx(expected, abs=1e-3)
        assert found.scores["squares model 1"][unit] == pytest.approx(((y - X @ other.beta) ** 2).sum(), rel=1e-4)
    assert found.frame["log_score"][0] == pytest.approx(found.scores["log_score model 1"].sum() / 180)
    assert "rows of new levels of Subject" in found.notes[0]


def test_known_clusters_by_predict(sleep):
    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", sleep)
    found = mx.cross_validate(fit, by="row", folds=5, seed=3)
    at = (found.scores["fold"] == 0).to_numpy()
    other = mx.lmer("Reaction ~ Days + (Days | Subject)", sleep[~at])
    expected = other.predict(sleep[at], interval="prediction")
    error = sleep["Reaction"][at] - expected["fit"]
    logs = -0.5 * (np.log(2 * np.pi * expected["se"] ** 2) + (error / expected["se"]) ** 2)
    assert found.scores["log_score model 1"][at].to_numpy() == pytest.approx(logs.to_numpy(), abs=1e-4)
    assert found.scores["squares model 1"][at].to_numpy() == pytest.approx((error**2).to_numpy(), rel=1e-3, abs=1e-2)


def test_crossed_clusters_by_the_covariance_of_all_rows(crossed):
    """New subjects, known items: the conditional normal distribution given all other rows."""
    from scipy.stats import multivariate_normal

    fit = quiet(crossed, "y ~ x + (1 | s) + (1 | i)")
    found = mx.cross_validate(fit, by="s", folds=24, seed=1)
    fold = int(found.scores["fold"][5])
    assert (found.scores["fold"] == fold).sum() == 1
    out = (crossed["s"] == 5).to_numpy()
    other = quiet(crossed[~out], "y ~ x + (1 | s) + (1 | i)")
    s, i = crossed["s"].to_numpy(), crossed["i"].to_numpy()
    sds = [other.varcorr[g].sd[0] for g in ("s", "i")]
    V = sds[0] ** 2 * (s[:, None] == s) + sds[1] ** 2 * (i[:, None] == i) + other.sigma**2 * np.eye(288)
    X = fit.design.X
    V = V + 1e6 * X @ X.T  # fixed effects of which nothing is known beforehand
    gain = np.linalg.solve(V[np.ix_(~out, ~out)], V[np.ix_(~out, out)]).T
    mean, spread = gain @ fit.design.y[~out], V[np.ix_(out, out)] - gain @ V[np.ix_(~out, out)]
    expected = multivariate_normal(mean, 0.5 * (spread + spread.T)).logpdf(fit.design.y[out])
    assert found.scores["log_score model 1"][5] == pytest.approx(expected, abs=2e-3)  # 1e6 is not infinite


def test_models_side_by_side_and_formulas(sleep):
    formulas = [f"Reaction ~ Days + {part}" for part in ("(1 | Subject)", "(Days | Subject)")]
    found = mx.cross_validate(*formulas, data=sleep, by="row", names=("intercepts", "slopes"))
    again = mx.cross_validate(*(mx.lmer(text, sleep) for text in formulas), by="row", names=("intercepts", "slopes"))
    pd.testing.assert_frame_equal(found.frame, again.frame)
    assert found.frame["difference"][1] == 0.0
    gap = found.scores["log_score intercepts"] - found.scores["log_score slopes"]
    assert found.frame["difference"][0] == pytest.approx(gap.mean())
    assert found.frame["difference_se"][0] == pytest.approx(gap.std() / np.sqrt(180))


def test_which_clusters(sleep, crossed):
    with pytest.raises(OptionError, match="crossed"):
        mx.cross_validate(quiet(crossed, "y ~ x + (1 | s) + (1 | i)"))
    nested = mx.cross_validate(quiet(crossed, "y ~ x + (1 | ward/s)"), folds=3)
    assert "new levels of ward" in nested.notes[0]
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", sleep)
    with pytest.raises(OptionError, match="2 to 18"):
        mx.cross_validate(fit, folds=19)
    with pytest.raises(OptionError, match="data="):
        mx.cross_validate(fit, data=sleep)
    with pytest.raises(UnsupportedModelError, match="structure"):
        mx.cross_validate(
            mx.lmer("Reaction ~ Days + (1 | Subject)", sleep, residual=mx.Residual(ar1=("Subject", "Days")))
        )


def test_averages_by_hand(sleep):
    fits = [mx.lmer(f"Reaction ~ {x} + (Days | Subject)", sleep) for x in ("Days", "Days + I(Days ** 2)")]
    found = mx.average_predictions(fits, sleep.head(4), weights=[3, 1])
    one, two = (fit.predict(sleep.head(4), interval="confidence") for fit in fits)
    mean = 0.75 * one["fit"] + 0.25 * two["fit"]
    se = 0.75 * np.hypot(one["se"], one["fit"] - mean) + 0.25 * np.hypot(two["se"], two["fit"] - mean)
    assert found.frame["fit"].to_numpy() == pytest.approx(mean.to_numpy())
    assert found.frame["se"].to_numpy() == pytest.approx(se.to_numpy())
    assert (found.frame["se"] > found.frame["se_within"]).all()
    weights = mx.aic_table(*fits).frame.set_index("model")["weight"]
    assert f"model 1, weight {weights['model 1']:.3f}" in mx.average_predictions(fits).notes[0]
    with pytest.raises(OptionError, match="one per fit"):
        mx.average_predictions(fits, weights=[1])


# ---- paths ---------------------------------------------------------------------------------------------------------


def test_every_step_is_shown(crossed):
    path = mx.supported_model("y ~ x + z + (x + z | s) + (1 | i)", crossed)
    frame = path.frame
    assert frame["step"].max() in (len(path.fits) - 1, len(path.fits))
    assert (frame[frame["decision"] == "dropped"]["p_value"] > 0.2).all()
    last = frame[frame["step"] == len(path.fits)]
    assert (last["p_value"] <= 0.2).all()
    for step, rows in frame.groupby("step"):
        gone = rows[rows["decision"] == "dropped"]
        assert len(gone) == (step < len(path.fits))
        assert rows["p_value"].max() == pytest.approx(gone["p_value"].iloc[0]) if len(gone) else True
    assert "(1 | i)" in path.fit.formula
    assert path.fit.objective == pytest.approx(quiet(crossed, path.fit.formula).objective, abs=1e-6)


def test_interactions_go_before_what_they_contain(crossed):
    frame = mx.supported_model("y ~ x * z + (x * z || s)", crossed).frame
    assert set(frame[frame["step"] == 1]["dropped"]) == {"x:z by s"}


def test_offsets_and_weights_go_along(crossed):
    data = crossed.assign(w=1.0 + crossed["i"] % 3)
    path = mx.supported_model("y ~ x + (x | s) + (1 | i)", data, weights="w", offset="z")
    again = quiet(data, path.fit.formula, weights="w", offset="z")
    assert path.fit.objective == pytest.approx(again.objective, abs=1e-6)
    assert path.fit.update(data=data).objective == pytest.approx(again.objective, abs=1e-6)


def test_whole_clusters_are_sampled(sleep):
    some = mx.sample_clusters(sleep, "Subject", 5, seed=1)
    assert some["Subject"].nunique() == 5
    assert len(some) == 50
    pd.testing.assert_frame_equal(some, sleep.loc[some.index])
    assert len(mx.sample_clusters(sleep, "Subject", 100)) == 180
    missing = sleep.assign(Subject=sleep["Subject"].astype(float).mask(sleep["Days"] == 3))
    assert not mx.sample_clusters(missing, "Subject", 100)["Subject"].isna().any()
    with pytest.raises(OptionError, match="Subject"):
        mx.sample_clusters(sleep, "subject", 3)


# ---- generalised models --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"g": np.repeat(np.arange(40), 10), "x": rng.normal(size=400)})
    frame["y"] = rng.poisson(np.exp(0.3 * frame["x"] + 0.5 * rng.normal(size=40)[frame["g"]]))
    return frame


def test_generalised_models_are_compared_by_their_likelihoods(counts):
    formulas = ("y ~ 1 + (1 | g)", "y ~ x + (1 | g)", "y ~ x + (x | g)")
    flat, line, slopes = (glmer(formula, counts, family="poisson") for formula in formulas)
    found = mx.compare(flat, line, slopes)
    assert found.frame["chisq"][1] == flat.objective - line.objective
    assert found.frame["p_boundary"][2] == mixture_p_value(found.frame["chisq"][2], 2, 1)
    assert "residual variance" not in " ".join(found.notes)
    assert mx.aic_table(line, slopes).frame["aic"].tolist() == [line.aic, slopes.aic]


def test_likelihoods_of_generalised_models_that_are_not_comparable(counts):
    fit = glmer("y ~ x + (1 | g)", counts, family="poisson")
    with pytest.raises(DataError, match="n_agq=1 and n_agq=5"):
        mx.compare(fit, glmer("y ~ x + (1 | g)", counts, family="poisson", n_agq=5))
    with pytest.raises(DataError, match="of lmer"):
        mx.compare(fit, mx.lmer("y ~ x + (1 | g)", counts))
    for function in (mx.caic, mx.variance_test, mx.cross_validate, lambda one: mx.average_predictions([one, one])):
        with pytest.raises(UnsupportedModelError, match="aic_table"):
            function(fit)


def test_one_fit_in_the_place_of_a_list_is_refused():
    with pytest.raises(OptionError, match=r"average_predictions\(\) got MixedFit"):
        mx.average_predictions(mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy()))


def test_clusters_by_a_list_of_one_name():
    data = mx.data.sleepstudy()
    assert mx.sample_clusters(data, ["Subject"], 3).equals(mx.sample_clusters(data, "Subject", 3))
    with pytest.raises(OptionError, match="by="):
        mx.sample_clusters(data, ["Subject", "Days"], 3)


def test_a_path_without_a_step_says_so():
    path = mx.supported_model("Reaction ~ Days + (0 + Days | Subject)", mx.data.sleepstudy())
    assert len(path.frame) == 0
    assert "There was no step to try" in path.notes[-1]
    assert "No step has" not in repr(path)


def test_the_same_fixed_part_in_other_units_is_one_question():
    data = mx.data.sleepstudy()
    small = mx.lmer("Reaction ~ Days + (1 | Subject)", data)
    large = mx.lmer("Reaction ~ I(2 * Days) + (Days | Subject)", data)
    assert "two questions" not in repr(mx.compare(small, large))
    both = mx.lmer("Reaction ~ Days + I(Days**2) + (Days | Subject)", data)
    assert "two questions" in repr(mx.compare(small, both))


def test_weights_and_penalties_are_part_of_a_description():
    data = mx.data.sleepstudy().assign(w=2.0)
    assert describe(mx.lmer("Reaction ~ Days + (1 | Subject)", data, weights="w")).endswith("; weights w")
    assert describe(mx.lmer("Reaction ~ Days + (1 | Subject)", data, weights=data["w"])).endswith("; weighted")
    assert "penalised: " in describe(mx.lmer("Reaction ~ Days + (1 | Subject)", data, penalty="wishart"))
    path = mx.supported_model("Reaction ~ Days + (1 | Subject)", data, weights="w")
    assert "weights w" in path.notes[0]


@pytest.mark.filterwarnings("ignore::mixsem.errors.MixsemWarning")
def test_combinations_without_variance_are_sentences():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=["y", "x", "z"]).assign(g=np.repeat(np.arange(12), 5))
    frame["y"] += frame["g"].map(pd.Series(rng.normal(size=12)))
    fit = mx.lmer("y ~ x + z + (x + z | g)", frame)
    flat = [d.what for d in boundary(fit).directions if d.kind in ("correlation", "combination")]
    assert flat
    notes = mx.caic(fit).notes
    assert {f"{what[0].upper()}{what[1:]}." for what in flat} <= set(notes)
    assert "rho is that of fits on this boundary, where cAIC4 would drop an effect." in notes


def test_differences_of_log_scores_are_explained():
    data = mx.data.sleepstudy()
    models = ["Reaction ~ Days + (1 | Subject)", "Reaction ~ 1 + (1 | Subject)"]
    assert "Differences of log scores are from the model with the highest" in repr(
        mx.cross_validate(*models, data=data, folds=3)
    )
    assert "Differences" not in repr(mx.cross_validate(models[0], data=data, folds=3))
