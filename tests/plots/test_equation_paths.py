"""Path diagrams of structural equation models."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from matplotlib.patches import Ellipse, Rectangle

import mixsem as mx
from mixsem.errors import OptionError

MODEL = "visual =~ x1 + x2 + x3; speed =~ x7 + x8 + x9; speed ~ visual + grade"


def fit_of(model: str, group: str | None = None, **options: object) -> mx.SEMFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mx.sem(model, mx.data.holzinger_swineford_1939(), group, **options)  # type: ignore[arg-type]


def test_the_data_are_the_estimates() -> None:
    fit = fit_of(MODEL, "school", group_equal="regressions")
    data = mx.plots.paths_data(fit)
    own = mx.tidy(fit).query("op == '~'")
    assert data["estimate"].tolist() == own["estimate"].tolist()
    assert data["outcome"].tolist() == ["speed"] * 4 and data["predictor"].tolist() == ["visual", "grade"] * 2
    assert data["equal"].all() and not data["fixed"].any()
    assert not mx.plots.paths_data(fit_of(MODEL, "school"))["equal"].any()


def test_a_diagram_per_group_with_boxes_for_observed_variables() -> None:
    fit = fit_of(MODEL, "school")
    figure = mx.plots.paths(fit)
    assert len(figure.axes) == 2
    for ax, group in zip(figure.axes, fit.groups, strict=True):
        assert sum(isinstance(patch, Ellipse) for patch in ax.patches) == 2
        assert sum(isinstance(patch, Rectangle) for patch in ax.patches) == 1
        texts = [text.get_text() for text in ax.texts]
        assert f"{group} (N = " in " ".join(texts)
        shown = mx.plots.paths_data(fit).query("group == @group")["estimate"]
        assert {f"{value:.2f}" for value in shown} <= set(texts)
    assert len(mx.plots.paths(fit, groups=["Pasteur"]).axes) == 1


def test_a_factor_model_is_drawn_by_its_loadings() -> None:
    fit = fit_of("visual =~ x1 + x2 + x3; speed =~ x7 + x8 + x9")
    data = mx.plots.paths_data(fit)
    assert data["predictor"].tolist() == ["visual"] * 3 + ["speed"] * 3
    np.testing.assert_array_equal(data["fixed"], [True, False, False] * 2)
    assert sum(isinstance(patch, Rectangle) for patch in mx.plots.paths(fit).axes[0].patches) == 6


def test_what_cannot_be_drawn_is_named() -> None:
    fit = fit_of(MODEL, "school")
    with pytest.raises(OptionError, match="groups="):
        mx.plots.paths(fit, groups=["Eton"])
    circle = fit_of(
        "visual =~ x1 + x2 + x3; speed =~ x7 + x8 + x9; speed ~ 0.2*visual + grade; visual ~ 0.1*speed + ageyr"
    )
    with pytest.raises(OptionError, match="circle"):
        mx.plots.paths(circle)
