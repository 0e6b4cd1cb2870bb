"""Boundary fits: found where lme4 finds them, and named by term and direction."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.errors import BoundaryWarning, FewGroupsWarning, MixsemWarning
from mixsem.mixed.judgement.boundary import level_notes, scale_notes
from mixsem.mixed.judgement.singular import boundary

from .references import cases, read_data, vector
from .test_lme4 import fitted

#: Of principal components relative to sigma: linear in theta.
PCA = 1e-4

CASES = cases()


def quiet(*arguments, **options) -> mx.MixedFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return mx.lmer(*arguments, **options)


def without_variance(seed: int = 5, *, slope: float = 0.0, intercept: float = 1.0, n_levels: int = 24) -> pd.DataFrame:
    """Slopes that are a multiple of the intercepts, or neither varies."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(n_levels), 8)
    x = np.tile(np.arange(8.0), n_levels)
    b = rng.normal(size=n_levels)
    e = rng.normal(size=len(g))
    for level in range(n_levels):  # residuals whose level means and slopes are 0, so that no variance is seen
        rows = g == level
        design = np.column_stack([np.ones(8), x[rows]])
        e[rows] -= design @ np.linalg.lstsq(design, e[rows], rcond=None)[0]
    y = 1 + 0.5 * x + (intercept * b)[g] + (slope * b)[g] * x + e
    return pd.DataFrame({"y": y, "x": x, "g": g.astype(str)})


@pytest.mark.parametrize("case", CASES, ids=str)
def test_singular_where_lme4_says_so(case):
    fit = fitted(case)
    assert mx.is_singular(fit) == case.numbers["singular"]
    assert bool(boundary(fit)) == mx.is_singular(fit)
    assert any(n.category is BoundaryWarning for n in fit.notices) == mx.is_singular(fit)


@pytest.mark.parametrize("case", [c for c in CASES if c.numbers.get("pca_sd")], ids=str)
def test_principal_components_are_those_of_lme4(case):
    found = mx.re_pca(fitted(case)).frame
    for group, sds in case.numbers["pca_sd"].items():
        ours = found.loc[found["group"] == group, "sd"].to_numpy()
        expected = np.atleast_1d(vector(sds) if isinstance(sds, dict) else np.asarray(sds, dtype=float))
        np.testing.assert_allclose(ours, expected, atol=PCA * (1 + expected.max()))
    assert found.groupby("group")["proportion"].sum(min_count=1).dropna().to_numpy() == pytest.approx(1.0)


def test_a_variance_of_zero_is_named():
    with pytest.warns(BoundaryWarning, match=r"the SD of \(Intercept\) by g is 0") as caught:
        fit = mx.lmer("y ~ x + (1 | g)", without_variance(intercept=0.0))
    text = str(caught[0].message)
    assert "boundary fit" in text
    assert "singular fit" in text
    (direction,) = boundary(fit).directions
    assert (direction.term, direction.effects, direction.kind) == ("g", ("(Intercept)",), "sd")
    assert fit.theta.tolist() == [0.0]


def test_a_slope_without_variance_is_named():
    fit = quiet("y ~ x + (x || g)", without_variance())
    assert [d.what for d in boundary(fit).directions] == ["the SD of x by g is 0"]
    text = next(n.text for n in fit.notices if n.category is BoundaryWarning)
    assert "drop the slope" in text
    assert "drop the correlations" not in text


@pytest.mark.parametrize(("slope", "sign"), [(0.3, "1"), (-0.3, "-1")])
def test_a_correlation_of_one_is_named(slope, sign):
    fit = quiet("y ~ x + (x | g)", without_variance(slope=slope))
    report = boundary(fit)
    assert report.frame.to_dict("list") == {
        "term": ["g"],
        "direction": ["(Intercept), x"],
        "what": [f"(Intercept) and x by g correlate exactly {sign}"],
    }
    text = next(n.text for n in fit.notices if n.category is BoundaryWarning)
    steps = [text.index(step) for step in ("drop the correlations", "drop the slope", "cluster-robust")]
    assert steps == sorted(steps)


def test_origin_and_unit_of_a_predictor_do_not_matter():
    frame = without_variance(slope=0.3)
    moved = frame.assign(x=1e4 * frame["x"] + 1990e4)
    assert mx.is_singular(quiet("y ~ x + (x | g)", moved))
    assert [d.kind for d in boundary(quiet("y ~ x + (x | g)", moved)).directions] == ["correlation"]
    assert not mx.is_singular(
        quiet("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy().assign(Days=np.arange(180) % 10 * 1e-6))
    )


def test_a_combination_of_three_effects_is_named_by_its_weights():
    fit = quiet("y ~ x + z + (x + z | g)", read_data("rank_two"))
    (direction,) = boundary(fit).directions
    assert direction.kind == "combination"
    assert direction.effects == ("(Intercept)", "x", "z")
    covariance = fit.model.theta_map.term_lambda(fit.theta, 0)
    weights = np.array(
        [float(t) for t in direction.what.replace("- ", "-").replace("+ ", "").split() if t[-1].isdigit()]
    )
    combined = np.concatenate([[1.0], weights]) @ covariance
    assert np.linalg.norm(combined) < 0.01 * np.linalg.norm(covariance)  # weights are shown with three digits


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        ([[2, 0, 0], [-1, 0, 0], [0, 0, 3]], [("correlation", ("(Intercept)", "x"))]),
        ([[2, 0, 0], [1, 0, 0], [-3, 0, 0]], [("correlation", ("(Intercept)", "z")), ("correlation", ("x", "z"))]),
        ([[2, 0, 0], [0, 0, 0], [-3, 0, 0]], [("sd", ("x",)), ("correlation", ("(Intercept)", "z"))]),
        ([[2, 0, 0], [0, 0, 0], [1, 0, 3]], [("sd", ("x",))]),
        ([[2, 0, 0], [1, 1, 0], [-3, 1, 0]], [("combination", ("(Intercept)", "x", "z"))]),
        ([[0, 0, 0], [0, 0, 0], [0, 0, 0]], [("sd", ("(Intercept)",)), ("sd", ("x",)), ("sd", ("z",))]),
        ([[2, 0, 0], [1, 1, 0], [-3, 1, 1]], []),
    ],
)
def test_directions_among_three_effects(factor, expected):
    fit = quiet("y ~ x + z + (x + z | g)", read_data("rank_two"))
    theta = fit.model.theta_map.from_lambdas([np.array(factor, dtype=float)])
    report = boundary(replace(fit, theta=theta))
    found = {(d.kind, frozenset(d.effects)) for d in report.directions}
    assert len(report.directions) == len(expected)
    assert {kind for kind, _ in found} == {kind for kind, _ in expected}
    if len(expected) != 2 or expected[0][0] == "sd":  # of two correlations any two of the three pairs will do
        assert found == {(kind, frozenset(effects)) for kind, effects in expected}


def test_an_ordinary_fit_says_nothing():
    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())
    assert fit.notices == ()
    assert not boundary(fit)
    assert "No boundary fit" in repr(boundary(fit))
    assert level_notes(fit) == ("Variances over fewer than 20 levels are imprecise: Subject (18).",)
    assert scale_notes(fit) == ()


@pytest.mark.parametrize(("levels", "warned"), [(5, True), (6, False)])
def test_few_levels(levels, warned):
    frame = without_variance(n_levels=levels)
    fit = quiet("y ~ x + (1 | g)", frame)
    found = [n.text for n in fit.notices if n.category is FewGroupsWarning]
    assert bool(found) == warned
    assert bool(level_notes(fit)) != warned
    assert not warned or "g (5)" in found[0]


def test_scales_are_information():
    frame = mx.data.sleepstudy()
    frame["income"] = np.random.default_rng(1).normal(50_000, 9_000, len(frame))
    frame["year"] = frame["Days"] + 1990.0
    first, *years = scale_notes(mx.lmer("Reaction ~ Days + income + (1 | Subject)", frame))
    assert "income" in first
    assert "Days" in first
    assert years == []
    (note,) = scale_notes(mx.lmer("Reaction ~ year + (1 | Subject)", frame))
    assert "year is far from 0 (mean 1994.5" in note


@pytest.mark.parametrize(
    "formula",
    ["y ~ f + (1 | g) + (1 | again)", "y ~ x + (x + twice | g)", "y ~ C(g) + (1 | g)", "y ~ x + (of_group | g)"],
)
def test_random_parts_that_the_data_do_not_determine_are_named(formula):
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(30), 8)
    frame = pd.DataFrame({"g": g, "again": g, "x": rng.normal(size=240), "f": rng.integers(0, 2, 240)})
    frame = frame.assign(twice=frame["x"], of_group=(g % 2).astype(float))
    frame["y"] = rng.normal(size=30)[g] + (1.0 + rng.normal(size=30)[g]) * frame["x"] + rng.normal(size=240)
    with pytest.warns(mx.errors.IdentificationWarning, match="do not determine"):
        mx.lmer(formula, frame)


def test_an_ordinary_fit_is_determined():
    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())
    assert not any(notice.category is mx.errors.IdentificationWarning for notice in fit.notices)


def test_the_message_says_why_and_what_to_do_in_order():
    fit = quiet("y ~ x + (x | g)", without_variance(slope=0.3))
    text = next(n.text for n in fit.notices if n.category is BoundaryWarning)
    words = [
        "boundary fit (singular fit)", "(Intercept) and x by g correlate exactly 1",
        "too little data", "too few levels", "oddity in the data (check_design(fit)", "not the scales",
        "drop the correlations", "drop the slope", "alternatives(fit)", "penalty= of lmer",
    ]  # fmt: skip
    places = [text.index(word) for word in words]
    assert places == sorted(places)
    assert mx.explain(fit.notices[0]).identifier == "MX101"
