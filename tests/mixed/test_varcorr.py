"""Variance components and random effects against lme4."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.data import sleepstudy
from mixsem.errors import MixsemWarning, OptionError

from .references import FIXEF_RELATIVE, MODES, THETA, Case, cases, matrix

CASES = [case for case in cases() if case.dataset in ("sleepstudy", "penicillin", "several_terms", "singular_slope")]
every = pytest.mark.parametrize("case", CASES, ids=str)

#: Relative, of sums of a few products: rounding.
EXACT = 1e-12


@lru_cache
def fitted(case: Case) -> mx.MixedFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return mx.lmer(case.formula, case.data, reml=case.reml, weights=case.weights)


@every
def test_standard_deviations_and_correlations_are_those_of_lme4(case):
    fit, numbers = fitted(case), case.numbers
    labels = [block["group"] for block in numbers["varcorr"]["blocks"]]
    assert sum(len(block["cov"]["rows"]) for block in numbers["varcorr"]["blocks"]) == sum(
        len(term.names) for term in fit.varcorr.terms
    )
    for block, label in zip(numbers["varcorr"]["blocks"], labels, strict=True):
        terms = [t for t in fit.varcorr.terms if t.group.split(".")[0] == label.split(".")[0]]
        known = {name: (term, a) for term in terms for a, name in enumerate(term.names)}
        covariance = matrix(block["cov"])
        for a, row in enumerate(block["cov"]["rows"]):
            name = case.random_names()[label, row]
            term, at = known[name]
            near = THETA * (numbers["sigma"] + np.sqrt(covariance[a, a]))
            assert term.sd[at] == pytest.approx(np.sqrt(covariance[a, a]), abs=near)
    assert fit.varcorr.sigma == pytest.approx(numbers["sigma"], rel=FIXEF_RELATIVE)


def test_the_frame_has_covariances_correlations_and_shares():
    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())
    frame = fit.varcorr.frame
    assert list(frame.columns) == ["group", "effect", "effect2", "vcov", "sdcor", "share"]
    assert frame.effect2.notna().tolist() == [False, False, True, False]
    term = fit.varcorr["Subject"]
    assert frame.vcov[2] == term.covariance[0, 1]
    assert frame.sdcor[2] == pytest.approx(frame.vcov[2] / (term.sd[0] * term.sd[1]), rel=EXACT)
    assert frame.share.sum() == pytest.approx(1.0, rel=EXACT)
    days = sleepstudy()["Days"].to_numpy()
    z = np.column_stack([np.ones(len(days)), days])
    added = np.einsum("ia,ab,ib->i", z, term.covariance, z).mean()
    assert term.mean_variance == pytest.approx(added, rel=EXACT)
    assert frame.share[0] == pytest.approx(added / (added + fit.sigma**2), rel=EXACT)


def test_residual_variance_of_weighted_rows_is_averaged():
    data = sleepstudy().assign(w=lambda d: 1.0 + d["Days"] % 3)
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", data, weights="w")
    expected = fit.sigma**2 * (1.0 / data["w"]).mean()
    assert fit.varcorr.mean_residual_variance == pytest.approx(expected, rel=EXACT)


def test_it_prints_in_the_layout_of_lme4():
    fit = mx.lmer("Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)", sleepstudy())
    lines = [line.split() for line in repr(fit.varcorr).splitlines() if not line.startswith("-")]
    assert lines[0] == ["Groups", "Name", "Std.Dev."]
    assert lines[1:] == [["Subject", "(Intercept)", "25.051"], ["Subject.1", "Days", "5.988"], ["Residual", "25.565"]]
    assert fit.varcorr["Subject.1"].names == ("Days",)
    with pytest.raises(OptionError, match=r"Subject, Subject\.1"):
        fit.varcorr["Subjects"]


def test_correlations_of_three_effects_are_a_triangle():
    rng = np.random.default_rng(3)
    n = 400
    data = pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n), "g": np.repeat(np.arange(40), 10)})
    b = rng.normal(size=(40, 3))[data["g"]]
    data["y"] = b[:, 0] + b[:, 1] * data["x"] + b[:, 2] * data["z"] + 0.5 * rng.normal(size=n)
    fit = mx.lmer("y ~ x + z + (x + z | g)", data)
    table = fit.varcorr.table
    filled = [sum(value is not None for value in row[3:]) for row in table.rows]
    assert filled == [0, 1, 2, 0]
    assert table.rows[2][4] == fit.varcorr["g"].correlation[2, 1]


def test_random_effects_are_those_of_lme4():
    for case in CASES:
        fit, sigma = fitted(case), case.numbers["sigma"]
        frame = fit.ranef.frame.assign(level=lambda f: f["level"].astype(str))
        frame = frame.set_index(["group", "effect", "level"])
        for modes in case.numbers["modes"]:
            name = case.random_names()[modes["group"], modes["term"]]
            found = frame.loc[[(modes["group"], name, level) for level in modes["level"]]]
            np.testing.assert_allclose(found["estimate"], modes["mode"], rtol=MODES, atol=MODES * sigma)
            np.testing.assert_allclose(found["sd"], modes["condsd"], rtol=MODES, atol=MODES * sigma)


def test_wide_covariance_and_coefficients_tell_the_same():
    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())
    wide, covariance = fit.ranef.wide(), fit.ranef.covariance("Subject")
    assert wide.shape == (18, 2)
    assert covariance.shape == (18, 2, 2)
    long = fit.ranef.frame
    np.testing.assert_array_equal(long.loc[long["effect"] == "Days", "estimate"], wide["Days"])
    np.testing.assert_array_equal(long.loc[long["effect"] == "Days", "sd"], np.sqrt(covariance[:, 1, 1]))
    coefficients = fit.coef("Subject")
    np.testing.assert_allclose(coefficients - wide, np.tile(fit.beta, (18, 1)), rtol=EXACT)
    assert list(fit.coef()) == ["Subject"]
    with pytest.raises(OptionError, match="did you mean 'Subject'"):
        fit.coef("subject")


def test_effects_without_a_fixed_one_come_first_in_coefficients():
    fit = mx.lmer("Reaction ~ 1 + (Days | Subject)", sleepstudy())
    coefficients = fit.coef("Subject")
    assert list(coefficients.columns) == ["Days", "(Intercept)"]
    np.testing.assert_array_equal(coefficients["Days"], fit.ranef.wide()["Days"])


def test_residual_standard_deviations_of_every_level_are_shown():
    data = mx.data.sleepstudy()
    data["late"] = np.where(data["Days"] > 4, "late", "early")
    structure = mx.Residual(by="late", ar1=("Subject", "Days"))
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", data, residual=structure)
    rows = fit.varcorr.frame.query("group == 'Residual'")
    assert rows["effect"].tolist() == ["late = early", "late = late"]
    np.testing.assert_allclose(rows["sdcor"], fit.sigma * fit.residual.ratios)
    np.testing.assert_allclose(rows["vcov"], rows["sdcor"] ** 2)
    assert fit.varcorr.frame["share"].sum() == pytest.approx(1)
    shown = repr(fit.varcorr)
    assert "Residual  late = early" in shown
    assert f"correlate {fit.residual.phi:.3f} to the power" in shown
    assert "late = early" in repr(fit)
    alone = mx.lmer("Reaction ~ Days + (1 | Subject)", data, residual=mx.Residual(ar1=("Subject", "Days"))).varcorr
    assert alone.frame["effect"].isna().iloc[-1]
    assert "AR(1)" in repr(alone)
