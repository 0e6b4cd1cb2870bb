"""The heat map of deviations and its data."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import mixsem as mx
from mixsem.errors import OptionError

MODEL = "security =~ security1 + security2 + security3 + security4\ntrust =~ trust1 + trust2 + trust3 + trust4"


@pytest.fixture(scope="module")
def test() -> mx.InvarianceTest:
    """A survey in which one item is made to fail in four of twelve countries."""
    data = mx.data.simulated_survey()
    data = data[data["country"].isin([f"C{g:02d}" for g in range(1, 13)])].copy()
    bad = data["country"].isin(["C01", "C04", "C07", "C10"])
    rng = np.random.default_rng(1)
    data["trust3"] = np.where(bad, rng.normal(5, 1, len(data)), data["trust3"])
    return mx.invariance_test(MODEL, data, "country", levels=("configural", "metric"))


def test_data_show_the_deviant_item(test: mx.InvarianceTest) -> None:
    data = mx.plots.invariance_data(test)
    assert len(data) == 12 * 8
    rows = data[(data["item"] == "trust3") & data["flagged"]]
    assert set(rows["group"]) >= {"C01", "C04", "C07", "C10"}
    assert (rows[rows["group"].isin(["C01", "C04", "C07", "C10"])]["deviation"] < -0.2).all()
    totals = data.drop_duplicates("group")["total"]
    assert totals.is_monotonic_decreasing
    assert totals.iloc[0] == pytest.approx(data["deviation"][:8].abs().sum())


def test_figure_has_a_row_per_group(test: mx.InvarianceTest) -> None:
    figure = mx.plots.invariance(test)
    assert isinstance(figure, Figure)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()][:2] == ["security1", "security2"]
    assert len(axes.get_yticks()) == 12
    assert axes.images[0].get_array().shape == (12, 8)  # type: ignore[union-attr]
    dots = sum(len(c.get_offsets()) for c in axes.collections)
    assert dots == mx.plots.invariance_data(test)["flagged"].sum()
    figure.canvas.draw()


def test_only_the_most_deviant_groups(test: mx.InvarianceTest) -> None:
    figure = Figure()
    axes = figure.add_subplot()
    drawn = mx.plots.invariance(test, most=4, ax=axes)
    assert isinstance(drawn, Axes)
    first = mx.plots.invariance_data(test)["group"].drop_duplicates()[:4]
    assert [label.get_text() for label in axes.get_yticklabels()] == first.tolist()


def test_a_search_marks_what_it_freed(test: mx.InvarianceTest) -> None:
    found = mx.find_noninvariance(test, kinds=("loadings", "intercepts"), min_share=0.3)
    assert "trust =~ trust3" in found.partial
    figure = mx.plots.invariance(found)
    assert "trust3*" in [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert set(mx.plots.invariance_data(found, kind="intercepts")["factor"]) == {""}


def test_what_cannot_be_drawn_is_refused(test: mx.InvarianceTest) -> None:
    with pytest.raises(OptionError, match="str"):
        mx.plots.invariance("test")  # type: ignore[call-overload]
    with pytest.raises(OptionError, match="needs a search"):
        mx.plots.invariance(test, kind="intercepts")
    with pytest.raises(OptionError, match="kind="):
        mx.plots.invariance(test, kind="loading")
