"""The figure of regressions with intervals draws its data."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from mixsem import plots
from mixsem.errors import OptionError
from mixsem.mixtures.errors import standard_errors
from mixsem.mixtures.intervals import intervals
from mixsem.plots.style import cluster_color
from mixsem.structural import MixtureFit, MixtureSelection


def test_data_are_the_intervals(fit: MixtureFit) -> None:
    frame = intervals(fit, level=0.9).effects
    data = plots.coefficients_data(fit, level=0.9)
    assert data["effect"].tolist() == frame.query("kind == 'direct'")["effect"].tolist()
    np.testing.assert_array_equal(data["lower"], frame.query("kind == 'direct'")["lower"])
    assert len(plots.coefficients_data(fit, effects=True)) == len(frame)


@pytest.mark.filterwarnings("ignore:Glyph")
def test_it_draws_its_data(fit: MixtureFit) -> None:
    data = plots.coefficients_data(fit)
    ax = plots.coefficients(fit).axes[0]
    drawn = {collection.get_gid(): collection for collection in ax.collections}
    assert ax.get_xlabel() == "Estimate with 95% interval"
    for c in (1, 2):
        own = data[data["cluster"] == c]
        dots = drawn[f"cluster-{c}"]
        np.testing.assert_allclose(dots.get_offsets()[:, 0], own["estimate"])
        ends = np.array([segment[:, 0] for segment in drawn[f"intervals-of-cluster-{c}"].get_segments()])
        np.testing.assert_allclose(ends, own[["lower", "upper"]])
        away = ((own["lower"] > 0) | (own["upper"] < 0)).to_numpy()
        filled = [to_rgb(color[:3]) == cluster_color(c) for color in dots.get_facecolors()]
        assert filled == away.tolist()
    first, last = data["estimate"].iloc[0], data["lower"].iloc[0]
    assert any(t.get_text().startswith(f"{first:.2f} [{last:.2f}".replace("-", "−")) for t in ax.texts)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["Cluster 1", "Cluster 2"]


def test_one_cluster_needs_no_legend(selection: MixtureSelection) -> None:
    assert plots.coefficients(selection[1]).axes[0].get_legend() is None


def test_axes_are_drawn_into_and_returned(fit: MixtureFit) -> None:
    ax = Figure().add_subplot()
    assert plots.coefficients(fit, standard_errors(fit), ax=ax) is ax


@pytest.mark.parametrize("draw", [plots.coefficients, plots.coefficients_data])
def test_other_things_are_refused(draw, selection: MixtureSelection, fit: MixtureFit) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(OptionError, match=r"coefficients\(\) got a MixtureSelection"):
        draw(selection)
    with pytest.raises(OptionError, match="belong to another fit"):
        draw(fit, standard_errors(selection[3]))
