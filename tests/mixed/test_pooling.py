"""No, partial and complete pooling beside each other."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.data import sleepstudy
from mixsem.errors import MixsemWarning, OptionError

from .references import load, vector

R = load("variance")["pooling"]
#: Relative: least squares computed in two ways.
ROUNDING = 1e-9
#: Relative, of what depends on theta, which is good to 1e-4.
THETA = 5e-4


@pytest.fixture(scope="module")
def slopes() -> mx.MixedFit:
    return mx.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())


def quiet(formula: str, data: object, **options: object) -> mx.MixedFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return mx.lmer(formula, data, **options)  # type: ignore[arg-type]


def test_the_three_are_those_of_r(slopes):
    frame = mx.compare_pooling(slopes).frame
    assert [str(level) for level in frame["level"].iloc[::2]] == R["level"]
    for i, name in enumerate(("intercept", "slope")):
        rows = frame.iloc[i::2]
        np.testing.assert_allclose(rows["no_pooling"], vector(R[name]), rtol=ROUNDING)
        np.testing.assert_allclose(rows["partial"], vector(R[f"partial_{name}"]), rtol=THETA, atol=0.01)
        np.testing.assert_allclose(rows["factor"], vector(R[f"factor_{name}"]), rtol=THETA)
        np.testing.assert_allclose(rows["complete"], R["complete"][i], rtol=ROUNDING)


def test_matrices_take_own_coefficients_to_those_of_the_model(slopes):
    for fit in (slopes, quiet("Reaction ~ Days + (Days || Subject)", sleepstudy()[lambda d: d.index % 7 != 0])):
        found = mx.compare_pooling(fit)
        away = {c: (found.frame[c] - found.frame["fixed"]).to_numpy().reshape(-1, 2) for c in ("no_pooling", "partial")}
        moved = np.einsum("nij,nj->ni", found.matrices, away["no_pooling"])
        np.testing.assert_allclose(moved, away["partial"], rtol=1e-6, atol=1e-8)


def test_a_random_intercept_has_the_reliability_of_the_mean():
    data = sleepstudy()[lambda d: (d["Days"] < 3) | (d["Subject"] % 2 == 0)]
    fit = mx.lmer("Reaction ~ 1 + (1 | Subject)", data)
    found = mx.compare_pooling(fit)
    variance = fit.varcorr["Subject"].covariance[0, 0]
    expected = variance / (variance + fit.sigma**2 / found.frame["n"])
    np.testing.assert_allclose(found.frame["factor"], expected, rtol=ROUNDING)
    np.testing.assert_allclose(found.matrices[:, 0, 0], expected, rtol=ROUNDING)
    assert set(found.frame["n"]) == {3, 10}
    assert found.frame["complete"].iloc[0] == pytest.approx(data["Reaction"].mean(), rel=ROUNDING)
    assert "Fixed effects differ from complete pooling" in " ".join(found.notes)


def test_levels_without_rows_enough_are_missing_and_counted():
    data = sleepstudy()
    subjects = data["Subject"].unique()
    data = data[~data["Subject"].isin(subjects[:2]) | (data["Days"] == 0)]
    found = mx.compare_pooling(mx.lmer("Reaction ~ Days + (Days | Subject)", data))
    missing = found.frame.loc[found.frame["no_pooling"].isna(), "level"]
    assert set(missing) == set(subjects[:2])
    assert found.frame["partial"].notna().all()
    assert any(note.startswith("2 levels have too few different rows") for note in found.notes)
    assert found.frame["factor"].between(0.0, 1.0).all()


def test_weights_and_offsets_count_in_complete_pooling():
    data = sleepstudy().assign(w=lambda d: 1.0 + d["Days"] % 3, off=lambda d: 5.0 * d["Days"])
    found = mx.compare_pooling(mx.lmer("Reaction ~ Days + offset(off) + (1 | Subject)", data, weights="w"))
    expected = np.polyfit(data["Days"], data["Reaction"] - data["off"], 1, w=np.sqrt(data["w"]))
    np.testing.assert_allclose(found.complete, expected[::-1], rtol=ROUNDING)


def test_one_factor_at_a_time():
    rng = np.random.default_rng(1)
    g, h = np.repeat(np.arange(30), 10), np.tile(np.arange(10), 30)
    data = pd.DataFrame({"g": g, "h": h, "y": rng.normal(size=30)[g] + rng.normal(size=10)[h] + rng.normal(size=300)})
    fit = mx.lmer("y ~ 1 + (1 | g) + (1 | h)", data)
    assert (len(mx.compare_pooling(fit, "g").frame), len(mx.compare_pooling(fit, "h").frame)) == (30, 10)
    assert "The first 12 of 30 levels" in repr(mx.compare_pooling(fit, "g"))
    assert "The first" not in repr(mx.compare_pooling(fit, "h"))
    with pytest.raises(OptionError, match="g, h"):
        mx.compare_pooling(fit)
    assert "Other effects stay" in " ".join(mx.compare_pooling(fit, "g").notes)


def test_no_variance_is_complete_shrinkage():
    rng = np.random.default_rng(3)
    y, g = rng.normal(size=60), np.arange(60) % 6
    y -= np.array([y[g == k].mean() for k in range(6)])[g]
    found = mx.compare_pooling(quiet("y ~ 1 + (1 | g)", {"y": y, "g": g}))
    assert (found.frame["factor"] == 0.0).all()
    assert (found.matrices == 0.0).all()


def test_effects_without_a_fixed_one_go_to_zero():
    found = mx.compare_pooling(mx.lmer("Reaction ~ 1 + (Days | Subject)", sleepstudy()))
    slope = found.frame[found.frame["effect"] == "Days"]
    assert (slope["fixed"] == 0.0).all() and (slope["complete"] == 0.0).all()
    assert "Effects without a fixed effect are moved towards 0." in found.notes


def test_the_figure_takes_the_comparison(slopes):
    found = mx.compare_pooling(slopes)
    data = mx.plots.shrinkage_data(found)
    pd.testing.assert_frame_equal(data, mx.plots.shrinkage_data(slopes, "Subject"))
    np.testing.assert_array_equal(data["none1"], found.frame["no_pooling"].iloc[::2])
    assert len(mx.plots.shrinkage(found, effects=["Days"]).axes) == 1


def test_groups_are_names():
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy())
    assert mx.compare_pooling(fit, ["Subject"]).group == "Subject"
    with pytest.raises(OptionError, match="group=DataFrame"):
        mx.compare_pooling(fit, mx.data.sleepstudy())
