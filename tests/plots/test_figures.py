"""Each figure draws exactly what its twin returns, and both are what the fit holds."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib import _pylab_helpers
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, PathPatch, Rectangle

from mixsem import plots
from mixsem.errors import OptionError
from mixsem.factors import FactorMoments
from mixsem.plots.paths import LABEL, label_places
from mixsem.plots.style import ACCENT, NEGATIVE, cluster_color, cluster_marker, readable_on, tint
from mixsem.structural import MixtureFit, MixtureSelection, StructuralMixture


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def collections(ax: Axes, gid: str) -> PathCollection:
    found = [c for c in ax.collections if c.get_gid() == gid]
    assert len(found) == 1
    assert isinstance(found[0], PathCollection)
    return found[0]


# --- selection and criteria -------------------------------------------------------------------------------------


def test_scree_data(selection: MixtureSelection) -> None:
    data = plots.selection_data(selection)
    assert data["k"].tolist() == [1, 2, 3, 4]
    assert data["loglik"].tolist() == [f.loglik for f in selection.fits]
    assert data["n_params"].tolist() == [f.n_params_factors for f in selection.fits]
    assert data["on_hull"].tolist() == list(selection.hull.on_hull)
    assert data.loc[data["chosen"], "k"].tolist() == [selection.choices["chull"]]


def test_scree_data_of_the_indicators(selection: MixtureSelection) -> None:
    logliks = [-900.0, -800.0, -600.0, -599.0]
    fits = [
        replace(f, loglik_observed=v, n_params=f.n_params + 7) for f, v in zip(selection.fits, logliks, strict=True)
    ]
    data = plots.selection_data(MixtureSelection(tuple(fits)), loglik="observed")
    assert data["loglik"].tolist() == logliks
    assert data["n_params"].tolist() == [f.n_params for f in fits]
    assert data["on_hull"].tolist() == [True, False, True, True]
    assert data.loc[data["chosen"], "k"].tolist() == [3]


def test_scree_plot_draws_its_data(selection: MixtureSelection) -> None:
    ax = plots.selection(selection).axes[0]
    data = plots.selection_data(selection)
    hull = data[data["on_hull"]]
    assert ax.lines[0].get_xydata().tolist() == hull[["n_params", "loglik"]].to_numpy(dtype=float).tolist()
    drawn = {c.get_label(): np.asarray(c.get_offsets()) for c in ax.collections}
    assert drawn["on the hull"].tolist() == hull[["n_params", "loglik"]].to_numpy(dtype=float).tolist()
    assert drawn["chosen by CHull"].tolist() == [[data.loc[1, "n_params"], data.loc[1, "loglik"]]]
    assert texts(ax)[:4] == ["1", "2", "3", "4"]
    assert texts(ax)[4].startswith("CHull chooses 2\nscree ratio ")


def test_models_below_the_hull_are_hollow(selection: MixtureSelection) -> None:
    bad = replace(selection[3], loglik=selection[2].loglik - 5)
    ax = plots.selection(MixtureSelection((*selection.fits[:2], bad, selection[4]))).axes[0]
    below = next(c for c in ax.collections if c.get_label() == "below the hull")
    assert np.asarray(below.get_offsets()).tolist() == [[bad.n_params_factors, bad.loglik]]
    assert to_rgb(below.get_facecolor()[0][:3]) == (1, 1, 1)


def test_no_ring_where_chull_cannot_choose(selection: MixtureSelection) -> None:
    ax = plots.selection(MixtureSelection(selection.fits[:2])).axes[0]
    assert "chosen by CHull" not in [c.get_label() for c in ax.collections]
    assert texts(ax) == ["1", "2"]


def test_criteria_draw_the_distance_from_the_best(selection: MixtureSelection) -> None:
    data = plots.criteria_data(selection)
    ax = plots.criteria(selection).axes[0]
    boxes = [p for p in ax.patches if isinstance(p, Rectangle)]
    assert len(boxes) == len(ax.texts) == len(data) == 20
    for row, text, box in zip(data.itertuples(), ax.texts, boxes, strict=True):
        value = getattr(selection[row.k].criteria, row.criterion)
        assert row.value == value
        assert row.difference == value - min(getattr(f.criteria, row.criterion) for f in selection.fits)
        assert row.chosen == (selection.choices[row.criterion] == row.k)
        assert (text.get_text() == "best") == row.chosen
        assert (to_rgb(box.get_facecolor()[:3]) == to_rgb(ACCENT)) == row.chosen
        if not row.chosen:
            assert number(text.get_text()) == pytest.approx(row.difference, abs=0.5)
        x, y = text.get_position()
        assert ax.get_xticklabels()[int(x)].get_text() == str(row.k)
        assert ax.get_yticklabels()[int(y)].get_text().upper().startswith(row.criterion[:3].upper())


@pytest.mark.parametrize("draw", [plots.selection, plots.criteria, plots.selection_data, plots.criteria_data])
def test_an_unknown_log_likelihood_is_refused(draw, selection: MixtureSelection) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(OptionError, match="loglik='items'"):
        draw(selection, loglik="items")


# --- clusters ---------------------------------------------------------------------------------------------------


def test_clusters_data(fit: MixtureFit) -> None:
    data = plots.clusters_data(fit)
    for r, name in enumerate(["m ~ a_long_name_of_a_factor", "m ~ x", "y ~ x", "y ~ m"]):
        rows = data[data["regression"] == name]
        shared, own = rows[rows["level"] == "cluster"], rows[rows["level"] == "group"]
        assert shared["estimate"].tolist() == fit.coefficients[:, r].tolist()
        assert own["estimate"].tolist() == fit.own[:, r].tolist()
        assert own["group"].tolist() == list(fit.groups)
        assert own["cluster"].tolist() == fit.clusters.tolist()
        assert own["n"].sum() == shared["n"].sum() == fit.nobs


def test_clusters_draws_its_data(fit: MixtureFit) -> None:
    figure = plots.clusters(fit)
    ax, data = figure.axes[0], plots.clusters_data(fit)
    for c in (1, 2):
        rows = data[data["cluster"] == c]
        shared = collections(ax, f"cluster-{c}")
        assert (
            np.asarray(shared.get_offsets())[:, 0].tolist() == rows.loc[rows["level"] == "cluster", "estimate"].tolist()
        )
        groups = rows[rows["level"] == "group"]
        points = collections(ax, f"groups-of-cluster-{c}")
        assert np.asarray(points.get_offsets())[:, 0].tolist() == groups["estimate"].tolist()
        assert np.array_equal(np.argsort(points.get_sizes(), kind="stable"), np.argsort(groups["n"], kind="stable"))
        assert to_rgb(points.get_facecolor()[0][:3]) == pytest.approx(cluster_color(c))
        home = np.asarray(shared.get_offsets())[:, 1]
        near = np.abs(np.asarray(points.get_offsets())[:, 1][:, None] - home[None, :]).min(axis=1)
        assert near.max() < 0.5  # a group stands in the row of its own cluster
    printed = [number(t) for t in texts(ax)]
    assert printed == [round(b, 2) for row in fit.coefficients for b in row.tolist()]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        f"Cluster {c} ({(fit.clusters == c).sum()} groups)" for c in (1, 2)
    ]


def test_wild_groups_stand_at_the_edge(fit: MixtureFit) -> None:
    own = fit.own.copy()
    own[0, 1], own[5, 2], own[6, 0] = 40.0, -30.0, np.nan
    figure = plots.clusters(replace(fit, own=own))
    ax = figure.axes[0]
    low, high = ax.get_xlim()
    assert -2 < low < high < 2
    assert "(beyond the edge: 2 estimates of single groups)" in ax.get_xlabel()
    inside = sum(len(collections(ax, f"groups-of-cluster-{c}").get_offsets()) for c in (1, 2))
    assert inside == own.size - 3
    edges = [
        float(x)
        for c in ax.collections
        if isinstance(c, PathCollection) and c.get_gid() is None
        for x, _ in c.get_offsets()
    ]
    assert sorted(edges) == [low, high]


def test_one_cluster_needs_no_legend(selection: MixtureSelection) -> None:
    ax = plots.clusters(selection[1]).axes[0]
    assert ax.get_legend() is None
    assert len(ax.texts) == 4


def edges(fit: MixtureFit) -> tuple[float, float, int]:
    """Limits of the axis, and how many estimates stand at its edge."""
    ax = plots.clusters(fit).axes[0]
    said = re.search(r"beyond the edge: (\d+)", ax.get_xlabel())
    return *ax.get_xlim(), int(said.group(1)) if said else 0


def with_paths(fit: MixtureFit, shared: list[float], spread: float) -> MixtureFit:
    """Four regressions that are the same in both clusters, the groups' own a little to the left and right."""
    B = np.zeros_like(fit.B)
    B[:, fit.path.outcome, fit.path.predictor] = shared
    steps = np.linspace(-1, 1, fit.own.shape[0])[:, None]
    return replace(fit, B=B, own=np.array(shared) + spread * steps)


def test_a_large_path_among_small_ones_is_not_wild() -> None:
    names = ["a", "b", "c", "d", "e", "f", "y"]
    moments = FactorMoments.from_covariances([np.eye(7)] * 8, n=[90] * 8, factors=names, groups=range(8))
    fit = StructuralMixture("y ~ a + b + c + d + e + f", k=1).fit(moments)
    assert isinstance(fit, MixtureFit)
    one = with_paths(fit, [0.01, 0.0, -0.02, 0.02, 0.0, 1.5], 0.05)
    own = one.own.copy()
    own[:, 5] = np.linspace(1.2, 1.8, 8)
    low, high, outside = edges(replace(one, own=own))
    assert outside == 0
    assert low < -0.07 < 1.8 < high


def test_a_wild_group_is_wild_among_its_own(fit: MixtureFit) -> None:
    """The axis is not made longer for it alone; where other regressions are, it has its place."""
    wild = with_paths(fit, [0.01, 0.0, -0.02, 0.5], 0.05)
    own = wild.own.copy()
    own[3, 0] = 7.0
    _, high, outside = edges(replace(wild, own=own))
    assert outside == 1
    assert high < 1.0
    own[3, 0] = 0.52
    assert edges(replace(wild, own=own))[2] == 0


def test_a_cluster_that_varies_more_is_not_wild(fit: MixtureFit) -> None:
    loose = with_paths(fit, [0.0, 0.0, 0.0, 0.0], 0.01)
    own = loose.own.copy()
    posterior = np.repeat(np.eye(2), 4, axis=0)
    own[:4, 2] = np.linspace(-1, 1, 4)
    own[4:, 2] = np.linspace(-0.001, 0.001, 4)
    low, high, outside = edges(replace(loose, own=own, posterior=posterior))
    assert outside == 0
    assert low < -1 < 1 < high


# --- posterior --------------------------------------------------------------------------------------------------


def uncertain(fit: MixtureFit) -> MixtureFit:
    posterior = np.round(fit.posterior, 12)
    posterior[4] = [0.25, 0.75]
    posterior[1] = [0.999, 0.001]
    return replace(fit, posterior=posterior)


def test_posterior_draws_its_data(fit: MixtureFit) -> None:
    unsure = uncertain(fit)
    data = plots.posterior_data(unsure)
    assert sorted(map(str, data["group"])) == sorted(fit.groups)
    assert data["cluster"].is_monotonic_increasing
    for _, rows in data.groupby("cluster"):
        assert (np.diff(rows["probability"].round(2)) <= 0).all()
    ax = plots.posterior(unsure).axes[0]
    mesh = next(c for c in ax.collections if isinstance(c, QuadMesh))
    colors = mesh.get_array()
    expected = [[tint(cluster_color(c), row[f"p{c}"]) for c in (1, 2)] for _, row in data.iterrows()]
    np.testing.assert_allclose(colors, expected)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert [n.replace(r"\$", "$") for n in names] == [str(g).replace("\n", " ") for g in data["group"]]
    row = data["group"].tolist().index("f")
    assert {(t.get_position(), t.get_text()) for t in ax.texts} == {((0, row), ".25"), ((1, row), ".75")}


def many(fit: MixtureFit, times: int) -> MixtureFit:
    """The same fit with many copies of its groups."""
    groups = tuple(f"{g} {i}" for i in range(times) for g in fit.groups)
    moments = replace(fit.moments, groups=groups, n=np.tile(fit.moments.n, times))
    return replace(fit, moments=moments, posterior=np.tile(fit.posterior, (times, 1)))


def test_many_groups_stand_in_several_columns(fit: MixtureFit) -> None:
    figure = plots.posterior(many(fit, 8))
    assert len(figure.axes) == 4
    names = [label.get_text() for ax in figure.axes for label in ax.get_yticklabels()]
    assert len(names) == 64
    heights = {ax.get_ylim() for ax in figure.axes}
    assert len(heights) == 1  # rows are equally high in all columns
    assert figure.get_size_inches()[0] < 10.5


def test_very_many_groups_are_one_picture(fit: MixtureFit) -> None:
    crowd = many(fit, 40)
    figure = plots.posterior(crowd)
    (ax,) = figure.axes
    assert ax.images[0].get_array().shape[:2] == (320, 2)
    sizes = [f"{int((crowd.clusters == c).sum())} groups" for c in (1, 2)]
    assert [label.get_text() for label in ax.get_yticklabels()] == sizes


def test_long_names_are_cut_not_the_page(fit: MixtureFit) -> None:
    names = tuple("United Kingdom of Great Britain and Northern Ireland " + g for g in fit.groups)
    figure = plots.posterior(replace(fit, moments=replace(fit.moments, groups=names)))
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert set(shown) == {"United Kingdom of Gre…"}
    assert figure.get_size_inches()[0] < 4


# --- paths ------------------------------------------------------------------------------------------------------


def test_paths_draw_their_data(fit: MixtureFit) -> None:
    data = plots.paths_data(fit)
    figure = plots.paths(fit)
    assert len(figure.axes) == 2
    for c, ax in enumerate(figure.axes, start=1):
        rows = data[data["cluster"] == c]
        assert rows["estimate"].tolist() == fit.coefficients[c - 1].tolist()
        arrows = [p for p in ax.patches if isinstance(p, PathPatch)]
        assert [p.get_gid() for p in arrows] == [f"arrow-{c}-{e}" for e in range(4)]
        dashed = [p.get_linestyle() not in ("solid", "-") for p in arrows]
        assert dashed == [b < 0 for b in rows["estimate"]]
        widths = [p.get_linewidth() for p in arrows]
        assert np.argsort(widths).tolist() == np.argsort(rows["estimate"].abs()).tolist()
        labels = [t for t in texts(ax) if t[-1] in "0123456789=" and t.lstrip("−")[0].isdigit()]
        assert [number(t.rstrip(" =")) for t in labels] == [round(b, 2) for b in rows["estimate"]]
        assert [t.endswith("=") for t in labels] == rows["equal"].tolist() == [False, False, False, True]
        assert any(t.startswith(f"Cluster {c}: {(fit.clusters == c).sum()} groups") for t in texts(ax))


def test_arrows_lead_from_predictor_to_outcome(fit: MixtureFit) -> None:
    ax = plots.paths(fit).axes[0]
    factors = dict(zip(fit.path.factors, [p for p in ax.patches if isinstance(p, Ellipse)], strict=True))
    arrows = [p for p in ax.patches if isinstance(p, PathPatch)]
    for row, arrow in zip(plots.paths_data(fit).itertuples(), arrows, strict=False):
        ends = arrow.get_path().vertices[[0, -1]]
        for point, name in zip(ends, (row.predictor, row.outcome), strict=True):
            distances = {
                factor: np.hypot(*((point - e.get_center()) / (e.width / 2, e.height / 2)))
                for factor, e in factors.items()
            }
            assert min(distances, key=distances.__getitem__) == name
            assert 1.0 <= distances[name] < 1.5
    x = {name: ellipse.get_center()[0] for name, ellipse in factors.items()}
    assert x["x"] == x["a_long_name_of_a_factor"] < x["m"] < x["y"]


def test_names_stand_inside_their_ellipses(fit: MixtureFit) -> None:
    figure = plots.paths(fit)
    figure.draw_without_rendering()
    ax = figure.axes[0]
    ellipses = {tuple(p.get_center()): p for p in ax.patches if isinstance(p, Ellipse)}
    named = [t for t in ax.texts if tuple(t.get_position()) in ellipses]
    assert sorted(t.get_text().replace("\n", "") for t in named) == sorted(fit.path.factors)
    for text in named:
        room = ellipses[tuple(text.get_position())].get_window_extent()
        box = text.get_window_extent()
        assert box.width < room.width
        assert box.height < room.height


def test_coefficients_do_not_cover_one_another_or_names(fit: MixtureFit) -> None:
    figure = plots.paths(fit)
    figure.draw_without_rendering()
    boxes = [t.get_window_extent() for t in figure.axes[0].texts]
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


@pytest.mark.parametrize("ends", [((1, 0), (0, 1)), ((0, 0), (0.05, 0.05))], ids=["crossing", "parallel"])
def test_coefficients_of_near_arrows_stand_apart(ends: tuple[tuple[float, float], tuple[float, float]]) -> None:
    curves = [np.column_stack([np.linspace(0, 2, 60), np.linspace(*end, 60)]) for end in ends]
    a, b = label_places(curves, np.array([[-0.5, 0.0], [2.5, 0.0]]), np.array([0.4, 0.2]))
    assert (np.abs(a - b) >= 2 * LABEL).any()


def test_chosen_clusters_only(fit: MixtureFit) -> None:
    figure = plots.paths(fit, clusters=[2])
    assert [ax.patches[0].get_gid() for ax in figure.axes] == ["arrow-2-0"]
    with pytest.raises(OptionError, match=r"clusters=\[3\]"):
        plots.paths(fit, clusters=[3])


@pytest.mark.parametrize("n", [2, 6])
def test_headings_stand_apart_and_coefficients_leave_arrows_to_be_seen(n: int) -> None:
    names = [f"f{i}" for i in range(n)]
    model = "; ".join(f"f{i + 1} ~ f{i}" for i in range(n - 1))
    Phi = [np.eye(n) + 0.1 * g * (np.eye(n, k=1) + np.eye(n, k=-1)) for g in (0, 4) * 6]
    moments = FactorMoments.from_covariances(Phi, n=[500] * 12, factors=names, groups=range(12))
    fit = StructuralMixture(model, k=2, n_starts=5).fit(moments, seed=1)
    assert isinstance(fit, MixtureFit)
    three = replace(fit, B=fit.B[[0, 1, 1]], proportions=np.full(3, 1 / 3), posterior=np.eye(3)[np.arange(12) % 3])
    figure = plots.paths(three)
    figure.draw_without_rendering()
    page = figure.bbox
    titles = [t.get_window_extent() for ax in figure.axes for t in ax.texts if t.get_text().startswith("Cluster")]
    assert len(titles) == 3
    assert all(page.x0 <= box.x0 and box.x1 <= page.x1 for box in titles)
    assert not [(a, b) for i, a in enumerate(titles) for b in titles[:i] if a.overlaps(b)]
    for ax in figure.axes:
        arrows = [p for p in ax.patches if isinstance(p, PathPatch)]
        labels = [t.get_window_extent() for t in ax.texts[1 : len(arrows) + 1]]  # after the heading
        for arrow, label in zip(arrows, labels, strict=True):
            shaft = ax.transData.transform(arrow.get_path().vertices)
            assert label.x0 - shaft[0, 0] > 0.1 * figure.dpi
            assert shaft[-1, 0] - label.x1 > 0.1 * figure.dpi


# --- all of them ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draw", [plots.selection, plots.criteria])
def test_axes_of_a_selection_are_drawn_into_and_returned(draw, selection: MixtureSelection) -> None:  # type: ignore[no-untyped-def]
    ax = Figure().add_subplot()
    assert draw(selection, ax=ax) is ax
    assert ax.texts


def test_axes_and_figures_are_drawn_into_and_returned(fit: MixtureFit) -> None:
    ax = Figure().add_subplot()
    assert plots.clusters(fit, ax=ax) is ax
    assert ax.collections
    for draw in (plots.posterior, plots.paths):
        left, right = Figure(figsize=(8, 4)).subfigures(1, 2)
        assert draw(fit, figure=left) is left
        assert left.axes
        assert not right.axes


@pytest.mark.parametrize("name", ["clusters", "posterior", "paths"])
@pytest.mark.parametrize("suffix", ["", "_data"])
def test_a_selection_is_no_fit(name: str, suffix: str, selection: MixtureSelection) -> None:
    with pytest.raises(OptionError) as caught:
        getattr(plots, name + suffix)(selection)
    assert f"{name}() got a MixtureSelection" in str(caught.value)
    assert "give one of the fits, such as fits[3]" in str(caught.value)


@pytest.mark.parametrize("name", ["selection", "criteria"])
@pytest.mark.parametrize("suffix", ["", "_data"])
def test_a_fit_is_no_selection(name: str, suffix: str, fit: MixtureFit) -> None:
    with pytest.raises(OptionError) as caught:
        getattr(plots, name + suffix)(fit)
    assert f"{name}() got a MixtureFit" in str(caught.value)
    assert "fit several numbers of clusters" in str(caught.value)


@pytest.mark.parametrize("name", ["selection", "criteria", "clusters", "posterior", "paths"])
def test_other_things_are_refused(name: str) -> None:
    with pytest.raises(OptionError, match=rf"{name}\(\) got a dict"):
        getattr(plots, name)({})


@pytest.mark.filterwarnings("ignore:Glyph")
def test_nothing_is_left_behind(selection: MixtureSelection, fit: MixtureFit) -> None:
    before = dict(matplotlib.rcParams)
    for figure in (plots.selection(selection), plots.criteria(selection), plots.clusters(fit), plots.posterior(fit)):
        assert isinstance(figure, Figure)
    plots.paths(fit).savefig(io.BytesIO())
    assert dict(matplotlib.rcParams) == before
    assert _pylab_helpers.Gcf.get_all_fig_managers() == []


def test_pyplot_is_not_needed() -> None:
    code = "import sys, mixsem.plots; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "False"


def test_a_figure_shows_itself_in_a_notebook(fit: MixtureFit) -> None:
    figure = plots.paths(fit)
    picture, size = figure._repr_png_()  # type: ignore[attr-defined]
    assert picture.startswith(b"\x89PNG")
    assert size["width"] == round(96 * figure.get_size_inches()[0])


@pytest.mark.filterwarnings("ignore:Glyph")
def test_dollars_in_names_are_no_mathematics(fit: MixtureFit) -> None:
    figure = plots.posterior(fit)
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg")
    assert ">$c_1$ &amp; $d$<" in buffer.getvalue()


def test_colours_and_markers_tell_clusters_apart() -> None:
    first = [cluster_color(c) for c in range(1, 9)]
    pairs = [(a, b) for i, a in enumerate([*first, to_rgb(NEGATIVE)]) for b in first[:i]]
    assert min(np.abs(np.subtract(a, b)).sum() for a, b in pairs) > 0.2
    looks = {(cluster_color(c), cluster_marker(c)) for c in range(1, 25)}
    assert len(looks) == 24
    for color in first:
        assert readable_on(color) in ("white", "#222222")
    assert readable_on("black") == "white"
    assert readable_on("white") == "#222222"
