"""Confidence intervals against R, and what they say of themselves."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

import mixsem as mx
from mixsem.errors import MixsemWarning, OptionError

from .references import PROFILE, Case, cases, datasets

#: Relative to the distance of a limit from the estimate. R's limits are roots of deviances that BOBYQA minimised to
#: about 1e-9, and both sides' estimates are good to 1e-6.
EXACT = 1e-6
#: lme4's own limits are read off splines; beyond boundaries these are worse still.
SPLINES = 2e-2


def profiled() -> list[Case]:
    """ML fits with exact limits by R, of all data sets that have them."""
    found = []
    for case in (case for name in datasets() for case in cases(name) if not case.reml):
        exact = (case.numbers.get("profile") or {}).get("exact") or {}
        if "parameter" in exact:
            found.append(case)
    return found


CASES = profiled()


def our_parameters(case: Case, names: list[str]) -> list[str]:
    """R's names of parameters as ours: random effects and coefficients are named after formulaic's columns."""
    random = {**{("", ""): ""}, **case.random_names()}
    fixed = dict(zip(case.numbers["beta"], case.fixed_names, strict=True))
    found = []
    for name in names:
        kind, _, rest = name.partition("_")
        effects, _, group = rest.rpartition("|")
        if kind == "sd" and group:
            found.append(f"sd_{random[group, effects]}|{group}")
        elif kind == "cor" and group:
            ours = {
                f"{b}.{a}": f"cor_{random[g, b]}.{random[g, a]}|{group}"
                for g, a in random
                for h, b in random
                if g == h == group
            }
            found.append(ours[effects])
        else:
            found.append(fixed.get(name, name))
    return found


def fitted(case: Case) -> mx.MixedFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return mx.lmer(case.formula, case.data, reml=False, weights=case.weights)


def test_the_references_are_many():
    assert len(CASES) >= 25
    assert sum(case.numbers["singular"] for case in CASES) >= 6


@pytest.mark.parametrize("case", CASES, ids=str)
def test_profile_limits(case):
    fit, exact = fitted(case), case.numbers["profile"]["exact"]
    found = mx.confint(fit).frame.set_index("parameter")
    names = our_parameters(case, exact["parameter"])
    assert set(names) == set(found.index)
    found = found.loc[names]
    bounds = {"sd": (0.0, np.inf), "cor": (-1.0, 1.0), "sigma": (0.0, np.inf), "fixed": (-np.inf, np.inf)}
    for j, side in enumerate(("lower", "upper")):
        for (name, row), limit, center in zip(found.iterrows(), exact[side], exact["estimate"], strict=True):
            limit = bounds[row["kind"]][j] if limit is None else limit
            distance = abs(limit - center) if np.isfinite(limit) else 1.0
            assert row[side] == pytest.approx(limit, rel=0, abs=EXACT * distance + 1e-9), (name, side)


@pytest.mark.parametrize("case", cases("sleepstudy"), ids=str)
def test_lme4s_own_limits(case):
    if case.reml or case.weights:  # lme4's profiles of coefficients are wrong with weights
        return
    lme4 = case.numbers["profile"]["lme4"]
    found = mx.confint(fitted(case)).frame.set_index("parameter").loc[our_parameters(case, lme4["parameter"])]
    half = (np.array(lme4["upper"]) - np.array(lme4["lower"])) / 2
    for side in ("lower", "upper"):
        off = np.abs(found[side].to_numpy() - np.array(lme4[side])) / half
        assert off.max() < SPLINES
        assert np.median(off) < PROFILE


def test_wald_limits_are_estimates_and_standard_errors():
    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())
    plain = mx.confint(fit, "wald", which="fixed", ddf="none", level=0.9).frame
    np.testing.assert_allclose(plain["upper"] - plain["estimate"], norm.ppf(0.95) * fit.se.to_numpy(), rtol=1e-12)
    students = mx.confint(fit, "wald", which="fixed").frame
    # lmerTest: 17 degrees of freedom for both
    np.testing.assert_allclose(students["estimate"] - students["lower"], t.ppf(0.975, 17) * fit.se, rtol=1e-5)


def test_wald_has_nothing_for_standard_deviations():
    found = mx.confint(mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy()), "wald")
    random = found.frame[found.frame["kind"] != "fixed"]
    assert random[["lower", "upper"]].isna().all(axis=None)
    assert not random["estimate"].isna().any()
    assert "method='profile'" in " ".join(found.notes)


def test_a_bootstrap_by_its_method_name():
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy())
    stages = []
    found = mx.confint(fit, "bootstrap", n=40, seed=3, which="random", progress=lambda *a: stages.append(a))
    assert found.method == "bootstrap"
    assert found.frame["parameter"].tolist() == ["sd_(Intercept)|Subject", "sigma"]
    assert stages[-1] == ("bootstrap", 40, 40)
    drawn = mx.bootstrap(fit, 40, seed=3).draws["sigma"]
    assert found.frame["lower"][1] == pytest.approx(np.quantile(drawn, 0.025, method="weibull"))


def test_limits_widen_with_the_level_and_are_solved_for():
    found = mx.profile(mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy()), level=0.9, points=3)
    narrow, wide = found.intervals(0.5).frame, found.intervals(0.999).frame  # the latter lies beyond the profile
    assert (wide["lower"] < narrow["lower"]).all()
    assert (wide["upper"] > narrow["upper"]).all()
    again = mx.profile(found.fit, level=0.999, points=3).intervals(0.999).frame
    pd.testing.assert_frame_equal(wide, again, rtol=1e-7)


def test_it_prints_as_a_table():
    found = mx.confint(mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy()), level=0.9)
    text = repr(found)
    assert text.startswith("90% profile likelihood intervals")
    assert "sd_(Intercept)|Subject" in text
    assert found.to_pandas().equals(found.frame)
    assert "<table" in found._repr_html_()


def test_progress_of_profiles():
    stages = []
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy())
    mx.confint(fit, which="random", progress=lambda *a: stages.append(a))
    assert stages == [("profile", 1, 2), ("profile", 2, 2)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "Wald"}, "did you mean 'wald'"),
        ({"level": 95}, "level="),
        ({"which": "Dayz"}, "did you mean 'Days'"),
        ({"method": "wald", "ddf": "kenward"}, "ddf="),
        ({"method": "bootstrap", "n": 1}, "n="),
    ],
)
def test_options(options, message):
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy())
    with pytest.raises(OptionError, match=message):
        mx.confint(fit, **options)


def test_only_fits():
    with pytest.raises(OptionError, match="fit of lmer"):
        mx.confint("fit")  # type: ignore[arg-type]


def test_zeta_plot_draws_what_its_twin_says():
    found = mx.profile(mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy()), points=4)
    figure, data = mx.plots.zeta(found), mx.plots.zeta_data(found)
    assert len(figure.axes) == len(found.names) == 4
    for axes, name in zip(figure.axes, found.names, strict=True):
        drawn = {line.get_gid(): line for line in axes.lines}
        rows = data[data["parameter"] == name]
        np.testing.assert_array_equal(drawn["points"].get_xdata(), rows["value"])
        np.testing.assert_array_equal(drawn["points"].get_ydata(), rows["zeta"])
    limits = found.intervals().frame
    np.testing.assert_allclose(drawn["interval"].get_xdata(), limits[["lower", "upper"]].iloc[3])
    given = type(figure)()
    assert mx.plots.zeta(found, figure=given) is given
    with pytest.raises(OptionError, match="where the profile ends"):
        mx.plots.zeta(found, 0.999)
    with pytest.raises(OptionError, match="a Profile"):
        mx.plots.zeta_data("profile")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("profile", {"n": 5}, "n= for method='profile', which does not use it"),
        ("profile", {"seed": 1, "workers": 2}, "seed=, workers= for method='profile', which does not use them"),
        ("profile", {"ddf": "kenward-roger"}, "ddf= for method='profile'"),
        ("wald", {"n": 5}, "n= for method='wald'"),
        ("wald", {"seed": None}, "seed= for method='wald'"),
        ("bootstrap", {"ddf": "none"}, "ddf= for method='bootstrap'"),
    ],
)
def test_options_that_mean_nothing_for_a_method_are_refused(method, options, message):
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy())
    with pytest.raises(OptionError, match=message):
        mx.confint(fit, method, **options)


@pytest.mark.parametrize(("method", "options"), [("wald", {}), ("bootstrap", {"n": 3})])
def test_a_structure_of_the_residuals_without_intervals_is_said(method, options):
    data = mx.data.sleepstudy()
    data["late"] = data["Days"] > 4
    structure = mx.Residual(by="late", ar1=("Subject", "Days"))
    notes = mx.confint(mx.lmer("Reaction ~ Days + (1 | Subject)", data, residual=structure), method, **options).notes
    expected = "No intervals for the structure of the residuals (ratio.True, phi). sigma is that of late = False."
    assert notes[-1] == expected
    assert not any("'profile'" in note for note in notes)  # which would be refused
