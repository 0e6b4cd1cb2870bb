"""R-squared, intraclass correlations and shares of the variance, against R and against their definitions."""

from __future__ import annotations

import warnings
from functools import lru_cache

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.data import sleepstudy
from mixsem.errors import MixsemWarning, OptionError, UnsupportedModelError
from mixsem.mixed.generalised.family_choice import as_family
from mixsem.mixed.variance.latent import methods_for, observation_variance
from mixsem.plots.style import cluster_color

from .references import Case, cases, load, vector

R = load("variance")
CASES = [case for case in cases() if case.reml and f"{case.dataset}-{case.model}" in R["fits"]]

#: Relative to the total: a relative covariance factor is good to 1e-4, and variances move by twice that.
SHARE = 2e-4
#: Relative, of the same sums of products in another order.
EXACT = 1e-10


@lru_cache
def fitted(case: Case) -> mx.MixedFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return mx.lmer(case.formula, case.data, weights=case.weights)


@lru_cache
def sleep(formula: str = "Reaction ~ Days + (Days | Subject)") -> mx.MixedFit:
    return mx.lmer(formula, sleepstudy())


def words(found) -> str:
    return " ".join(found.notes)


# --- R-squared ----------------------------------------------------------------------------------------------------


def test_the_reference_has_the_cases():
    assert len(CASES) == len(R["fits"]) >= 25


@pytest.mark.parametrize("case", CASES, ids=str)
def test_r2_is_that_of_r(case):
    expected, found = R["fits"][f"{case.dataset}-{case.model}"], mx.r2(fitted(case))
    frame = found.frame
    total = frame["variance"].sum()
    assert frame["variance"].iloc[0] == pytest.approx(expected["fixed"], abs=SHARE * total)
    assert frame["variance"].iloc[-1] == pytest.approx(expected["residual"], abs=SHARE * total)
    assert frame["variance"].iloc[1:-1].sum() == pytest.approx(sum(expected["terms"]), abs=SHARE * total)
    assert found.marginal == pytest.approx(expected["marginal"], abs=SHARE)
    assert found.conditional == pytest.approx(expected["conditional"], abs=SHARE)
    if expected["performance"] is not None:
        assert found.conditional == pytest.approx(expected["performance"]["conditional"], abs=SHARE)
    assert frame["share"].sum() == pytest.approx(1.0, rel=EXACT)


def test_variances_are_averaged_over_the_rows():
    """What a slope adds is the mean of the marginal variances of the rows; weights enter by their inverse."""
    data = sleepstudy().assign(w=lambda d: 1.0 + d["Days"] % 3)
    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", data, weights="w")
    frame = mx.r2(fit).frame.set_index("source")["variance"]
    implied = np.concatenate([np.diagonal(mx.implied_cov(fit, level).covariance) for level in data["Subject"].unique()])
    assert frame["Subject"] + frame["Residual"] == pytest.approx(implied.mean(), rel=EXACT)
    assert frame["Residual"] == pytest.approx(fit.sigma**2 * np.mean(1.0 / data["w"]), rel=EXACT)
    assert frame["Fixed effects"] == pytest.approx(np.var(data["Days"] * fit.beta[1], ddof=1), rel=EXACT)
    assert "Residual variances differ between rows" in words(mx.r2(fit))


def test_every_caveat_is_there_when_it_applies_and_only_then():
    intercepts, slopes = words(mx.r2(sleep("Reaction ~ Days + (1 | Subject)"))), words(mx.r2(sleep()))
    for text in (intercepts, slopes):
        assert "no single number is the explained variance" in text
        assert "biased" in text and "no threshold" in text
    assert "averaged over the observed" in slopes and "averaged over" not in intercepts
    loose = words(mx.r2(sleep("Reaction ~ Days + (Days || Subject)")))
    split = words(mx.r2(sleep("Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)")))
    assert all("Random effects of Subject have no covariance" in text for text in (loose, split))
    assert "no covariance" not in slopes
    assert "count" not in intercepts + slopes and "offset" not in slopes
    assert "The offset is known" in words(mx.r2(mx.lmer("Reaction ~ 1 + offset(Days) + (1 | Subject)", sleepstudy())))


def test_centring_moves_r2_without_the_covariance_and_only_then():
    data = sleepstudy().assign(c=lambda d: d["Days"] - 4.5)
    found = {
        bar: [mx.r2(mx.lmer(f"Reaction ~ {x} + ({x} {bar} Subject)", data)).marginal for x in ("Days", "c")]
        for bar in ("|", "||")
    }
    assert found["|"][0] == pytest.approx(found["|"][1], abs=SHARE)
    assert abs(found["||"][0] - found["||"][1]) > 3 * SHARE


def test_zero_variances_count_as_zero_and_are_named():
    case = next(case for case in CASES if case.dataset == "zero_variance")
    fit = fitted(case)
    assert mx.is_singular(fit)
    found = mx.r2(fit)
    assert np.isfinite(found.conditional)
    assert "estimated as 0" in words(found)
    assert "estimated as 0" in words(mx.icc(fit))


def test_offsets_belong_to_no_source():
    data = sleepstudy().assign(off=lambda d: 5.0 * d["Days"])
    with_offset = mx.lmer("Reaction ~ Days + offset(off) + (1 | Subject)", data)
    moved = mx.lmer("z ~ Days + (1 | Subject)", data.assign(z=data["Reaction"] - data["off"]))
    assert mx.r2(with_offset).conditional == pytest.approx(mx.r2(moved).conditional, abs=SHARE)


def test_residual_structures_are_averaged_and_said():
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", sleepstudy(), residual=mx.Residual(by="Days"))
    expected = np.mean(fit.residual.frame["sd"] ** 2)  # as many rows in each
    assert mx.r2(fit).frame["variance"].iloc[-1] == pytest.approx(expected, rel=EXACT)
    assert "their mean counts" in words(mx.r2(fit))
    auto = mx.lmer("Reaction ~ Days + (1 | Subject)", sleepstudy(), residual=mx.Residual(ar1=("Subject", "Days")))
    assert "autocorrelated" in words(mx.icc(auto))


def test_r2_of_other_fits_goes_on_and_methods_are_for_generalised_models():
    with pytest.raises(OptionError, match="linear mixed model"):
        mx.r2(sleep(), method="delta")
    with pytest.raises(UnsupportedModelError, match=r"or a fit of lmer\(\)"):
        mx.r2(3)
    people = mx.data.holzinger_swineford_1939()
    cfa = mx.cfa("visual =~ x1 + x2 + x3", people)
    assert list(mx.r2(cfa).columns) == ["group", "variable", "r2"]
    with pytest.raises(OptionError, match="SEMFit"):
        mx.r2(cfa, method="delta")


# --- intraclass correlation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [c for c in CASES if all(t.Z is None for t in fitted(c).design.terms)], ids=str)
def test_icc_of_random_intercepts_is_that_of_r(case):
    expected, found = R["fits"][f"{case.dataset}-{case.model}"], mx.icc(fitted(case))
    assert found.adjusted == pytest.approx(expected["adjusted"], abs=SHARE)
    assert found.unadjusted == pytest.approx(expected["unadjusted"], abs=SHARE)
    assert found.frame["adjusted"].iloc[-1] == found.adjusted
    assert found.curve is None


def test_icc_is_the_correlation_within_a_cluster():
    """Random intercepts are compound symmetry: each off-diagonal correlation of a cluster is the ICC."""
    fit = sleep("Reaction ~ Days + (1 | Subject)")
    block = mx.implied_cov(fit, 308).correlation.to_numpy()
    off = block[~np.eye(10, dtype=bool)]
    np.testing.assert_allclose(off, mx.icc(fit).frame["icc"][0], rtol=EXACT)


def test_nested_rows_share_the_outer_level_too():
    case = next(case for case in CASES if case.dataset == "pastes" and case.model == "nested")
    fit = fitted(case)
    found = mx.icc(fit)
    frame = found.frame.set_index("group")
    inner, outer = (factor for factor in fit.design.factors)
    around = frame["variance"][[inner.name, outer.name]].sum() + fit.sigma**2
    assert frame["icc"][inner.name] == pytest.approx(1.0 - fit.sigma**2 / around, rel=EXACT)
    assert frame["icc"][outer.name] == pytest.approx(frame["variance"][outer.name] / around, rel=EXACT)
    same = mx.implied_cov(fit, outer.levels[0], outer.name)
    rows = np.flatnonzero(outer.codes == 0)
    sharing = inner.codes[rows][:, None] == inner.codes[rows]
    expected = np.where(sharing, frame["icc"][inner.name], frame["icc"][outer.name])
    np.fill_diagonal(expected, 1.0)
    np.testing.assert_allclose(same.correlation.to_numpy(), expected, rtol=EXACT)
    assert f"{inner.name} within {outer.name}" in words(found)


def test_crossed_factors_share_nothing():
    case = next(case for case in CASES if case.dataset == "penicillin" and case.model == "crossed")
    frame = mx.icc(fitted(case)).frame.iloc[:-1]
    np.testing.assert_allclose(frame["icc"], frame["adjusted"], rtol=EXACT)
    assert "within" not in words(mx.icc(fitted(case))).replace("variance within", "")


def test_random_slopes_have_a_curve_and_no_single_number():
    found = mx.icc(sleep())
    assert np.isnan(found.adjusted) and np.isnan(found.unadjusted)
    np.testing.assert_allclose(found.frame["icc"], vector(R["curve"]), atol=SHARE)
    assert found.frame["value"].tolist() == list(range(10))
    assert "no single intraclass correlation" in words(found)
    ends = found.curve["icc"].iloc[[0, -1]].to_numpy()
    np.testing.assert_allclose(ends, found.frame["icc"].iloc[[0, -1]], rtol=EXACT)
    # two rows with one value, by the covariance matrix of a subject who was seen twice a day
    twice = pd.concat([sleepstudy()] * 2, ignore_index=True)
    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", twice)
    implied = mx.implied_cov(fit, 308).correlation.to_numpy()
    expected = [implied[day, day + 10] for day in range(10)]
    np.testing.assert_allclose(mx.icc(fit).frame["icc"], expected, rtol=EXACT)


def slopes_of_two_kinds() -> mx.MixedFit:
    rng = np.random.default_rng(5)
    g, c, x = np.repeat(np.arange(40), 12), np.tile(["a", "b", "c"], 160), rng.normal(size=480)
    b = rng.normal(size=(40, 4)) * [1.0, 0.5, 0.8, 0.6]
    y = x + b[g, 0] + b[g, 1] * x + b[g, 2] * (c == "b") + b[g, 3] * (c == "c") + rng.normal(size=480)
    return mx.lmer("y ~ x + c + (x + c | g)", pd.DataFrame({"y": y, "x": x, "c": c, "g": g}))


def test_other_slopes_stay_as_observed():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        fit = slopes_of_two_kinds()
    found = mx.icc(fit)
    assert found.frame["variable"].tolist() == ["x"] * 5 + ["c"] * 3
    sigma = fit.varcorr["g"].covariance
    data = fit.design.frame
    for variable, value in (("x", found.frame["value"][1]), ("c", "b")):
        rows = data.assign(**{variable: value})
        Z = np.column_stack([np.ones(480), rows["x"], rows["c"] == "b", rows["c"] == "c"]).astype(float)
        variance = np.einsum("ni,ij,nj->n", Z, sigma, Z).mean()
        row = found.frame.query("variable == @variable and value == @value")
        assert row["variance"].item() == pytest.approx(variance, rel=1e-9)
        assert row["icc"].item() == pytest.approx(variance / (variance + fit.sigma**2), rel=1e-9)
    figure = mx.plots.icc(found)
    assert len(figure.axes) == 2
    assert [t.get_text() for t in figure.axes[1].get_xticklabels()] == ["a", "b", "c"]


def test_the_curve_is_drawn():
    found = mx.icc(sleep())
    axes = mx.plots.icc(found).axes[0]
    (line,) = [one for one in axes.lines if one.get_gid() == "line Subject"]
    np.testing.assert_array_equal(line.get_xydata(), found.curve[["value", "icc"]].to_numpy(dtype=float))
    (dots,) = axes.collections
    np.testing.assert_array_equal(np.asarray(dots.get_offsets())[:, 1], found.frame["icc"])
    assert matplotlib.colors.to_rgb(line.get_color()) == cluster_color(1)
    pd.testing.assert_frame_equal(mx.plots.icc_data(found, "Days"), found.curve)
    with pytest.raises(OptionError, match=r"allowed: Days"):
        mx.plots.icc(found, "days")
    with pytest.raises(OptionError, match="single number"):
        mx.plots.icc(mx.icc(sleep("Reaction ~ Days + (1 | Subject)")))
    with pytest.raises(OptionError, match="MixedFit"):
        mx.plots.icc(sleep())


# --- shares -------------------------------------------------------------------------------------------------------


def test_shares_are_those_of_the_components_with_their_profile_intervals():
    fit = sleep()
    found = mx.variance_shares(fit, ci=True)
    assert found.frame["share"].sum() == pytest.approx(1.0, rel=EXACT)
    np.testing.assert_allclose(found.frame["variance"], found.frame["sd"] ** 2, rtol=EXACT)
    limits = mx.confint(fit, which="random").frame.set_index("parameter").drop("cor_Days.(Intercept)|Subject")
    np.testing.assert_allclose(found.frame[["lower", "upper"]], limits[["lower", "upper"]], rtol=EXACT)
    assert list(mx.variance_shares(fit).frame.columns) == ["group", "effect", "variance", "sd", "share"]
    assert "95%" in words(found) and "Lower (SD)" in repr(found)


def test_residual_variances_by_level_have_rows_and_no_intervals():
    data = sleepstudy().assign(h=lambda d: d["Days"] // 5)
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", data, residual=mx.Residual(by="h"))
    frame = mx.variance_shares(fit).frame
    assert frame["effect"].tolist() == ["(Intercept)", "h = 0", "h = 1"]
    np.testing.assert_allclose(frame["sd"].iloc[1:], fit.residual.frame["sd"], rtol=EXACT)
    assert frame["share"].sum() == pytest.approx(1.0, rel=EXACT)
    with pytest.raises(UnsupportedModelError, match="structure of its residuals"):
        mx.variance_shares(fit, ci=True)


@pytest.mark.parametrize("function", [mx.icc, mx.variance_shares, mx.compare_pooling])
def test_what_is_no_fit(function):
    with pytest.raises(OptionError, match="got str"):
        function("y ~ x + (1 | g)")


def test_small_variances_are_printed_with_digits():
    data = sleepstudy().assign(Reaction=lambda d: d["Reaction"] / 1e4)
    found = mx.r2(mx.lmer("Reaction ~ Days + (1 | Subject)", data))
    smallest = found.frame["variance"].min()
    printed = [
        line.split()[-2] for line in repr(found).splitlines() if line.startswith(("Fixed", "Subject", "Residual"))
    ]
    assert float(min(printed)) == pytest.approx(smallest, rel=0.1)


# --- generalised models -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "family"),
    [
        ("poisson", as_family("poisson")),
        ("negative_binomial", as_family("negative binomial").with_dispersion(1.7)),
        ("gamma", as_family("gamma", "log").with_dispersion(0.3)),
        ("logit", as_family("binomial")),
        ("probit", as_family("binomial", "probit")),
    ],
)
def test_variances_of_single_observations_are_those_of_the_paper(key, family):
    expected = R["latent"][key]
    tried = [name for name in ("delta", "lognormal", "trigamma") if name in expected]
    assert tried == [name for name in methods_for(family) if name != "theoretical"]
    for method in tried:
        assert observation_variance(family, expected["mu"], method) == pytest.approx(expected[method], rel=EXACT)


def test_bounds_are_one_sentence_about_what_is_shown():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"y": rng.normal(size=60), "x": rng.normal(size=60), "g": np.repeat(np.arange(12), 5)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        fit = mx.lmer("y ~ x + (x | g)", frame)
    shown = mx.variance_shares(fit, ci=True)
    assert shown.frame["lower"].iloc[:2].tolist() == [0.0, 0.0]
    (note,) = [text for text in shown.notes if "at 0" in text]
    assert note.startswith("sd_(Intercept)|g, sd_x|g end at 0:")
    assert not any("cor_" in text for text in shown.notes)


@pytest.mark.parametrize("function", [mx.r2, mx.icc, mx.variance_shares, mx.compare_pooling])
def test_penalised_variances_are_called_so(function):
    formula = "Reaction ~ Days + (1 | Subject)"
    penalised = mx.lmer(formula, mx.data.sleepstudy(), penalty="wishart")
    assert any(text.startswith("Penalised fit") for text in function(penalised).notes)
    assert not any("enalised" in text for text in function(mx.lmer(formula, mx.data.sleepstudy())).notes)


@pytest.mark.filterwarnings("ignore::mixsem.errors.BoundaryWarning")
def test_shares_of_a_fit_with_autocorrelation_say_so():
    fit = mx.lmer(
        "Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy(), residual=mx.Residual(ar1=("Subject", "Days"))
    )
    assert any("autocorrelated" in text for text in mx.variance_shares(fit).notes)
