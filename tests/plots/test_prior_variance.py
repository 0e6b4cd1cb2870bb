"""The figure of prior variances draws what its twin returns."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from mixsem import plots
from mixsem.errors import OptionError
from mixsem.measurement.prior_grid import Candidate, PriorVarianceChoice


def row(factor: str, variance: float | None, difference: float, error: float) -> Candidate:
    return Candidate((factor,), variance, 500 + difference, 1.0, 40.0, 0.4, difference, error, difference == 0, False)


CHOICE = PriorVarianceChoice(
    (
        row("A", 0.01, 3.0, 2.0),
        row("A", 0.1, 0.0, 0.0),
        row("A", None, 9.0, 2.0),
        row("$B_1", 0.01, 0.0, 0.0),
        row("$B_1", 0.1, 6.0, 1.0),
        row("$B_1", None, 8.0, 1.0),
    )
)


def points(ax: Axes) -> list[PathCollection]:
    return [c for c in ax.collections if isinstance(c, PathCollection)]


def test_data() -> None:
    data = plots.prior_variance_data(CHOICE)
    assert data["block"].tolist() == ["A"] * 3 + ["$B_1"] * 3
    assert data["label"].tolist() == ["0.01", "0.1", "no constraint"] * 2
    assert data["place"].tolist() == [0, 1, 2] * 2
    assert data["difference"].tolist() == [3.0, 0.0, 9.0, 0.0, 6.0, 8.0]
    assert np.isnan(data["prior_variance"].iloc[2])
    assert data["tied"].tolist() == [True] + [False] * 5
    assert data["chosen"].tolist() == [False, True, False, True, False, False]


def test_figure_draws_its_data() -> None:
    data = plots.prior_variance_data(CHOICE)
    figure = plots.prior_variance(CHOICE)
    assert isinstance(figure, Figure)
    ax = figure.axes[0]
    drawn = points(ax)
    assert len(drawn) == 2
    for points_of, block in zip(drawn, ("A", "$B_1"), strict=True):
        rows = data[data["block"] == block]
        offsets = np.asarray(points_of.get_offsets())
        np.testing.assert_allclose(offsets[:, 1], rows["difference"])
        np.testing.assert_allclose(offsets[:, 0], rows["place"], atol=0.1)
        filled = (np.asarray(points_of.get_facecolors())[:, :3] < 0.999).any(axis=1)
        assert filled.tolist() == rows["chosen"].tolist()
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0.01", "0.1", "no constraint"]
    bars = np.asarray(ax.containers[0].lines[2][0].get_segments())  # type: ignore[attr-defined]
    np.testing.assert_allclose(bars[0][:, 1], [3 - 2 * 2.0, 3 + 2 * 2.0])
    legend = ax.get_legend()
    assert legend is not None and [t.get_text() for t in legend.get_texts()] == ["A", r"\$B_1"]


def test_draws_into_given_axes() -> None:
    ax = Figure().add_subplot()
    assert plots.prior_variance(PriorVarianceChoice(CHOICE.candidates[:3]), ax=ax) is ax
    assert len(points(ax)) == 1 and ax.get_legend() is None and ax.get_title(loc="left") == "A"


def test_needs_a_choice() -> None:
    with pytest.raises(OptionError, match="got a str"):
        plots.prior_variance("A")  # type: ignore[call-overload]
