"""Likelihood ratios of mixed models with other offsets or residuals: tested where one model is a case of the other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import MixsemError, OptionError

#: Of criteria of the same model written in two ways.
SAME = 1e-6

PLAIN = "y ~ x + (1 | g)"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    g, time = np.repeat(np.arange(40), 6), np.tile(np.arange(6), 40)
    frame = pd.DataFrame({"g": g, "time": time, "x": rng.normal(size=240), "z": rng.normal(size=240)})
    frame["sex"], frame["half"] = np.where(g % 2, "m", "f"), time // 3
    frame["y"] = frame["x"] + 0.2 * frame["z"] + rng.normal(size=40)[g] + rng.normal(size=240) * (1 + frame["half"])
    return frame


def lmer(data, formula=PLAIN, residual=None, **options) -> mx.MixedFit:
    return mx.lmer(formula, data, residual=residual, **options)


def test_an_offset_outside_the_larger_mean_leaves_no_test(data):
    found = mx.anova(lmer(data), lmer(data, "y ~ x + sex + (1 | g)", offset="z"))
    assert found.frame["chisq"].isna().all()
    text = " ".join(found.notes)
    assert "The fixed part, with the offset, of model 1 is not within that of model 2: no test" in text
    assert "model 2: y ~ x + sex + (1 | g); offset z" in text


def test_an_offset_within_the_larger_mean_is_a_hypothesis(data):
    """A coefficient of 1 against a free one."""
    small, large = lmer(data, offset="z"), lmer(data, "y ~ x + z + (1 | g)")
    found = mx.anova(small, large).frame
    expected = small.update(reml=False).objective - large.update(reml=False).objective
    assert found["chisq"][1] == pytest.approx(expected, abs=SAME)
    assert found["df_diff"][1] == 1
    inside = mx.anova(lmer(data, "y ~ x + z + (1 | g)", offset="z"), large)
    assert "as many parameters" in " ".join(inside.notes)
    assert inside.frame["deviance"][0] == pytest.approx(inside.frame["deviance"][1], abs=SAME)


def test_models_without_columns_are_compared(data):
    found = mx.anova(lmer(data, "y ~ 0 + (1 | g)"), lmer(data, "y ~ 0 + x + (1 | g)"))
    assert found.frame["chisq"][1] > 0
    shifted = mx.anova(lmer(data, "y ~ 0 + (1 | g)"), lmer(data, "y ~ 0 + x + (1 | g)", offset="z"))
    assert shifted.frame["chisq"].isna().all()


def test_residuals_are_named_and_nested_ones_tested(data):
    plain, half = lmer(data), lmer(data, residual=mx.Residual(by="half"))
    both = lmer(data, residual=mx.Residual(by="half", ar1=("g", "time")))
    found = mx.anova(plain, half, both)
    assert found.frame["chisq"][1:].notna().all()
    assert found.frame["chisq"][1] == pytest.approx(plain.objective - half.objective)
    legend = [note for note in found.notes if note.startswith("model")]
    assert legend == [
        f"model 1: {PLAIN}",
        f"model 2: {PLAIN}; residuals: a standard deviation for each level of half",
        f"model 3: {PLAIN}; residuals: a standard deviation for each level of half, AR(1) within g along time",
    ]
    finer = mx.anova(half, lmer(data, residual=mx.Residual(by="half:sex")))
    assert finer.frame["df_diff"][1] == 2
    assert np.isfinite(finer.frame["chisq"][1])


@pytest.mark.parametrize(
    ("small", "large"),
    [
        ({"by": "sex"}, {"by": "time"}),
        ({"by": "half"}, None),
        ({"ar1": ("g", "time")}, {"by": "time"}),
        ({"ar1": ("g", "time")}, {"by": "half", "ar1": ("g", "reversed")}),
    ],
)
def test_residuals_that_are_no_special_case_leave_no_test(data, small, large):
    data = data.assign(reversed=(data["time"] * 5) % 7)
    formula = PLAIN if large else "y ~ x + z + sex + (1 | g)"
    second = lmer(data, formula, residual=mx.Residual(**large) if large else None)
    found = mx.anova(lmer(data, residual=mx.Residual(**small)), second)
    assert found.frame["chisq"].isna().all()
    assert "The residuals of model 1 are no special case of those of model 2: no test" in " ".join(found.notes)


@pytest.mark.filterwarnings("ignore::mixsem.errors.BoundaryWarning")
def test_a_negative_chi_square_is_said_and_not_tested(data):
    """Random slopes of a useless number fit worse than random intercepts, and are not nested."""
    found = mx.anova(lmer(data, "y ~ x + (1 | g)"), lmer(data, "y ~ x + (0 + x + z | sex:time)"))
    assert found.frame["chisq"].isna().all()
    assert "fits worse than model 1, which has fewer parameters (chi-square -" in " ".join(found.notes)
    assert found.frame["p_value"].isna().all()


def test_what_is_no_fit(data):
    fit = lmer(data)
    with pytest.raises(OptionError, match=r"fits of lmer\(\)"):
        mx.anova()
    with pytest.raises(OptionError, match=r"anova\(\*fits\)"):
        mx.anova([fit, fit])
    with pytest.raises(MixsemError, match=r"or of lmer\(\)"):
        mx.anova(3)


def test_nothing_to_test_is_said(data):
    found = mx.anova(lmer(data, "y ~ 1 + (1 | g)"))
    assert found.frame.empty
    assert found.notes == ("The fixed part has no term to test.",)


@pytest.mark.parametrize(
    ("small", "large", "at_bound"),
    [
        ("(Days || Subject)", "(Days | Subject)", False),
        ("(1 | Subject)", "(Days || Subject)", True),
        ("(1 | Subject)", "(Days | Subject)", True),
    ],
)
def test_variances_have_a_bound_at_zero_and_covariances_have_none(small, large, at_bound):
    fits = [mx.lmer(f"Reaction ~ Days + {part}", mx.data.sleepstudy()) for part in (small, large)]
    assert ("the p-value is too large" in " ".join(mx.anova(*fits).notes)) == at_bound
