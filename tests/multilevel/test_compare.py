"""All pairs of groups against a direct computation, and the forest plot."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

from mixsem import plots
from mixsem.errors import OptionError
from mixsem.multilevel import MLSEM, MultilevelFit, compare, compare_groups

from .conftest import MEASUREMENT


def test_pairs_against_a_direct_computation(fit: MultilevelFit) -> None:
    draws = fit.posterior.values(fit.draws.flat)[..., fit.posterior.model.entries.index("C~A")]
    compared = compare_groups(fit, "C ~ A", level=0.9)
    for row, (a, b) in zip(compared.pairs.itertuples(), combinations(range(len(fit.groups)), 2), strict=True):
        difference = draws[:, a] - draws[:, b]
        lower, upper = np.quantile(difference, [0.05, 0.95])
        assert (row.group_a, row.group_b) == (fit.groups[a], fit.groups[b])
        assert row.difference == pytest.approx(difference.mean(), abs=1e-12)
        assert row.sd == pytest.approx(difference.std(ddof=1), rel=1e-10)
        assert (row.lower, row.upper) == pytest.approx((lower, upper), abs=1e-12)
        assert row.p_positive == (difference > 0).mean()
        assert row.differs == (lower > 0 or upper < 0)
    count = int(compared.pairs["differs"].sum())
    assert 0 < count < compared.n_pairs == 190
    assert compared.n_different == {"C ~ A": count}
    assert compared.statements == (
        f"C ~ A: {count} of 190 pairs of groups differ (90% interval of the difference leaves out 0).",
    )


def test_chunks_change_nothing(fit: MultilevelFit, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compare_groups(fit, "C ~ A").pairs
    monkeypatch.setattr(compare, "CHUNK", 7 * len(fit.draws.flat))
    # Sums over another layout of the same numbers.
    assert np.allclose(compare_groups(fit, "C ~ A").pairs["sd"], whole["sd"], rtol=1e-12, atol=0)
    assert compare_groups(fit, "C ~ A").pairs["lower"].equals(whole["lower"])


def test_several_regressions_and_some_groups(fit: MultilevelFit) -> None:
    compared = compare_groups(fit, ["C ~ B", "C ~ A"], groups=["g07", "g01", "g03"])
    assert compared.groups == ("g01", "g03", "g07")
    assert compared.regressions == ("C ~ B", "C ~ A")
    assert compared.pairs["predictor"].tolist() == ["B"] * 3 + ["A"] * 3
    assert len(compared.statements) == 2
    alone = compare_groups(fit, "C ~ A").pairs
    picked = alone[alone["group_a"].isin(compared.groups) & alone["group_b"].isin(compared.groups)]
    np.testing.assert_allclose(compared.pairs["difference"].iloc[3:], picked["difference"], rtol=1e-12)


def test_many_differ_where_slopes_do(fit: MultilevelFit) -> None:
    """Slopes of A vary with SD 0.25, those of B do not vary."""
    counts = compare_groups(fit, ["C ~ A", "C ~ B"]).n_different
    assert counts["C ~ A"] > 20
    assert counts["C ~ B"] < 10


def test_comparison_shows_itself(fit: MultilevelFit) -> None:
    compared = compare_groups(fit, "C ~ A")
    text = str(compared)
    assert compared.statements[0][:30] in text
    largest = (compared.pairs["difference"].abs() / compared.pairs["sd"]).idxmax()
    first = text.split("P(> 0)")[1].splitlines()[2]
    assert compared.pairs.loc[largest, "group_a"] in first
    assert f"{compared.pairs.loc[largest, 'difference']:.3f}" in first
    assert "<table" in compared._repr_html_()


def test_errors(fit: MultilevelFit) -> None:
    with pytest.raises(OptionError, match="MLSEM"):
        compare_groups(MLSEM(MEASUREMENT, "C ~ A"), "C ~ A")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="not a regression"):
        compare_groups(fit, "C ~ D")
    with pytest.raises(OptionError, match="'g99'"):
        compare_groups(fit, "C ~ A", groups=["g01", "g99"])
    for options in ({"groups": ["g01"]}, {"groups": "g01"}, {"level": 95.0}):
        with pytest.raises(OptionError):
            compare_groups(fit, "C ~ A", **options)  # type: ignore[arg-type]
    for regressions in ([], ["C ~ A", "C~A"]):
        with pytest.raises(OptionError, match="several different ones"):
            compare_groups(fit, regressions)


# --- forest plot ------------------------------------------------------------------------------------------------


def drawn(ax: Axes, gid: str) -> object:
    found = [artist for artist in ax.get_children() if artist.get_gid() == gid]
    assert len(found) == 1
    return found[0]


def test_forest_draws_its_data(fit: MultilevelFit) -> None:
    data = plots.forest_data(fit, "C ~ A")
    assert (np.diff(data["estimate"]) <= 0).all()
    assert sorted(data["group"]) == sorted(fit.groups)
    assert data["mean"].unique().tolist() == [fit.hyper["mean"].iloc[0]]
    assert data["tau"].unique().tolist() == [fit.hyper["tau"].iloc[0]]
    axes = Figure().add_subplot()
    assert plots.forest(fit, "C ~ A", ax=axes) is axes
    dots, lines = drawn(axes, "estimates"), drawn(axes, "intervals")
    assert isinstance(dots, PathCollection)
    assert isinstance(lines, LineCollection)
    np.testing.assert_allclose(dots.get_offsets(), np.column_stack([data["estimate"], range(len(data))]))
    ends = np.array([segment[:, 0] for segment in lines.get_segments()])
    np.testing.assert_allclose(ends, data[["lower", "upper"]])
    assert [t.get_text() for t in axes.get_yticklabels()] == list(data["group"])
    band = drawn(axes, "tau").get_extents().transformed(axes.transData.inverted())  # type: ignore[attr-defined]
    mean, tau = data["mean"].iloc[0], data["tau"].iloc[0]
    assert (band.x0, band.x1) == pytest.approx((mean - tau, mean + tau))
    assert drawn(axes, "mean").get_xdata()[0] == mean  # type: ignore[attr-defined]
    filled = (np.asarray(dots.get_facecolors())[:, :3] < 0.5).all(axis=1)
    np.testing.assert_array_equal(filled, (data["lower"] > 0) | (data["upper"] < 0))


def test_forest_makes_a_figure_and_asks_for_a_regression(fit: MultilevelFit) -> None:
    assert isinstance(plots.forest(fit, "C ~ B"), Figure)
    with pytest.raises(OptionError, match="regression= is missing"):
        plots.forest(fit)
    with pytest.raises(OptionError, match="not a regression"):
        plots.forest(fit, "C ~ D")
    with pytest.raises(OptionError, match="MultilevelFit"):
        plots.forest(3)  # type: ignore[call-overload]
